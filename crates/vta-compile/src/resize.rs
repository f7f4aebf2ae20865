//! Schedules nearest-neighbour upsampling: an identity GEMM whose loops step
//! over the outputs, for each place in the enlarged element.

use crate::device::{Device, Scratchpads};
use crate::fit::DoesNotFit;
use crate::loops::map_loops;
use crate::lowered::LoweredResize;
use crate::map::len;
use crate::op::{OpKind, uop};
use crate::rows::{self, Loaded, RowTile, gemm, reset};
use vta_program::isa::{C_AIDX_BITS, Unit};

/// Input rows and blocks of a tile: as many as leave room for two tiles.
pub(crate) fn tile(lowered: &LoweredResize, scratchpads: &Scratchpads) -> Option<(u32, u32)> {
    let (o, i) = (&lowered.output, &lowered.input);
    let [fy, fx] = lowered.factor;
    // What a loop can add to an index.
    let steps = u64::from(fy) * u64::from(o.w) < 1 << C_AIDX_BITS && fx < 1 << C_AIDX_BITS;
    if !steps {
        return None;
    }
    let fits = |th: u32, blocks: u32, share: u32| {
        let inputs = u64::from(th) * u64::from(i.w) * u64::from(blocks);
        let outputs = u64::from(th) * u64::from(fy) * u64::from(o.w) * u64::from(blocks);
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

/// Schedules upsampling; its only weight element is the identity.
///
/// # Errors
/// No tile of it fits.
pub(crate) fn resize(lowered: &LoweredResize, d: &mut Device<'_>) -> Result<(), DoesNotFit> {
    let (th, tb) = tile(lowered, d.scratchpads).ok_or(DoesNotFit::NoRoom)?;
    let (o, i) = (lowered.output, lowered.input);
    let fy = lowered.factor[0];
    let mut tiles = Vec::new();
    for y0 in (0..i.h).step_by(th as usize) {
        for b0 in (0..o.blocks).step_by(tb as usize) {
            let in_rows = y0..(y0 + th).min(i.h);
            tiles.push(RowTile {
                rows: in_rows.start * fy..in_rows.end * fy,
                in_rows,
                blocks: b0..(b0 + tb).min(o.blocks),
            });
        }
    }
    let each_tile = |d: &mut Device<'_>, l: Loaded| compute(lowered, d, &l);
    rows::each(d, &i, tiles, each_tile)
}

fn compute(lowered: &LoweredResize, d: &mut Device<'_>, l: &Loaded) -> Result<(), DoesNotFit> {
    let (o, i) = (lowered.output, lowered.input);
    let [fy, fx] = lowered.factor;
    let t = &l.tile;
    let nb = len(&t.blocks);
    let (in_size, out_size) = (len(&t.in_rows) * i.w, len(&t.rows) * o.w);
    let buffer = d.scratchpads.acc.alloc(out_size * nb, &[])?;
    let out = d.scratchpads.acc.start(buffer)?;
    reset(d, buffer, out, out_size * nb)?;
    let src = d.scratchpads.inp.start(l.inp)?;
    let wgt = d.scratchpads.wgt.start(l.identity)?;
    let mut uops = Vec::new();
    for b in 0..nb {
        for dy in 0..fy {
            for dx in 0..fx {
                let dst = out + b * out_size + dy * o.w + dx;
                uops.push(uop(dst, src + b * in_size, wgt)?);
            }
        }
    }
    let loops = map_loops(len(&t.in_rows), i.w, [fy * o.w, fx], [i.w, 1]);
    // No more micro-ops in an instruction than the scratchpad has.
    for part in uops.chunks(d.c.uop_depth as usize) {
        let kind = OpKind::Gemm {
            uops: part.into(),
            loops,
            reset: false,
        };
        let op = gemm(d, l, kind)?;
        d.scratchpads.acc.write(buffer, Unit::Compute, op)?;
    }
    d.store(&o, &t.area(&o), buffer, out)
}
