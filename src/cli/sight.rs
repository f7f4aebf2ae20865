//! What the commands share that look at where cycles go.

use super::input::{self, ProgramArgs};
use super::sim::{SimReport, from_tsim};
use super::{CliError, number};
use clap::Args;
use serde_json::{Value, json};
use vta::golden::Status;
use vta::program::Program;
use vta::sight::{self, Seen};

/// A program, and how it is run.
#[derive(Debug, Args)]
pub struct SightArgs {
    #[command(flatten)]
    pub program: ProgramArgs,
    /// Cycles after which a launch counts as hanging
    #[arg(long, value_name = "N", value_parser = number::long_count, default_value = "1000000000")]
    pub max_cycles: u64,
    /// Let transfers go past the end of a scratchpad, where indices wrap; images always may
    #[arg(long)]
    pub wrap: bool,
}

impl SightArgs {
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

/// Runs a program and attributes its cycles.
///
/// # Errors
/// A launch that leaves DRAM or cannot start.
pub fn watch(program: &Program, max_cycles: u64) -> Result<Vec<Seen>, CliError> {
    let _span = tracing::info_span!("profile").entered();
    sight::watch(program, max_cycles).map_err(|(launch, e)| {
        let message = format_args!("launch {launch}: {e}");
        CliError::new("simulator", message)
    })
}

/// How a run ended that did not end well.
pub fn failure(seen: &[Seen]) -> Option<(String, SimReport)> {
    let last = seen.last()?;
    let report = from_tsim(last.outcome.clone());
    (report.status != Status::Ok).then(|| (last.launch.clone(), report))
}

/// The status, and with a hang or an assertion who waits for what.
pub fn add_status(json: &mut Value, seen: &[Seen]) -> u8 {
    let Some((launch, report)) = failure(seen) else {
        json["status"] = json!(Status::Ok);
        return 0;
    };
    json["status"] = json!(report.status);
    json["launch"] = json!(launch);
    super::execute::add_end(json, &report);
    super::EXIT_NOT_OK
}

/// The same as lines of text; nothing if all ended well.
pub fn status_text(seen: &[Seen], paint: super::Paint) -> String {
    let Some((launch, report)) = failure(seen) else {
        return String::new();
    };
    let mut text = format!("launch {launch}: {}\n", paint.status(report.status));
    for wait in &report.waits {
        text += &format!("  {wait}\n");
    }
    text + "\n"
}
