//! `vta trace`: a program's run as a timeline.

use super::outputs::Outputs;
use super::profiled::{self, ProfiledArgs};
use super::{CliError, Output, Paint, shown};
use clap::Args;
use serde_json::json;
use std::io::BufWriter;
use std::ops::ControlFlow;
use std::path::PathBuf;
use vta::profiling::symbols;
use vta::program::atomic::AtomicFile;
use vta::report::{add_status, thousands};
use vta::simulate::LaunchFailure;
use vta::steps::each_launch;
use vta::trace::Timeline;
use vta::tsim::{self, Options};

/// Write a timeline of a run, to be opened in Perfetto (ui.perfetto.dev)
#[derive(Debug, Args)]
pub struct Trace {
    #[command(flatten)]
    profiled: ProfiledArgs,
    /// The file to write; a cycle is a nanosecond in it
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
}

impl Trace {
    pub(super) fn run(&self, paint: Paint) -> Result<Output, CliError> {
        let outputs = Outputs::new([&self.out], self.profiled.program.files())?;
        let program = self.profiled.load()?;
        outputs.unread()?;
        let file = |e: std::io::Error| CliError::file(&self.out, e);
        let to = BufWriter::new(AtomicFile::create(&self.out).map_err(file)?);
        let name = self.profiled.program.file.as_deref();
        let name = name.or(self.profiled.program.image.as_deref());
        let name = name.and_then(|p| p.file_name()).unwrap_or_default();
        let mut timeline = Timeline::new(to, &name.to_string_lossy());
        let options = Options {
            max_cycles: self.profiled.max_cycles,
            data: false,
            ..Options::default()
        };
        let mut failure = None;
        let mut cycles = 0;
        let _ = each_launch(&program, |launch, dram| {
            let insns: Vec<_> = launch.insns(dram.bytes()).map(Result::ok).collect();
            timeline.launch(&insns, symbols(launch));
            let (addr, count) = (launch.insn_addr, launch.insn_count);
            let config = &program.config;
            let outcome = tsim::run(config, dram, addr, count, options, &mut timeline);
            let outcome = outcome.map_err(|e| match e.into_sink() {
                Ok(e) => file(e),
                Err(e) => CliError::new("simulator", format_args!("launch {}: {e}", launch.name)),
            })?;
            timeline.launch_end(outcome.cycles);
            cycles += outcome.cycles;
            if outcome.status == tsim::Status::Ok {
                return Ok::<_, CliError>(ControlFlow::Continue(()));
            }
            failure = Some(LaunchFailure {
                launch: launch.name.clone(),
                report: outcome.into(),
            });
            Ok(ControlFlow::Break(()))
        })?;
        let bytes = timeline.bytes();
        let to = timeline.finish().map_err(file)?;
        let to = to.into_inner().map_err(|e| file(e.into_error()))?;
        to.commit().map_err(file)?;
        let mut json =
            json!({ "cycles": cycles, "bytes": bytes, "file": self.out.display().to_string() });
        add_status(&mut json, failure.as_ref());
        let exit = profiled::exit(failure.as_ref());
        let text = format!(
            "{}{}: {} cycles, {} bytes\nnext: open it in https://ui.perfetto.dev; a cycle is shown as a nanosecond\n",
            profiled::status_text(failure.as_ref(), paint),
            shown(&self.out),
            thousands(cycles),
            thousands(bytes)
        );
        Ok(Output {
            exit,
            ..Output::ok(text, json)
        })
    }
}
