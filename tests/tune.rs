//! Tuning: runs of pruning; the trainer rounds as the device does.
#![cfg(feature = "train")]

#[path = "tune/command.rs"]
mod command;
#[path = "tune/exponents.rs"]
mod exponents;
#[path = "tune/run.rs"]
mod run;
mod support;
#[allow(dead_code)] // each test takes a part
#[path = "train/values.rs"]
mod values;
