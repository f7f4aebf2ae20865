//! Layers that work on whole rows: inputs reach the accumulators through an
//! identity GEMM, because ALU does not read inputs.

use crate::allocator::BufferId;
use crate::deps::{OpId, join};
use crate::device::Device;
use crate::fit::{self, DoesNotFit};
use crate::loops::line;
use crate::map::{Area, FMap, len};
use crate::op::{Loops, OpKind, uop};
use smallvec::smallvec;
use std::ops::Range;
use vta_program::isa::{Unit, Uop};

/// A tile of whole rows: what it reads and what it writes.
#[derive(Debug, Clone)]
pub(crate) struct RowTile {
    /// Input rows.
    pub in_rows: Range<u32>,
    /// Input blocks.
    pub in_blocks: Range<u32>,
    /// Output rows.
    pub rows: Range<u32>,
    /// Output blocks.
    pub blocks: Range<u32>,
}

impl RowTile {
    /// What it writes of a map.
    pub(crate) fn area(&self, out: &FMap) -> Area {
        Area {
            blocks: self.blocks.clone(),
            rows: self.rows.clone(),
            cols: 0..out.w,
        }
    }
}

/// A tile whose inputs are loaded.
pub(crate) struct Loaded {
    pub tile: RowTile,
    /// Buffer of the inputs, `[blocks][in_rows][w]`.
    pub inp: BufferId,
    /// Buffer of the weight elements: the identity, or multiples of it.
    pub weights: BufferId,
}

/// Loads `elements` weight elements, then the inputs of each tile ahead of its `compute`.
///
/// # Errors
/// A tile that does not fit.
pub(crate) fn each(
    d: &mut Device<'_>,
    input: &FMap,
    elements: u32,
    tiles: impl IntoIterator<Item = RowTile>,
    mut compute: impl FnMut(&mut Device<'_>, Loaded) -> Result<(), DoesNotFit>,
) -> Result<(), DoesNotFit> {
    let weights = d.load_weights(d.weights_at, elements, &[])?;
    let mut pending: Option<Loaded> = None;
    for tile in tiles {
        let row = fit::elements(input.w, len(&tile.in_rows) as usize)?;
        let size = fit::elements(row, len(&tile.in_blocks) as usize)?;
        let pins: Vec<BufferId> = pending.iter().map(|p| p.inp).collect();
        let inp = match d.scratchpads.inp.alloc(size, &pins) {
            Ok(buffer) => buffer,
            Err(_) => {
                // No room for loads to run ahead.
                if let Some(p) = pending.take() {
                    compute(d, p)?;
                }
                d.scratchpads.inp.alloc(size, &[])?
            }
        };
        let blocks: Vec<u32> = tile.in_blocks.clone().collect();
        d.load_map(input, &blocks, (&tile.in_rows, &(0..input.w)), inp)?;
        let loaded = Loaded { tile, inp, weights };
        if let Some(p) = pending.replace(loaded) {
            compute(d, p)?;
        }
    }
    match pending {
        Some(p) => compute(d, p),
        None => Ok(()),
    }
}

/// Zeroes `n` accumulators from `acc` of a buffer: GEMM adds to what is there.
///
/// # Errors
/// A number that does not fit its field, or no such buffer.
pub(crate) fn reset(
    d: &mut Device<'_>,
    buffer: BufferId,
    acc: u32,
    n: u32,
) -> Result<(), DoesNotFit> {
    let kind = OpKind::Gemm {
        uops: smallvec![uop(acc, 0, 0)?],
        loops: line(n),
        reset: true,
    };
    let deps = d.scratchpads.acc.before_write(buffer)?;
    let op = d.push(kind, &deps)?;
    d.scratchpads.acc.write(buffer, Unit::Compute, op)
}

/// Puts a GEMM that reads a tile's inputs and the weights into the schedule.
///
/// # Errors
/// A number that does not fit its field, or no such buffer.
pub(crate) fn gemm(d: &mut Device<'_>, l: &Loaded, kind: OpKind) -> Result<OpId, DoesNotFit> {
    let mut deps = d.scratchpads.inp.before_read(l.inp)?;
    join(&mut deps, &d.scratchpads.wgt.before_read(l.weights)?);
    let op = d.push(kind, &deps)?;
    d.scratchpads.inp.read(l.inp, Unit::Compute, op)?;
    d.scratchpads.wgt.read(l.weights, Unit::Compute, op)?;
    Ok(op)
}

/// Puts GEMMs that sum a tile's inputs times the weights into a buffer of accumulators:
/// no more micro-ops in an instruction than their scratchpad has.
///
/// # Errors
/// As [`gemm`].
pub(crate) fn gemms(
    d: &mut Device<'_>,
    l: &Loaded,
    buffer: BufferId,
    uops: &[Uop],
    loops: Loops,
) -> Result<(), DoesNotFit> {
    for part in uops.chunks(d.c.uop_depth as usize) {
        let kind = OpKind::Gemm {
            uops: part.into(),
            loops,
            reset: false,
        };
        let op = gemm(d, l, kind)?;
        d.scratchpads.acc.write(buffer, Unit::Compute, op)?;
    }
    Ok(())
}
