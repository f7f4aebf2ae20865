//! What a run is asked for, and what it gives.

use super::hang::Wait;
use super::sink::{Stop, Stopped};
use crate::fsim::{Hazard, LeavesDram};
use std::convert::Infallible;
use vta_program::isa::{Illegal, Unit};

/// How to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// A run that has not finished by this cycle is a hang.
    pub max_cycles: u64,
    /// Move data. Without, only micro-ops are read: the same cycles, no bytes.
    pub data: bool,
    /// Jump over cycles in which only counters move. Off: tick each one.
    pub jump: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_cycles: 1_000_000_000,
            data: true,
            jump: true,
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// FINISH was executed.
    Ok,
    /// It will not finish, or not in time.
    Hang {
        /// Which of the two.
        reason: HangReason,
        /// Who waits for what.
        waits: Vec<Wait>,
    },
    /// A sink had seen enough ([`Stop::Enough`](super::Stop)).
    Stopped,
    /// An assertion of the RTL fired.
    Assert {
        /// The unit's path in the RTL, as in the golden cases.
        module: &'static str,
        /// The instruction, by its position in the program.
        insn: Option<u32>,
        /// What it objects to.
        cause: AssertCause,
    },
}

/// What an assertion objects to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertCause {
    /// `-F- Fetch: Unknown instruction type`.
    #[error("{0}")]
    Unknown(Illegal),
    /// `Bypass required on dst_idx`, `... src_idx`.
    #[error("ALU step {} touches accumulator {} that the step before has not written yet", .0.step, .0.index)]
    Bypass(Hazard),
    /// More beats come than are counted, or a row's beats are passed.
    #[error("the beat counter of a transfer overran")]
    Beats,
}

/// Why a run is called a hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HangReason {
    /// Nothing can move any more.
    Deadlock,
    /// The budget of cycles is spent.
    MaxCycles,
}

impl HangReason {
    /// As in `--json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deadlock => "deadlock",
            Self::MaxCycles => "max-cycles",
        }
    }
}

/// Counters of one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnitStats {
    /// Instructions ended.
    pub insns: u64,
    /// Cycles from leaving idle to leaving the queue, over all instructions.
    pub busy_cycles: u64,
    /// Cycles in which an instruction at the head waited for tokens.
    pub token_cycles: u64,
}

/// Counters of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Load, compute, store.
    pub units: [UnitStats; 3],
    /// GEMM steps, resets not counted.
    pub gemm_steps: u64,
    /// GEMM steps that reset accumulators.
    pub reset_steps: u64,
    /// ALU steps.
    pub alu_steps: u64,
    /// Beats asked for on the bus, by client (fetch, uop, inp, wgt, acc).
    pub read_beats: [u64; 5],
    /// Read bursts, by client.
    pub read_bursts: [u64; 5],
    /// Beats written.
    pub write_beats: u64,
    /// Write bursts.
    pub write_bursts: u64,
    /// Bytes of a beat.
    pub beat_bytes: u64,
}

impl Stats {
    /// Counters of a unit.
    pub const fn unit(&self, u: Unit) -> &UnitStats {
        &self.units[u as usize]
    }

    /// Bytes read on the bus, all clients.
    pub fn bytes_read(&self) -> u64 {
        self.read_beats.iter().sum::<u64>() * self.beat_bytes
    }

    /// Bytes written on the bus.
    pub const fn bytes_written(&self) -> u64 {
        self.write_beats * self.beat_bytes
    }

    /// Instructions ended, all units.
    pub fn insns(&self) -> u64 {
        self.units.iter().map(|u| u.insns).sum()
    }
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Cycles from launch to FINISH (the event counter), or to the end of the run.
    pub cycles: u64,
    /// Writes of the accumulator scratchpad by compute (the user counter).
    pub acc_writes: u64,
    /// Counters.
    pub stats: Stats,
}

/// A run that cannot start, that leaves the DRAM image, or whose sink fails
/// with `E`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RunError<E = Infallible> {
    /// An instruction lies or reaches outside the image.
    #[error(transparent)]
    LeavesDram(#[from] LeavesDram),
    /// There is nothing to run.
    #[error("insn_count is 0: a launch needs at least a FINISH")]
    NoInsns,
    /// The RTL asks for aligned instructions.
    #[error("insn_addr is {0}, not a multiple of 8")]
    Misaligned(u32),
    /// The sink failed.
    #[error("cycle {cycle}: {source}")]
    Sink {
        /// The cycle of the event.
        cycle: u64,
        /// What with.
        source: E,
    },
}

impl<E> RunError<E> {
    /// The error of the sink, if it is one.
    ///
    /// # Errors
    /// The error of the run.
    pub fn into_sink(self) -> Result<E, RunError> {
        match self {
            Self::Sink { source, .. } => Ok(source),
            Self::LeavesDram(e) => Err(RunError::LeavesDram(e)),
            Self::NoInsns => Err(RunError::NoInsns),
            Self::Misaligned(addr) => Err(RunError::Misaligned(addr)),
        }
    }
}

/// What breaks a run off on the way. It is rare, and most functions of the
/// engines may return it: so it is one pointer.
pub(super) struct Halt<E>(Box<Why<E>>);

enum Why<E> {
    LeavesDram(LeavesDram),
    Stopped(Stopped<E>),
}

impl<E> From<LeavesDram> for Halt<E> {
    #[cold]
    fn from(e: LeavesDram) -> Self {
        Self(Box::new(Why::LeavesDram(e)))
    }
}

impl<E> From<Stopped<E>> for Halt<E> {
    #[cold]
    fn from(s: Stopped<E>) -> Self {
        Self(Box::new(Why::Stopped(s)))
    }
}

impl<E> Halt<E> {
    /// The cycle in which a sink had seen enough.
    ///
    /// # Errors
    /// Anything else.
    pub(super) fn enough(self) -> Result<u64, RunError<E>> {
        match *self.0 {
            Why::LeavesDram(e) => Err(RunError::LeavesDram(e)),
            Why::Stopped(Stopped { cycle, stop }) => match stop {
                Stop::Enough => Ok(cycle),
                Stop::Failed(source) => Err(RunError::Sink { cycle, source }),
            },
        }
    }
}
