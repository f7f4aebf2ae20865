//! What the tests of several crates start from: small programs ([`programs`]),
//! golden cases ([`golden`]), runs of the command-line program ([`command`]), and
//! files beside the repository ([`mod@shared`]).
//!
//! A test's crate takes only what it needs: the simulators come with the feature
//! `sim` (`runs`), networks and models with `net` (`models`, `nodes`), compiled
//! networks with `compile` (`network`, `random_network`). So the tests of a lower crate do not wait
//! for the crates above it.

pub mod command;
pub mod golden;
#[cfg(feature = "net")]
pub mod models;
#[cfg(feature = "compile")]
pub mod network;
#[cfg(feature = "net")]
pub mod nodes;
pub mod numbers;
pub mod programs;
mod property;
#[cfg(feature = "compile")]
pub mod random_network;
#[cfg(feature = "sim")]
pub mod runs;
pub mod shared;

pub use property::cases;
pub use shared::{root, shared};
