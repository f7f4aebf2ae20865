//! How each convolution is cut, and whether its pool is in its tile: chosen for the
//! layer by itself.
//!
//! What was chosen depends on the layer's shapes, its mask and the hardware alone, not
//! on the layers around it. So layers are chosen beside each other, a choice holds
//! wherever the layer is met again, and another mask of one layer changes no other's.

use crate::conv::{Tiling, WeightCuts};
use crate::device::Scratchpads;
use crate::fit::DoesNotFit;
use crate::layers::Floors;
use crate::lower::LayerMask;
use crate::lowered::{LoweredConv, LoweredPool, Pooled};
use crate::map::FMap;
use crate::op::{Loops, OpKind, uop};
use crate::pool;
use crate::schedule::Schedule;
use crate::search::search;
use crate::ways::{self, Effort, Place, SegmentStarts, Way};
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
    pub ways: Vec<Way>,
    /// Cycles that it cannot go below.
    pub floors: Floors,
}

/// What a search found for layers that are cut alike.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Ways to cut them, best first.
    tilings: Vec<Tiling>,
    /// Whether the pool that alone reads the layer is in its tile.
    pooled: bool,
}

/// Steps of GEMM before a layer: what its first loads of weights run beside.
const BEFORE: u32 = 1024;

/// Where the layer's weights and biases are taken to be.
const AT: SegmentStarts = SegmentStarts::START;

/// A device that has just made a layer's operand: weights are loaded beside the
/// arithmetic before, inputs when they are stored.
fn after_operand(operands: &[FMap], c: &HwConfig) -> Result<(Scratchpads, Schedule), DoesNotFit> {
    let (mut scratchpads, mut schedule) = (Scratchpads::new(c), Schedule::new(c));
    let mut place = Place {
        scratchpads: &mut scratchpads,
        schedule: &mut schedule,
        at: AT,
    };
    let mut device = place.device(0, c);
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

/// What is tried of what a search found.
const EFFORT: Effort = Effort {
    tried: 16,
    ops: 72_000,
    kept: 16,
    before: u64::MAX,
};

/// Looks for ways to cut a convolution. A pool that alone reads it becomes a part of
/// it where that ends earlier.
///
/// # Errors
/// No way to cut it fits.
pub(crate) fn find(
    lowered: &LoweredConv,
    pool: Option<Pooled>,
    made_here: &[FMap],
    c: &HwConfig,
) -> Result<Found, DoesNotFit> {
    let (scratchpads, mut schedule) = after_operand(made_here, c)?;
    let alone = search(lowered, c, (&scratchpads, &mut schedule, AT))?;
    let together = match (pool, alone.first()) {
        (Some(pooled), Some(way)) => {
            with_pool(lowered, way, pooled, (&scratchpads, &mut schedule), c)
        }
        _ => None,
    };
    Ok(Found {
        pooled: together.is_some(),
        tilings: together.unwrap_or(alone).iter().map(|w| w.tiling).collect(),
    })
}

/// Ways to cut a convolution, best first, of those that were found for layers like it.
///
/// # Errors
/// No way to cut it fits.
pub(crate) fn choose(
    lowered: &mut LoweredConv,
    pool: Option<Pooled>,
    made_here: &[FMap],
    found: Option<&Found>,
    c: &HwConfig,
) -> Result<Vec<Way>, DoesNotFit> {
    let (scratchpads, mut schedule) = after_operand(made_here, c)?;
    let mut tried = |lowered: &LoweredConv, tilings: &[Tiling]| {
        let place = (&scratchpads, &mut schedule, AT);
        ways::best_of(
            tilings,
            lowered,
            &mut WeightCuts::default(),
            c,
            place,
            EFFORT,
        )
    };
    if let Some(found) = found {
        lowered.pool = pool.filter(|_| found.pooled);
        if let Ok(ways) = tried(lowered, &found.tilings)
            && !ways.is_empty()
        {
            return Ok(ways);
        }
        // What was found for layers like it does not fit this one.
        lowered.pool = None;
    }
    let own = find(lowered, pool, made_here, c)?;
    lowered.pool = pool.filter(|_| own.pooled);
    tried(lowered, &own.tilings)
}

/// Ways with the pool in the tile, if the best of them ends earlier than one after the
/// other.
fn with_pool(
    lowered: &LoweredConv,
    alone: &Way,
    pooled: Pooled,
    (scratchpads, schedule): (&Scratchpads, &mut Schedule),
    c: &HwConfig,
) -> Option<Vec<Way>> {
    let fused = LoweredConv {
        pool: Some(pooled),
        ..lowered.clone()
    };
    let together = search(&fused, c, (scratchpads, &mut *schedule, AT)).ok()?;
    let best = together.first()?.end;
    let mark = schedule.mark();
    let mut pads = scratchpads.clone();
    let mut place = Place {
        scratchpads: &mut pads,
        schedule: &mut *schedule,
        at: AT,
    };
    let first = alone.apply(lowered, c, &mut place);
    let apart = LoweredPool {
        input: lowered.output,
        output: pooled.map,
        window: pooled.window,
    };
    let second = pool::pool(&apart, &mut place.device(lowered.layer, c));
    let end = ways::end(schedule);
    schedule.rollback(&mark);
    let better = first.is_err() || second.is_err() || best < end;
    better.then_some(together)
}
