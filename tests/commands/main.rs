//! The command-line program, as it is built.

mod check;
mod cli;
mod cli_network;
#[cfg(feature = "train")]
mod cli_prune;
mod cli_sight;
mod docs;
mod eval;
mod golden;
mod network;
mod report;
#[path = "../support/mod.rs"]
mod support;
