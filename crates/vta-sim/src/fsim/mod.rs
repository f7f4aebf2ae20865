//! What an instruction computes; no notion of a cycle.
//!
//! [`Core`] executes one instruction on scratchpads and DRAM. The timing
//! simulator calls the same code when an instruction ends, so values have one
//! source. [`run`] executes a launch in program order.
//!
//! Where upstream's functional simulator and the RTL disagree, this follows
//! the RTL (`docs/validation.md` lists the differences).

mod aligned;
mod alu;
mod gemm;
mod hazard;
mod kernel;
mod leaves_dram;
mod load;
mod pace;
mod pack;
mod plan;
mod run;
mod simd;
mod steps;
mod store;
pub mod upstream;

pub use hazard::{Hazard, HazardKind};
pub use leaves_dram::LeavesDram;
pub use pace::Pace;
pub use run::{Limits, Outcome, Stop, run, run_until};
pub use simd::Simd;

use vta_program::config::HwConfig;
use vta_program::isa::Insn;
use vta_program::mem::{Dram, OutOfRange, Scratchpads};

/// Scratchpads of one configuration, and the instructions that change them.
#[derive(Debug, Clone)]
pub struct Core {
    cfg: HwConfig,
    pads: Scratchpads,
    packed: pack::Packed,
    plan: plan::Plan,
}

impl Core {
    /// A core after reset, with the fastest form that the processor has.
    pub fn new(cfg: &HwConfig) -> Self {
        Self::with_form(cfg, Simd::best(cfg.block))
    }

    /// A core after reset that computes in one form, or nothing if the
    /// processor or the block does not allow it. All forms give the same bytes.
    pub fn with_simd(cfg: &HwConfig, simd: Simd) -> Option<Self> {
        simd.is_available(cfg.block)
            .then(|| Self::with_form(cfg, simd))
    }

    fn with_form(cfg: &HwConfig, simd: Simd) -> Self {
        Self {
            cfg: cfg.clone(),
            pads: Scratchpads::new(cfg),
            packed: pack::Packed::new(cfg, simd),
            plan: plan::Plan::default(),
        }
    }

    /// The scratchpads.
    pub const fn pads(&self) -> &Scratchpads {
        &self.pads
    }

    /// The scratchpads, to change them.
    pub fn pads_mut(&mut self) -> &mut Scratchpads {
        self.packed.forget();
        &mut self.pads
    }

    /// Executes one instruction completely.
    ///
    /// # Errors
    /// A load or store leaves the DRAM image.
    pub fn exec(&mut self, insn: &Insn, dram: &mut Dram) -> Result<(), OutOfRange> {
        self.exec_paced(insn, dram, &mut Pace::free())
    }

    /// Executes one instruction, as far as the pace lets it.
    ///
    /// # Errors
    /// A load or store leaves the DRAM image.
    pub fn exec_paced(
        &mut self,
        insn: &Insn,
        dram: &mut Dram,
        pace: &mut Pace<'_>,
    ) -> Result<(), OutOfRange> {
        match insn {
            Insn::Load(l) => self.load(l, dram),
            Insn::Store(s) => self.store(s, dram),
            Insn::Gemm(g) => {
                self.gemm(g, pace);
                Ok(())
            }
            Insn::Alu(a) => {
                self.alu(a, pace);
                Ok(())
            }
            Insn::Finish(_) => Ok(()),
        }
    }
}

/// Byte address of an element: the offset is shifted in 32 bits and the base
/// registers are 0 (`xfer_init_addr` in core/TensorLoadNarrowVME.scala).
pub(crate) const fn byte_addr(dram_base: u32, elem_bytes: u32) -> u32 {
    dram_base.wrapping_mul(elem_bytes)
}

#[cfg(test)]
mod tests;
