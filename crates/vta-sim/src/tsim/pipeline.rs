//! The GEMM core and the vector ALU (`TensorGemmPipelinedSplit` in
//! core/TensorGemm.scala, `TensorAluPipelined` in core/TensorAlu.scala).
//!
//! Both step through their index generator without a stall, so a count of
//! cycles is all their state: one cycle to start, one for each step (two for
//! an ALU step with two registers), and six to drain the pipeline. These counts
//! are those of the RTL's stages; `vta_program::timing` has the sums.

use crate::fsim::Hazard;
use vta_program::isa::{Alu, Gemm};

/// Cycles from leaving idle to the last, less one for each step.
const DRAIN: u64 = 5;
/// Cycles from leaving idle to the cycle in which the assertion on the
/// step with index 0 would fire (`valid_r3` or `src_valid_r3` of that step).
const ASSERT: u64 = 4;

/// What remains of the instruction under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pipeline {
    /// Cycles before the last one.
    left: u64,
    /// Cycles before the assertion, if one will fire.
    assert: Option<(u64, Hazard)>,
}

/// What one cycle brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tick {
    /// It goes on.
    Run,
    /// `done`.
    Done,
    /// The assertion fires.
    Assert(Hazard),
}

impl Pipeline {
    /// A GEMM leaves idle.
    pub const fn start_gemm(&mut self, g: &Gemm) {
        self.left = g.steps() + DRAIN;
        self.assert = None;
    }

    /// An ALU instruction leaves idle.
    pub fn start_alu(&mut self, a: &Alu, hazard: Option<Hazard>) {
        let cycles = if a.use_imm { 1 } else { 2 };
        self.left = a.steps() * cycles + DRAIN;
        self.assert = hazard.map(|h| (h.step * cycles + ASSERT, h));
    }

    /// One cycle of execution.
    pub const fn tick(&mut self) -> Tick {
        if let Some((n, h)) = &mut self.assert {
            if *n == 0 {
                return Tick::Assert(*h);
            }
            *n -= 1;
        }
        if self.left == 0 {
            return Tick::Done;
        }
        self.left -= 1;
        Tick::Run
    }

    /// Cycles for which only the counters move.
    pub fn idle_window(&self) -> u64 {
        self.left.min(self.assert.map_or(u64::MAX, |a| a.0))
    }

    /// Moves the counters.
    pub const fn fast_forward(&mut self, n: u64) {
        self.left -= n;
        if let Some((left, _)) = &mut self.assert {
            *left -= n;
        }
    }
}
