//! Schedules a largest-value pool.
//!
//! Inputs reach the accumulators through an identity GEMM; then each kernel
//! position is one register MAX. In the tile of a convolution the sums are
//! there already.

use crate::deps::{Deps, OpId};
use crate::device::{Device, Scratchpads};
use crate::fit::DoesNotFit;
use crate::loops::{line, map_loops};
use crate::lowered::LoweredPool;
use crate::map::{FMap, KernelWindow, len};
use crate::op::{Loops, OpKind, uop};
use crate::rows::{self, Loaded, RowTile, gemm, reset};
use smallvec::smallvec;
use std::ops::Range;
use vta_program::isa::{AluOpcode, C_AIDX_BITS, Unit, Uop};

/// Output rows and blocks of a tile: as many as leave room for two tiles.
pub(crate) fn tile(lowered: &LoweredPool, scratchpads: &Scratchpads) -> Option<(u32, u32)> {
    let (o, i) = (&lowered.output, &lowered.input);
    let w = &lowered.window;
    let reach = w.reach(0) + 1;
    let in_h = |th: u32| ((th - 1) * w.stride[0] + reach).min(i.h);
    let fits = |th: u32, blocks: u32, share: u32| {
        let inputs = u64::from(in_h(th)) * u64::from(i.w) * u64::from(blocks);
        let outputs = u64::from(th) * u64::from(o.w) * u64::from(blocks);
        inputs * u64::from(share) <= u64::from(scratchpads.inp.size())
            && (inputs + outputs) * u64::from(share) <= u64::from(scratchpads.acc.size())
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
///
/// # Errors
/// No tile of it fits.
pub(crate) fn pool(lowered: &LoweredPool, d: &mut Device<'_>) -> Result<(), DoesNotFit> {
    let (th, tb) = tile(lowered, d.scratchpads).ok_or(DoesNotFit::NoRoom)?;
    let (o, i) = (lowered.output, lowered.input);
    let last_row = lowered.window.kernel[0] - 1;
    let mut tiles = Vec::new();
    for y0 in (0..o.h).step_by(th as usize) {
        for b0 in (0..o.blocks).step_by(tb as usize) {
            let rows = y0..(y0 + th).min(o.h);
            let blocks = b0..(b0 + tb).min(o.blocks);
            tiles.push(RowTile {
                in_rows: lowered.window.needed(0, &rows, 0..=last_row, i.h),
                rows,
                in_blocks: blocks.clone(),
                blocks,
            });
        }
    }
    let each_tile = |d: &mut Device<'_>, l: Loaded| compute(lowered, d, &l);
    rows::each(d, &i, 1, tiles, each_tile)
}

fn compute(lowered: &LoweredPool, d: &mut Device<'_>, l: &Loaded) -> Result<(), DoesNotFit> {
    let (o, i) = (lowered.output, lowered.input);
    let t = &l.tile;
    let blocks = len(&t.blocks);
    let (in_size, out_size) = (len(&t.in_rows) * i.w, len(&t.rows) * o.w);
    let buffer = d
        .scratchpads
        .acc
        .alloc((in_size + out_size) * blocks, &[])?;
    let out = d.scratchpads.acc.start(buffer)?;
    let staged = out + out_size * blocks;
    let n = in_size * blocks;
    reset(d, buffer, staged, n)?;
    let copy = OpKind::Gemm {
        uops: smallvec![uop(
            staged,
            d.scratchpads.inp.start(l.inp)?,
            d.scratchpads.wgt.start(l.weights)?,
        )?],
        loops: line(n),
        reset: false,
    };
    let mut last = gemm(d, l, copy)?;
    let maxima = Maxima {
        window: &lowered.window,
        maps: (&i, &o),
        from: (&t.in_rows, &(0..i.w)),
        to: (&t.rows, &(0..o.w)),
        blocks,
        carried: 0,
        staged,
        out,
    };
    if !maxima.starts_somewhere() {
        // int8 values are not less than -128.
        let kind = OpKind::Alu {
            uops: smallvec![uop(out, staged, 0)?],
            loops: Loops {
                iter: [1, out_size * blocks],
                dst: [0, 1],
                src: [0, 0],
                wgt: [0, 0],
            },
            opcode: AluOpcode::Min,
            imm: Some(-128),
        };
        last = d.push(kind, &Deps::default())?;
    }
    last = maxima.push(d)?.unwrap_or(last);
    d.scratchpads.acc.write(buffer, Unit::Compute, last)?;
    d.store(&o, &t.area(&o), buffer, out)
}

/// Largest values of windows, from accumulators to accumulators.
pub(crate) struct Maxima<'a> {
    /// The window.
    pub window: &'a KernelWindow,
    /// The maps that are read and written, of which these are parts.
    pub maps: (&'a FMap, &'a FMap),
    /// Rows and columns that are there.
    pub from: (&'a Range<u32>, &'a Range<u32>),
    /// Rows and columns that are made.
    pub to: (&'a Range<u32>, &'a Range<u32>),
    /// Blocks of both.
    pub blocks: u32,
    /// Rows at the beginning whose columns are compared already.
    pub carried: u32,
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
        let all = w.valid(axis, n, len, k);
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
    pub(crate) fn starts_somewhere(&self) -> bool {
        self.positions().any(|(ky, kx)| self.everywhere(ky, kx))
    }

    /// The position that all maxima start with.
    fn first(&self) -> Option<(u32, u32)> {
        self.positions().find(|&(ky, kx)| self.everywhere(ky, kx))
    }

    /// The same, where columns are compared first, in its column.
    fn by_axes(&self) -> Option<(u32, u32)> {
        let w = self.window;
        let cheaper = |by_axes| by_axes < w.at_once();
        self.first()
            .filter(|first| w.by_axes(first.1).is_some_and(cheaper))
    }

    /// Columns that are read of a row whose columns are compared: the first, how many,
    /// and how far apart.
    pub(crate) fn columns_left(&self) -> (u32, u32, u32) {
        match self.by_axes() {
            None => (0, len(self.from.1), 1),
            Some((_, kx0)) => {
                let xs = self.met(1, kx0);
                let first = self.window.met(1, xs.start, kx0) - self.from.1.start;
                (first, len(&xs), self.window.stride[1])
            }
        }
    }

    /// Puts the steps into the schedule, and gives the last one.
    ///
    /// # Errors
    /// A number that does not fit its field.
    pub(crate) fn push(&self, d: &mut Device<'_>) -> Result<Option<OpId>, DoesNotFit> {
        let first = self.first();
        if let Some((ky0, kx0)) = self.by_axes() {
            self.push_columns(d, kx0)?;
            let rows = (0..self.window.kernel[0]).filter(|ky| *ky != ky0);
            let order = [ky0].into_iter().chain(rows);
            return self.push_positions(d, order.map(|ky| (ky, kx0)), first);
        }
        let others = self.positions().filter(|p| Some(*p) != first);
        self.push_positions(d, first.into_iter().chain(others), first)
    }

    /// Largest values of columns, in the column that kernel column `kx0` meets.
    fn push_columns(&self, d: &mut Device<'_>, kx0: u32) -> Result<(), DoesNotFit> {
        let w = self.window;
        let (in_h, in_w) = (len(self.from.0), len(self.from.1));
        for kx in (0..w.kernel[1]).filter(|kx| *kx != kx0) {
            let xs = self.met(1, kx);
            if xs.is_empty() {
                continue;
            }
            let at = |k: u32| w.met(1, xs.start, k) - self.from.1.start;
            let uops = (0..self.blocks).map(|b| {
                let block = self.staged + (b * in_h + self.carried) * in_w;
                uop(block + at(kx0), block + at(kx), 0)
            });
            let uops = uops.collect::<Result<Vec<_>, _>>()?;
            let step = [in_w, w.stride[1]];
            self.push_steps(
                d,
                &uops,
                map_loops(in_h - self.carried, len(&xs), step, step),
                false,
            )?;
        }
        Ok(())
    }

    /// The first position of all is copied, the others are compared.
    fn push_positions(
        &self,
        d: &mut Device<'_>,
        positions: impl Iterator<Item = (u32, u32)>,
        first: Option<(u32, u32)>,
    ) -> Result<Option<OpId>, DoesNotFit> {
        let mut last = None;
        for (ky, kx) in positions {
            let (ys, xs) = (self.met(0, ky), self.met(1, kx));
            if ys.is_empty() || xs.is_empty() {
                continue;
            }
            let (uops, loops) = self.steps(ky, kx, &ys, &xs)?;
            last = self.push_steps(d, &uops, loops, first == Some((ky, kx)))?;
        }
        Ok(last)
    }

    fn push_steps(
        &self,
        d: &mut Device<'_>,
        uops: &[Uop],
        loops: Loops,
        copy: bool,
    ) -> Result<Option<OpId>, DoesNotFit> {
        let (opcode, imm) = if copy {
            (AluOpcode::Add, Some(0))
        } else {
            (AluOpcode::Max, None)
        };
        let mut last = None;
        for part in uops.chunks(d.c.uop_depth as usize) {
            let kind = OpKind::Alu {
                uops: part.into(),
                loops,
                opcode,
                imm,
            };
            last = Some(d.push(kind, &Deps::default())?);
        }
        Ok(last)
    }

    fn steps(
        &self,
        ky: u32,
        kx: u32,
        ys: &Range<u32>,
        xs: &Range<u32>,
    ) -> Result<(Vec<Uop>, Loops), DoesNotFit> {
        let w = self.window;
        let (in_w, out_w) = (len(self.from.1), len(self.to.1));
        let row = w.met(0, ys.start, ky) - self.from.0.start;
        let src = row * in_w + w.met(1, xs.start, kx) - self.from.1.start;
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
            [w.stride[0].saturating_mul(in_w), w.stride[1]],
        );
        Ok((uops.collect::<Result<_, _>>()?, loops))
    }
}
