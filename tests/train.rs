//! Training: operators, networks, runs, the command.
#![cfg(feature = "prune")]

mod support;

#[path = "train/checkpoint.rs"]
mod checkpoint;
#[path = "train/command.rs"]
mod command;
#[path = "train/detect.rs"]
mod detect;
#[path = "train/detect_command.rs"]
mod detect_command;
#[cfg(feature = "wgpu")]
#[path = "train/gpu.rs"]
mod gpu;
#[path = "train/network.rs"]
mod network;
#[path = "train/operators.rs"]
mod operators;
#[path = "train/run.rs"]
mod run;
#[path = "train/values.rs"]
mod values;
