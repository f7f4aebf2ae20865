//! What the commands share that look at where cycles go.

use super::input::{self, ProgramArgs};
use super::{CliError, number};
use clap::Args;
use vta::Program;
use vta::simulate::LaunchFailure;

/// A program, and how it is run.
#[derive(Debug, Args)]
pub struct ProfiledArgs {
    #[command(flatten)]
    pub program: ProgramArgs,
    /// Cycles after which a launch counts as hanging
    #[arg(long, value_name = "N", value_parser = number::long_count, default_value = "1000000000")]
    pub max_cycles: u64,
    /// Let transfers go past the end of a scratchpad, where indices wrap; images always may
    #[arg(long, conflicts_with = "image")]
    pub wrap: bool,
}

impl ProfiledArgs {
    /// Reads the program.
    ///
    /// # Errors
    /// The file and what is wrong in it.
    pub fn load(&self) -> Result<Program, CliError> {
        let program = self.program.load()?;
        if self.program.image.is_none() && !self.wrap {
            input::check_fit(&program)?;
        }
        Ok(program)
    }
}

/// Exit code of a command whose program ended so.
pub fn exit(failure: Option<&LaunchFailure>) -> u8 {
    failure.map_or(0, |_| super::EXIT_NOT_OK)
}

/// With a hang or an assertion, who waits for what; nothing if all ended well.
pub fn status_text(failure: Option<&LaunchFailure>, paint: super::Paint) -> String {
    let Some(LaunchFailure { launch, report }) = failure else {
        return String::new();
    };
    let mut text = format!("launch {launch}: {}", paint.status(report.status));
    if let Some(reason) = &report.reason {
        text += &format!(", {reason}");
    }
    text += "\n";
    for wait in &report.waits {
        text += &format!("  {wait}\n");
    }
    text + "\n"
}
