//! Schedules a convolution: tiles of the output, chunks of the sum, and the
//! loads that they need, in an order in which loads run ahead.

mod compute;
mod cut;

use crate::allocator::BufferId;
use crate::device::Device;
use crate::fit::{self, DoesNotFit};
use crate::lowered::LoweredConv;
use crate::map::{len, meet};
use cut::Cut;
pub(crate) use cut::{Part, Tiling};
use std::collections::HashMap;
use std::ops::Range;

/// Arithmetic between two loads.
#[derive(Debug, Clone, Copy)]
struct Step {
    spatial: usize,
    co_tile: u32,
    group: Option<(usize, usize)>,
    first: bool,
    last: bool,
}

/// A step whose loads are in the schedule.
struct Loaded {
    step: Step,
    /// For each input block that is needed: buffer and first element.
    inputs: Vec<(u32, BufferId, u32)>,
    weights: Option<BufferId>,
    residual: Option<Residual>,
}

/// Buffers of a residual, and of the identity that adds it.
#[derive(Debug, Clone, Copy)]
struct Residual {
    inp: BufferId,
    identity: BufferId,
}

struct Scheduler<'a, 'd> {
    lowered: &'a LoweredConv,
    t: Tiling,
    d: &'a mut Device<'d>,
    cut: Cut,
    /// By tile of the map, part of the kernel and input block: buffer and first element.
    in_buffers: HashMap<(usize, usize, u32), (BufferId, u32)>,
    wgt_buffers: HashMap<(usize, usize), BufferId>,
    identity: Option<BufferId>,
    identity_dram: u32,
    bias_buffers: HashMap<u32, BufferId>,
    acc_buffer: Option<BufferId>,
}

/// Schedules a convolution, and gives the order of its weights in DRAM: tiles
/// whose bytes follow each other, by index; none is the identity.
///
/// # Errors
/// The tiling does not fit.
pub(crate) fn schedule(
    lowered: &LoweredConv,
    t: Tiling,
    d: &mut Device<'_>,
) -> Result<Vec<Option<usize>>, DoesNotFit> {
    let mut s = Scheduler {
        lowered,
        t,
        cut: Cut::new(lowered, &t, d.weights_at)?,
        identity_dram: d.weights_at,
        d,
        in_buffers: HashMap::new(),
        wgt_buffers: HashMap::new(),
        identity: None,
        bias_buffers: HashMap::new(),
        acc_buffer: None,
    };
    let mut pending: Option<Loaded> = None;
    for step in s.steps() {
        let loaded = match s.load(step, pending.as_ref()) {
            Ok(l) => l,
            Err(DoesNotFit::Pinned) => {
                // No room for loads to run ahead.
                if let Some(p) = pending.take() {
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
            s.compute(p)?;
        }
    }
    if let Some(p) = pending {
        s.compute(p)?;
    }
    Ok(s.cut.order)
}

impl Scheduler<'_, '_> {
    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let n_co_tiles = self.cut.n_co_tiles;
        let mut tile = |spatial: usize, co_tile: u32| {
            let from = steps.len();
            let step = |group| Step {
                spatial,
                co_tile,
                group,
                first: false,
                last: false,
            };
            for bucket in self.cut.buckets(co_tile) {
                let groups = (0..self.cut.groups[bucket].len()).map(|g| (bucket, g));
                // What meets padding alone adds nothing.
                let met = groups.filter(|&(b, g)| !self.needed_blocks(spatial, b, g).is_empty());
                steps.extend(met.map(|group| step(Some(group))));
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
        let mut inp_pins: Vec<BufferId> = Vec::new();
        let mut wgt_pins: Vec<BufferId> = Vec::new();
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
        let (mut inputs, mut weights) = (Vec::new(), None);
        if let Some((bucket, group)) = step.group {
            let blocks = self.needed_blocks(step.spatial, bucket, group);
            let part = self.cut.part_of(bucket);
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

    /// Input blocks that a group of weights meets in a tile of the map, in order.
    fn needed_blocks(&self, spatial: usize, bucket: usize, group: usize) -> Vec<u32> {
        let g = &self.cut.groups[bucket][group];
        let s = &self.cut.spatial_tiles[spatial];
        let lowered = self.lowered;
        let tiles = g.tiles.iter().map(|&t| &lowered.tiles[t]);
        let mut blocks: Vec<u32> = tiles
            .filter(|t| {
                meet(&lowered.rows_of(t.ky), &s.rows) && meet(&lowered.cols_of(t.kx), &s.cols)
            })
            .map(|t| t.ci)
            .collect();
        blocks.sort_unstable();
        blocks.dedup();
        blocks
    }

    /// Buffers of input blocks, loaded where they are not there.
    fn inputs(
        &mut self,
        (spatial, part): (usize, usize),
        blocks: &[u32],
        pins: &mut Vec<BufferId>,
    ) -> Result<Vec<(u32, BufferId, u32)>, DoesNotFit> {
        let there = |s: &Self, b: u32| {
            let (buffer, at) = s.in_buffers.get(&(spatial, part, b))?;
            let held = s.d.scratchpads.inp.holds(*buffer);
            held.then_some((b, *buffer, *at))
        };
        let hits: Vec<_> = blocks.iter().filter_map(|&b| there(self, b)).collect();
        let mut missing: Vec<u32> = blocks
            .iter()
            .copied()
            .filter(|b| !hits.iter().any(|h| h.0 == *b))
            .collect();
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
                missing = blocks.to_vec();
                self.d
                    .scratchpads
                    .inp
                    .alloc(fit::elements(size, missing.len())?, pins)?
            }
        };
        let start = self.d.scratchpads.inp.start(buffer)?;
        for (n, &b) in (0u32..).zip(&missing) {
            self.in_buffers
                .insert((spatial, part, b), (buffer, start + n * size));
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
        let g = &self.cut.groups[bucket][group];
        let (dram, count) = (g.dram, g.count);
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
