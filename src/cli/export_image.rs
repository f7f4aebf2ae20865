//! `vta export-image`: raw DRAM images of a program's launches.

use super::input::ProgramArgs;
use super::outputs::Outputs;
use super::{CliError, Output, number, shown};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use vta::Simulator;
use vta::program::export::ExportError;

/// Write raw DRAM images of a program's launches
#[derive(Debug, Args)]
pub struct ExportImage {
    #[command(flatten)]
    program: ProgramArgs,
    /// The folder to make; it gets one folder for each launch
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    /// The simulator that makes the images after the first
    #[arg(long, value_parser = number::simulator(), default_value = "tsim")]
    sim: Simulator,
    /// Cycles after which a launch counts as hanging [default: 1000000000]
    #[arg(long, value_name = "N", value_parser = number::long_count)]
    max_cycles: Option<u64>,
}

impl ExportImage {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        Outputs::new([&self.out], self.program.files())?;
        let program = self.program.load()?;
        let names = program.export_image(
            &self.out,
            self.sim,
            self.max_cycles.unwrap_or(vta::MAX_CYCLES),
        );
        let names = names.map_err(|e| {
            if let vta::Error::Export(e) = &e
                && let ExportError::Image { launch, source } = &**e
                && let vta::Error::NotOk(failure) = source
            {
                let status = failure.report.status;
                let message =
                    format_args!("launch {launch}: the launch before it ends with {status}");
                return CliError::new("simulator", message).help("`vta run` says more");
            }
            CliError::from(e)
        })?;
        let mut text = String::new();
        for name in &names {
            text += &format!("{}\n", shown(&self.out.join(name)));
        }
        let json = json!({ "out": self.out.display().to_string(), "launches": names });
        Ok(Output::ok(text, json))
    }
}
