//! An instruction that leaves DRAM.

use vta_program::isa::Unit;
use vta_program::mem::OutOfRange;

/// An instruction that lies or reaches outside the DRAM image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeavesDram {
    /// The instruction, by its position in the launch.
    pub insn: u32,
    /// The unit that ran it, where the order of units matters; none when it was fetched.
    pub unit: Option<Unit>,
    /// The access.
    pub cause: OutOfRange,
}

impl LeavesDram {
    /// An access of this instruction, in the order of the program.
    pub(crate) const fn new(insn: u32, cause: OutOfRange) -> Self {
        let unit = None;
        Self { insn, unit, cause }
    }

    /// An access of this instruction, run by a unit.
    pub(crate) const fn by(unit: Unit, insn: u32, cause: OutOfRange) -> Self {
        let unit = Some(unit);
        Self { insn, unit, cause }
    }
}

impl std::fmt::Display for LeavesDram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(unit) = self.unit {
            write!(f, "{unit} ")?;
        }
        write!(f, "instruction {}: {}", self.insn, self.cause)
    }
}

impl std::error::Error for LeavesDram {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}
