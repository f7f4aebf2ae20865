//! Schedules depth to space and permutations of channels: GEMMs whose weight elements
//! pick lanes, and whose loops step over the outputs of a phase.

use crate::device::{Device, Scratchpads};
use crate::fit::DoesNotFit;
use crate::loops::map_loops;
use crate::lowered::LoweredRearrange;
use crate::map::len;
use crate::op::uop;
use crate::rows::{self, Loaded, RowTile, gemms, reset};
use vta_program::isa::C_AIDX_BITS;

/// Input rows of a tile, which has all channels: as many as leave room for two tiles.
pub(crate) fn tile(lowered: &LoweredRearrange, scratchpads: &Scratchpads) -> Option<u32> {
    let (o, i) = (&lowered.output, &lowered.input);
    let [fy, fx] = lowered.factor;
    // What a loop can add to an index.
    let steps = u64::from(fy) * u64::from(o.w) < 1 << C_AIDX_BITS && fx < 1 << C_AIDX_BITS;
    if !steps || u64::from(lowered.elements()) > u64::from(scratchpads.wgt.size()) {
        return None;
    }
    let fits = |th: u32, share: u64| {
        let inputs = u64::from(th) * u64::from(i.w) * u64::from(i.blocks);
        let outputs = u64::from(th) * u64::from(fy) * u64::from(o.w) * u64::from(o.blocks);
        inputs * share <= u64::from(scratchpads.inp.size())
            && outputs * share <= u64::from(scratchpads.acc.size())
    };
    let mut shares = [2, 1].into_iter();
    shares.find_map(|share| (1..=i.h).rev().find(|&th| fits(th, share)))
}

/// Schedules it.
///
/// # Errors
/// No tile of it fits.
pub(crate) fn rearrange(lowered: &LoweredRearrange, d: &mut Device<'_>) -> Result<(), DoesNotFit> {
    let th = tile(lowered, d.scratchpads).ok_or(DoesNotFit::NoRoom)?;
    let (o, i) = (lowered.output, lowered.input);
    let tiles = (0..i.h).step_by(th as usize).map(|y0| {
        let in_rows = y0..(y0 + th).min(i.h);
        RowTile {
            rows: in_rows.start * lowered.factor[0]..in_rows.end * lowered.factor[0],
            in_rows,
            in_blocks: 0..i.blocks,
            blocks: 0..o.blocks,
        }
    });
    let each_tile = |d: &mut Device<'_>, l: Loaded| compute(lowered, d, &l);
    rows::each(d, &i, lowered.elements(), tiles, each_tile)
}

fn compute(lowered: &LoweredRearrange, d: &mut Device<'_>, l: &Loaded) -> Result<(), DoesNotFit> {
    let (o, i) = (lowered.output, lowered.input);
    let [fy, fx] = lowered.factor;
    let t = &l.tile;
    let (in_size, out_size) = (len(&t.in_rows) * i.w, len(&t.rows) * o.w);
    let n = out_size * o.blocks;
    let buffer = d.scratchpads.acc.alloc(n, &[])?;
    let out = d.scratchpads.acc.start(buffer)?;
    reset(d, buffer, out, n)?;
    let src = d.scratchpads.inp.start(l.inp)?;
    let wgt = d.scratchpads.wgt.start(l.weights)?;
    let mut uops = Vec::with_capacity(lowered.picks.len());
    for pick in &lowered.picks {
        let [dy, dx] = pick.phase;
        let dst = out + pick.to * out_size + dy * o.w + dx;
        uops.push(uop(dst, src + pick.from * in_size, wgt + pick.element)?);
    }
    let loops = map_loops(len(&t.in_rows), i.w, [fy * o.w, fx], [i.w, 1]);
    gemms(d, l, buffer, &uops, loops)?;
    d.store(&o, &t.area(&o), buffer, out)
}
