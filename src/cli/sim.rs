//! The simulators, behind the one interface that the commands know.

use crate::config::HwConfig;
use crate::golden::Status;
use crate::mem::Dram;
use crate::program::Launch;
use std::io::{self, Write};

/// Which simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Which {
    /// What instructions compute; counts no cycles.
    Fsim,
    /// What the hardware does in each cycle.
    Tsim,
}

impl Which {
    /// The name on the command line.
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
pub struct SimReport {
    /// How it ended.
    pub status: Status,
    /// Cycles from launch to the finish instruction, or to the end of a run
    /// without one; none where cycles are not counted.
    pub cycles: Option<u64>,
    /// Writes of the accumulator scratchpad.
    pub acc_writes: u64,
    /// Why it hangs (`deadlock`, `max-cycles`), or the assertion.
    pub reason: Option<String>,
    /// The unit that hangs or asserts.
    pub where_: Option<String>,
    /// The instruction that it hangs or asserts at, from 0.
    pub instruction: Option<u64>,
    /// What each unit waits for.
    pub waits: Vec<String>,
    /// What was counted.
    pub stats: Stats,
}

/// A simulator that cannot run a launch.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// This build has no such simulator.
    #[error("the simulator {} is not linked into this build", .0.name())]
    NotLinked(Which),
    /// The trace cannot be written.
    #[error("the trace cannot be written: {0}")]
    Trace(#[from] io::Error),
}

/// A simulator of one configuration.
pub struct Sim {
    which: Which,
}

impl Sim {
    /// A simulator, ready to run.
    ///
    /// # Errors
    /// This build has no such simulator.
    pub fn new(which: Which, _config: &HwConfig) -> Result<Self, SimError> {
        Err(SimError::NotLinked(which))
    }

    /// Runs a launch from reset. DRAM then holds every store that was issued.
    ///
    /// The trace, if one is wanted, is CSV with its head.
    ///
    /// # Errors
    /// The launch cannot be run at all; a hang or an assertion is no error.
    pub fn run(
        &mut self,
        _dram: &mut Dram,
        _launch: &Launch,
        _max_cycles: u64,
        _trace: Option<&mut dyn Write>,
    ) -> Result<SimReport, SimError> {
        Err(SimError::NotLinked(self.which))
    }
}
