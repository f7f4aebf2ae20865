//! Schedules upsampling: a GEMM with diagonal weights whose loops step over the
//! inputs, for each output that lies in an input and each input that it is made of.
//!
//! Where the edge of the map is near, other inputs are there: rows and columns are cut
//! into stretches that see the same, and each pair of stretches has its own GEMM.

use crate::allocator::BufferId;
use crate::device::{Device, Scratchpads};
use crate::fit::{self, DoesNotFit};
use crate::loops::{alu, line, map_loops};
use crate::lowered::{LoweredResize, Stretch, Tap, parts};
use crate::map::len;
use crate::op::{Loops, uop};
use crate::rows::{self, Loaded, RowTile, gemms, reset};
use vta_program::isa::{AluOpcode, C_AIDX_BITS, Unit, Uop};

/// Input rows and blocks of a tile: as many as leave room for two tiles.
pub(crate) fn tile(lowered: &LoweredResize, scratchpads: &Scratchpads) -> Option<(u32, u32)> {
    let (o, i) = (&lowered.output, &lowered.input);
    let [fy, fx] = lowered.factor();
    // What a loop can add to an index.
    let steps = u64::from(fy) * u64::from(o.w) < 1 << C_AIDX_BITS && fx < 1 << C_AIDX_BITS;
    if !steps || lowered.weights.len() as u64 > u64::from(scratchpads.wgt.size()) {
        return None;
    }
    let around: u32 = lowered.axes[0].reach().iter().sum();
    let fits = |th: u32, blocks: u32, share: u32| {
        let rows = (th + around).min(i.h);
        let inputs = u64::from(rows) * u64::from(i.w) * u64::from(blocks);
        let outputs = u64::from(th) * u64::from(fy) * u64::from(o.w) * u64::from(blocks);
        let outputs = outputs + u64::from(start(lowered));
        inputs * u64::from(share) <= u64::from(scratchpads.inp.size())
            && outputs * u64::from(share) <= u64::from(scratchpads.acc.size())
    };
    [2, 1].into_iter().find_map(|share| {
        (1..=o.blocks).rev().find_map(|blocks| {
            let th = (1..=i.h).rev().find(|&th| fits(th, blocks, share))?;
            (th == i.h || blocks == 1).then_some((th, blocks))
        })
    })
}

/// Accumulators behind the sums: the start of all of them, where it is not zero.
fn start(lowered: &LoweredResize) -> u32 {
    u32::from(lowered.shift() > 0)
}

/// Schedules upsampling.
///
/// # Errors
/// No tile of it fits.
pub(crate) fn resize(lowered: &LoweredResize, d: &mut Device<'_>) -> Result<(), DoesNotFit> {
    let (th, tb) = tile(lowered, d.scratchpads).ok_or(DoesNotFit::NoRoom)?;
    let (o, i) = (lowered.output, lowered.input);
    let fy = lowered.factor()[0];
    let [before, behind] = lowered.axes[0].reach();
    let mut tiles = Vec::new();
    for y0 in (0..i.h).step_by(th as usize) {
        for b0 in (0..o.blocks).step_by(tb as usize) {
            let y1 = (y0 + th).min(i.h);
            let blocks = b0..(b0 + tb).min(o.blocks);
            tiles.push(RowTile {
                rows: y0 * fy..y1 * fy,
                in_rows: y0.saturating_sub(before)..(y1 + behind).min(i.h),
                in_blocks: blocks.clone(),
                blocks,
            });
        }
    }
    let elements = fit::count("weights of an upsampling", lowered.weights.len())?;
    let each_tile = |d: &mut Device<'_>, l: Loaded| compute(lowered, d, &l);
    rows::each(d, &i, elements, tiles, each_tile)
}

fn compute(lowered: &LoweredResize, d: &mut Device<'_>, l: &Loaded) -> Result<(), DoesNotFit> {
    let (o, i) = (lowered.output, lowered.input);
    let fy = lowered.factor()[0];
    let t = &l.tile;
    let n = len(&t.rows) * o.w * len(&t.blocks);
    let buffer = d.scratchpads.acc.alloc(n + start(lowered), &[])?;
    let out = d.scratchpads.acc.start(buffer)?;
    match lowered.shift() {
        0 => reset(d, buffer, out, n)?,
        shift => halves(d, buffer, (out, n), shift)?,
    }
    let [rows, columns] = &lowered.axes;
    let inputs = t.rows.start / fy..t.rows.end / fy;
    for row in rows.stretches(&inputs, i.h) {
        for column in columns.stretches(&(0..i.w), i.w) {
            products(lowered, d, l, (buffer, out), [&row, &column])?;
        }
    }
    if lowered.shift() > 0 {
        let by = i16::from(lowered.shift().cast_signed());
        let kind = alu(AluOpcode::Shr, Some(by), out, out, line(n))?;
        let deps = d.scratchpads.acc.before_write(buffer)?;
        let op = d.push(kind, &deps)?;
        d.scratchpads.acc.write(buffer, Unit::Compute, op)?;
    }
    d.store(&o, &t.area(&o), buffer, out)
}

/// Starts `n` sums with a half of what the shift takes away: the accumulator behind
/// them has it first.
fn halves(
    d: &mut Device<'_>,
    buffer: BufferId,
    (out, n): (u32, u32),
    shift: u8,
) -> Result<(), DoesNotFit> {
    let half = 1 << (shift - 1);
    reset(d, buffer, out + n, 1)?;
    let all = Loops {
        src: [0, 0],
        ..line(n)
    };
    let kind = alu(AluOpcode::Add, Some(half), out, out + n, all)?;
    let deps = d.scratchpads.acc.before_write(buffer)?;
    let op = d.push(kind, &deps)?;
    d.scratchpads.acc.write(buffer, Unit::Compute, op)
}

/// Adds the products of a stretch of rows and one of columns.
fn products(
    lowered: &LoweredResize,
    d: &mut Device<'_>,
    l: &Loaded,
    (buffer, out): (BufferId, u32),
    [row, column]: [&Stretch; 2],
) -> Result<(), DoesNotFit> {
    let (o, i) = (lowered.output, lowered.input);
    let [fy, fx] = lowered.factor();
    let t = &l.tile;
    let (in_size, out_size) = (len(&t.in_rows) * i.w, len(&t.rows) * o.w);
    let src = d.scratchpads.inp.start(l.inp)?;
    let wgt = d.scratchpads.wgt.start(l.weights)?;
    let phase = |s: &Stretch, most: usize| -> Vec<(u32, Tap)> {
        let phases = (0u32..).zip(&s.phases);
        let taps = phases.filter_map(|(p, taps)| Some((p, *taps.get(most)?)));
        taps.collect()
    };
    let (first_row, first_column) = (row.inputs.start, column.inputs.start);
    let at = |first: u32, far: i32| first.wrapping_add_signed(far);
    let mut uops: Vec<Uop> = Vec::new();
    // One tap after the other: sums that follow each other are different ones.
    let most = |s: &Stretch| s.phases.iter().map(Vec::len).max().unwrap_or(0);
    for (ky, kx) in (0..most(row)).flat_map(|ky| (0..most(column)).map(move |kx| (ky, kx))) {
        for b in 0..len(&t.blocks) {
            for &(dy, (far_y, weight_y)) in &phase(row, ky) {
                for &(dx, (far_x, weight_x)) in &phase(column, kx) {
                    let y = first_row * fy + dy - t.rows.start;
                    let dst = out + b * out_size + y * o.w + first_column * fx + dx;
                    let y = at(first_row, far_y) - t.in_rows.start;
                    let src = src + b * in_size + y * i.w + at(first_column, far_x);
                    for part in parts(weight_y * weight_x) {
                        let element = lowered.weights.iter().position(|w| *w == part);
                        let element = fit::count("weights", element.unwrap_or(0))?;
                        uops.push(uop(dst, src, wgt + element)?);
                    }
                }
            }
        }
    }
    let loops = map_loops(
        len(&row.inputs),
        len(&column.inputs),
        [fy * o.w, fx],
        [i.w, 1],
    );
    gemms(d, l, buffer, &uops, loops)
}
