//! Golden cases: programs with what the hardware does on them.
//!
//! A case is a folder with
//!
//! - `case.json`: where the instructions and the outputs are in DRAM, the
//!   budget in cycles, and what is expected in each configuration
//! - `dram.bin.gz`: DRAM before the run
//! - `out.bin.gz`: the bytes of the outputs after it, one after the other
//! - `trace.CONFIG.csv.gz`: what happened when, where that is known
//!
//! This module finds and reads cases and compares; the caller brings the
//! simulator as a closure ([`Runner`]).

mod case;
mod compare;
mod suite;

pub use case::{Case, Expected, Found, GoldenError, Inputs, Status, find};
pub use compare::{Difference, compare};
pub use suite::{CaseResult, FamilyRow, Report, run};

use vta_program::config::HwConfig;

/// What the runner is to run.
#[derive(Debug)]
pub struct Request<'a> {
    /// The hardware.
    pub config: &'a HwConfig,
    /// DRAM before the run.
    pub dram: Vec<u8>,
    /// Byte address of the first instruction.
    pub insn_addr: u32,
    /// Number of instructions.
    pub insn_count: u32,
    /// The budget of the run.
    pub max_cycles: u64,
    /// Whether the rows of the trace are wanted.
    pub trace: bool,
}

/// What the runner saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// How the run ended.
    pub status: Status,
    /// The unit that an assertion is in.
    pub where_: Option<String>,
    /// Cycles from launch to the finish instruction.
    pub cycles: u64,
    /// Writes of the accumulator scratchpad.
    pub acc_writes: u64,
    /// DRAM after the run, and after every store that was still running at its end.
    pub dram: Vec<u8>,
    /// The trace as CSV text with a head, if it was wanted.
    pub trace: Option<String>,
}

/// Runs one program; the error is what kept it from running.
pub type Runner<'a> = dyn Fn(Request<'_>) -> Result<Observed, String> + Sync + 'a;
