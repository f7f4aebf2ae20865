//! What the device is to do for one layer, in elements of the scratchpads.

use crate::cost::Cost;
use crate::fit::DoesNotFit;
use crate::map::{FMap, KernelWindow, extent, len};
use std::ops::Range;
use vta_net::graph::Window;
use vta_program::config::HwConfig;
use vta_program::timing::{ALU_IMM_CYCLES as IMM, ALU_REG_CYCLES as REG};

/// One weight element: which blocks it joins, at which kernel position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tile {
    /// Block of output channels.
    pub co: u32,
    /// Block of input channels.
    pub ci: u32,
    /// Kernel row.
    pub ky: u32,
    /// Kernel column.
    pub kx: u32,
    /// What it holds: elements with the same number hold the same bytes.
    pub content: u32,
    /// 32x32 block that it is of, row by row in the layer's mask.
    pub mask_block: u32,
}

/// A largest-value pool in the tile of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pooled {
    /// The window.
    pub window: KernelWindow,
    /// Rows and columns of the pooled map.
    pub map: FMap,
}

/// A convolution with everything that follows it.
#[derive(Debug, Clone)]
pub(crate) struct LoweredConv {
    /// Index of the layer.
    pub layer: usize,
    /// Operand.
    pub input: FMap,
    /// Result, before a pool.
    pub output: FMap,
    /// Pool of the sums: limits and shifts keep the order of values, so they
    /// come after it, on fewer.
    pub pool: Option<Pooled>,
    /// Second operand, and its left shift.
    pub residual: Option<(FMap, u8)>,
    /// The kernel's window.
    pub window: KernelWindow,
    /// Weight elements that are kept and meet more than padding, by kernel
    /// position, then output block, then input block.
    pub tiles: Vec<Tile>,
    /// Different weight elements.
    pub contents: u32,
    /// Output rows for which each kernel row meets the input.
    pub met_rows: Vec<Range<u32>>,
    /// Output columns for which each kernel column meets the input.
    pub met_cols: Vec<Range<u32>>,
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

impl LoweredConv {
    /// Output rows for which a kernel row meets the input.
    pub(crate) fn rows_of(&self, ky: u32) -> Range<u32> {
        self.met_rows[ky as usize].clone()
    }

    /// Output columns for which a kernel column meets the input.
    pub(crate) fn cols_of(&self, kx: u32) -> Range<u32> {
        self.met_cols[kx as usize].clone()
    }

    /// What is stored.
    pub(crate) fn stored(&self) -> &FMap {
        self.pool.as_ref().map_or(&self.output, |p| &p.map)
    }

    /// Accumulator vectors for each vector that is stored: scratch of the slope included.
    pub(crate) fn acc_per_vector(&self) -> u32 {
        match &self.leaky {
            None => 1,
            Some(k) => [1, 2, 3][k.len().min(2)],
        }
    }

    /// ALU cycles: those of the start of the sum for each sum, the rest for
    /// each vector that is stored.
    pub(crate) fn alu_cycles(&self, sums: u64, stored: u64) -> u64 {
        let shift = |by: u8| if by > 0 { IMM } else { 0 };
        let shifts = match &self.shifts {
            Some(_) => REG,
            None => shift(self.shift),
        };
        let leaky = match &self.leaky {
            None => 0,
            Some(k) if k.is_empty() => IMM,
            // A shift each, a sum for all but the first, the maximum.
            Some(k) => k.len() as u64 * (IMM + REG),
        };
        let pool = self.pool.map_or(0, |p| p.window.cycles());
        let limits = 2 * IMM;
        sums * IMM + stored * (limits + pool + shifts + leaky + shift(self.post_shift))
    }

    /// Operations of ALU, and of GEMM with the identity, behind the sums of a tile, at least.
    pub(crate) fn least_alu_ops(&self) -> u64 {
        let shift = self.shifts.is_some() || self.shift > 0;
        let leaky = self.leaky.as_ref().map_or(0, |k| (2 * k.len()).max(1));
        let others = [shift, self.residual.is_some(), self.post_shift > 0];
        2 + leaky as u64 + others.iter().filter(|is| **is).count() as u64
    }

    /// GEMM steps, those on padding left out.
    pub(crate) fn gemm_steps(&self) -> u64 {
        let steps =
            |t: &Tile| u64::from(len(&self.rows_of(t.ky))) * u64::from(len(&self.cols_of(t.kx)));
        let residual = match &self.residual {
            Some(_) => self.output.vectors(),
            None => 0,
        };
        self.tiles.iter().map(steps).sum::<u64>() + residual
    }

    /// Cycles below which compute cannot go.
    pub(crate) fn compute_floor(&self) -> u64 {
        self.gemm_steps() + self.alu_cycles(self.output.vectors(), self.stored().vectors())
    }

    /// Cycles below which the memory cannot go: read beats of weights and of
    /// the inputs that some kept weight meets, once each, or store cycles.
    pub(crate) fn memory_floor(&self, c: &HwConfig) -> u64 {
        let cost = Cost::new(c);
        let beats = |n: u64, bytes: u32| n * u64::from(bytes) / u64::from(c.beat_bytes());
        let mut needed = 0u64;
        let mut of_input: Vec<Vec<&Tile>> = vec![Vec::new(); self.input.blocks as usize];
        for tile in &self.tiles {
            of_input[tile.ci as usize].push(tile);
        }
        for tiles in of_input {
            let mut rows = vec![false; self.input.h as usize];
            let mut cols = vec![false; self.input.w as usize];
            for t in tiles {
                let w = &self.window;
                self.rows_of(t.ky)
                    .for_each(|y| rows[w.met(0, y, t.ky) as usize] = true);
                self.cols_of(t.kx)
                    .for_each(|x| cols[w.met(1, x, t.kx) as usize] = true);
            }
            let count = |v: &[bool]| v.iter().filter(|x| **x).count() as u64;
            needed += count(&rows) * count(&cols);
        }
        if self.residual.is_some() {
            needed += self.output.vectors();
        }
        let read = beats(needed, c.inp_bytes()) + beats(self.contents.into(), c.wgt_bytes());
        let rows = self.stored().rows();
        read.max(cost.store(&rows, c.out_bytes()))
    }
}

/// A largest-value pool.
#[derive(Debug, Clone)]
pub(crate) struct LoweredPool {
    /// Operand.
    pub input: FMap,
    /// Result.
    pub output: FMap,
    /// The window.
    pub window: KernelWindow,
}

impl LoweredPool {
    /// A pool of a map to another.
    ///
    /// # Errors
    /// A window that is too large to compute with.
    pub(crate) fn new(w: &Window, (input, output): (FMap, FMap)) -> Result<Self, DoesNotFit> {
        Ok(Self {
            input,
            output,
            window: KernelWindow::new(w, &output)?,
        })
    }
}

impl KernelWindow {
    /// ALU cycles of an output when all positions are compared one by one: a
    /// copy, then register steps.
    pub(crate) fn at_once(&self) -> u64 {
        let [kh, kw] = self.kernel.map(u64::from);
        IMM + REG * (kh * kw - 1)
    }

    /// ALU cycles of an output when columns are compared first, in place, in
    /// the column that kernel column `kx0` meets. None where another output's
    /// columns are among those that are overwritten.
    pub(crate) fn by_axes(&self, kx0: u32) -> Option<u64> {
        let [kh, kw] = self.kernel.map(u64::from);
        let free = |kx: u32| !(kx.abs_diff(kx0) * self.dilation[1]).is_multiple_of(self.stride[1]);
        let all = (0..self.kernel[1]).all(|kx| kx == kx0 || free(kx));
        all.then(|| u64::from(self.stride[0]) * REG * (kw - 1) + IMM + REG * (kh - 1))
    }

    /// ALU cycles of an output in the cheaper way.
    pub(crate) fn cycles(&self) -> u64 {
        let by_axes = (0..self.kernel[1]).filter_map(|kx| self.by_axes(kx));
        by_axes.min().unwrap_or(u64::MAX).min(self.at_once())
    }
}

/// Nearest-neighbour upsampling.
#[derive(Debug, Clone)]
pub(crate) struct LoweredResize {
    /// Operand.
    pub input: FMap,
    /// Result.
    pub output: FMap,
    /// Down, right.
    pub factor: [u32; 2],
}

impl LoweredResize {
    /// An upsampling of a map to another.
    ///
    /// # Errors
    /// A factor that is too large to compute with, or is not that of these maps.
    pub(crate) fn new(
        factor: [usize; 2],
        (input, output): (FMap, FMap),
    ) -> Result<Self, DoesNotFit> {
        let factor = [extent("factor", factor[0])?, extent("factor", factor[1])?];
        let made = |n: u32, by: u32| u64::from(n) * u64::from(by);
        let rows = made(input.h, factor[0]) == u64::from(output.h);
        if !rows || made(input.w, factor[1]) != u64::from(output.w) {
            return Err(DoesNotFit::TooLarge("rows or columns of an upsampled map"));
        }
        Ok(Self {
            input,
            output,
            factor,
        })
    }
}
