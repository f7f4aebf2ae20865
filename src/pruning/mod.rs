//! Dropping the blocks of a network: at once, or while it is trained.

#[cfg(feature = "train")]
mod exponents;
#[cfg(feature = "train")]
mod job;
mod work;

#[cfg(feature = "train")]
pub use exponents::{calibration, chooser};
#[cfg(feature = "train")]
pub use job::{Done, End, Job, Place};
pub use work::{Cycles, Decision, Pruning};
