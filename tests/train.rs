//! Training: operators, networks, runs.
#![cfg(feature = "prune")]

#[path = "train/network.rs"]
mod network;
#[path = "train/operators.rs"]
mod operators;
#[path = "train/values.rs"]
mod values;
