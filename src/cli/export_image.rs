//! `vta export-image`: raw DRAM images of a program's launches.

use super::execute::execute;
use super::input::ProgramArgs;
use super::sim::{Sim, Which};
use super::{CliError, Output, number};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use vta::golden::Status;
use vta::mem::Dram;
use vta::program::Step;
use vta::program::export::{ExportError, export_images};

/// Write raw DRAM images of a program's launches
#[derive(Debug, Args)]
pub struct ExportImage {
    #[command(flatten)]
    program: ProgramArgs,
    /// The folder to make; it gets one folder for each launch
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    /// The simulator that makes the images after the first
    #[arg(long, value_enum, default_value = "tsim")]
    sim: Which,
    /// Cycles after which a launch counts as hanging
    #[arg(long, value_name = "N", value_parser = number::long_count, default_value = "1000000000")]
    max_cycles: u64,
}

impl ExportImage {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        let program = self.program.load()?;
        let mut dram = Dram::new(program.dram_image());
        let mut sim = Sim::new(self.sim, &program.config);
        let is_launch = |s: &Step| matches!(s, Step::Launch(_));
        let mut next = 0;
        let names = export_images(&program, &self.out, |k, _| {
            // All steps up to this launch: the launch before it, then what the host does.
            let skip = usize::from(k > 0);
            let more = program.steps[next + skip..].iter().position(is_launch);
            let steps = next..next + skip + more.unwrap_or(0);
            next = steps.end;
            let done = execute(&mut sim, &program, &mut dram, self.max_cycles, steps, None)?;
            if done.status() != Status::Ok {
                let message = format_args!("the launch before it ends with {}", done.status());
                return Err(CliError::new("simulator", message).help("`vta run` says more"));
            }
            Ok::<_, CliError>(dram.bytes().to_vec())
        });
        let names = names.map_err(|e| match e {
            ExportError::Image { launch, source } => CliError {
                message: format!("launch {launch}: {}", source.message),
                ..source
            },
            ExportError::Io { path, source } => CliError::file(&path, &source),
            ExportError::Program(e) => e.into(),
            other @ ExportError::ImageBytes { .. } => CliError::new("program", other),
        })?;
        let mut text = String::new();
        for name in &names {
            text += &format!("{}\n", self.out.join(name).display());
        }
        let json = json!({ "out": self.out.display().to_string(), "launches": names });
        Ok(Output::ok(text, json))
    }
}
