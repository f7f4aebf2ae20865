//! Ways to cut a convolution that were put into a schedule: when it ends, and how it
//! is put there again.

use crate::conv::{self, Beginning, Limit, Scheduled, Tiling, Until, WeightCut, WeightCuts};
use crate::device::{Device, Scratchpads};
use crate::fit::DoesNotFit;
use crate::lowered::LoweredConv;
use crate::schedule::Schedule;
use std::sync::Arc;
use vta_program::config::HwConfig;
use vta_program::isa::Unit;

/// Where the layer's weights and biases start in their segments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentStarts {
    /// In weight elements.
    pub weights: u32,
    /// In accumulators.
    pub biases: u32,
}

impl SegmentStarts {
    /// That of the first layer.
    pub(crate) const START: Self = Self {
        weights: 0,
        biases: 0,
    };
}

/// A way to cut a layer that was tried.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    /// It.
    pub tiling: Tiling,
    /// The weights in its pieces.
    pub weights: Arc<WeightCut>,
    /// When it ended.
    pub end: u64,
    /// Its beginning, by which its place decides between it and others.
    pub beginning: Beginning,
}

/// A convolution, and where it is put: a schedule, what lies in the scratchpads then,
/// and where its weights and biases start.
pub(crate) struct Place<'a> {
    pub scratchpads: &'a mut Scratchpads,
    pub schedule: &'a mut Schedule,
    pub at: SegmentStarts,
}

impl Place<'_> {
    /// The device there, for a layer.
    pub(crate) fn device<'d>(&'d mut self, layer: usize, c: &'d HwConfig) -> Device<'d> {
        Device {
            scratchpads: self.scratchpads,
            schedule: self.schedule,
            layer,
            weights_at: self.at.weights,
            biases_at: self.at.biases,
            c,
        }
    }
}

/// When a layer is over: compute is free, and half of what the store takes
/// longer, which the next layer hides in part.
pub(crate) fn end(schedule: &Schedule) -> u64 {
    let (compute, store) = (schedule.free(Unit::Compute), schedule.free(Unit::Store));
    compute + store.saturating_sub(compute) / 2
}

/// Puts a layer into the schedule.
///
/// # Errors
/// The tiling does not fit.
pub(crate) fn put(
    lowered: &LoweredConv,
    (tiling, weights): (Tiling, &WeightCut),
    c: &HwConfig,
    place: &mut Place<'_>,
    until: Until,
) -> Result<Scheduled, DoesNotFit> {
    let mut device = place.device(lowered.layer, c);
    conv::schedule(lowered, tiling, weights, &mut device, until)
}

impl Way {
    /// Puts the layer into the schedule so.
    ///
    /// # Errors
    /// It does not fit there.
    pub(crate) fn apply(
        &self,
        lowered: &LoweredConv,
        c: &HwConfig,
        place: &mut Place<'_>,
    ) -> Result<(), DoesNotFit> {
        put(lowered, (self.tiling, &self.weights), c, place, Until::End).map(|_| ())
    }

    /// When the layer would end there. Its beginning is tried; what is behind it takes
    /// what it took before. Something of it stays in the schedule.
    ///
    /// # Errors
    /// The beginning does not fit there.
    pub(crate) fn end_in(
        &self,
        lowered: &LoweredConv,
        c: &HwConfig,
        place: &mut Place<'_>,
    ) -> Result<u64, DoesNotFit> {
        let cut = (self.tiling, &*self.weights);
        let until = Until::Steps(self.beginning.steps);
        if put(lowered, cut, c, place, until)?.whole {
            return Ok(end(place.schedule));
        }
        let free = place.schedule.free(Unit::Compute);
        Ok(free + self.end.saturating_sub(self.beginning.free))
    }
}

/// How many ways are tried, and kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Ways that are tried at most.
    pub tried: usize,
    /// Operations in the schedule after which no more are tried.
    pub ops: usize,
    /// Ways that are kept.
    pub kept: usize,
    /// Only ways that end before this cycle.
    pub before: u64,
}

/// The best of some ways to cut a layer, best first; none where all that fit end too
/// late. The schedule stays as it is.
///
/// # Errors
/// None fits.
pub(crate) fn best_of(
    tilings: &[Tiling],
    lowered: &LoweredConv,
    cuts: &mut WeightCuts,
    c: &HwConfig,
    (scratchpads, schedule, at): (&Scratchpads, &mut Schedule, SegmentStarts),
    effort: Effort,
) -> Result<Vec<Way>, DoesNotFit> {
    let floor = lowered.compute_floor();
    let mark = schedule.mark();
    let mut best: Vec<Way> = Vec::new();
    let mut ops = 0;
    let mut tried = 0;
    let mut why = DoesNotFit::NoRoom;
    let mut pads = scratchpads.clone();
    let mut seen: Vec<Tiling> = Vec::new();
    for &tiling in tilings {
        if tried >= effort.tried || (tried >= 3 && ops > effort.ops) {
            break;
        }
        let (tiling, weights) = match cuts.of(lowered, tiling) {
            Ok(cut) => cut,
            Err(e) => {
                why = e;
                continue;
            }
        };
        // The same with larger loads, which there are not.
        if seen.contains(&tiling) {
            continue;
        }
        seen.push(tiling);
        pads.clone_from(scratchpads);
        // Those that end much later than the best one are never the best in their place.
        let near = best.first().map_or(u64::MAX, |b| b.end + b.end / 64 + 256);
        let worst = best.get(effort.kept - 1).map_or(u64::MAX, |b| b.end);
        let least = worst.min(near).min(effort.before);
        let limit = Limit {
            end: least.saturating_sub(1),
            floor,
        };
        let mut place = Place {
            scratchpads: &mut pads,
            schedule: &mut *schedule,
            at,
        };
        let cut = (tiling, &*weights);
        match put(lowered, cut, c, &mut place, Until::Lost(limit)) {
            Ok(Scheduled { whole, beginning }) => {
                let end = end(schedule);
                if whole && end < least {
                    let at = best.partition_point(|b| b.end <= end);
                    let way = Way {
                        tiling,
                        weights,
                        end,
                        beginning,
                    };
                    best.insert(at, way);
                    best.truncate(effort.kept);
                }
                tried += 1;
                ops += schedule.ops().len();
            }
            // A field that is too narrow says more than that there is no room.
            Err(e) if matches!(why, DoesNotFit::NoRoom) => why = e,
            Err(_) => {}
        }
        schedule.rollback(&mark);
    }
    match tried {
        0 => Err(why),
        _ => Ok(best),
    }
}
