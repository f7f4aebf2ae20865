//! A load by itself.

use super::memory::Reads;
use super::{Bursts, Geometry, Padding, Rows};
use crate::isa;

/// Cycles from the start of a load to its first command on the bus, without
/// padding above.
pub const COMMAND: u64 = 2;

/// Cycles from the command on the bus to its first beat, beside the memory's delay.
const BUS: u64 = 2;

/// Cycles from a beat on the bus to the one in which it is written: the tag
/// look-up, and `vmeDataValidPipe` where elements are wider than the bus.
pub const fn written_after(geo: Geometry) -> u64 {
    1 + geo.is_narrow() as u64
}

/// Cycles from the start of a load to its first beat where nobody else reads.
pub const fn first_beat(mem_delay: u32) -> u64 {
    COMMAND + BUS + mem_delay as u64
}

/// Cycles of a load of these rows where nobody else reads. Each row of padding
/// above delays the first command by a cycle.
pub fn load(geo: Geometry, rows: &Rows, mut pad: Padding, y_pad_0: u8, mem_delay: u32) -> u64 {
    let lag = written_after(geo);
    // All before this cycle is padded.
    let mut padded = lag;
    let mut reads = Reads::new(COMMAND + u64::from(y_pad_0), mem_delay);
    let mut bursts = Bursts::new(geo, rows);
    let mut last_beat = 0;
    while let Some(beats) = bursts.next() {
        let (first, last) = reads.burst(beats);
        last_beat = last;
        let from = first + lag;
        pad.gap(from.saturating_sub(padded));
        pad.beats(beats.into());
        padded = from + u64::from(beats);
    }
    // Everything is written in one cycle, and the next one sees it.
    last_beat + lag + 1 + pad.left() + 1
}

impl Rows {
    /// What a LOAD reads, of elements of these widths.
    #[inline]
    pub const fn of_load(geo: Geometry, l: &isa::Load) -> Self {
        Self {
            addr: l.dram_base.wrapping_shl(geo.elem_log),
            x_size: l.x_size as u32,
            y_size: l.y_size as u32,
            x_stride: l.x_stride as u32,
        }
    }

    /// What a STORE writes, of elements of these widths.
    #[inline]
    pub const fn of_store(geo: Geometry, s: &isa::Store) -> Self {
        Self {
            addr: s.dram_base.wrapping_shl(geo.elem_log),
            x_size: s.x_size as u32,
            y_size: s.y_size as u32,
            x_stride: s.x_stride as u32,
        }
    }
}
