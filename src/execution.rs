//! Running a program's launches one after the other.

use crate::Error;
use crate::monitor::Watch;
use crate::simulate::{LaunchFailure, LaunchReport, Sim, Stats};
use std::io::Write;
use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};
use vta_program::mem::Dram;
use vta_program::program::{HostStep, Launch, Program};
use vta_sim::golden::Status;
use vta_sim::steps::each_step;

/// One launch that was run.
#[derive(Debug, PartialEq, Eq)]
pub struct LaunchRun {
    /// Name of the launch.
    pub name: String,
    /// What the simulator says.
    pub report: LaunchReport,
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

/// Runs some steps of a program on a DRAM, in order, up to the first launch
/// that does not end well.
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
    trace: Option<(&str, &mut dyn Write)>,
) -> Result<Execution, Error> {
    watched(
        sim,
        program,
        dram,
        max_cycles,
        steps,
        trace,
        &Watch::default(),
    )
}

/// The same; between steps and inside of launches it is asked whether to go on.
pub(crate) fn watched(
    sim: &mut Sim,
    program: &Program,
    dram: &mut Dram,
    max_cycles: u64,
    steps: Range<usize>,
    mut trace: Option<(&str, &mut dyn Write)>,
    watch: &Watch,
) -> Result<Execution, Error> {
    let data = sim.moves_data();
    let Execution { launches, host } = &mut Execution::default();
    let run_step = |step: &HostStep, dram: &mut Dram| {
        watch.go_on()?;
        // Without data there is nothing for the host to work on.
        if data {
            host.push(run_host(step, program, dram)?);
        }
        Ok::<_, Error>(())
    };
    let run_launch = |launch: &Launch, dram: &mut Dram| {
        watch.go_on()?;
        let _span = tracing::info_span!("simulate", launch = launch.name).entered();
        let sink: Option<&mut dyn Write> = match &mut trace {
            Some((name, sink)) if *name == launch.name => Some(&mut **sink),
            _ => None,
        };
        let stop = || watch.is_cancelled();
        let report = sim.run_until(dram, launch, max_cycles, sink, &stop)?;
        watch.go_on()?;
        let ended = match report.status {
            Status::Ok => ControlFlow::Continue(()),
            Status::Hang | Status::Assert => ControlFlow::Break(()),
        };
        let region = |&(addr, bytes): &(u32, u32)| {
            let bytes = dram.read(addr.into(), bytes.into());
            bytes.map(<[u8]>::to_vec).unwrap_or_default()
        };
        launches.push(LaunchRun {
            name: launch.name.clone(),
            outputs: match data {
                true => launch.outputs.iter().map(region).collect(),
                false => Vec::new(),
            },
            report,
        });
        Ok(ended)
    };
    // A launch that breaks off is seen by its report.
    let _: ControlFlow<()> = each_step(program, steps, dram, run_step, run_launch)?;
    Ok(Execution {
        launches: std::mem::take(launches),
        host: std::mem::take(host),
    })
}

fn run_host(step: &HostStep, program: &Program, dram: &mut Dram) -> Result<HostRun, Error> {
    let _span = tracing::info_span!("host", step = step.name).entered();
    let start = Instant::now();
    step.run(dram, program.config.block)?;
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
pub fn execute_all(mut sim: Sim, program: &Program, max_cycles: u64) -> Result<Execution, Error> {
    let mut dram = Dram::new(program.dram_image());
    let all = 0..program.steps.len();
    execute(&mut sim, program, &mut dram, max_cycles, all, None)
}

impl Execution {
    /// The status of the last launch: the others are ok.
    pub fn status(&self) -> Status {
        self.launches.last().map_or(Status::Ok, |l| l.report.status)
    }

    /// The same, if all launches ended well.
    ///
    /// # Errors
    /// [`Error::NotOk`] with the launch that hangs or asserts.
    pub fn ended_well(mut self) -> Result<Self, Error> {
        match self.launches.pop() {
            Some(last) if last.report.status != Status::Ok => {
                Err(Error::NotOk(Box::new(LaunchFailure {
                    launch: last.name,
                    report: last.report,
                })))
            }
            last => {
                self.launches.extend(last);
                Ok(self)
            }
        }
    }

    /// What the simulator says of a launch; none where it was not run.
    pub fn report(&self, launch: &str) -> Option<&LaunchReport> {
        let mut named = self.launches.iter().filter(|l| l.name == launch);
        named.next().map(|l| &l.report)
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
}
