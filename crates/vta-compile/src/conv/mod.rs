//! Schedules a convolution: tiles of the output, chunks of the sum, and the
//! loads that they need, in an order in which loads run ahead.

mod compute;
mod cut;
mod weights;

use crate::allocator::BufferId;
use crate::device::Device;
use crate::fit::{self, DoesNotFit};
use crate::lowered::LoweredConv;
use crate::map::len;
use cut::Cut;
pub(crate) use cut::{Part, Tiling};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::ops::Range;
use vta_program::isa::{Unit, Uop};
use vta_program::timing::PIPELINE;
pub(crate) use weights::{WeightCut, WeightCuts};

/// Arithmetic between two loads.
#[derive(Debug, Clone, Copy)]
struct Step {
    spatial: usize,
    co_tile: u32,
    group: Option<(usize, usize)>,
    first: bool,
    last: bool,
}

/// Input blocks: buffer and first element.
type Inputs = SmallVec<[(u32, BufferId, u32); 8]>;

/// Buffers that must stay.
type Pins = SmallVec<[BufferId; 16]>;

/// A step whose loads are in the schedule.
struct Loaded {
    step: Step,
    /// For each input block that is needed: buffer and first element.
    inputs: Inputs,
    weights: Option<BufferId>,
    residual: Option<Residual>,
}

/// Buffers of a residual, and of the identity that adds it.
#[derive(Debug, Clone, Copy)]
struct Residual {
    inp: BufferId,
    identity: BufferId,
}

/// A buffer and an element of it, if there is one.
type Place = Option<(BufferId, u32)>;

struct Scheduler<'a, 'd> {
    lowered: &'a LoweredConv,
    t: Tiling,
    d: &'a mut Device<'d>,
    cut: Cut<'a>,
    /// By tile of the map and part of the kernel, for each input block: buffer and first element.
    in_buffers: FxHashMap<(usize, usize), Vec<Place>>,
    wgt_buffers: FxHashMap<(usize, usize), BufferId>,
    identity: Option<BufferId>,
    identity_dram: u32,
    bias_buffers: FxHashMap<u32, BufferId>,
    acc_buffer: Option<BufferId>,
    /// Where input blocks are, and lists of micro-ops: memory that is used again.
    input_starts: Vec<u32>,
    uop_lists: Vec<Vec<Uop>>,
}

/// When a trial has lost: another ends before compute can be free here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// The end that is to be reached, at the latest.
    pub end: u64,
    /// Cycles of compute that the layer takes at least.
    pub floor: u64,
}

/// How far a convolution is scheduled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// To its end.
    End,
    /// To its end, unless it has lost.
    Lost(Limit),
    /// So many steps of it.
    Steps(usize),
}

/// The beginning of a convolution: what is behind it takes the same time wherever the
/// convolution stands in the schedule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beginning {
    /// Steps that have been loaded.
    pub steps: usize,
    /// When compute is free then.
    pub free: u64,
}

/// How a convolution was scheduled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scheduled {
    /// Whether all of it is in the schedule.
    pub whole: bool,
    /// Its beginning; all of it where it is short.
    pub beginning: Beginning,
}

/// Operations of a beginning.
const BEGINNING: usize = 96;

/// Schedules a convolution whose weights are cut so.
///
/// # Errors
/// The tiling does not fit.
pub(crate) fn schedule(
    lowered: &LoweredConv,
    t: Tiling,
    weights: &WeightCut,
    d: &mut Device<'_>,
    until: Until,
) -> Result<Scheduled, DoesNotFit> {
    let before = d.schedule.steps_cycles();
    let first = d.schedule.ops().len();
    let mut s = Scheduler {
        lowered,
        t,
        cut: Cut::new(lowered, &t, weights)?,
        identity_dram: d.weights_at,
        d,
        in_buffers: FxHashMap::default(),
        wgt_buffers: FxHashMap::default(),
        identity: None,
        bias_buffers: FxHashMap::default(),
        acc_buffer: None,
        input_starts: Vec::new(),
        uop_lists: Vec::new(),
    };
    let steps = s.steps();
    // What the operations of steps take beside their own steps, those of one at least.
    let of_last = lowered.least_alu_ops();
    let overhead = |step: &Step| {
        let last = if step.last { of_last } else { 0 };
        (u64::from(step.first) + u64::from(step.group.is_some()) + last) * (PIPELINE + 1)
    };
    let mut overheads: u64 = steps.iter().map(overhead).sum();
    let mut pending: Option<Loaded> = None;
    let (mut beginning, all) = (None, steps.len());
    for (n, step) in steps.into_iter().enumerate() {
        let free = s.d.schedule.free(Unit::Compute);
        if beginning.is_none() && s.d.schedule.ops().len() - first >= BEGINNING {
            beginning = Some(Beginning { steps: n, free });
        }
        let whole = match until {
            Until::End => true,
            Until::Lost(limit) => {
                let done = s.d.schedule.steps_cycles() - before;
                let left = limit.floor.saturating_sub(done) + overheads;
                free + left <= limit.end
            }
            Until::Steps(steps) => n < steps,
        };
        if !whole {
            let beginning = beginning.unwrap_or(Beginning { steps: n, free });
            return Ok(Scheduled { whole, beginning });
        }
        let loaded = match s.load(step, pending.as_ref()) {
            Ok(l) => l,
            Err(DoesNotFit::Pinned) => {
                // No room for loads to run ahead.
                if let Some(p) = pending.take() {
                    overheads -= overhead(&p.step);
                    s.compute(p)?;
                }
                match s.load(step, None) {
                    Err(DoesNotFit::Pinned) if t.tight => s.load_anew(step)?,
                    loaded => loaded?,
                }
            }
            Err(e) => return Err(e),
        };
        if let Some(p) = pending.replace(loaded) {
            overheads -= overhead(&p.step);
            s.compute(p)?;
        }
    }
    if let Some(p) = pending {
        s.compute(p)?;
    }
    Ok(Scheduled {
        whole: true,
        beginning: beginning.unwrap_or(Beginning {
            steps: all,
            free: s.d.schedule.free(Unit::Compute),
        }),
    })
}

impl Scheduler<'_, '_> {
    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let n_co_tiles = self.cut.weights.n_co_tiles;
        let mut tile = |spatial: usize, co_tile: u32| {
            let from = steps.len();
            let step = |group| Step {
                spatial,
                co_tile,
                group,
                first: false,
                last: false,
            };
            for bucket in self.cut.weights.buckets(co_tile) {
                let groups = self.cut.weights.groups[bucket].iter().enumerate();
                // What meets padding alone adds nothing.
                let meets = |g| !self.cut.needed_blocks(spatial, g).is_empty();
                let met = groups.filter(|(_, g)| meets(g));
                steps.extend(met.map(|(g, _)| step(Some((bucket, g)))));
            }
            if steps.len() == from {
                steps.push(step(None));
            }
            steps[from].first = true;
            if let Some(s) = steps.last_mut() {
                s.last = true;
            }
        };
        let spatial_tiles = 0..self.cut.spatial_tiles.len();
        if self.t.co_outer {
            for co_tile in 0..n_co_tiles {
                spatial_tiles.clone().for_each(|s| tile(s, co_tile));
            }
        } else {
            for s in spatial_tiles {
                (0..n_co_tiles).for_each(|co_tile| tile(s, co_tile));
            }
        }
        steps
    }

    fn blocks(&self, co_tile: u32) -> Range<u32> {
        co_tile * self.t.tco..(co_tile * self.t.tco + self.t.tco).min(self.lowered.output.blocks)
    }

    /// Puts the loads of a step into the schedule; nothing of `pending` is overwritten.
    fn load(&mut self, step: Step, pending: Option<&Loaded>) -> Result<Loaded, DoesNotFit> {
        let mut inp_pins = Pins::new();
        let mut wgt_pins = Pins::new();
        if let Some(p) = pending {
            inp_pins.extend(p.inputs.iter().map(|i| i.1));
            inp_pins.extend(p.residual.iter().map(|r| r.inp));
            wgt_pins.extend(p.weights);
            wgt_pins.extend(p.residual.iter().map(|r| r.identity));
        }
        // The identity first: it must not overwrite what is loaded for this step.
        let identity = match self.lowered.residual {
            Some(_) if step.last => Some(self.identity(&wgt_pins)?),
            _ => None,
        };
        wgt_pins.extend(identity);
        let (mut inputs, mut weights) = (Inputs::new(), None);
        if let Some((bucket, group)) = step.group {
            let cut = self.cut.weights;
            let of_group = &cut.groups[bucket][group];
            let blocks = self.cut.needed_blocks(step.spatial, of_group);
            let part = cut.part_of(bucket);
            inputs = self.inputs((step.spatial, part), &blocks, &mut inp_pins)?;
            weights = Some(self.weights(bucket, group, &wgt_pins)?);
        }
        let residual = match identity {
            Some(identity) => Some(Residual {
                inp: self.residual(step, &inp_pins)?,
                identity,
            }),
            None => None,
        };
        Ok(Loaded {
            step,
            inputs,
            weights,
            residual,
        })
    }

    /// Puts the loads of a step into the schedule where what is there is in their
    /// way: all of them, from the first elements on.
    fn load_anew(&mut self, step: Step) -> Result<Loaded, DoesNotFit> {
        self.in_buffers.clear();
        self.wgt_buffers.clear();
        self.identity = None;
        self.d.scratchpads.inp.rewind();
        self.d.scratchpads.wgt.rewind();
        self.load(step, None)
    }

    /// Buffers of input blocks, loaded where they are not there.
    fn inputs(
        &mut self,
        (spatial, part): (usize, usize),
        blocks: &[u32],
        pins: &mut Pins,
    ) -> Result<Inputs, DoesNotFit> {
        let key = (spatial, part);
        let there = |s: &Self, b: u32| {
            let (buffer, at) = (*s.in_buffers.get(&key)?.get(b as usize)?)?;
            let held = s.d.scratchpads.inp.holds(buffer);
            held.then_some((b, buffer, at))
        };
        let hits: Inputs = blocks.iter().filter_map(|&b| there(self, b)).collect();
        // Both are in order.
        let mut known = hits.iter().map(|h| h.0).peekable();
        let is_missing = |b: &u32| known.next_if_eq(b).is_none();
        let mut missing: SmallVec<[u32; 16]> = blocks.iter().copied().filter(is_missing).collect();
        if missing.is_empty() {
            pins.extend(hits.iter().map(|h| h.1));
            return Ok(hits);
        }
        let [rows, cols] = self.cut.met(self.lowered, spatial, part);
        let size = len(&rows) * len(&cols);
        let n_pins = pins.len();
        pins.extend(hits.iter().map(|h| h.1));
        let buffer = match self
            .d
            .scratchpads
            .inp
            .alloc(fit::elements(size, missing.len())?, pins)
        {
            Ok(buffer) => buffer,
            Err(e) => {
                // What is there is in the way: load all of it again.
                pins.truncate(n_pins);
                if hits.is_empty() {
                    return Err(e);
                }
                missing = blocks.into();
                self.d
                    .scratchpads
                    .inp
                    .alloc(fit::elements(size, missing.len())?, pins)?
            }
        };
        let start = self.d.scratchpads.inp.start(buffer)?;
        for (n, &b) in (0u32..).zip(&missing) {
            let all = self.lowered.input.blocks as usize;
            let buffers = self
                .in_buffers
                .entry(key)
                .or_insert_with(|| vec![None; all]);
            buffers[b as usize] = Some((buffer, start + n * size));
        }
        let input = self.lowered.input;
        self.d.load_map(&input, &missing, (&rows, &cols), buffer)?;
        pins.push(buffer);
        Ok(blocks.iter().filter_map(|&b| there(self, b)).collect())
    }

    fn weights(
        &mut self,
        bucket: usize,
        group: usize,
        pins: &[BufferId],
    ) -> Result<BufferId, DoesNotFit> {
        if let Some(&buffer) = self.wgt_buffers.get(&(bucket, group))
            && self.d.scratchpads.wgt.holds(buffer)
        {
            return Ok(buffer);
        }
        let g = &self.cut.weights.groups[bucket][group];
        let (dram, count) = (self.d.weights_at + g.first, g.count);
        let buffer = self.d.load_weights(dram, count, pins)?;
        self.wgt_buffers.insert((bucket, group), buffer);
        Ok(buffer)
    }

    fn identity(&mut self, pins: &[BufferId]) -> Result<BufferId, DoesNotFit> {
        if let Some(buffer) = self.identity
            && self.d.scratchpads.wgt.holds(buffer)
        {
            return Ok(buffer);
        }
        let buffer = self.d.load_weights(self.identity_dram, 1, pins)?;
        self.identity = Some(buffer);
        Ok(buffer)
    }

    fn residual(&mut self, step: Step, pins: &[BufferId]) -> Result<BufferId, DoesNotFit> {
        let range = self.blocks(step.co_tile);
        let n = len(&range);
        let blocks: Vec<u32> = range.collect();
        let s = self.cut.spatial_tiles[step.spatial].clone();
        let size = fit::elements(s.sums(), n as usize)?;
        let buffer = self.d.scratchpads.inp.alloc(size, pins)?;
        if let Some((map, _)) = self.lowered.residual {
            self.d.load_map(&map, &blocks, (&s.rows, &s.cols), buffer)?;
        }
        Ok(buffer)
    }
}
