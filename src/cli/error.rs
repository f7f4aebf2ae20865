//! What the command says when it cannot do what was asked.

use serde_json::{Value, json};
use std::fmt::Display;
use std::path::Path;
use vta::Error;
use vta::asm::AsmErrors;
use vta::golden::GoldenError;
use vta::printable::{printable, printable_lines};
#[cfg(feature = "train")]
use vta::train::{CheckpointError, TrainError};

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
    /// Bad input. The message is one line: names in it are spelled out.
    pub fn new(kind: &'static str, message: impl Display) -> Self {
        Self::lines(kind, &printable(&message.to_string()))
    }

    /// An option that would change nothing, and why.
    pub fn no_effect(option: &str, why: &str) -> Self {
        Self::new("usage", format_args!("{option} has no effect {why}")).help("leave it out")
    }

    /// Bad input, with a message of several lines.
    pub fn lines(kind: &'static str, message: &str) -> Self {
        Self {
            kind,
            message: printable_lines(message).into_owned(),
            help: None,
            exit: super::EXIT_BAD_INPUT,
        }
    }

    /// A file that cannot be read or written.
    pub fn file(path: &Path, e: std::io::Error) -> Self {
        Error::file(path, e).into()
    }

    /// The error with advice.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(printable(&help.into()).into_owned());
        self
    }

    /// The error with its file in front.
    pub fn of(mut self, path: &Path) -> Self {
        self.message = format!("{}: {}", shown(path), self.message);
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

impl From<Error> for CliError {
    fn from(e: Error) -> Self {
        Self {
            kind: e.kind(),
            message: message(&e),
            help: e.help().map(|h| printable(&h).into_owned()),
            exit: match e {
                Error::NotOk(_) | Error::NotProven(_) => super::EXIT_NOT_OK,
                Error::OutputsDiffer => super::EXIT_DIFFERS,
                Error::Cancelled => super::EXIT_STOPPED,
                _ => super::EXIT_BAD_INPUT,
            },
        }
    }
}

/// A path as it is printed.
pub fn shown(path: &Path) -> String {
    printable(&path.display().to_string()).into_owned()
}

/// What is wrong; of assembly text each mistake with its line.
fn message(e: &Error) -> String {
    match e {
        Error::In { path, source } => format!("{}: {}", shown(path), message(source)),
        Error::Assembly(errors) => mistakes(errors),
        #[cfg(feature = "train")]
        Error::Train(TrainError::Checkpoint(CheckpointError::OtherRun(all))) => {
            let all = super::resume::differences(all);
            format!("the checkpoint is of another run: {}", printable(&all))
        }
        e => printable(&e.to_string()).into_owned(),
    }
}

/// Each mistake with its line and a caret under it.
fn mistakes(errors: &AsmErrors) -> String {
    let mut text = String::new();
    for e in &errors.0 {
        // A tab is as wide as the terminal wants; the mark is under its place with a space.
        let line = e.line_text.replace('\t', " ");
        let width = |from: usize, n: usize| {
            let part: String = line.chars().skip(from).take(n).collect();
            printable(&part).chars().count().max(1)
        };
        let indent = match e.column {
            1 => String::new(),
            column => " ".repeat(width(0, column - 1)),
        };
        let mark = "^".repeat(width(e.column - 1, e.width));
        let (what, line) = (e.to_string(), printable(&line));
        text += &format!("{}\n  {line}\n  {indent}{mark}\n", printable(&what));
    }
    text.trim_end().into()
}

impl From<GoldenError> for CliError {
    fn from(e: GoldenError) -> Self {
        Self::new("golden", e)
    }
}

/// Errors of the library's parts, as those of its stages.
macro_rules! from_parts {
    ($($part:ty),* $(,)?) => {
        $(impl From<$part> for CliError {
            fn from(e: $part) -> Self {
                Error::from(e).into()
            }
        })*
    };
}

from_parts!(
    vta::config::ConfigError,
    vta::cost::CostError,
    vta::data::DataError,
    vta::program::BundleError,
    vta::program::ProgramError,
    vta::prune::PruneError,
    vta::prune::AllocationError,
    vta::quant::QuantError,
    vta::simulate::SimError,
    vta::sparse::MaskError,
);

#[cfg(feature = "train")]
from_parts!(vta::train::TrainError);
