//! LOAD: rows from DRAM into a scratchpad, zeros around them.

use super::{Core, byte_addr};
use vta_program::isa::{Load, MemoryType};
use vta_program::mem::{Dram, OutOfRange};

/// An element type as bytes in DRAM.
trait Element: Copy + Default {
    /// Copies little-endian bytes into elements.
    fn copy(to: &mut [Self], from: &[u8]);
}

impl Element for i8 {
    fn copy(to: &mut [Self], from: &[u8]) {
        for (t, f) in to.iter_mut().zip(from) {
            *t = f.cast_signed();
        }
    }
}

impl Element for u32 {
    fn copy(to: &mut [Self], from: &[u8]) {
        for (t, f) in to.iter_mut().zip(from.chunks_exact(4)) {
            *t = Self::from_le_bytes([f[0], f[1], f[2], f[3]]);
        }
    }
}

impl Element for i32 {
    fn copy(to: &mut [Self], from: &[u8]) {
        for (t, f) in to.iter_mut().zip(from.chunks_exact(4)) {
            *t = Self::from_le_bytes([f[0], f[1], f[2], f[3]]);
        }
    }
}

/// One scratchpad seen as `depth` elements of `lanes` values.
struct Pad<'a, T> {
    cells: &'a mut [T],
    lanes: usize,
    /// A power of two.
    depth: usize,
}

impl<T: Element> Pad<'_, T> {
    /// Calls `f` for the pieces of `count` elements from `at`, which wrap at the depth.
    #[inline]
    fn pieces(&mut self, at: usize, count: usize, mut f: impl FnMut(&mut [T])) {
        let (mut at, mut left) = (at & (self.depth - 1), count);
        while left > 0 {
            let n = left.min(self.depth - at);
            f(&mut self.cells[at * self.lanes..(at + n) * self.lanes]);
            (at, left) = (0, left - n);
        }
    }

    fn zero(&mut self, at: usize, count: usize) {
        self.pieces(at, count, |c| c.fill(T::default()));
    }

    fn fill(&mut self, at: usize, count: usize, bytes: &[u8]) {
        let mut rest = bytes;
        self.pieces(at, count, |c| {
            let (now, later) = rest.split_at(size_of_val(c));
            T::copy(c, now);
            rest = later;
        });
    }

    fn load(&mut self, l: &Load, elem_bytes: u32, dram: &Dram) -> Result<(), OutOfRange> {
        let x = usize::from(l.x_size);
        let (left, right) = (usize::from(l.x_pad_0), usize::from(l.x_pad_1));
        let width = left + x + right;
        let mut at = usize::from(l.sram_base);
        let mut addr = byte_addr(l.dram_base, elem_bytes);
        let mut rows = usize::from(l.y_size);
        let follow = left + right == 0 && l.x_stride == l.x_size;
        let all = rows as u64 * x as u64 * u64::from(elem_bytes);
        // Zeros between two elements of DRAM are written at once.
        let mut zeros = usize::from(l.y_pad_0) * width;
        let wraps = u64::from(addr) + all > 1 << 32;
        if follow
            && !wraps
            && let Ok(bytes) = dram.read(u64::from(addr), all)
        {
            self.zero(at, zeros);
            self.fill(at + zeros, rows * x, bytes);
            at += zeros + rows * x;
            (zeros, rows) = (0, 0);
        }
        for _ in 0..rows {
            let row = dram.read(u64::from(addr), x as u64 * u64::from(elem_bytes));
            zeros += if row.is_ok() { left } else { 0 };
            self.zero(at, zeros);
            at += zeros;
            self.fill(at, x, row?);
            at += x;
            zeros = right;
            addr = addr.wrapping_add(u32::from(l.x_stride).wrapping_mul(elem_bytes));
        }
        self.zero(at, zeros + usize::from(l.y_pad_1) * width);
        Ok(())
    }
}

impl Core {
    /// Executes LOAD; an empty one (`x_size` 0) changes nothing, padding
    /// included (`isSync` in core/Decode.scala).
    pub(super) fn load(&mut self, l: &Load, dram: &Dram) -> Result<(), OutOfRange> {
        if l.x_size == 0 {
            return Ok(());
        }
        let block = self.cfg.block as usize;
        let (c, p) = (&self.cfg, &mut self.pads);
        let bytes = c.elem_bytes(l.memory_type.scratchpad());
        let depth = c.depth(l.memory_type.scratchpad()) as usize;
        // What comes before an error is copied too.
        match l.memory_type {
            MemoryType::Uop => pad(&mut p.uop, 1, depth).load(l, bytes, dram),
            MemoryType::Acc => pad(&mut p.acc, block, depth).load(l, bytes, dram),
            MemoryType::Inp => {
                let done = pad(&mut p.inp, block, depth).load(l, bytes, dram);
                pieces(l.sram_base.into(), elements(l), depth, |at, n| {
                    self.packed.inputs(&p.inp, at, n);
                });
                done
            }
            MemoryType::Wgt => {
                let done = pad(&mut p.wgt, block * block, depth).load(l, bytes, dram);
                pieces(l.sram_base.into(), elements(l), depth, |at, n| {
                    self.packed.weights(&p.wgt, at, n);
                });
                done
            }
        }
    }
}

const fn pad<T>(cells: &mut [T], lanes: usize, depth: usize) -> Pad<'_, T> {
    Pad {
        cells,
        lanes,
        depth,
    }
}

/// Elements that a LOAD writes, zeros among them.
fn elements(l: &Load) -> usize {
    let sum = |a: u8, n: u16, b: u8| usize::from(a) + usize::from(n) + usize::from(b);
    sum(l.x_pad_0, l.x_size, l.x_pad_1) * sum(l.y_pad_0, l.y_size, l.y_pad_1)
}

/// Calls `f` with start and length of the pieces of `count` elements from `at`,
/// which wrap at the depth; no more than all of them once.
fn pieces(at: usize, count: usize, depth: usize, mut f: impl FnMut(usize, usize)) {
    let at = at % depth;
    let count = count.min(depth);
    let now = count.min(depth - at);
    f(at, now);
    if count > now {
        f(0, count - now);
    }
}
