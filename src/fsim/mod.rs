//! What an instruction computes; no notion of a cycle.
//!
//! [`Core`] executes one instruction on scratchpads and DRAM. The timing
//! simulator calls the same code when an instruction ends, so values have one
//! source. [`run`] executes a launch in program order.
//!
//! Where upstream's functional simulator and the RTL disagree, this follows
//! the RTL (`docs/validation.md` lists the differences).

mod alu;
mod gemm;
mod kernel;
mod load;
mod run;
mod store;

pub use alu::{Hazard, HazardKind};
pub use run::{Limits, Outcome, RunError, Stop, run};

use crate::config::HwConfig;
use crate::isa::Insn;
use crate::mem::{Dram, OutOfRange, Scratchpads};

/// Scratchpads of one configuration, and the instructions that change them.
#[derive(Debug, Clone)]
pub struct Core {
    cfg: HwConfig,
    pads: Scratchpads,
    packed: kernel::Packed,
}

impl Core {
    /// A core after reset.
    pub fn new(cfg: &HwConfig) -> Self {
        Self {
            cfg: cfg.clone(),
            pads: Scratchpads::new(cfg),
            packed: kernel::Packed::new(cfg.wgt_depth as usize, cfg.block as usize),
        }
    }

    /// The scratchpads.
    pub const fn pads(&self) -> &Scratchpads {
        &self.pads
    }

    /// The scratchpads, to change them.
    pub fn pads_mut(&mut self) -> &mut Scratchpads {
        self.packed.forget_all();
        &mut self.pads
    }

    /// Executes one instruction completely.
    ///
    /// # Errors
    /// A load or store leaves the DRAM image.
    pub fn exec(&mut self, insn: &Insn, dram: &mut Dram) -> Result<(), OutOfRange> {
        match insn {
            Insn::Load(l) => self.load(l, dram),
            Insn::Store(s) => self.store(s, dram),
            Insn::Gemm(g) => {
                self.gemm(g);
                Ok(())
            }
            Insn::Alu(a) => {
                self.alu(a);
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
