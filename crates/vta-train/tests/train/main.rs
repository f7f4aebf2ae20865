//! Training: operators, networks, runs, checkpoints; pruning-aware training.

mod checkpoint;
mod detect;
mod exponents;
#[cfg(feature = "wgpu")]
mod gpu;
mod last;
mod network;
mod operators;
mod pruning_aware;
mod run;
mod values;
