//! `vta prune --data` where training was not built in.

use super::Prune;
use crate::cli::{CliError, Output};
use clap::Args;

/// Stands for the arguments of training.
#[derive(Debug, Clone, Args)]
pub struct TrainingArgs {
    /// Train with this data while blocks go; this program was built without training
    #[arg(long, value_name = "DATA")]
    pub data: Option<String>,
}

impl Prune {
    /// Says how to get it.
    pub(super) fn train(&self) -> Result<Output, CliError> {
        Err(crate::cli::without_training("prune --data"))
    }
}
