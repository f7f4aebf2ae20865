//! Both simulators behind one interface: a launch in, a report out.

use std::fmt;
use std::io::{self, Write};
use vta_program::config::HwConfig;
use vta_program::isa::Unit;
use vta_program::mem::Dram;
use vta_program::program::Launch;
use vta_sim::fsim;
use vta_sim::golden::{Observed, Request, Status};
use vta_sim::trace::{Csv, RangeUse, Ranges};
use vta_sim::tsim::{self, NoSink, Until};

/// Which simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Simulator {
    /// What instructions compute; counts no cycles.
    Fsim,
    /// What the hardware does in each cycle.
    #[default]
    Tsim,
}

impl Simulator {
    /// Its name: `fsim`, `tsim`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fsim => "fsim",
            Self::Tsim => "tsim",
        }
    }
}

/// What one unit did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct UnitStats {
    /// Name of the unit.
    pub unit: String,
    /// Cycles in which it ran an instruction.
    pub busy: u64,
    /// Cycles in which an instruction waited for tokens.
    pub waiting: u64,
}

/// What was counted in a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Stats {
    /// Instructions executed.
    pub insns: u64,
    /// Steps of the GEMM core.
    pub gemm_steps: u64,
    /// Steps of the vector ALU.
    pub alu_steps: u64,
    /// Bytes read from DRAM.
    pub bytes_read: u64,
    /// Bytes written to DRAM.
    pub bytes_written: u64,
    /// Each unit, in pipeline order; empty where cycles are not counted.
    pub units: Vec<UnitStats>,
}

impl Stats {
    /// Adds what another launch of the same program counted.
    pub fn add(&mut self, other: &Self) {
        self.insns += other.insns;
        self.gemm_steps += other.gemm_steps;
        self.alu_steps += other.alu_steps;
        self.bytes_read += other.bytes_read;
        self.bytes_written += other.bytes_written;
        for theirs in &other.units {
            match self.units.iter_mut().find(|u| u.unit == theirs.unit) {
                Some(ours) => {
                    ours.busy += theirs.busy;
                    ours.waiting += theirs.waiting;
                }
                None => self.units.push(theirs.clone()),
            }
        }
    }
}

/// What a simulator says about one launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchReport {
    /// How it ended.
    pub status: Status,
    /// Cycles from launch to the finish instruction, or to the end of a run
    /// without one; none where cycles are not counted.
    pub cycles: Option<u64>,
    /// Writes of the accumulator scratchpad.
    pub acc_writes: u64,
    /// Why it hangs: `deadlock` or `max-cycles`; `stopped` where the caller ended it.
    pub reason: Option<String>,
    /// The unit that hangs or asserts.
    pub where_: Option<String>,
    /// The instruction that it hangs or asserts at, from 0.
    pub instruction: Option<u64>,
    /// What each unit waits for, or what the assertion objects to.
    pub waits: Vec<String>,
    /// What was counted.
    pub stats: Stats,
    /// What happened for each symbol of the launch, and at the end for
    /// instructions without one; empty unless asked for.
    pub symbols: Vec<RangeUse>,
}

/// A launch that hangs or asserts where it should not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchFailure {
    /// Name of the launch.
    pub launch: String,
    /// How it ended.
    pub report: LaunchReport,
}

impl fmt::Display for LaunchFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = &self.report;
        write!(
            f,
            "the program ends with {} in launch {}",
            r.status, self.launch
        )?;
        for what in r.reason.iter().chain(&r.where_).chain(&r.waits) {
            write!(f, "; {what}")?;
        }
        Ok(())
    }
}

/// A simulator that cannot run a launch.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The launch cannot start or leaves DRAM.
    #[error(transparent)]
    Tsim(#[from] tsim::RunError),
    /// The same, of a named launch.
    #[error("launch {launch}: {source}")]
    Launch {
        /// Its name.
        launch: String,
        /// Why.
        source: tsim::RunError,
    },
    /// The launch leaves DRAM.
    #[error(transparent)]
    Fsim(#[from] fsim::LeavesDram),
    /// Only the timing simulator knows what happened when.
    #[error("fsim has no cycles to trace")]
    NoTrace,
    /// The trace cannot be written.
    #[error("the trace cannot be written: {0}")]
    Trace(#[from] io::Error),
}

/// A simulator of one configuration.
pub struct Sim {
    which: Simulator,
    config: HwConfig,
    symbols: Symbols,
    data: bool,
}

/// What is said of the symbols of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Symbols {
    Nothing,
    /// When they end.
    Ends,
    /// And their bytes.
    Uses,
}

impl Sim {
    /// A simulator, ready to run.
    pub fn new(which: Simulator, config: &HwConfig) -> Self {
        Self {
            which,
            config: config.clone(),
            symbols: Symbols::Nothing,
            data: true,
        }
    }

    /// Moves no data where cycles are counted: the same cycles, no bytes.
    pub const fn timing_only(mut self, yes: bool) -> Self {
        self.data = !yes;
        self
    }

    /// Whether data are moved.
    pub const fn moves_data(&self) -> bool {
        self.data
    }

    /// Reports on each symbol, where cycles are counted and no trace is written.
    pub fn with_symbols(mut self) -> Self {
        self.symbols = Symbols::Uses;
        self
    }

    /// Reports when each symbol ends, in a fraction of the time: bytes are left out.
    pub fn with_symbol_ends(mut self) -> Self {
        self.symbols = Symbols::Ends;
        self
    }

    /// Runs a launch, and reports on its symbols: with `BYTES` all of it, else when they end.
    fn run_symbols<const BYTES: bool>(
        &self,
        dram: &mut Dram,
        launch: &Launch,
        options: tsim::Options,
        stop: &dyn Fn() -> bool,
    ) -> Result<LaunchReport, SimError> {
        let (addr, count) = (launch.insn_addr, launch.insn_count);
        let symbols = launch.symbols.iter().map(|s| (s.first, s.count));
        let beat = self.config.beat_bytes();
        let mut ranges = Ranges::<BYTES>::watch((addr, count), beat, symbols);
        let mut sink = Until::new(stop, &mut ranges);
        let done = tsim::run(&self.config, dram, addr, count, options, &mut sink)?;
        let mut report = LaunchReport::from(done);
        report.symbols = ranges.into_uses();
        Ok(report)
    }

    /// Runs a launch from reset. A store under way at the end is completed.
    ///
    /// The trace, if one is wanted, is CSV with its head.
    ///
    /// # Errors
    /// The launch cannot be run at all; a hang or an assertion is no error.
    pub fn run(
        &mut self,
        dram: &mut Dram,
        launch: &Launch,
        max_cycles: u64,
        trace: Option<&mut dyn Write>,
    ) -> Result<LaunchReport, SimError> {
        self.run_until(dram, launch, max_cycles, trace, &|| false)
    }

    /// The same, until `stop` says true: it is asked now and then, also inside of
    /// long instructions.
    ///
    /// # Errors
    /// As [`Sim::run`].
    pub(crate) fn run_until(
        &mut self,
        dram: &mut Dram,
        launch: &Launch,
        max_cycles: u64,
        trace: Option<&mut dyn Write>,
        stop: &dyn Fn() -> bool,
    ) -> Result<LaunchReport, SimError> {
        let (addr, count) = (launch.insn_addr, launch.insn_count);
        let options = tsim::Options {
            max_cycles,
            data: self.data,
            ..tsim::Options::default()
        };
        match (self.which, trace) {
            (Simulator::Fsim, Some(_)) => Err(SimError::NoTrace),
            (Simulator::Fsim, None) => {
                // A step takes a cycle at least.
                let steps = fsim::Limits::default().steps.min(max_cycles);
                let limits = fsim::Limits { steps };
                let done = fsim::run_until(&self.config, dram, (addr, count), limits, stop)?;
                Ok(from_fsim(&self.config, &done, limits))
            }
            (Simulator::Tsim, None) => match self.symbols {
                Symbols::Nothing => {
                    let mut sink = Until::new(stop, NoSink);
                    let done = tsim::run(&self.config, dram, addr, count, options, &mut sink)?;
                    Ok(done.into())
                }
                Symbols::Ends => self.run_symbols::<false>(dram, launch, options, stop),
                Symbols::Uses => self.run_symbols::<true>(dram, launch, options, stop),
            },
            (Simulator::Tsim, Some(to)) => {
                let mut csv = Csv::new(to);
                let mut sink = Until::new(stop, &mut csv);
                let done = tsim::run(&self.config, dram, addr, count, options, &mut sink);
                let done = done.map_err(|e| match e.into_sink() {
                    Ok(e) => SimError::Trace(e),
                    Err(e) => e.into(),
                })?;
                csv.finish()?;
                Ok(done.into())
            }
        }
    }
}

/// The reason of a run that the caller ended.
const STOPPED: &str = "stopped";

impl From<tsim::Outcome> for LaunchReport {
    fn from(done: tsim::Outcome) -> Self {
        let s = &done.stats;
        let units = Unit::ALL.iter().map(|u| UnitStats {
            unit: u.name().into(),
            busy: s.unit(*u).busy_cycles,
            waiting: s.unit(*u).token_cycles,
        });
        let mut report = Self {
            status: Status::Ok,
            cycles: Some(done.cycles),
            acc_writes: done.acc_writes,
            reason: None,
            where_: None,
            instruction: None,
            waits: Vec::new(),
            stats: Stats {
                insns: s.insns(),
                gemm_steps: s.gemm_steps,
                alu_steps: s.alu_steps,
                bytes_read: s.bytes_read(),
                bytes_written: s.bytes_written(),
                units: units.collect(),
            },
            symbols: Vec::new(),
        };
        match done.status {
            tsim::Status::Ok => {}
            tsim::Status::Stopped => {
                report.status = Status::Hang;
                report.reason = Some(STOPPED.into());
            }
            tsim::Status::Hang { reason, waits } => {
                report.status = Status::Hang;
                report.reason = Some(reason.name().into());
                // The module that is not merely out of instructions tells most.
                let culprit = waits.iter().find(|w| w.wait_for != tsim::WaitFor::Insn);
                if let Some(w) = culprit.or(waits.first()) {
                    report.where_ = Some(format!("core.{}", w.module));
                    report.instruction = w.insn.map(u64::from);
                }
                report.waits = waits.iter().map(ToString::to_string).collect();
            }
            tsim::Status::Assert {
                module,
                insn,
                cause,
            } => {
                report.status = Status::Assert;
                report.where_ = Some(module.into());
                report.instruction = insn.map(u64::from);
                report.waits = vec![cause.to_string()];
            }
        }
        report
    }
}

fn from_fsim(config: &HwConfig, done: &fsim::Outcome, limits: fsim::Limits) -> LaunchReport {
    use fsim::Stop;
    let wide = config.mem_data_bits > 64;
    let (status, reason, place, insn, why) = match done.stop {
        Stop::Finish => (Status::Ok, None, None, None, None),
        Stop::NoFinish => {
            let why = "the instructions end without FINISH".to_owned();
            (
                Status::Hang,
                Some("deadlock"),
                Some("core.compute"),
                None,
                Some(why),
            )
        }
        Stop::Illegal { insn, cause } if wide => {
            let why = Some(cause.to_string());
            (
                Status::Hang,
                Some("deadlock"),
                Some("core.fetch"),
                Some(insn),
                why,
            )
        }
        Stop::Illegal { insn, cause } => {
            let why = Some(cause.to_string());
            (
                Status::Assert,
                None,
                Some("core.fetch.fetch"),
                Some(insn),
                why,
            )
        }
        Stop::Hazard { insn, hazard } => {
            let why = Some(tsim::AssertCause::Bypass(hazard).to_string());
            (
                Status::Assert,
                None,
                Some("core.compute.tensorAlu"),
                Some(insn),
                why,
            )
        }
        Stop::Endless { insn } => {
            let why = Some(
                "an instruction of no rows, or that reads at address 0, never ends".to_owned(),
            );
            (Status::Hang, Some("deadlock"), None, Some(insn), why)
        }
        Stop::Stopped { insn } => (Status::Hang, Some(STOPPED), None, Some(insn), None),
        Stop::StepLimit { insn } => {
            let why = Some(format!("it would take more than {} steps", limits.steps));
            (
                Status::Hang,
                Some("max-cycles"),
                Some("core.compute"),
                Some(insn),
                why,
            )
        }
    };
    LaunchReport {
        status,
        cycles: None,
        acc_writes: done.acc_writes,
        reason: reason.map(Into::into),
        where_: place.map(Into::into),
        instruction: insn.map(u64::from),
        waits: why.into_iter().collect(),
        stats: Stats {
            insns: done.insns.into(),
            gemm_steps: done.gemm_steps,
            alu_steps: done.alu_steps,
            ..Stats::default()
        },
        symbols: Vec::new(),
    }
}

/// Runs one golden case in the timing simulator.
///
/// # Errors
/// Why it cannot be run at all; a hang or an assertion is no error.
pub fn observe(request: Request<'_>) -> Result<Observed, String> {
    let launch = Launch {
        name: "main".into(),
        insn_addr: request.insn_addr,
        insn_count: request.insn_count,
        outputs: Vec::new(),
        symbols: Vec::new(),
    };
    let mut sim = Sim::new(Simulator::Tsim, request.config);
    let mut dram = Dram::new(request.dram);
    let mut trace = Vec::new();
    let sink: Option<&mut dyn Write> = if request.trace {
        Some(&mut trace)
    } else {
        None
    };
    let seen = sim
        .run(&mut dram, &launch, request.max_cycles, sink)
        .map_err(|e| e.to_string())?;
    Ok(Observed {
        status: seen.status,
        where_: seen.where_,
        cycles: seen.cycles.unwrap_or(0),
        acc_writes: seen.acc_writes,
        dram: dram.into_bytes(),
        trace: request
            .trace
            .then(|| String::from_utf8_lossy(&trace).into_owned()),
    })
}
