//! Schedules a largest-value pool.
//!
//! Inputs reach the accumulators through an identity GEMM; then each kernel
//! position is one register MAX. In the tile of a convolution the sums are
//! there already.

use super::device::{Device, DoesNotFit, Pads, len};
use super::job::{FMap, PoolJob, PoolWindow, valid};
use super::loops::{line, map_loops, uop};
use super::pads::Deps;
use super::rows::{self, Loaded, RowTile, gemm, reset};
use super::stream::{Kind, Loops};
use std::ops::Range;
use vta_program::isa::{AluOpcode, C_AIDX_BITS, Unit, Uop};

/// Output rows and blocks of a tile: as many as leave room for two tiles.
pub(super) fn tile(job: &PoolJob, pads: &Pads) -> Option<(u32, u32)> {
    let (o, i) = (&job.output, &job.input);
    let w = &job.window;
    let reach = (w.kernel[0] - 1) * w.dilation[0] + 1;
    let in_h = |th: u32| ((th - 1) * w.stride[0] + reach).min(i.h);
    let fits = |th: u32, blocks: u32, share: u32| {
        let inputs = u64::from(in_h(th)) * u64::from(i.w) * u64::from(blocks);
        let outputs = u64::from(th) * u64::from(o.w) * u64::from(blocks);
        inputs * u64::from(share) <= u64::from(pads.inp.size())
            && (inputs + outputs) * u64::from(share) <= u64::from(pads.acc.size())
    };
    // What a loop can add to an index.
    if u64::from(w.stride[0]) * u64::from(i.w) >= 1 << C_AIDX_BITS {
        return None;
    }
    for share in [2, 1] {
        for blocks in (1..=o.blocks).rev() {
            // Few rows read many of them again.
            let least = if blocks > 1 { o.h.min(reach) } else { 1 };
            if let Some(th) = (least..=o.h).rev().find(|&th| fits(th, blocks, share)) {
                return Some((th, blocks));
            }
        }
    }
    None
}

/// Schedules a pool; its only weight element is the identity.
pub(super) fn pool(job: &PoolJob, d: &mut Device<'_>) -> Result<(), DoesNotFit> {
    let (th, tb) = tile(job, d.pads).ok_or(DoesNotFit)?;
    let (o, i) = (job.output, job.input);
    let mut tiles = Vec::new();
    for y0 in (0..o.h).step_by(th as usize) {
        for b0 in (0..o.blocks).step_by(tb as usize) {
            let rows = y0..(y0 + th).min(o.h);
            tiles.push(RowTile {
                in_rows: job.window.needed(&rows, 0, i.h),
                rows,
                blocks: b0..(b0 + tb).min(o.blocks),
            });
        }
    }
    let each_tile = |d: &mut Device<'_>, l: Loaded| compute(job, d, &l);
    rows::each(d, &i, tiles, each_tile)
}

fn compute(job: &PoolJob, d: &mut Device<'_>, l: &Loaded) -> Result<(), DoesNotFit> {
    let (o, i) = (job.output, job.input);
    let t = &l.tile;
    let blocks = len(&t.blocks);
    let (in_size, out_size) = (len(&t.in_rows) * i.w, len(&t.rows) * o.w);
    let slot = d.pads.acc.alloc((in_size + out_size) * blocks, &[])?;
    let out = d.pads.acc.start(slot).unwrap_or(0);
    let staged = out + out_size * blocks;
    let n = in_size * blocks;
    reset(d, slot, staged, n);
    let copy = Kind::Gemm {
        uops: vec![uop(
            staged,
            d.pads.inp.start(l.inp).unwrap_or(0),
            d.pads.wgt.start(l.identity).unwrap_or(0),
        )],
        loops: line(n),
        reset: false,
    };
    let mut last = gemm(d, l, copy);
    let maxima = Maxima {
        window: &job.window,
        maps: (&i, &o),
        from: (&t.in_rows, &(0..i.w)),
        to: (&t.rows, &(0..o.w)),
        blocks,
        staged,
        out,
    };
    if !maxima.starts_somewhere() {
        // int8 values are not less than -128.
        let kind = Kind::Alu {
            uops: vec![uop(out, staged, 0)],
            loops: Loops {
                iter: [1, out_size * blocks],
                dst: [0, 1],
                src: [0, 0],
                wgt: [0, 0],
            },
            opcode: AluOpcode::Min,
            imm: Some(-128),
        };
        last = d.push(kind, &Deps::default());
    }
    last = maxima.push(d).unwrap_or(last);
    d.pads.acc.write(slot, Unit::Compute as usize, last);
    d.store(&o, &t.area(&o), slot, out);
    Ok(())
}

/// Largest values of windows, from accumulators to accumulators.
pub(super) struct Maxima<'a> {
    /// The window.
    pub window: &'a PoolWindow,
    /// The maps that are read and written, of which these are parts.
    pub maps: (&'a FMap, &'a FMap),
    /// Rows and columns that are there.
    pub from: (&'a Range<u32>, &'a Range<u32>),
    /// Rows and columns that are made.
    pub to: (&'a Range<u32>, &'a Range<u32>),
    /// Blocks of both.
    pub blocks: u32,
    /// First accumulator that is read, `[blocks][rows][cols]`.
    pub staged: u32,
    /// First accumulator that is written.
    pub out: u32,
}

impl Maxima<'_> {
    /// Outputs for which a kernel row (axis 0) or column (axis 1) meets an input.
    fn met(&self, axis: usize, k: u32) -> Range<u32> {
        let (w, (i, o)) = (self.window, self.maps);
        let (n, len, part) = match axis {
            0 => (o.h, i.h, self.to.0),
            _ => (o.w, i.w, self.to.1),
        };
        let all = valid(n, len, w.stride[axis], w.dilation[axis], w.pads[axis], k);
        all.start.max(part.start)..all.end.min(part.end)
    }

    fn positions(&self) -> impl Iterator<Item = (u32, u32)> {
        let [kh, kw] = self.window.kernel;
        (0..kh).flat_map(move |ky| (0..kw).map(move |kx| (ky, kx)))
    }

    fn everywhere(&self, ky: u32, kx: u32) -> bool {
        self.met(0, ky) == *self.to.0 && self.met(1, kx) == *self.to.1
    }

    /// Whether a position meets inputs everywhere: the maximum starts with it.
    pub(super) fn starts_somewhere(&self) -> bool {
        self.positions().any(|(ky, kx)| self.everywhere(ky, kx))
    }

    /// Puts the steps into the stream, and gives the last one.
    pub(super) fn push(&self, d: &mut Device<'_>) -> Option<u32> {
        let first = self.positions().find(|&(ky, kx)| self.everywhere(ky, kx));
        if let Some((ky0, kx0)) = first
            && self
                .window
                .by_axes(kx0)
                .is_some_and(|by_axes| by_axes < self.window.at_once())
        {
            self.push_columns(d, kx0);
            let rows = (0..self.window.kernel[0]).filter(|ky| *ky != ky0);
            let order = [ky0].into_iter().chain(rows);
            return self.push_positions(d, order.map(|ky| (ky, kx0)), first);
        }
        let others = self.positions().filter(|p| Some(*p) != first);
        self.push_positions(d, first.into_iter().chain(others), first)
    }

    /// Largest values of columns, in the column that kernel column `kx0` meets.
    fn push_columns(&self, d: &mut Device<'_>, kx0: u32) {
        let w = self.window;
        let (in_h, in_w) = (len(self.from.0), len(self.from.1));
        for kx in (0..w.kernel[1]).filter(|kx| *kx != kx0) {
            let xs = self.met(1, kx);
            if xs.is_empty() {
                continue;
            }
            let at =
                |k: u32| xs.start * w.stride[1] + k * w.dilation[1] - w.pads[1] - self.from.1.start;
            let uops: Vec<_> = (0..self.blocks)
                .map(|b| {
                    let block = self.staged + b * in_h * in_w;
                    uop(block + at(kx0), block + at(kx), 0)
                })
                .collect();
            let step = [in_w, w.stride[1]];
            self.push_steps(d, &uops, map_loops(in_h, len(&xs), step, step), false);
        }
    }

    /// The first position of all is copied, the others are compared.
    fn push_positions(
        &self,
        d: &mut Device<'_>,
        positions: impl Iterator<Item = (u32, u32)>,
        first: Option<(u32, u32)>,
    ) -> Option<u32> {
        let mut last = None;
        for (ky, kx) in positions {
            let (ys, xs) = (self.met(0, ky), self.met(1, kx));
            if ys.is_empty() || xs.is_empty() {
                continue;
            }
            let (uops, loops) = self.steps(ky, kx, &ys, &xs);
            last = self.push_steps(d, &uops, loops, first == Some((ky, kx)));
        }
        last
    }

    fn push_steps(
        &self,
        d: &mut Device<'_>,
        uops: &[Uop],
        loops: Loops,
        copy: bool,
    ) -> Option<u32> {
        let (opcode, imm) = if copy {
            (AluOpcode::Add, Some(0))
        } else {
            (AluOpcode::Max, None)
        };
        let mut last = None;
        for part in uops.chunks(d.uop_depth as usize) {
            let kind = Kind::Alu {
                uops: part.to_vec(),
                loops,
                opcode,
                imm,
            };
            last = Some(d.push(kind, &Deps::default()));
        }
        last
    }

    fn steps(&self, ky: u32, kx: u32, ys: &Range<u32>, xs: &Range<u32>) -> (Vec<Uop>, Loops) {
        let w = self.window;
        let (in_w, out_w) = (len(self.from.1), len(self.to.1));
        let at = |axis: usize, start: u32, k: u32, from: &Range<u32>| {
            start * w.stride[axis] + k * w.dilation[axis] - w.pads[axis] - from.start
        };
        let src = at(0, ys.start, ky, self.from.0) * in_w + at(1, xs.start, kx, self.from.1);
        let dst = (ys.start - self.to.0.start) * out_w + (xs.start - self.to.1.start);
        let in_size = len(self.from.0) * in_w;
        let out_size = len(self.to.0) * out_w;
        let uops = (0..self.blocks).map(|b| {
            let dst = self.out + b * out_size + dst;
            uop(dst, self.staged + b * in_size + src, 0)
        });
        let loops = map_loops(
            len(ys),
            len(xs),
            [out_w, 1],
            [w.stride[0] * in_w, w.stride[1]],
        );
        (uops.collect(), loops)
    }
}
