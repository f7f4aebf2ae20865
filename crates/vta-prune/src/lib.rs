//! Which weight blocks go, when, and how the rest is pulled there: the method
//! as mathematics on slices, without a training framework and without
//! instructions. It meets the hardware in a table of cycles ([`cost`]) and in a
//! question, how many cycles a network with masks takes ([`meet`]).
//!
//! | file | subject |
//! | --- | --- |
//! | `layer` | what can be pruned in a network |
//! | `blocks` | energies of blocks, the projection onto `k` blocks |
//! | `allocation` | how many blocks each layer keeps under a budget |
//! | `cost` | cycles of each layer by kept blocks |
//! | `cycles` | a budget of cycles, met by exact counts |
//! | `admm` | the state of the alternating directions of one layer |
//! | `method` | recipes, switches, lengths |
//! | `plan` | what happens at which step of training |
//! | `pruner` | all of it together, as a training loop calls it |
//! | `permute` | orders of channels that gather energy in few blocks |
//! | `summary` | what is kept, as numbers |
//!
//! `docs/pruning.md` has the formulas in words.

mod admm;
mod allocation;
mod blocks;
pub mod cost;
mod cycles;
mod error;
mod layer;
mod method;
pub mod permute;
mod plan;
mod pruner;
mod summary;

pub use admm::Admm;
pub use allocation::{
    Allocation, AllocationError, AllocationRule, Budget, Costs, Path, Profile, Profiles, Smoothing,
    Target, read_sparsities,
};
pub use blocks::{Blocks, Ranking};
pub use cycles::{Cheapest, Kept, MOST_QUESTIONS, Met, Ranks, Request, Returns, meet};
pub use error::PruneError;
pub use layer::{Dense, PruneLayer, layers, weight};
pub use method::{Method, Recipe, Settings};
pub use plan::{Phase, Plan, Step};
pub use pruner::{Change, CountCycles, Counted, Pruner};
pub use summary::{LayerSummary, Summary, summary};
