//! `vta run`: simulates a program.

use super::input::{self, ProgramArgs};
use super::inspect::{self, Inspect, StopAt};
use super::outputs::Outputs;
use super::{CliError, Output, Paint, execution, number};
use clap::Args;
use serde_json::json;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use vta::execution::{Execution, execute};
use vta::mem::Dram;
use vta::program::atomic::{AtomicFile, write_file};
use vta::simulate::{Sim, SimError};
use vta::{MAX_CYCLES, Program, Simulator};

/// Simulate a program
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    program: ProgramArgs,
    /// The simulator
    #[arg(long, value_parser = number::simulator(), default_value = "tsim")]
    sim: Simulator,
    /// Cycles after which a launch counts as hanging [default: 1000000000]
    #[arg(long, value_name = "N", value_parser = number::long_count)]
    max_cycles: Option<u64>,
    /// Count cycles and move no data: the same cycles, sooner. DRAM stays as it is, host steps are left out
    #[arg(long, conflicts_with = "image_out")]
    timing_only: bool,
    /// Let transfers go past the end of a scratchpad, where indices wrap; images always may
    #[arg(long, conflicts_with = "image")]
    wrap: bool,
    /// Run N times in one process, each time from a fresh image
    #[arg(long, value_name = "N", value_parser = number::count, default_value = "1")]
    repeat: u32,
    /// Write DRAM after the run, however it ended
    #[arg(long, value_name = "FILE")]
    image_out: Option<PathBuf>,
    /// Write what happened when, as CSV
    #[arg(long, value_name = "FILE")]
    trace_csv: Option<PathBuf>,
    /// The launch to trace, in a program with several
    #[arg(long, value_name = "NAME", requires = "trace_csv", conflicts_with_all = ["stop_at", "dump"])]
    trace_launch: Option<String>,
    /// Stop after an instruction (`12`) or a cycle (`@1200`) and say what has ended
    #[arg(long, value_name = "INSN|@CYCLE", value_parser = inspect::stop_at, conflicts_with_all = ["timing_only", "trace_csv", "image_out", "repeat"])]
    stop_at: Option<StopAt>,
    /// Show elements of a scratchpad, or bytes of DRAM, where the run stops: `inp[0..16]`, `acc[3]`, `dram[0x1000..0x1040]`
    #[arg(long, value_name = "RANGE", value_parser = inspect::range, num_args = 1.., conflicts_with_all = ["timing_only", "trace_csv", "image_out", "repeat"])]
    dump: Vec<inspect::Range>,
    /// The launch to stop in, in a program with several
    #[arg(long, value_name = "NAME", conflicts_with = "trace_launch")]
    launch: Option<String>,
}

impl Run {
    pub(super) fn run(&self, paint: Paint) -> Result<Output, CliError> {
        self.check()?;
        let max_cycles = self.max_cycles.unwrap_or(MAX_CYCLES);
        let written = self.trace_csv.iter().chain(&self.image_out);
        let outputs = Outputs::new(written, self.program.files())?;
        let program = self.program.load()?;
        outputs.unread()?;
        if self.program.image.is_none() && !self.wrap {
            input::check_fit(&program)?;
        }
        if self.stop_at.is_some() || !self.dump.is_empty() {
            let inspect = Inspect {
                stop: self.stop_at,
                dumps: &self.dump,
                launch: self.launch.as_deref(),
                sim: self.sim,
                max_cycles,
            };
            return inspect.run(&program);
        }
        let traced = self.traced_launch(&program)?;
        let mut trace = match &self.trace_csv {
            Some(path) => {
                let file = AtomicFile::create(path).map_err(|e| CliError::file(path, e))?;
                Some((path, BufWriter::new(file)))
            }
            None => None,
        };
        let mut sim = Sim::new(self.sim, &program.config).timing_only(self.timing_only);
        let image = program.dram_image();
        let mut dram = Dram::new(image.clone());
        let mut first: Option<Execution> = None;
        for n in 0..self.repeat {
            if n > 0 {
                dram.reset_to(&image);
            }
            let sink = match &mut trace {
                Some((_, file)) if n == 0 => Some((traced.as_str(), file as &mut dyn Write)),
                _ => None,
            };
            let all = 0..program.steps.len();
            let done = execute(&mut sim, &program, &mut dram, max_cycles, all, sink);
            let done = done.map_err(|e| match (e, &self.trace_csv) {
                (vta::Error::Simulator(SimError::Trace(e)), Some(path)) => CliError::file(path, e),
                (e, _) => e.into(),
            })?;
            match &first {
                Some(f) if *f != done => {
                    let message =
                        format_args!("run {} of {} differs from the first", n + 1, self.repeat);
                    let mut error = CliError::new("simulator", message).help(
                        "this is a defect of the simulator; please report it with the program",
                    );
                    error.exit = super::EXIT_DIFFERS;
                    return Err(error);
                }
                Some(_) => {}
                None => first = Some(done),
            }
        }
        let done = first.unwrap_or_default();
        if let Some((path, file)) = trace {
            let file = file
                .into_inner()
                .map_err(std::io::IntoInnerError::into_error);
            file.and_then(AtomicFile::commit)
                .map_err(|e| CliError::file(path, e))?;
        }
        if let Some(path) = &self.image_out {
            write_file(path, dram.bytes()).map_err(|e| CliError::file(path, e))?;
        }
        let mut json = execution::json(&done);
        json["config"] = json!(program.config.name);
        json["sim"] = json!(self.sim.name());
        json["repeat"] = json!(self.repeat);
        Ok(Output {
            exit: execution::exit(&done),
            ..Output::ok(execution::text(&done, |s| paint.status(s)), json)
        })
    }

    /// Refuses options that would change nothing.
    fn check(&self) -> Result<(), CliError> {
        if self.sim == Simulator::Fsim {
            for (given, option) in [
                (self.timing_only, "--timing-only"),
                (self.trace_csv.is_some(), "--trace-csv"),
            ] {
                if given {
                    let error =
                        CliError::no_effect(option, "with --sim fsim, which counts no cycles");
                    let help = format!("leave out {option}, or run with --sim tsim");
                    return Err(error.help(help));
                }
            }
        }
        if self.launch.is_some() && self.stop_at.is_none() && self.dump.is_empty() {
            let error = CliError::no_effect(
                "--launch",
                "where nothing stops the run: all launches are run",
            );
            return Err(error.help("--stop-at and --dump say what is wanted of the launch"));
        }
        Ok(())
    }

    /// The launch whose events are wanted; the only one if none is named.
    fn traced_launch(&self, program: &Program) -> Result<String, CliError> {
        let names: Vec<&str> = program.launches().map(|l| l.name.as_str()).collect();
        let list = || format!("its launches are {}", names.join(", "));
        match (&self.trace_launch, names.as_slice()) {
            (Some(name), names) if names.contains(&name.as_str()) => Ok(name.clone()),
            (Some(name), _) => {
                let message = format_args!("the program has no launch {name}");
                Err(CliError::new("usage", message).help(list()))
            }
            (None, [only]) => Ok((*only).into()),
            (None, several) if self.trace_csv.is_some() => {
                let message = format_args!(
                    "the program has {} launches, a trace is of one",
                    several.len()
                );
                let help = format!("name it with --trace-launch; {}", list());
                Err(CliError::new("usage", message).help(help))
            }
            (None, _) => Ok(String::new()),
        }
    }
}
