//! What a command writes, and what it reads: never one file.

use super::{CliError, model};
use std::path::{Path, PathBuf};
use vta::config::HwConfig;
use vta::files::distinct;

/// What a command writes.
#[derive(Debug)]
pub struct Outputs<'a>(Vec<&'a Path>);

impl<'a> Outputs<'a> {
    /// Refuses outputs that are inputs, or each other; before the work.
    ///
    /// # Errors
    /// The first two that are one.
    pub fn new<'i>(
        outputs: impl IntoIterator<Item = &'a PathBuf>,
        inputs: impl IntoIterator<Item = &'i Path>,
    ) -> Result<Self, CliError> {
        let outputs: Vec<&Path> = outputs.into_iter().map(PathBuf::as_path).collect();
        distinct(outputs.iter().copied(), inputs)?;
        Ok(Self(outputs))
    }

    /// The same for files that were read since, which others name inside.
    ///
    /// # Errors
    /// The first two that are one.
    pub fn unread(&self) -> Result<(), CliError> {
        let read = vta::files::noted();
        Ok(distinct(
            self.0.iter().copied(),
            read.iter().map(PathBuf::as_path),
        )?)
    }
}

/// The file of a configuration, if it is one.
pub fn config_file(name: Option<&str>) -> Option<&Path> {
    let file = name.filter(|n| HwConfig::built_in(n).is_none());
    file.map(Path::new)
}

/// The file of a network, if it is one.
pub fn model_file(name: &str) -> Option<&Path> {
    (!model::is_of_zoo(name)).then(|| Path::new(name))
}
