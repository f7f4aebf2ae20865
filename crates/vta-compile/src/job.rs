//! What the device is to do for one layer, in elements of the scratchpads.

use super::cost::{Cost, Rows};
use std::ops::Range;
use vta_program::config::HwConfig;
use vta_tensor::Axis;

/// A map of vectors in DRAM: `[blocks][h][w]` elements of `block` int8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FMap {
    /// Whose stores and loads can meet: the buffer that it is in.
    pub buffer: usize,
    /// First block, counted in the buffer.
    pub block: u32,
    /// Element index of the first vector.
    pub base: u32,
    /// Blocks of channels.
    pub blocks: u32,
    /// Rows.
    pub h: u32,
    /// Columns.
    pub w: u32,
}

impl FMap {
    /// Vectors of one block.
    pub(super) fn plane(&self) -> u32 {
        self.h * self.w
    }

    /// Vectors.
    pub(super) fn vectors(&self) -> u64 {
        u64::from(self.blocks) * u64::from(self.plane())
    }

    /// All of it, as a transfer.
    pub(super) fn rows(&self) -> Rows {
        Rows {
            dram: self.base,
            y: self.blocks,
            x: self.plane(),
            stride: self.plane(),
        }
    }
}

/// One weight element: which blocks it joins, at which kernel position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tile {
    /// Block of output channels.
    pub co: u32,
    /// Block of input channels.
    pub ci: u32,
    /// Kernel row.
    pub ky: u32,
    /// Kernel column.
    pub kx: u32,
    /// Index of its bytes in [`ConvJob::contents`].
    pub content: u32,
    /// 32x32 block that it is of, row by row in the layer's mask.
    pub mask_block: u32,
}

/// A window of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PoolWindow {
    /// Rows, columns.
    pub kernel: [u32; 2],
    /// Down, right.
    pub stride: [u32; 2],
    /// Down, right.
    pub dilation: [u32; 2],
    /// Top, left.
    pub pads: [u32; 2],
}

/// A largest-value pool in the tile of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pooled {
    /// The window.
    pub window: PoolWindow,
    /// Rows and columns of the pooled map.
    pub map: FMap,
}

/// A convolution with everything that follows it.
#[derive(Debug, Clone)]
pub(super) struct ConvJob {
    /// Index of the layer.
    pub layer: u32,
    /// Operand.
    pub input: FMap,
    /// Result, before a pool.
    pub output: FMap,
    /// Pool of the sums: limits and shifts keep the order of values, so they
    /// come after it, on fewer.
    pub pool: Option<Pooled>,
    /// Second operand, and its left shift.
    pub residual: Option<(FMap, u8)>,
    /// Down, right.
    pub stride: [u32; 2],
    /// Down, right.
    pub dilation: [u32; 2],
    /// Top, left.
    pub pads: [u32; 2],
    /// Weight elements that are kept and meet more than padding, by kernel
    /// position, then output block, then input block.
    pub tiles: Vec<Tile>,
    /// Bytes of weight elements, `block * block` each.
    pub contents: Vec<i8>,
    /// Start of the sum with all rounding, for each output lane.
    pub bias: Vec<i32>,
    /// Shift of each output lane, where they differ.
    pub shifts: Option<Vec<i32>>,
    /// Shift where they do not.
    pub shift: u8,
    /// Slope below zero.
    pub leaky: Option<Vec<u8>>,
    /// Shift after the residual.
    pub post_shift: u8,
    /// Limits.
    pub clamp: (i8, i8),
}

/// Positions `lo..hi` of an output axis of `n` for which kernel position `k`
/// meets one of the input's `len` elements.
pub(super) fn valid(n: u32, len: u32, stride: u32, dilation: u32, pad: u32, k: u32) -> Range<u32> {
    let axis = Axis {
        kernel: 1,
        stride: stride as usize,
        dilation: dilation as usize,
        before: pad as usize,
        after: 0,
    };
    let met = axis.outputs_met(k as usize, len as usize, n as usize);
    met.start as u32..met.end as u32
}

impl ConvJob {
    /// Output rows for which a kernel row meets the input.
    pub(super) fn rows_of(&self, ky: u32) -> Range<u32> {
        let (o, i) = (&self.output, &self.input);
        valid(o.h, i.h, self.stride[0], self.dilation[0], self.pads[0], ky)
    }

    /// Output columns for which a kernel column meets the input.
    pub(super) fn cols_of(&self, kx: u32) -> Range<u32> {
        let (o, i) = (&self.output, &self.input);
        valid(o.w, i.w, self.stride[1], self.dilation[1], self.pads[1], kx)
    }

    /// What is stored.
    pub(super) fn stored(&self) -> &FMap {
        self.pool.as_ref().map_or(&self.output, |p| &p.map)
    }

    /// Accumulator vectors for each vector that is stored: scratch of the slope included.
    pub(super) fn acc_per_vector(&self) -> u32 {
        match &self.leaky {
            None => 1,
            Some(k) => 1 + k.len().min(2) as u32,
        }
    }

    /// ALU cycles: those of the start of the sum for each sum, the rest for
    /// each vector that is stored.
    pub(super) fn alu_cycles(&self, sums: u64, stored: u64) -> u64 {
        let shift = match &self.shifts {
            Some(_) => 2,
            None => u64::from(self.shift > 0),
        };
        let leaky = match &self.leaky {
            None => 0,
            Some(k) if k.is_empty() => 1,
            // A copy each, a sum of two cycles for all but the first, the maximum.
            Some(k) => k.len() as u64 + 2 * (k.len() as u64 - 1) + 2,
        };
        let pool = self.pool.map_or(0, |p| p.window.cycles());
        // Two limits.
        sums + stored * (2 + pool + shift + leaky + u64::from(self.post_shift > 0))
    }

    /// GEMM steps, those on padding left out.
    pub(super) fn gemm_steps(&self) -> u64 {
        let steps = |t: &Tile| {
            u64::from(self.rows_of(t.ky).len() as u32) * u64::from(self.cols_of(t.kx).len() as u32)
        };
        let residual = match &self.residual {
            Some(_) => self.output.vectors(),
            None => 0,
        };
        self.tiles.iter().map(steps).sum::<u64>() + residual
    }

    /// Cycles below which compute cannot go.
    pub(super) fn compute_floor(&self) -> u64 {
        self.gemm_steps() + self.alu_cycles(self.output.vectors(), self.stored().vectors())
    }

    /// Cycles below which the memory cannot go: read beats of weights and of
    /// the inputs that some kept weight meets, once each, or store cycles.
    pub(super) fn memory_floor(&self, c: &HwConfig) -> u64 {
        let cost = Cost::new(c);
        let beats = |n: u64, bytes: u32| n * u64::from(bytes) / u64::from(c.beat_bytes());
        let mut needed = 0u64;
        let mut contents: Vec<u32> = self.tiles.iter().map(|t| t.content).collect();
        contents.sort_unstable();
        contents.dedup();
        for ci in 0..self.input.blocks {
            let mut rows = vec![false; self.input.h as usize];
            let mut cols = vec![false; self.input.w as usize];
            for t in self.tiles.iter().filter(|t| t.ci == ci) {
                mark(
                    &mut rows,
                    self.rows_of(t.ky),
                    self.stride[0],
                    t.ky * self.dilation[0],
                    self.pads[0],
                );
                mark(
                    &mut cols,
                    self.cols_of(t.kx),
                    self.stride[1],
                    t.kx * self.dilation[1],
                    self.pads[1],
                );
            }
            let count = |v: &[bool]| v.iter().filter(|x| **x).count() as u64;
            needed += count(&rows) * count(&cols);
        }
        if self.residual.is_some() {
            needed += self.output.vectors();
        }
        let read = beats(needed, c.inp_bytes()) + beats(contents.len() as u64, c.wgt_bytes());
        let rows = self.stored().rows();
        read.max(cost.store(&rows, c.out_bytes()))
    }
}

fn mark(seen: &mut [bool], range: Range<u32>, stride: u32, at: u32, pad: u32) {
    for y in range {
        seen[(y * stride + at - pad) as usize] = true;
    }
}

/// A largest-value pool.
#[derive(Debug, Clone)]
pub(super) struct PoolJob {
    /// Operand.
    pub input: FMap,
    /// Result.
    pub output: FMap,
    /// The window.
    pub window: PoolWindow,
}

impl PoolWindow {
    /// ALU cycles of an output when all positions are compared one by one: a
    /// copy, then register steps of two cycles.
    pub(super) fn at_once(&self) -> u64 {
        let [kh, kw] = self.kernel.map(u64::from);
        2 * kh * kw - 1
    }

    /// ALU cycles of an output when columns are compared first, in place, in
    /// the column that kernel column `kx0` meets. None where another output's
    /// columns are among those that are overwritten.
    pub(super) fn by_axes(&self, kx0: u32) -> Option<u64> {
        let [kh, kw] = self.kernel.map(u64::from);
        let free = |kx: u32| !(kx.abs_diff(kx0) * self.dilation[1]).is_multiple_of(self.stride[1]);
        let all = (0..self.kernel[1]).all(|kx| kx == kx0 || free(kx));
        all.then(|| u64::from(self.stride[0]) * 2 * (kw - 1) + 2 * kh - 1)
    }

    /// ALU cycles of an output in the cheaper way.
    pub(super) fn cycles(&self) -> u64 {
        let by_axes = (0..self.kernel[1]).filter_map(|kx| self.by_axes(kx));
        by_axes.min().unwrap_or(u64::MAX).min(self.at_once())
    }

    /// Rows (axis 0) or columns (axis 1) of the input that outputs of a range meet.
    pub(super) fn needed(&self, out: &Range<u32>, axis: usize, len: u32) -> Range<u32> {
        let last = (self.kernel[axis] - 1) * self.dilation[axis];
        needed(out, self.stride[axis], self.pads[axis], 0, last, len)
    }
}

/// Positions that outputs of a range meet in an input axis of `len`, where the
/// kernel reaches from `first` to `last`.
pub(super) fn needed(
    out: &Range<u32>,
    stride: u32,
    pad: u32,
    first: u32,
    last: u32,
    len: u32,
) -> Range<u32> {
    let lo = (out.start * stride + first).saturating_sub(pad).min(len);
    let hi = ((out.end - 1) * stride + last + 1)
        .saturating_sub(pad)
        .min(len);
    lo..hi.max(lo)
}

/// Nearest-neighbour upsampling.
#[derive(Debug, Clone)]
pub(super) struct ResizeJob {
    /// Operand.
    pub input: FMap,
    /// Result.
    pub output: FMap,
    /// Down, right.
    pub factor: [u32; 2],
}
