//! What the device is to do for one layer, in elements of the scratchpads.

use crate::cost::Cost;
use crate::fit::{self, DoesNotFit};
use crate::map::{FMap, KernelWindow, extent, len};
use std::collections::HashMap;
use std::ops::Range;
use vta_net::graph::Window;
use vta_program::config::HwConfig;
use vta_program::timing::{ALU_IMM_CYCLES as IMM, ALU_REG_CYCLES as REG};
use vta_tensor::host::HostOp;

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

/// Where the values between inputs come from when a map is enlarged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interpolation {
    /// The input that an output lies in.
    Nearest,
    /// Between the two inputs around it.
    Linear {
        /// Whether the middles of both maps lie on each other, not their first elements.
        half_pixel: bool,
    },
}

/// How a map is enlarged: by these factors down and right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Upsampling {
    /// Down, right.
    pub factor: [usize; 2],
    /// What is between.
    pub interpolation: Interpolation,
}

impl Upsampling {
    /// Of an operator that is one.
    pub(crate) const fn of(op: &HostOp) -> Option<Self> {
        let (factor, interpolation) = match op {
            HostOp::Resize { factor } => (*factor, Interpolation::Nearest),
            HostOp::ResizeLinear { factor, half_pixel } => {
                let half_pixel = *half_pixel;
                (*factor, Interpolation::Linear { half_pixel })
            }
            _ => return None,
        };
        Some(Self {
            factor,
            interpolation,
        })
    }
}

/// An input of an output: how far it is from the input that the output lies in, and
/// its weight.
pub(crate) type Tap = (i32, u32);

/// Inputs of an axis, next to each other, around which the same inputs are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// They.
    pub inputs: Range<u32>,
    /// For each output that lies in one of them: its taps.
    pub phases: Vec<Vec<Tap>>,
}

/// Upsampling along an axis.
#[derive(Debug, Clone)]
pub(crate) struct Enlarged {
    /// Outputs for each input.
    factor: u32,
    /// Bits of the weights below the point.
    pub shift: u8,
    /// For each output that lies in an input, as if the map had no edge.
    phases: Vec<Vec<Tap>>,
}

impl Enlarged {
    fn new(factor: u32, interpolation: Interpolation) -> Result<Self, DoesNotFit> {
        let once = |shift| Self {
            factor,
            shift,
            phases: (0..factor).map(|_| vec![(0, 1)]).collect(),
        };
        let half_pixel = match interpolation {
            Interpolation::Linear { half_pixel } if factor > 1 => half_pixel,
            _ => return Ok(once(0)),
        };
        if !factor.is_power_of_two() || factor > MOST_TIMES {
            return Err(DoesNotFit::TooLarge("factor of a linear upsampling"));
        }
        // Outputs lie at whole numbers of these, twice as fine where halves of a pixel count.
        let (one, first, step) = match half_pixel {
            true => (2 * factor, 1 - factor as i32, 2),
            false => (factor, 0, 1),
        };
        let phases = (0..factor as i32).map(|p| {
            let at = first + step * p;
            let before = at.div_euclid(one as i32);
            let behind = at.rem_euclid(one as i32).unsigned_abs();
            let taps = [(before, one - behind), (before + 1, behind)];
            taps.into_iter().filter(|t| t.1 > 0).collect()
        });
        Ok(Self {
            factor,
            shift: one.ilog2() as u8,
            phases: phases.collect(),
        })
    }

    /// How far taps reach before an input and behind it.
    pub(crate) fn reach(&self) -> [u32; 2] {
        let far = self.phases.iter().flatten().map(|t| t.0);
        let (least, most) = far.fold((0, 0), |(lo, hi), d| (d.min(lo), d.max(hi)));
        [least, most].map(i32::unsigned_abs)
    }

    /// A range of inputs, cut where the edge of a map of `len` changes the taps: beyond
    /// it are the values at the edge.
    pub(crate) fn stretches(&self, inputs: &Range<u32>, len: u32) -> Vec<Stretch> {
        let [before, behind] = self.reach();
        let mut cuts = vec![inputs.start];
        let near = (1..=before).chain((1..=behind).rev().map(|d| len.saturating_sub(d)));
        for at in near {
            if at > cuts[cuts.len() - 1] && at < inputs.end {
                cuts.push(at);
            }
        }
        let ends = cuts.iter().skip(1).copied().chain([inputs.end]);
        let stretches = cuts.iter().zip(ends).map(|(&start, end)| Stretch {
            inputs: start..end,
            phases: self.phases.iter().map(|p| clamped(p, start, len)).collect(),
        });
        stretches.collect()
    }
}

/// The taps of an output in input `at` of `len`.
fn clamped(taps: &[Tap], at: u32, len: u32) -> Vec<Tap> {
    let at = i64::from(at);
    let mut all: Vec<Tap> = Vec::with_capacity(taps.len());
    for &(far, weight) in taps {
        let input = (at + i64::from(far)).clamp(0, i64::from(len) - 1);
        let far = (input - at) as i32;
        match all.iter_mut().find(|t| t.0 == far) {
            Some(tap) => tap.1 += weight,
            None => all.push((far, weight)),
        }
    }
    all
}

/// Largest factor of a linear upsampling: weights of both axes are in int8 or the sum of a few.
const MOST_TIMES: u32 = 8;

/// A weight as the sum of int8 values.
pub(crate) fn parts(weight: u32) -> impl Iterator<Item = i8> {
    let n = weight.div_ceil(i8::MAX.unsigned_abs().into()).max(1);
    (0..n).map(move |i| ((weight + i) / n) as i8)
}

/// Upsampling by whole factors.
#[derive(Debug, Clone)]
pub(crate) struct LoweredResize {
    /// Operand.
    pub input: FMap,
    /// Result.
    pub output: FMap,
    /// Rows, columns.
    pub axes: [Enlarged; 2],
    /// What is on the diagonals of the weight elements.
    pub weights: Vec<i8>,
}

impl LoweredResize {
    /// An upsampling of a map to another.
    ///
    /// # Errors
    /// A factor that is too large to compute with, or is not that of these maps; a
    /// linear upsampling whose weights are no multiples of a power of two.
    pub(crate) fn new(
        Upsampling {
            factor,
            interpolation,
        }: Upsampling,
        (input, output): (FMap, FMap),
    ) -> Result<Self, DoesNotFit> {
        let factor = [extent("factor", factor[0])?, extent("factor", factor[1])?];
        let made = |n: u32, by: u32| u64::from(n) * u64::from(by);
        let rows = made(input.h, factor[0]) == u64::from(output.h);
        if !rows || made(input.w, factor[1]) != u64::from(output.w) {
            return Err(DoesNotFit::TooLarge("rows or columns of an upsampled map"));
        }
        let axis = |i: usize| Enlarged::new(factor[i], interpolation);
        let mut lowered = Self {
            input,
            output,
            axes: [axis(0)?, axis(1)?],
            weights: Vec::new(),
        };
        let mut weights = Vec::new();
        lowered.sums(|_, weight| weights.extend(parts(weight)));
        weights.sort_unstable();
        weights.dedup();
        lowered.weights = weights;
        Ok(lowered)
    }

    /// Outputs for each input, down and right.
    pub(crate) fn factor(&self) -> [u32; 2] {
        [self.axes[0].factor, self.axes[1].factor]
    }

    /// By how much sums are shifted right.
    pub(crate) fn shift(&self) -> u8 {
        self.axes[0].shift + self.axes[1].shift
    }

    /// Calls `each` for every product that some outputs have, with their number in a
    /// block and the product's weight.
    fn sums(&self, mut each: impl FnMut(u64, u32)) {
        let (i, [rows, columns]) = (&self.input, &self.axes);
        for row in rows.stretches(&(0..i.h), i.h) {
            for column in columns.stretches(&(0..i.w), i.w) {
                let n = u64::from(len(&row.inputs)) * u64::from(len(&column.inputs));
                for (_, y) in row.phases.iter().flatten() {
                    for (_, x) in column.phases.iter().flatten() {
                        each(n, y * x);
                    }
                }
            }
        }
    }

    /// Cycles below which compute cannot go: each output is cleared, summed and shifted.
    pub(crate) fn compute_floor(&self) -> u64 {
        let mut steps = 0;
        self.sums(|n, weight| steps += n * parts(weight).count() as u64);
        let shift = if self.shift() > 0 { IMM } else { 0 };
        steps * u64::from(self.output.blocks) + self.output.vectors() * (1 + shift)
    }
}

/// Channels that move to places of a larger map, or change places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DepthToSpace {
    /// Phases down and right.
    pub factor: [usize; 2],
    /// For each phase, row by row, and each channel of the result: the channel that it is.
    pub channels: Vec<Vec<usize>>,
}

impl DepthToSpace {
    /// Of an operator that is one, on a map of rows and columns.
    pub(crate) fn of(op: &HostOp, [h, w]: [usize; 2]) -> Option<Self> {
        let HostOp::Rearrange { split, perm, dims } = op else {
            return None;
        };
        let (rows, columns) = (split.len().checked_sub(2)?, split.len() - 1);
        let at = |axis: usize| perm.iter().position(|p| *p == axis);
        let (y, x) = (at(rows)?, at(columns)?);
        if split[rows..] != [h, w] || y >= x {
            return None;
        }
        // Axes that count the channels of the result, and its phases.
        let parts = [&perm[..y], &perm[y + 1..x], &perm[x + 1..]];
        let [c, fy, fx] = parts.map(|axes| axes.iter().map(|a| split[*a]).product::<usize>());
        if *dims != [1, c, fy * h, fx * w] {
            return None;
        }
        // What a step along an axis is in channels of the operand.
        let step = |axis: usize| split[axis + 1..rows].iter().product::<usize>();
        let offset = |axes: &[usize], mut index: usize| {
            let mut sum = 0;
            for &a in axes.iter().rev() {
                sum += index % split[a] * step(a);
                index /= split[a];
            }
            sum
        };
        let phases = (0..fy).flat_map(|dy| (0..fx).map(move |dx| [dy, dx]));
        let channels = phases.map(|[dy, dx]| {
            let phase = offset(parts[1], dy) + offset(parts[2], dx);
            (0..c).map(|o| offset(parts[0], o) + phase).collect()
        });
        Some(Self {
            factor: [fy, fx],
            channels: channels.collect(),
        })
    }
}

/// Lanes of a block that go to a block of the result, in one phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pick {
    /// Phase, down and right.
    pub phase: [u32; 2],
    /// Block of the result.
    pub to: u32,
    /// Block of the operand.
    pub from: u32,
    /// Weight element, which has a 1 for each lane.
    pub element: u32,
}

/// Depth to space.
#[derive(Debug, Clone)]
pub(crate) struct LoweredRearrange {
    /// Operand.
    pub input: FMap,
    /// Result.
    pub output: FMap,
    /// Phases down and right.
    pub factor: [u32; 2],
    /// What goes where.
    pub picks: Vec<Pick>,
    /// Bytes of the weight elements.
    pub contents: Vec<i8>,
    block: u32,
}

impl LoweredRearrange {
    /// Of a map to another.
    ///
    /// # Errors
    /// More than can be counted.
    pub(crate) fn new(
        of: &DepthToSpace,
        (input, output): (FMap, FMap),
        block: u32,
    ) -> Result<Self, DoesNotFit> {
        let factor = [
            extent("factor", of.factor[0])?,
            extent("factor", of.factor[1])?,
        ];
        let lanes = block as usize;
        let mut picks = Vec::new();
        let mut known: HashMap<Vec<i8>, u32> = HashMap::new();
        let mut contents = Vec::new();
        for (phase, channels) in (0u32..).zip(&of.channels) {
            for (to, outs) in (0u32..).zip(channels.chunks(lanes)) {
                let mut from: Vec<usize> = outs.iter().map(|c| c / lanes).collect();
                from.sort_unstable();
                from.dedup();
                for from in from {
                    let mut element = vec![0; lanes * lanes];
                    for (lane, c) in outs.iter().enumerate() {
                        if c / lanes == from {
                            element[lane * lanes + c % lanes] = 1;
                        }
                    }
                    let element = match known.get(&element) {
                        Some(n) => *n,
                        None => {
                            contents.extend_from_slice(&element);
                            let n = fit::count("weight elements of a layer", known.len())?;
                            known.insert(element, n);
                            n
                        }
                    };
                    picks.push(Pick {
                        phase: [phase / factor[1], phase % factor[1]],
                        to,
                        from: fit::count("blocks of channels", from)?,
                        element,
                    });
                }
            }
        }
        // Sums that follow each other are different ones where that can be.
        picks.sort_by_key(|p| p.from);
        Ok(Self {
            input,
            output,
            factor,
            picks,
            contents,
            block,
        })
    }

    /// Weight elements.
    pub(crate) fn elements(&self) -> u32 {
        (self.contents.len() as u32) / (self.block * self.block)
    }

    /// Cycles below which compute cannot go: each output is cleared, and picked.
    pub(crate) fn compute_floor(&self) -> u64 {
        self.output.vectors() + self.picks.len() as u64 * u64::from(self.input.plane())
    }
}
