//! The command-line program, as it is built, and what takes all crates at once.

mod cases;
mod check;
mod cli;
mod cli_network;
#[cfg(feature = "train")]
mod cli_prune;
mod cli_sight;
mod cycles;
#[cfg(feature = "train")]
mod diverge;
mod docs;
mod eval;
mod floors;
mod golden;
#[cfg(feature = "train")]
mod kill;
mod limits;
mod network;
mod pareto;
#[cfg(feature = "train")]
mod prune_counts;
mod pytorch;
mod report;
#[cfg(feature = "train")]
mod resume;
mod robust;
mod robust_files;
mod robust_io;
mod robust_names;
mod robust_options;
mod robust_output;
mod support;
mod sweep;
#[cfg(feature = "train")]
mod train_boxes;
#[cfg(feature = "train")]
mod train_classes;
#[cfg(feature = "train")]
mod train_prune;
