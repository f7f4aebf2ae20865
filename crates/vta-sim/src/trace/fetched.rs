//! Which instructions a burst of fetch brings.

/// Bytes of an instruction.
const INSN_BYTES: u64 = 16;

/// The instructions that `bytes` bytes from `addr` on are of, by their position
/// in the launch at `insn_addr`, and how many bytes of each.
pub(super) fn fetched(
    insn_addr: u32,
    addr: u32,
    bytes: u64,
) -> impl Iterator<Item = (u64, u64)> + use<> {
    let first = u64::from(addr.saturating_sub(insn_addr));
    let end = first + bytes;
    let insns = first / INSN_BYTES..end.div_ceil(INSN_BYTES);
    insns.map(move |insn| {
        let from = (insn * INSN_BYTES).max(first);
        let to = ((insn + 1) * INSN_BYTES).min(end);
        (insn, to - from)
    })
}
