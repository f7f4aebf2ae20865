//! Dropping the blocks of a network: at once, or while it is trained.

mod by_cycles;
#[cfg(feature = "train")]
mod counting;
#[cfg(feature = "train")]
mod exponents;
#[cfg(feature = "train")]
mod training_run;
mod work;

#[cfg(feature = "train")]
pub use exponents::{calibration, chooser};
#[cfg(feature = "train")]
pub use training_run::{PruneEnd, PruneTraining, Pruned, RunFolder, tensor_bytes};
pub use work::{Cycles, Decision, Pruning};
