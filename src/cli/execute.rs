//! Running a program's launches one after the other.

use super::CliError;
use super::sim::{Sim, SimReport, Stats};
use serde_json::{Value, json};
use std::io::Write;
use std::ops::Range;
use std::time::{Duration, Instant};
use vta::golden::Status;
use vta::mem::Dram;
use vta::program::{HostStep, Program, Step};
use vta::report::{Cell, Table};

/// One launch that was run.
#[derive(Debug, PartialEq, Eq)]
pub struct LaunchRun {
    /// Name of the launch.
    pub name: String,
    /// What the simulator says.
    pub report: SimReport,
    /// The bytes of its outputs right after it.
    pub outputs: Vec<Vec<u8>>,
}

/// One host step that was run. Its time is of this machine and this run, so it
/// is never part of cycles, and two runs that differ in it are equal.
#[derive(Debug)]
pub struct HostRun {
    /// Name of the step.
    pub name: String,
    /// Name of its operator.
    pub op: &'static str,
    /// Wall time.
    pub time: Duration,
}

impl PartialEq for HostRun {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op) == (&other.name, other.op)
    }
}

impl Eq for HostRun {}

/// A program that was run, up to the first launch that did not end well.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Execution {
    /// The launches that were run.
    pub launches: Vec<LaunchRun>,
    /// The host steps that were run.
    pub host: Vec<HostRun>,
}

/// Runs some steps of a program on a DRAM, in order.
///
/// `trace` names the launch whose events are wanted, and where they go.
///
/// # Errors
/// The simulator cannot run a launch at all, or a host step cannot be run.
pub fn execute(
    sim: &mut Sim,
    program: &Program,
    dram: &mut Dram,
    max_cycles: u64,
    steps: Range<usize>,
    mut trace: Option<(&str, &mut dyn Write)>,
) -> Result<Execution, CliError> {
    let mut done = Execution::default();
    for step in &program.steps[steps] {
        let launch = match step {
            Step::Launch(launch) => launch,
            // Without data there is nothing for the host to work on.
            Step::Host(_) if !sim.moves_data() => continue,
            Step::Host(step) => {
                done.host.push(run_host(step, program, dram)?);
                continue;
            }
        };
        let _span = tracing::info_span!("simulate", launch = launch.name).entered();
        let sink: Option<&mut dyn Write> = match &mut trace {
            Some((name, sink)) if *name == launch.name => Some(&mut **sink),
            _ => None,
        };
        let report = sim.run(dram, launch, max_cycles, sink)?;
        let status = report.status;
        let region = |&(addr, bytes): &(u32, u32)| {
            let bytes = dram.read(addr.into(), bytes.into());
            bytes.map(<[u8]>::to_vec).unwrap_or_default()
        };
        done.launches.push(LaunchRun {
            name: launch.name.clone(),
            outputs: match sim.moves_data() {
                true => launch.outputs.iter().map(region).collect(),
                false => Vec::new(),
            },
            report,
        });
        if status != Status::Ok {
            break;
        }
    }
    Ok(done)
}

fn run_host(step: &HostStep, program: &Program, dram: &mut Dram) -> Result<HostRun, CliError> {
    let _span = tracing::info_span!("host", step = step.name).entered();
    let start = Instant::now();
    step.run(dram, program.config.block)
        .map_err(|e| CliError::new("program", e))?;
    Ok(HostRun {
        name: step.name.clone(),
        op: step.op.name(),
        time: start.elapsed(),
    })
}

/// Runs a whole program on a fresh DRAM.
///
/// # Errors
/// The simulator cannot run a launch at all, or a host step cannot be run.
pub fn execute_all(
    mut sim: Sim,
    program: &Program,
    max_cycles: u64,
) -> Result<Execution, CliError> {
    let mut dram = Dram::new(program.dram_image());
    let all = 0..program.steps.len();
    execute(&mut sim, program, &mut dram, max_cycles, all, None)
}

impl Execution {
    /// The status of the last launch: the others are ok.
    pub fn status(&self) -> Status {
        self.launches.last().map_or(Status::Ok, |l| l.report.status)
    }

    /// Exit code of a command that ran it.
    pub fn exit(&self) -> u8 {
        match self.status() {
            Status::Ok => 0,
            Status::Hang | Status::Assert => super::EXIT_NOT_OK,
        }
    }

    /// Cycles of all launches; none where cycles are not counted.
    pub fn cycles(&self) -> Option<u64> {
        self.launches.iter().map(|l| l.report.cycles).sum()
    }

    /// Writes of the accumulator scratchpad in all launches.
    pub fn acc_writes(&self) -> u64 {
        self.launches.iter().map(|l| l.report.acc_writes).sum()
    }

    /// What was counted in all launches.
    pub fn stats(&self) -> Stats {
        let mut sum = Stats::default();
        self.launches.iter().for_each(|l| sum.add(&l.report.stats));
        sum
    }

    /// As JSON: the whole, then each launch.
    pub fn json(&self) -> Value {
        let mut all = json!({
            "schema_version": super::SCHEMA_VERSION,
            "status": self.status(),
            "cycles": self.cycles(),
            "acc_writes": self.acc_writes(),
            "stats": self.stats(),
        });
        if let Some(last) = self.launches.last() {
            add_end(&mut all, &last.report);
        }
        let launches = self.launches.iter().map(|l| {
            let r = &l.report;
            let mut one = json!({
                "name": l.name,
                "status": r.status,
                "cycles": r.cycles,
                "acc_writes": r.acc_writes,
                "stats": r.stats,
            });
            add_end(&mut one, r);
            one
        });
        all["launches"] = launches.collect();
        if !self.host.is_empty() {
            let steps = self.host.iter().map(
                |h| json!({ "name": h.name, "op": h.op, "wall_seconds": h.time.as_secs_f64() }),
            );
            all["host"] = steps.collect();
        }
        all
    }

    /// As text; the status is painted by the caller's function.
    pub fn text(&self, paint: impl Fn(Status) -> String) -> String {
        let mut end = Table::default();
        let mut line = |name: &str, value: String| end.row([name.into(), value.into()]);
        line("status", paint(self.status()));
        if let Some(LaunchRun { name, report, .. }) = self.launches.last()
            && report.status != Status::Ok
        {
            line("launch", name.clone());
            if let Some(reason) = &report.reason {
                line("reason", reason.clone());
            }
            if let Some(place) = &report.where_ {
                line("where", place.clone());
            }
            if let Some(instruction) = report.instruction {
                line("instruction", instruction.to_string());
            }
            let why = match report.status {
                Status::Assert => "cause",
                _ => "waits",
            };
            for wait in &report.waits {
                line(why, wait.clone());
            }
        }
        let stats = self.stats();
        let mut counts = Table::default();
        let mut line = |name: &str, value: Option<u64>| counts.row([name.into(), value.into()]);
        line("cycles", self.cycles());
        line("acc writes", Some(self.acc_writes()));
        line("instructions", Some(stats.insns));
        line("GEMM steps", Some(stats.gemm_steps));
        line("ALU steps", Some(stats.alu_steps));
        line("bytes read", Some(stats.bytes_read));
        line("bytes written", Some(stats.bytes_written));
        let mut text = format!("{end}\n{counts}");
        if !stats.units.is_empty() {
            let mut units = Table::new(&["unit", "busy", "waiting"]);
            for u in stats.units {
                units.row([u.unit.into(), u.busy.into(), u.waiting.into()]);
            }
            text += &format!("\n{units}");
        }
        if self.launches.len() > 1 {
            let mut table = Table::new(&["launch", "cycles", "acc writes"]);
            for l in &self.launches {
                let cycles = Cell::from(l.report.cycles);
                table.row([l.name.clone().into(), cycles, l.report.acc_writes.into()]);
            }
            text += &format!("\n{table}");
        }
        if !self.host.is_empty() {
            // Wall time of this run, apart from all that is simulated.
            let mut table = Table::new(&["host step", "operator", "wall ms"]);
            for h in &self.host {
                let ms = Cell::Number(format!("{:.2}", h.time.as_secs_f64() * 1e3));
                table.row([h.name.clone().into(), h.op.into(), ms]);
            }
            text += &format!("\n{table}");
        }
        text
    }
}

/// How it ended, where that is not the finish.
pub(super) fn add_end(object: &mut Value, report: &SimReport) {
    if let Some(reason) = &report.reason {
        object["reason"] = json!(reason);
    }
    if let Some(place) = &report.where_ {
        object["where"] = json!(place);
    }
    if let Some(instruction) = report.instruction {
        object["instruction"] = json!(instruction);
    }
    match (report.status, report.waits.as_slice()) {
        (_, []) => {}
        (Status::Assert, why) => object["cause"] = json!(why.join("; ")),
        (_, waits) => object["waits"] = json!(waits),
    }
}
