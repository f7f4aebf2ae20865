//! A launch in program order, without time.

use super::{Core, Hazard, LeavesDram, Pace, byte_addr};
use vta_program::config::HwConfig;
use vta_program::isa::{Illegal, Insn};
use vta_program::mem::Dram;

/// Bounds of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// GEMM and ALU steps in all; loops that wrap can ask for 2^42.
    pub steps: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 10_000_000_000,
        }
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Why it stopped.
    pub stop: Stop,
    /// Instructions executed, FINISH included.
    pub insns: u32,
    /// GEMM and ALU steps: writes of the accumulator scratchpad by compute.
    pub acc_writes: u64,
    /// GEMM steps, resets not counted.
    pub gemm_steps: u64,
    /// ALU steps.
    pub alu_steps: u64,
}

/// Why a run stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// FINISH.
    Finish,
    /// The instructions ended without FINISH: the hardware would wait for ever.
    NoFinish,
    /// An instruction that the hardware does not decode.
    Illegal {
        /// Its index.
        insn: u32,
        /// Why.
        cause: Illegal,
    },
    /// ALU steps that follow each other too closely.
    Hazard {
        /// The instruction.
        insn: u32,
        /// The steps.
        hazard: Hazard,
    },
    /// An instruction that the hardware never ends.
    Endless {
        /// Its index.
        insn: u32,
    },
    /// The caller wanted it to.
    Stopped {
        /// The instruction that is not executed, or not to its end.
        insn: u32,
    },
    /// The step limit.
    StepLimit {
        /// The instruction that would pass it.
        insn: u32,
    },
}

/// Whether a LOAD or STORE waits for ever: one of no rows (a STORE only on a bus
/// as wide as an element), or a row read at address 0, which the test bench's
/// memory does not answer.
fn never_ends(cfg: &HwConfig, insn: &Insn) -> bool {
    match insn {
        Insn::Load(l) if l.x_size != 0 => {
            let bytes = cfg.elem_bytes(l.memory_type.scratchpad());
            let stride = u32::from(l.x_stride).wrapping_mul(bytes);
            let first = byte_addr(l.dram_base, bytes);
            let row = |y: u16| first.wrapping_add(u32::from(y).wrapping_mul(stride));
            l.y_size == 0 || (0..l.y_size).any(|y| row(y) < cfg.beat_bytes())
        }
        Insn::Store(s) => s.x_size != 0 && s.y_size == 0 && cfg.beat_bytes() >= cfg.out_bytes(),
        _ => false,
    }
}

/// Executes a launch in program order until FINISH. Tokens are not looked at:
/// for a program whose tokens are right this gives the bytes of the hardware.
///
/// # Errors
/// An instruction lies or reaches outside the DRAM image.
pub fn run(
    cfg: &HwConfig,
    dram: &mut Dram,
    insn_addr: u32,
    insn_count: u32,
    limits: Limits,
) -> Result<Outcome, LeavesDram> {
    run_until(cfg, dram, (insn_addr, insn_count), limits, &|| false)
}

/// Instructions between two questions whether to stop.
const EVERY: u32 = 256;

/// As [`run`], until `stop` says true: it is asked now and then, also inside of
/// long instructions.
///
/// # Errors
/// An instruction lies or reaches outside the DRAM image.
pub fn run_until(
    cfg: &HwConfig,
    dram: &mut Dram,
    (insn_addr, insn_count): (u32, u32),
    limits: Limits,
    stop: &dyn Fn() -> bool,
) -> Result<Outcome, LeavesDram> {
    let mut pace = Pace::new(stop);
    let mut core = Core::new(cfg);
    let mut done = Outcome {
        stop: Stop::NoFinish,
        insns: 0,
        acc_writes: 0,
        gemm_steps: 0,
        alu_steps: 0,
    };
    for insn in 0..insn_count {
        let at = |cause| LeavesDram::new(insn, cause);
        let addr = u64::from(insn_addr) + 16 * u64::from(insn);
        let i = match Insn::decode(dram.word128(addr).map_err(at)?) {
            Ok(i) => i,
            Err(cause) => {
                done.stop = Stop::Illegal { insn, cause };
                return Ok(done);
            }
        };
        let steps = i.steps();
        let over = match &i {
            _ if insn % EVERY == 0 && stop() => Some(Stop::Stopped { insn }),
            _ if done.acc_writes.saturating_add(steps) > limits.steps => {
                Some(Stop::StepLimit { insn })
            }
            Insn::Finish(_) => {
                done.insns += 1;
                Some(Stop::Finish)
            }
            i if never_ends(cfg, i) => Some(Stop::Endless { insn }),
            Insn::Alu(a) => core
                .alu_hazard(a)
                .map(|hazard| Stop::Hazard { insn, hazard }),
            _ => None,
        };
        if let Some(over) = over {
            done.stop = over;
            return Ok(done);
        }
        core.exec_paced(&i, dram, &mut pace).map_err(at)?;
        if pace.is_stopped() {
            done.stop = Stop::Stopped { insn };
            return Ok(done);
        }
        done.insns += 1;
        done.acc_writes += steps;
        match &i {
            Insn::Gemm(g) if !g.reset_reg => done.gemm_steps += steps,
            Insn::Alu(_) => done.alu_steps += steps,
            _ => {}
        }
    }
    Ok(done)
}
