//! Why an operation, a tile or a layer does not fit the hardware.

use vta_program::isa::FieldRange;

/// Why a way to cut a layer, or the layer itself, does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DoesNotFit {
    /// A scratchpad has no room.
    NoRoom,
    /// What is taken would overwrite a buffer that the operation before still needs.
    Pinned,
    /// A buffer that is still needed was overwritten.
    Evicted,
    /// A semaphore would hold more tokens than it can.
    Tokens,
    /// A number does not fit its field of an instruction or a micro-op.
    Field(FieldRange),
    /// A size is larger than what DRAM or a schedule can hold.
    TooLarge(&'static str),
}

impl From<FieldRange> for DoesNotFit {
    fn from(range: FieldRange) -> Self {
        Self::Field(range)
    }
}

/// A number of instructions, micro-ops or elements in the 32 bits that a bundle has for it.
///
/// # Errors
/// More than that.
pub(crate) fn count(what: &'static str, n: usize) -> Result<u32, DoesNotFit> {
    u32::try_from(n).map_err(|_| DoesNotFit::TooLarge(what))
}

/// The elements of `n` parts of `size` each.
///
/// # Errors
/// No scratchpad has as many.
pub(crate) fn elements(size: u32, n: usize) -> Result<u32, DoesNotFit> {
    let n = u32::try_from(n).map_err(|_| DoesNotFit::NoRoom)?;
    size.checked_mul(n).ok_or(DoesNotFit::NoRoom)
}
