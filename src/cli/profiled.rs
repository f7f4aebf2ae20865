//! What the commands share that look at where cycles go.

use super::input::{self, ProgramArgs};
use super::{CliError, number};
use clap::Args;
use serde_json::{Value, json};
use vta::Program;
use vta::golden::Status;
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
    #[arg(long)]
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

/// The status, and with a hang or an assertion who waits for what.
pub fn add_status(json: &mut Value, failure: Option<&LaunchFailure>) -> u8 {
    let Some(LaunchFailure { launch, report }) = failure else {
        json["status"] = json!(Status::Ok);
        return 0;
    };
    json["status"] = json!(report.status);
    json["launch"] = json!(launch);
    super::execution::add_end(json, report);
    super::EXIT_NOT_OK
}

/// The same as lines of text; nothing if all ended well.
pub fn status_text(failure: Option<&LaunchFailure>, paint: super::Paint) -> String {
    let Some(LaunchFailure { launch, report }) = failure else {
        return String::new();
    };
    let mut text = format!("launch {launch}: {}\n", paint.status(report.status));
    for wait in &report.waits {
        text += &format!("  {wait}\n");
    }
    text + "\n"
}
