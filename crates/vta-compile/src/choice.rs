//! How each convolution is cut, and whether its pool is in its tile: chosen for the
//! layer by itself.
//!
//! What was chosen depends on the layer's shapes, its mask and the hardware alone, not
//! on the layers around it. So layers are chosen beside each other, a choice holds
//! wherever the layer is met again, and another mask of one layer changes no other's.

use crate::device::{Device, Scratchpads};
use crate::fit::DoesNotFit;
use crate::layers::Floors;
use crate::lower::LayerMask;
use crate::lowered::{LoweredConv, LoweredPool, Pooled};
use crate::map::FMap;
use crate::op::{Loops, OpKind, uop};
use crate::pool;
use crate::schedule::Schedule;
use crate::tiling::{self, SegmentStarts, Tiling};
use smallvec::smallvec;
use vta_program::config::HwConfig;

/// A convolution, lowered, and how it may be cut.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// What the device is to do; with the pool that is in its tile.
    pub lowered: LoweredConv,
    /// Which blocks it keeps.
    pub mask: LayerMask,
    /// Ways to cut it, best first.
    pub tilings: Vec<Tiling>,
    /// Cycles that it cannot go below.
    pub floors: Floors,
}

/// Steps of GEMM before a layer: what its first loads of weights run beside.
const BEFORE: u32 = 1024;

/// Where the layer's weights and biases are taken to be.
const AT: SegmentStarts = SegmentStarts::START;

/// A device that has just made a layer's operand: weights are loaded beside the
/// arithmetic before, inputs when they are stored.
fn after_operand(operands: &[FMap], c: &HwConfig) -> Result<(Scratchpads, Schedule), DoesNotFit> {
    let (mut scratchpads, mut schedule) = (Scratchpads::new(c), Schedule::new(c));
    let mut device = Device {
        scratchpads: &mut scratchpads,
        schedule: &mut schedule,
        layer: 0,
        weights_at: 0,
        biases_at: 0,
        c,
    };
    let gemm = OpKind::Gemm {
        uops: smallvec![uop(0, 0, 0)?],
        loops: Loops {
            iter: [1, BEFORE],
            ..Loops::default()
        },
        reset: false,
    };
    let made = device.push(gemm, &[None; 3])?;
    for map in operands {
        device.store_after(map, made)?;
    }
    Ok((scratchpads, schedule))
}

/// Ways to cut a convolution, best first. A pool that alone reads it becomes a part of
/// it where that ends earlier.
///
/// # Errors
/// No way to cut it fits.
pub(crate) fn choose(
    lowered: &mut LoweredConv,
    pool: Option<Pooled>,
    made_here: &[FMap],
    c: &HwConfig,
) -> Result<Vec<Tiling>, DoesNotFit> {
    let (scratchpads, mut schedule) = after_operand(made_here, c)?;
    let alone = tiling::choose(lowered, c, &scratchpads, &mut schedule, AT)?;
    let (Some(pooled), Some(&tiling)) = (pool, alone.first()) else {
        return Ok(alone);
    };
    let together = with_pool(lowered, tiling, pooled, (&scratchpads, &mut schedule), c);
    Ok(match together {
        Some(together) => {
            lowered.pool = Some(pooled);
            together
        }
        None => alone,
    })
}

/// The tiling with the pool in the tile, if that ends earlier than one after the other.
fn with_pool(
    lowered: &LoweredConv,
    tiling: Tiling,
    pooled: Pooled,
    (scratchpads, schedule): (&Scratchpads, &mut Schedule),
    c: &HwConfig,
) -> Option<Vec<Tiling>> {
    let fused = LoweredConv {
        pool: Some(pooled),
        ..lowered.clone()
    };
    let fused_tilings = tiling::choose(&fused, c, scratchpads, schedule, AT).ok()?;
    let fused_tiling = *fused_tilings.first()?;
    let mark = schedule.mark();
    let mut trial = scratchpads.clone();
    let done = tiling::apply(&fused, fused_tiling, c, (&mut trial, schedule), AT);
    let together = tiling::end(schedule);
    schedule.rollback(&mark);
    done.ok()?;
    let mut trial = scratchpads.clone();
    let first = tiling::apply(lowered, tiling, c, (&mut trial, schedule), AT);
    let mut device = Device {
        scratchpads: &mut trial,
        schedule,
        layer: lowered.layer,
        weights_at: AT.weights,
        biases_at: AT.biases,
        c,
    };
    let alone = LoweredPool {
        input: lowered.output,
        output: pooled.map,
        window: pooled.window,
    };
    let second = pool::pool(&alone, &mut device);
    let apart = tiling::end(schedule);
    schedule.rollback(&mark);
    let better = first.is_err() || second.is_err() || together < apart;
    better.then_some(fused_tilings)
}
