//! Layers that work on whole rows: inputs reach the accumulators through an
//! identity GEMM, because ALU does not read inputs.

use super::cost::Rows;
use super::job::FMap;
use super::pads::{Deps, SlotId, join};
use super::schedule::{Device, DoesNotFit, line, uop};
use super::stream::{Base, Kind};
use crate::isa::{MemoryType, Unit};
use std::ops::Range;

/// A tile of whole rows: what it reads and what it writes.
#[derive(Debug, Clone)]
pub(super) struct RowTile {
    /// Input rows.
    pub in_rows: Range<u32>,
    /// Output rows.
    pub rows: Range<u32>,
    /// Blocks of both.
    pub blocks: Range<u32>,
}

/// A tile whose inputs are loaded.
pub(super) struct Loaded {
    pub tile: RowTile,
    /// Slot of the inputs, `[blocks][in_rows][w]`.
    pub inp: SlotId,
    /// Slot of the identity.
    pub identity: SlotId,
}

/// Loads the identity, then the inputs of each tile ahead of its `compute`.
pub(super) fn each(
    d: &mut Device<'_>,
    layer: u32,
    input: &FMap,
    tiles: impl IntoIterator<Item = RowTile>,
    mut compute: impl FnMut(&mut Device<'_>, Loaded) -> Result<(), DoesNotFit>,
) -> Result<(), DoesNotFit> {
    let identity = d.pads.wgt.alloc(1, &[])?;
    let deps = d.pads.wgt.before_write(identity);
    let kind = Kind::Load {
        memory_type: MemoryType::Wgt,
        sram: d.pads.wgt.start(identity).unwrap_or(0),
        base: Base::Weights,
        rows: Rows {
            dram: d.weights_at,
            y: 1,
            x: 1,
            stride: 1,
        },
    };
    let op = d.stream.push(kind, layer, &deps);
    d.pads.wgt.write(identity, Unit::Load as usize, op);
    let mut pending: Option<Loaded> = None;
    for tile in tiles {
        let size = tile.in_rows.len() as u32 * input.w * tile.blocks.len() as u32;
        let pins: Vec<SlotId> = pending.iter().map(|p| p.inp).collect();
        let inp = match d.pads.inp.alloc(size, &pins) {
            Ok(slot) => slot,
            Err(_) => {
                // No room for loads to run ahead.
                if let Some(p) = pending.take() {
                    compute(d, p)?;
                }
                d.pads.inp.alloc(size, &[])?
            }
        };
        load(d, layer, input, inp, &tile);
        let loaded = Loaded {
            tile,
            inp,
            identity,
        };
        if let Some(p) = pending.replace(loaded) {
            compute(d, p)?;
        }
    }
    match pending {
        Some(p) => compute(d, p),
        None => Ok(()),
    }
}

fn load(d: &mut Device<'_>, layer: u32, i: &FMap, slot: SlotId, tile: &RowTile) {
    let (rows, blocks) = (&tile.in_rows, &tile.blocks);
    let size = rows.len() as u32 * i.w;
    let start = d.pads.inp.start(slot).unwrap_or(0);
    let whole = i.plane() <= d.max_stride;
    let per = if whole { blocks.len() as u32 } else { 1 };
    for (n, b) in blocks.clone().step_by(per as usize).enumerate() {
        let mut deps = d.pads.inp.before_write(slot);
        join(&mut deps, &d.pads.stored(i, b..b + per, rows, &(0..i.w)));
        let kind = Kind::Load {
            memory_type: MemoryType::Inp,
            sram: start + n as u32 * per * size,
            base: Base::Zero,
            rows: Rows {
                dram: i.base + b * i.plane() + rows.start * i.w,
                y: per,
                x: size,
                stride: if per > 1 { i.plane() } else { size },
            },
        };
        let op = d.stream.push(kind, layer, &deps);
        d.pads.inp.write(slot, Unit::Load as usize, op);
    }
}

/// Zeroes `n` accumulators from `acc` of a slot: GEMM adds to what is there.
pub(super) fn reset(d: &mut Device<'_>, layer: u32, slot: SlotId, acc: u32, n: u32) {
    let kind = Kind::Gemm {
        uops: vec![uop(acc, 0, 0)],
        loops: line(n),
        reset: true,
    };
    let deps = d.pads.acc.before_write(slot);
    let op = d.stream.push(kind, layer, &deps);
    d.pads.acc.write(slot, Unit::Compute as usize, op);
}

/// Puts a GEMM that reads a tile's inputs and the identity into the stream.
pub(super) fn gemm(d: &mut Device<'_>, layer: u32, l: &Loaded, kind: Kind) -> u32 {
    let mut deps: Deps = d.pads.inp.before_read(l.inp);
    join(&mut deps, &d.pads.wgt.before_read(l.identity));
    let op = d.stream.push(kind, layer, &deps);
    d.pads.inp.read(l.inp, Unit::Compute as usize, op);
    d.pads.wgt.read(l.identity, Unit::Compute as usize, op);
    op
}
