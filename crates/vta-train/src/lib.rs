//! Training: networks of [`graph`](vta_net::graph) as tensors of `burn`.
//!
//! A [`Network`] is made from a graph and gives one back. A [`Trainer`] makes
//! its steps; what a method of pruning does in them are [`Hooks`], and those of
//! [`pruning_aware`] are this project's. A [`Checkpoint`] has all that a run
//! needs to go on with the same bits. This crate reads and writes no files.

pub mod backend;
mod checkpoint;
pub mod detect;
mod error;
mod hooks;
mod identity;
pub mod kernels;
mod log;
mod network;
mod ops;
mod optimiser;
pub mod pruning_aware;
mod schedule;
mod task;
mod trainer;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use detect::{Detect, Detector, Rules};
pub use error::TrainError;
pub use hooks::{Hooks, Seen, StepContext};
pub use identity::{Difference, Identity};
pub use log::Row;
pub use network::{EPSILON, Exponents, Kind, Mask, Mode, Network, Param, Pass, Running, Value};
pub use optimiser::{Optimiser, Rule};
pub use schedule::Schedule;
pub use task::{Classify, Measured, Task, images, normalise};
pub use trainer::{Settings, Step, Trainer};
