//! STORE: rows of the output scratchpad to DRAM.

use super::{Core, byte_addr};
use vta_program::isa::Store;
use vta_program::mem::{Dram, OutOfRange};

impl Core {
    /// Executes STORE; an empty one (`x_size` 0) changes nothing.
    ///
    /// `y_size` 0 stores 65536 rows, because the row counter is compared with
    /// `ysize - 1` in 16 bits (core/TensorStoreNarrowVME.scala); on a bus as
    /// wide as an element it never ends and stores nothing
    /// (core/TensorStoreWideVME.scala). A burst at address 0 is dropped by the
    /// test bench's memory.
    pub(super) fn store(&mut self, s: &Store, dram: &mut Dram) -> Result<(), OutOfRange> {
        let (x, bytes) = (u32::from(s.x_size), self.cfg.out_bytes());
        let wide = self.cfg.beat_bytes() >= bytes;
        if x == 0 || (wide && s.y_size == 0) {
            return Ok(());
        }
        let rows = (u32::from(s.y_size).wrapping_sub(1) & 0xffff) + 1;
        let burst_bytes = self.cfg.beat_bytes() << self.cfg.mem_len_bits;
        let depth = self.cfg.out_depth as usize;
        let lanes = self.cfg.block as usize;
        let mut at = usize::from(s.sram_base);
        let mut addr = byte_addr(s.dram_base, bytes);
        for _ in 0..rows {
            let first_beat = addr & !(self.cfg.beat_bytes() - 1);
            let dropped = if first_beat == 0 {
                (burst_bytes - addr).div_ceil(bytes)
            } else {
                0
            };
            let mut to = dram.write(u64::from(addr), u64::from(x) * u64::from(bytes))?;
            let mut left = x as usize;
            let skipped = left.min(dropped as usize);
            to = &mut to[skipped * lanes..];
            (at, left) = (at + skipped, left - skipped);
            // Pieces up to where the scratchpad wraps.
            while left > 0 {
                let from = at & (depth - 1);
                let n = left.min(depth - from);
                let (now, later) = to.split_at_mut(n * lanes);
                let cells = &self.pads.out[from * lanes..(from + n) * lanes];
                for (t, f) in now.iter_mut().zip(cells) {
                    *t = f.cast_unsigned();
                }
                (to, at, left) = (later, at + n, left - n);
            }
            addr = addr.wrapping_add(u32::from(s.x_stride).wrapping_mul(bytes));
        }
        Ok(())
    }
}
