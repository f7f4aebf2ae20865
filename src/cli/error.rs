//! What the command says when it cannot do what was asked.

use super::sim::SimError;
use serde_json::{Value, json};
use std::fmt::Display;
use std::path::Path;
use vta::config::ConfigError;
use vta::data::DataError;
use vta::golden::GoldenError;
use vta::program::{BundleError, ProgramError};
use vta::quant::QuantError;
use vta::sparse::MaskError;

/// An error of the command: what is wrong, and what to do next.
#[derive(Debug, Clone)]
pub struct CliError {
    /// What sort of thing is wrong; stable, for programs that read it.
    pub kind: &'static str,
    /// What is wrong, with its place.
    pub message: String,
    /// What to do next, where that is known.
    pub help: Option<String>,
    /// Exit code.
    pub exit: u8,
}

impl CliError {
    /// Bad input.
    pub fn new(kind: &'static str, message: impl Display) -> Self {
        Self {
            kind,
            message: message.to_string(),
            help: None,
            exit: super::EXIT_BAD_INPUT,
        }
    }

    /// A file that cannot be read or written.
    pub fn file(path: &Path, e: &std::io::Error) -> Self {
        let error = Self::new("file", format_args!("{}: {e}", path.display()));
        match e.kind() {
            std::io::ErrorKind::NotFound => error.help("check the path"),
            std::io::ErrorKind::DirectoryNotEmpty => {
                error.help("give a folder that does not exist yet, or an empty one")
            }
            _ => error,
        }
    }

    /// The error with advice.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The error with its file in front.
    pub fn of(mut self, path: &Path) -> Self {
        self.message = format!("{}: {}", path.display(), self.message);
        self
    }

    /// As the JSON object that `--json` prints.
    pub fn json(&self) -> Value {
        let mut error = json!({ "kind": self.kind, "message": self.message });
        if let Some(help) = &self.help {
            error["help"] = json!(help);
        }
        json!({ "schema_version": super::SCHEMA_VERSION, "error": error })
    }
}

impl Display for CliError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CliError {}

impl From<ConfigError> for CliError {
    fn from(e: ConfigError) -> Self {
        let help = e.help();
        Self {
            help,
            ..Self::new("config", e)
        }
    }
}

impl From<BundleError> for CliError {
    fn from(e: BundleError) -> Self {
        let help = e.help();
        Self {
            help,
            ..Self::new("bundle", e)
        }
    }
}

impl From<ProgramError> for CliError {
    fn from(e: ProgramError) -> Self {
        Self::new("program", e)
    }
}

impl From<GoldenError> for CliError {
    fn from(e: GoldenError) -> Self {
        Self::new("golden", e)
    }
}

impl From<QuantError> for CliError {
    fn from(e: QuantError) -> Self {
        Self::new("quantise", e)
    }
}

impl From<MaskError> for CliError {
    fn from(e: MaskError) -> Self {
        let help = e.help();
        Self {
            help,
            ..Self::new("mask", e)
        }
    }
}

#[cfg(feature = "prune")]
impl From<vta::prune::PruneError> for CliError {
    fn from(e: vta::prune::PruneError) -> Self {
        let help = e.help();
        Self {
            help,
            ..Self::new("prune", e)
        }
    }
}

#[cfg(feature = "prune")]
impl From<vta::prune::AllocationError> for CliError {
    fn from(e: vta::prune::AllocationError) -> Self {
        vta::prune::PruneError::from(e).into()
    }
}

impl From<DataError> for CliError {
    fn from(e: DataError) -> Self {
        let not_found = e.not_found();
        let error = Self::new("data", e);
        match not_found {
            true => error.help("check the path"),
            false => error,
        }
    }
}

#[cfg(feature = "prune")]
impl From<vta::train::TrainError> for CliError {
    fn from(e: vta::train::TrainError) -> Self {
        use vta::train::TrainError;
        match e {
            TrainError::Data(e) => e.into(),
            e @ TrainError::Diverged { .. } => Self::new("train", e).help("try a lower --lr"),
            e => Self::new("train", e),
        }
    }
}

impl From<SimError> for CliError {
    fn from(e: SimError) -> Self {
        Self::new("simulator", e)
    }
}
