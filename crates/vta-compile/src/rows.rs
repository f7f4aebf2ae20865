//! Layers that work on whole rows: inputs reach the accumulators through an
//! identity GEMM, because ALU does not read inputs.

use super::device::{Area, Device, DoesNotFit, len};
use super::job::FMap;
use super::loops::{line, uop};
use super::pads::{SlotId, join};
use super::stream::Kind;
use std::ops::Range;
use vta_program::isa::Unit;

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

impl RowTile {
    /// What it writes of a map.
    pub(super) fn area(&self, out: &FMap) -> Area {
        Area {
            blocks: self.blocks.clone(),
            rows: self.rows.clone(),
            cols: 0..out.w,
        }
    }
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
    input: &FMap,
    tiles: impl IntoIterator<Item = RowTile>,
    mut compute: impl FnMut(&mut Device<'_>, Loaded) -> Result<(), DoesNotFit>,
) -> Result<(), DoesNotFit> {
    let identity = d.load_weights(d.weights_at, 1, &[])?;
    let mut pending: Option<Loaded> = None;
    for tile in tiles {
        let size = len(&tile.in_rows) * input.w * len(&tile.blocks);
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
        let blocks: Vec<u32> = tile.blocks.clone().collect();
        d.load_map(input, &blocks, (&tile.in_rows, &(0..input.w)), inp);
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

/// Zeroes `n` accumulators from `acc` of a slot: GEMM adds to what is there.
pub(super) fn reset(d: &mut Device<'_>, slot: SlotId, acc: u32, n: u32) {
    let kind = Kind::Gemm {
        uops: vec![uop(acc, 0, 0)],
        loops: line(n),
        reset: true,
    };
    let deps = d.pads.acc.before_write(slot);
    let op = d.push(kind, &deps);
    d.pads.acc.write(slot, Unit::Compute as usize, op);
}

/// Puts a GEMM that reads a tile's inputs and the identity into the stream.
pub(super) fn gemm(d: &mut Device<'_>, l: &Loaded, kind: Kind) -> u32 {
    let mut deps = d.pads.inp.before_read(l.inp);
    join(&mut deps, &d.pads.wgt.before_read(l.identity));
    let op = d.push(kind, &deps);
    d.pads.inp.read(l.inp, Unit::Compute as usize, op);
    d.pads.wgt.read(l.identity, Unit::Compute as usize, op);
    op
}
