//! Schedules a convolution: tiles of the output, chunks of the sum, and the
//! loads that they need, in an order in which loads run ahead.

mod compute;

use super::device::{Device, DoesNotFit, len, meet};
use super::job::{ConvJob, Tile, needed};
use super::pads::{NoSlot, SlotId};
use std::collections::HashMap;
use std::ops::Range;

/// How a layer is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tiling {
    /// Rows of a tile that are stored.
    pub th: u32,
    /// Columns of a tile that are stored.
    pub tw: u32,
    /// Output blocks of a tile.
    pub tco: u32,
    /// Input blocks of a chunk.
    pub tci: u32,
    /// Weight elements of a load.
    pub cap: u32,
    /// Output blocks in the outer loop, tiles of the map in the inner one.
    pub co_outer: bool,
}

/// Weight elements that are loaded together.
#[derive(Debug, Clone)]
struct Group {
    /// Indices of tiles.
    tiles: Vec<u32>,
    /// For each of them, its place among the elements that are loaded.
    place: Vec<u32>,
    /// Elements that are loaded.
    count: u32,
    /// First element in the segment.
    dram: u32,
}

/// A part of the output map.
#[derive(Debug, Clone)]
struct Spot {
    /// Rows and columns of sums.
    rows: Range<u32>,
    cols: Range<u32>,
    /// Rows and columns that are stored: the same, or those of the pool.
    out_rows: Range<u32>,
    out_cols: Range<u32>,
    /// Input rows and columns that it needs.
    in_rows: Range<u32>,
    in_cols: Range<u32>,
}

impl Spot {
    /// Sums of one block.
    fn sums(&self) -> u32 {
        len(&self.rows) * len(&self.cols)
    }

    /// Vectors of one block that are stored.
    fn stored(&self) -> u32 {
        len(&self.out_rows) * len(&self.out_cols)
    }
}

/// A piece of work between two loads.
#[derive(Debug, Clone, Copy)]
struct Step {
    spot: usize,
    coc: u32,
    group: Option<(usize, usize)>,
    first: bool,
    last: bool,
}

/// A step whose loads are in the stream.
struct Loaded {
    step: Step,
    /// For each input block that is needed: slot and first element.
    inputs: Vec<(u32, SlotId, u32)>,
    weights: Option<SlotId>,
    residual: Option<Residual>,
}

/// Slots of a residual, and of the identity that adds it.
#[derive(Debug, Clone, Copy)]
struct Residual {
    inp: SlotId,
    identity: SlotId,
}

/// The weights' order in DRAM, and what the biases' segment holds.
#[derive(Debug, Default)]
pub(super) struct Placed {
    /// Tiles whose bytes follow each other, by index; the identity is `u32::MAX`.
    pub weights: Vec<u32>,
}

struct Scheduler<'a, 'd> {
    job: &'a ConvJob,
    t: Tiling,
    d: &'a mut Device<'d>,
    spots: Vec<Spot>,
    groups: Vec<Vec<Group>>,
    n_cic: u32,
    in_slots: HashMap<(usize, u32), (SlotId, u32)>,
    wgt_slots: HashMap<(usize, usize), SlotId>,
    identity: Option<SlotId>,
    identity_dram: u32,
    bias_slots: HashMap<u32, SlotId>,
    acc_slot: Option<SlotId>,
    placed: Placed,
}

/// Schedules a convolution, and gives the order of its weights in DRAM.
pub(super) fn conv(job: &ConvJob, t: Tiling, d: &mut Device<'_>) -> Result<Placed, DoesNotFit> {
    let mut s = Scheduler::new(job, t, d)?;
    let mut pending: Option<Loaded> = None;
    for step in s.steps() {
        let loaded = match s.load(step, pending.as_ref()) {
            Ok(l) => l,
            Err(NoSlot::Pinned) => {
                // No room for loads to run ahead.
                if let Some(p) = pending.take() {
                    s.compute(p)?;
                }
                s.load(step, None)?
            }
            Err(NoSlot::TooLarge) => return Err(DoesNotFit),
        };
        if let Some(p) = pending.replace(loaded) {
            s.compute(p)?;
        }
    }
    if let Some(p) = pending {
        s.compute(p)?;
    }
    Ok(s.placed)
}

/// The parts of an axis of `n` in pieces of `by`.
fn pieces(n: u32, by: u32) -> impl Iterator<Item = Range<u32>> {
    (0..n.div_ceil(by)).map(move |i| i * by..(i * by + by).min(n))
}

impl<'a, 'd> Scheduler<'a, 'd> {
    fn new(job: &'a ConvJob, t: Tiling, d: &'a mut Device<'d>) -> Result<Self, DoesNotFit> {
        let (o, i) = (&job.output, &job.input);
        let extent = |f: fn(&Tile) -> u32, by: u32| {
            let min = job.tiles.iter().map(f).min().unwrap_or(0);
            let max = job.tiles.iter().map(f).max().unwrap_or(0);
            (min * by, max * by)
        };
        let (ky0, ky1) = extent(|t| t.ky, job.dilation[0]);
        let (kx0, kx1) = extent(|t| t.kx, job.dilation[1]);
        let mut spots = Vec::new();
        let out = job.stored();
        for out_rows in pieces(out.h, t.th) {
            for out_cols in pieces(out.w, t.tw) {
                let (rows, mut cols) = match &job.pool {
                    None => (out_rows.clone(), out_cols.clone()),
                    Some(p) => (
                        p.window.needed(&out_rows, 0, o.h),
                        p.window.needed(&out_cols, 1, o.w),
                    ),
                };
                // Whole rows follow each other in DRAM.
                let whole = t.tw >= out.w;
                if whole {
                    cols = 0..o.w;
                }
                if rows.is_empty() || cols.is_empty() {
                    return Err(DoesNotFit);
                }
                let in_cols = if whole {
                    0..i.w
                } else {
                    needed(&cols, job.stride[1], job.pads[1], kx0, kx1, i.w)
                };
                spots.push(Spot {
                    in_rows: needed(&rows, job.stride[0], job.pads[0], ky0, ky1, i.h),
                    in_cols,
                    rows,
                    cols,
                    out_rows: out_rows.clone(),
                    out_cols,
                });
            }
        }
        let n_cic = i.blocks.div_ceil(t.tci);
        let n = (o.blocks.div_ceil(t.tco) * n_cic) as usize;
        let mut buckets = vec![Vec::new(); n];
        for (at, tile) in job.tiles.iter().enumerate() {
            buckets[(tile.co / t.tco * n_cic + tile.ci / t.tci) as usize].push(at as u32);
        }
        let mut placed = Placed::default();
        let identity_dram = d.weights_at;
        if job.residual.is_some() {
            placed.weights.push(u32::MAX);
        }
        let mut groups = Vec::with_capacity(n);
        for bucket in buckets {
            let mut of_bucket: Vec<Group> = Vec::new();
            let mut at: HashMap<u32, u32> = HashMap::new();
            for tile in bucket {
                let content = job.tiles[tile as usize].content;
                let full = of_bucket
                    .last()
                    .is_none_or(|g| !at.contains_key(&content) && g.count == t.cap);
                if full {
                    at.clear();
                    of_bucket.push(Group {
                        tiles: Vec::new(),
                        place: Vec::new(),
                        count: 0,
                        dram: d.weights_at + placed.weights.len() as u32,
                    });
                }
                let Some(g) = of_bucket.last_mut() else {
                    continue;
                };
                let place = *at.entry(content).or_insert_with(|| {
                    placed.weights.push(tile);
                    g.count += 1;
                    g.count - 1
                });
                g.tiles.push(tile);
                g.place.push(place);
            }
            groups.push(of_bucket);
        }
        Ok(Self {
            job,
            t,
            d,
            spots,
            groups,
            n_cic,
            in_slots: HashMap::new(),
            wgt_slots: HashMap::new(),
            identity: None,
            identity_dram,
            bias_slots: HashMap::new(),
            acc_slot: None,
            placed,
        })
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let n_coc = self.job.output.blocks.div_ceil(self.t.tco);
        let mut tile = |spot: usize, coc: u32| {
            let from = steps.len();
            for cic in 0..self.n_cic {
                let bucket = (coc * self.n_cic + cic) as usize;
                for group in 0..self.groups[bucket].len() {
                    steps.push(Step {
                        spot,
                        coc,
                        group: Some((bucket, group)),
                        first: false,
                        last: false,
                    });
                }
            }
            if steps.len() == from {
                steps.push(Step {
                    spot,
                    coc,
                    group: None,
                    first: false,
                    last: false,
                });
            }
            steps[from].first = true;
            if let Some(s) = steps.last_mut() {
                s.last = true;
            }
        };
        if self.t.co_outer {
            for coc in 0..n_coc {
                (0..self.spots.len()).for_each(|s| tile(s, coc));
            }
        } else {
            for s in 0..self.spots.len() {
                (0..n_coc).for_each(|coc| tile(s, coc));
            }
        }
        steps
    }

    fn blocks(&self, coc: u32) -> Range<u32> {
        coc * self.t.tco..(coc * self.t.tco + self.t.tco).min(self.job.output.blocks)
    }

    /// Puts the loads of a step into the stream; nothing of `pending` is overwritten.
    fn load(&mut self, step: Step, pending: Option<&Loaded>) -> Result<Loaded, NoSlot> {
        let mut inp_pins: Vec<SlotId> = Vec::new();
        let mut wgt_pins: Vec<SlotId> = Vec::new();
        if let Some(p) = pending {
            inp_pins.extend(p.inputs.iter().map(|i| i.1));
            inp_pins.extend(p.residual.iter().map(|r| r.inp));
            wgt_pins.extend(p.weights);
            wgt_pins.extend(p.residual.iter().map(|r| r.identity));
        }
        // The identity first: it must not overwrite what is loaded for this step.
        let identity = match self.job.residual {
            Some(_) if step.last => Some(self.identity(&wgt_pins)?),
            _ => None,
        };
        wgt_pins.extend(identity);
        let (mut inputs, mut weights) = (Vec::new(), None);
        if let Some((bucket, group)) = step.group {
            let blocks = self.needed_blocks(step.spot, bucket, group);
            inputs = self.inputs(step.spot, &blocks, &mut inp_pins)?;
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

    /// Input blocks that a group of weights meets in a spot, in order.
    fn needed_blocks(&self, spot: usize, bucket: usize, group: usize) -> Vec<u32> {
        let g = &self.groups[bucket][group];
        let s = &self.spots[spot];
        let job = self.job;
        let tiles = g.tiles.iter().map(|&t| &job.tiles[t as usize]);
        let mut blocks: Vec<u32> = tiles
            .filter(|t| meet(&job.rows_of(t.ky), &s.rows) && meet(&job.cols_of(t.kx), &s.cols))
            .map(|t| t.ci)
            .collect();
        blocks.sort_unstable();
        blocks.dedup();
        blocks
    }

    /// Slots of input blocks, loaded where they are not there.
    fn inputs(
        &mut self,
        spot: usize,
        blocks: &[u32],
        pins: &mut Vec<SlotId>,
    ) -> Result<Vec<(u32, SlotId, u32)>, NoSlot> {
        let there = |s: &Self, b: u32| {
            let (slot, at) = s.in_slots.get(&(spot, b))?;
            s.d.pads.inp.start(*slot).map(|_| (b, *slot, *at))
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
        let s = self.spots[spot].clone();
        let size = len(&s.in_rows) * len(&s.in_cols);
        let n_pins = pins.len();
        pins.extend(hits.iter().map(|h| h.1));
        let slot = match self.d.pads.inp.alloc(size * missing.len() as u32, pins) {
            Ok(slot) => slot,
            Err(e) => {
                // What is there is in the way: load all of it again.
                pins.truncate(n_pins);
                if hits.is_empty() {
                    return Err(e);
                }
                missing = blocks.to_vec();
                self.d.pads.inp.alloc(size * missing.len() as u32, pins)?
            }
        };
        let start = self.d.pads.inp.start(slot).unwrap_or(0);
        for (n, &b) in missing.iter().enumerate() {
            self.in_slots
                .insert((spot, b), (slot, start + n as u32 * size));
        }
        let input = self.job.input;
        self.d
            .load_map(&input, &missing, (&s.in_rows, &s.in_cols), slot);
        pins.push(slot);
        Ok(blocks.iter().filter_map(|&b| there(self, b)).collect())
    }

    fn weights(&mut self, bucket: usize, group: usize, pins: &[SlotId]) -> Result<SlotId, NoSlot> {
        if let Some(&slot) = self.wgt_slots.get(&(bucket, group))
            && self.d.pads.wgt.start(slot).is_some()
        {
            return Ok(slot);
        }
        let g = &self.groups[bucket][group];
        let (dram, count) = (g.dram, g.count);
        let slot = self.d.load_weights(dram, count, pins)?;
        self.wgt_slots.insert((bucket, group), slot);
        Ok(slot)
    }

    fn identity(&mut self, pins: &[SlotId]) -> Result<SlotId, NoSlot> {
        if let Some(slot) = self.identity
            && self.d.pads.wgt.start(slot).is_some()
        {
            return Ok(slot);
        }
        let slot = self.d.load_weights(self.identity_dram, 1, pins)?;
        self.identity = Some(slot);
        Ok(slot)
    }

    fn residual(&mut self, step: Step, pins: &[SlotId]) -> Result<SlotId, NoSlot> {
        let blocks: Vec<u32> = self.blocks(step.coc).collect();
        let s = self.spots[step.spot].clone();
        let size = s.sums();
        let slot = self.d.pads.inp.alloc(size * blocks.len() as u32, pins)?;
        if let Some((map, _)) = self.job.residual {
            self.d.load_map(&map, &blocks, (&s.rows, &s.cols), slot);
        }
        Ok(slot)
    }
}
