//! `vta train` and `vta prune --data` as commands.
#![cfg(feature = "train")]

#[path = "cli_train/boxes.rs"]
mod boxes;
#[path = "cli_train/classes.rs"]
mod classes;
#[path = "cli_train/prune.rs"]
mod prune;
mod support;
