//! Fetch: batches of instructions.

use super::memory::Reads;
use super::{Bursts, Geometry, Rows};
use crate::config::HwConfig;

/// Cycle in which the first command is in the memory engine (`launch` is cycle 0).
pub const FIRST_COMMAND: u64 = 2;

/// Whether the fetch unit is `FetchWideVME`, not `Fetch64Bit`.
pub const fn is_wide(c: &HwConfig) -> bool {
    c.mem_data_bits > 64
}

/// Instructions of a batch: what a longest burst holds (core/FetchVME64.scala);
/// on a wider bus also no more than the buffer, `2 << lenBits` halves
/// (core/FetchWideVME.scala).
pub const fn batch(c: &HwConfig) -> u32 {
    let beats = 1 << c.mem_len_bits;
    let held = beats * (c.beat_bytes() / 8);
    let halves = if is_wide(c) && held > 2 * beats {
        2 * beats
    } else {
        held
    };
    halves / 2
}

/// Whether fetch counts its beats right. The wide one does so with one bit more
/// than its buffer has beats, and a batch that is not aligned has one more
/// (`clInFlight` in core/FetchWideVME.scala).
pub const fn counts_beats(c: &HwConfig) -> bool {
    !is_wide(c) || (2 << c.mem_len_bits) * 8 >= 2 * c.beat_bytes()
}

/// Whether the counter of beats of a launch's batches comes round: the beats at
/// which it does.
pub const fn counter_wraps(c: &HwConfig, addr: u32, insns: u32) -> Option<u64> {
    if counts_beats(c) {
        return None;
    }
    let (beat, batch) = (c.beat_bytes(), batch(c));
    // All batches but the last are full, and start where the first does in a beat.
    let first = if insns < batch { insns } else { batch };
    if (addr & (beat - 1)) + 16 * first > beat {
        return Some(2);
    }
    None
}

/// Cycles from the last beat of a batch to the hand-over of its first
/// instruction (wide: to its move into the two-entry pipe).
pub const fn handed_on_after(wide: bool) -> u64 {
    if wide { 4 } else { 2 }
}

/// Cycles from the one after the last hand-over (wide: from the last move into
/// the pipe) to the next batch's command in the memory engine.
pub const fn next_command_after(wide: bool) -> u64 {
    if wide { 4 } else { 2 }
}

/// The bursts of a batch of instructions.
pub const fn bursts(c: &HwConfig, addr: u32, insns: u32) -> Bursts {
    let geo = Geometry::new(c, 8);
    if !is_wide(c) {
        return Bursts::one(addr, 2 * insns, geo.beat_log);
    }
    let rows = Rows {
        addr,
        x_size: 2 * insns,
        y_size: 1,
        x_stride: 0,
    };
    Bursts::new(geo, &rows)
}

/// The cycle after launch in which the first of `insns` instructions is handed
/// to its queue; it can leave idle in the next one. They are one batch.
pub fn first_dispatch(c: &HwConfig, addr: u32, insns: u32) -> u64 {
    let mut reads = Reads::new(FIRST_COMMAND, c.mem_delay);
    let mut bursts = bursts(c, addr, insns);
    let mut last_beat = 0;
    while let Some(beats) = bursts.next() {
        (_, last_beat) = reads.burst(beats);
    }
    let wide = is_wide(c);
    last_beat + handed_on_after(wide) + u64::from(wide)
}
