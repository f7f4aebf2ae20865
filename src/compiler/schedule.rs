//! Schedules a convolution: tiles of the output, chunks of the sum, and the
//! loads that they need, in an order in which loads run ahead.

use super::cost::Rows;
use super::job::{ConvJob, FMap, Tile};
use super::pads::{Deps, NoSlot, Pad, SlotId, join};
use super::stream::{Base, Kind, Loops, Stream};
use crate::config::HwConfig;
use crate::isa::{AluOpcode, MemoryType, Unit, Uop};
use std::collections::HashMap;
use std::ops::Range;

/// How a layer is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tiling {
    /// Output rows of a tile.
    pub th: u32,
    /// Output columns of a tile.
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

/// Why a tiling does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DoesNotFit;

impl From<NoSlot> for DoesNotFit {
    fn from(_: NoSlot) -> Self {
        Self
    }
}

/// A store that was made to a buffer.
#[derive(Debug, Clone)]
struct Write {
    op: u32,
    blocks: Range<u32>,
    rows: Range<u32>,
    cols: Range<u32>,
}

/// What is in the scratchpads and who wrote what to DRAM.
#[derive(Debug, Clone)]
pub(super) struct Pads {
    pub inp: Pad,
    pub wgt: Pad,
    pub acc: Pad,
    /// A part of the accumulators for biases and shifts.
    pub bias: Pad,
    writes: HashMap<usize, Vec<Write>>,
}

fn meet(a: &Range<u32>, b: &Range<u32>) -> bool {
    a.start < b.end && b.start < a.end
}

impl Pads {
    /// Empty scratchpads.
    pub(super) fn new(c: &HwConfig) -> Self {
        let bias = (c.acc_depth / 16).max(4).min(c.acc_depth / 2);
        // The output scratchpad shares the accumulators' indices.
        let acc = c.acc_depth.min(c.out_depth);
        Self {
            inp: Pad::new(0, c.inp_depth),
            wgt: Pad::new(0, c.wgt_depth),
            acc: Pad::new(bias, acc),
            bias: Pad::new(0, bias),
            writes: HashMap::new(),
        }
    }

    /// The last store of this launch to a part of a map.
    pub(super) fn stored(
        &self,
        m: &FMap,
        blocks: Range<u32>,
        rows: &Range<u32>,
        cols: &Range<u32>,
    ) -> Deps {
        let blocks = m.block + blocks.start..m.block + blocks.end;
        let writes = self.writes.get(&m.buffer).into_iter().flatten();
        let last = writes
            .filter(|w| meet(&w.blocks, &blocks) && meet(&w.rows, rows) && meet(&w.cols, cols))
            .map(|w| w.op)
            .max();
        [None, None, last]
    }
}

/// Everything that scheduling changes.
pub(super) struct Device<'a> {
    pub pads: &'a mut Pads,
    pub stream: &'a mut Stream,
    /// Next free element of the segment of weights, of biases.
    pub weights_at: u32,
    pub biases_at: u32,
    /// Largest number of elements between rows that an instruction can say.
    pub max_stride: u32,
    /// Micro-ops that an instruction can have.
    pub uop_depth: u32,
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
    rows: Range<u32>,
    cols: Range<u32>,
    /// Input rows and columns that it needs.
    in_rows: Range<u32>,
    in_cols: Range<u32>,
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
    residual: Option<(SlotId, SlotId)>,
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

/// The input positions that outputs meet, `lo..hi` of an axis of `len`.
fn needed(out: &Range<u32>, stride: u32, pad: u32, first: u32, last: u32, len: u32) -> Range<u32> {
    let lo = (out.start * stride + first).saturating_sub(pad).min(len);
    let hi = ((out.end - 1) * stride + last + 1)
        .saturating_sub(pad)
        .min(len);
    lo..hi.max(lo)
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
        for rows in pieces(o.h, t.th) {
            for cols in pieces(o.w, t.tw) {
                let in_cols = if t.tw >= o.w {
                    0..i.w
                } else {
                    needed(&cols, job.stride[1], job.pads[1], kx0, kx1, i.w)
                };
                spots.push(Spot {
                    in_rows: needed(&rows, job.stride[0], job.pads[0], ky0, ky1, i.h),
                    in_cols,
                    rows: rows.clone(),
                    cols,
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
            inp_pins.extend(p.residual.iter().map(|r| r.0));
            wgt_pins.extend(p.weights);
            wgt_pins.extend(p.residual.iter().map(|r| r.1));
        }
        let mut loaded = Loaded {
            step,
            inputs: Vec::new(),
            weights: None,
            residual: None,
        };
        if step.last && self.job.residual.is_some() {
            let slot = self.identity(&wgt_pins)?;
            wgt_pins.push(slot);
            loaded.residual = Some((slot, slot));
        }
        if let Some((bucket, group)) = step.group {
            let blocks = self.needed_blocks(step.spot, bucket, group);
            loaded.inputs = self.inputs(step.spot, &blocks, &mut inp_pins)?;
            loaded.weights = Some(self.weights(bucket, group, &wgt_pins)?);
        }
        if let Some(r) = &mut loaded.residual {
            r.0 = self.residual(step, &inp_pins)?;
        }
        Ok(loaded)
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
        let size = s.in_rows.len() as u32 * s.in_cols.len() as u32;
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
        self.load_map(&input, &missing, &s.in_rows, &s.in_cols, slot);
        pins.push(slot);
        Ok(blocks.iter().filter_map(|&b| there(self, b)).collect())
    }

    /// Loads blocks of a map to a slot, one after the other.
    fn load_map(
        &mut self,
        m: &FMap,
        blocks: &[u32],
        rows: &Range<u32>,
        cols: &Range<u32>,
        slot: SlotId,
    ) {
        let size = rows.len() as u32 * cols.len() as u32;
        let mut sram = self.d.pads.inp.start(slot).unwrap_or(0);
        let whole = cols.len() as u32 == m.w;
        let mut at = 0;
        while at < blocks.len() {
            // Blocks at equal distances go together.
            let step = blocks.get(at + 1).map_or(1, |b| b - blocks[at]);
            let stride = step * m.plane();
            let mut n = 1;
            if whole && stride <= self.d.max_stride {
                while blocks.get(at + n) == Some(&(blocks[at] + n as u32 * step)) {
                    n += 1;
                }
            }
            let dram = m.base + blocks[at] * m.plane() + rows.start * m.w + cols.start;
            let rows_in_dram = if whole {
                Rows {
                    dram,
                    y: n as u32,
                    x: size,
                    stride: if n > 1 { stride } else { size },
                }
            } else {
                Rows {
                    dram,
                    y: rows.len() as u32,
                    x: cols.len() as u32,
                    stride: m.w,
                }
            };
            let mut deps = self.d.pads.inp.before_write(slot);
            for b in &blocks[at..at + n] {
                join(&mut deps, &self.d.pads.stored(m, *b..b + 1, rows, cols));
            }
            let op = self.d.stream.push(
                Kind::Load {
                    memory_type: MemoryType::Inp,
                    sram,
                    base: Base::Zero,
                    rows: rows_in_dram,
                },
                self.job.layer,
                &deps,
            );
            self.d.pads.inp.write(slot, Unit::Load as usize, op);
            sram += size * n as u32;
            at += n;
        }
    }

    fn load_weights(&mut self, dram: u32, count: u32, slot: SlotId) {
        let deps = self.d.pads.wgt.before_write(slot);
        let op = self.d.stream.push(
            Kind::Load {
                memory_type: MemoryType::Wgt,
                sram: self.d.pads.wgt.start(slot).unwrap_or(0),
                base: Base::Weights,
                rows: Rows {
                    dram,
                    y: 1,
                    x: count,
                    stride: count,
                },
            },
            self.job.layer,
            &deps,
        );
        self.d.pads.wgt.write(slot, Unit::Load as usize, op);
    }

    fn weights(&mut self, bucket: usize, group: usize, pins: &[SlotId]) -> Result<SlotId, NoSlot> {
        if let Some(&slot) = self.wgt_slots.get(&(bucket, group))
            && self.d.pads.wgt.start(slot).is_some()
        {
            return Ok(slot);
        }
        let g = &self.groups[bucket][group];
        let (dram, count) = (g.dram, g.count);
        let slot = self.d.pads.wgt.alloc(count, pins)?;
        self.load_weights(dram, count, slot);
        self.wgt_slots.insert((bucket, group), slot);
        Ok(slot)
    }

    fn identity(&mut self, pins: &[SlotId]) -> Result<SlotId, NoSlot> {
        if let Some(slot) = self.identity
            && self.d.pads.wgt.start(slot).is_some()
        {
            return Ok(slot);
        }
        let slot = self.d.pads.wgt.alloc(1, pins)?;
        self.load_weights(self.identity_dram, 1, slot);
        self.identity = Some(slot);
        Ok(slot)
    }

    fn residual(&mut self, step: Step, pins: &[SlotId]) -> Result<SlotId, NoSlot> {
        let blocks: Vec<u32> = self.blocks(step.coc).collect();
        let s = self.spots[step.spot].clone();
        let size = s.rows.len() as u32 * s.cols.len() as u32;
        let slot = self.d.pads.inp.alloc(size * blocks.len() as u32, pins)?;
        if let Some((map, _)) = self.job.residual {
            self.load_map(&map, &blocks, &s.rows, &s.cols, slot);
        }
        Ok(slot)
    }

    /// Slot of the biases (and shifts) of a range of output blocks, and where they start.
    fn biases(&mut self, blocks: &Range<u32>) -> Result<(SlotId, u32, u32), NoSlot> {
        let per = if self.job.shifts.is_some() { 2 } else { 1 };
        let all = self.job.output.blocks;
        let whole = all * per <= self.d.pads.bias.size() / 2;
        let (key, range) = if whole {
            (0, 0..all)
        } else {
            (blocks.start, blocks.clone())
        };
        let n = range.len() as u32;
        let slot = match self.bias_slots.get(&key) {
            Some(&slot) if self.d.pads.bias.start(slot).is_some() => slot,
            _ => {
                let slot = self.d.pads.bias.alloc(n * per, &[])?;
                let start = self.d.pads.bias.start(slot).unwrap_or(0);
                let loads = if whole { 1 } else { per };
                for part in 0..loads {
                    let x = n * per / loads;
                    let op = self.d.stream.push(
                        Kind::Load {
                            memory_type: MemoryType::Acc,
                            sram: start + part * n,
                            base: Base::Biases,
                            rows: Rows {
                                dram: self.d.biases_at + part * all + range.start,
                                y: 1,
                                x,
                                stride: x,
                            },
                        },
                        self.job.layer,
                        &Deps::default(),
                    );
                    self.d.pads.bias.write(slot, Unit::Compute as usize, op);
                }
                self.bias_slots.insert(key, slot);
                slot
            }
        };
        let start = self.d.pads.bias.start(slot).unwrap_or(0);
        let bias = start + (blocks.start - range.start);
        Ok((slot, bias, bias + n))
    }

    fn push(&mut self, kind: Kind, deps: &Deps) -> u32 {
        self.d.stream.push(kind, self.job.layer, deps)
    }

    /// Puts the arithmetic of a step, and its store, into the stream.
    fn compute(&mut self, l: Loaded) -> Result<(), DoesNotFit> {
        let spot = self.spots[l.step.spot].clone();
        let blocks = self.blocks(l.step.coc);
        let (h, w) = (spot.rows.len() as u32, spot.cols.len() as u32);
        let pix = h * w;
        let n = blocks.len() as u32;
        if l.step.first {
            let slot = self
                .d
                .pads
                .acc
                .alloc(n * pix * self.job.acc_per_vector(), &[])?;
            self.acc_slot = Some(slot);
            let (_, bias, _) = self.biases(&blocks)?;
            let acc = self.d.pads.acc.start(slot).unwrap_or(0);
            let deps = self.d.pads.acc.before_write(slot);
            let loops = Loops {
                iter: [n, pix],
                dst: [pix, 1],
                src: [1, 0],
                wgt: [0, 0],
            };
            let op = self.push(alu(AluOpcode::Add, Some(0), acc, bias, loops), &deps);
            self.d.pads.acc.write(slot, Unit::Compute as usize, op);
        }
        let Some(slot) = self.acc_slot else {
            return Err(DoesNotFit);
        };
        let acc = self.d.pads.acc.start(slot).unwrap_or(0);
        if let (Some((bucket, group)), Some(weights)) = (l.step.group, l.weights) {
            self.gemm(&l, &spot, bucket, group, weights, acc, blocks.start);
        }
        if l.step.last {
            self.finish(&l, slot, acc, &blocks, pix)?;
            self.store(slot, acc, &spot, &blocks);
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    fn gemm(
        &mut self,
        l: &Loaded,
        spot: &Spot,
        bucket: usize,
        group: usize,
        weights: SlotId,
        acc: u32,
        co0: u32,
    ) {
        let job = self.job;
        let wgt = self.d.pads.wgt.start(weights).unwrap_or(0);
        let (h, w) = (spot.rows.len() as u32, spot.cols.len() as u32);
        let in_w = spot.in_cols.len() as u32;
        // Kernel positions with the same rows and columns go together.
        let mut parts: Vec<(Range<u32>, Range<u32>, Vec<Uop>)> = Vec::new();
        let g = &self.groups[bucket][group];
        let clip = |a: Range<u32>, b: &Range<u32>| a.start.max(b.start)..a.end.min(b.end);
        for (&t, &place) in g.tiles.iter().zip(&g.place) {
            let tile = &job.tiles[t as usize];
            let ys = clip(job.rows_of(tile.ky), &spot.rows);
            let xs = clip(job.cols_of(tile.kx), &spot.cols);
            if ys.start >= ys.end || xs.start >= xs.end {
                continue;
            }
            let Some(&(_, _, src)) = l.inputs.iter().find(|i| i.0 == tile.ci) else {
                continue;
            };
            let iy = ys.start * job.stride[0] + tile.ky * job.dilation[0]
                - job.pads[0]
                - spot.in_rows.start;
            let ix = xs.start * job.stride[1] + tile.kx * job.dilation[1]
                - job.pads[1]
                - spot.in_cols.start;
            let at = (tile.co - co0) * h * w
                + (ys.start - spot.rows.start) * w
                + (xs.start - spot.cols.start);
            let u = uop(acc + at, src + iy * in_w + ix, wgt + place);
            match parts.iter_mut().find(|p| p.0 == ys && p.1 == xs) {
                Some(p) => p.2.push(u),
                None => parts.push((ys, xs, vec![u])),
            }
        }
        let mut deps = self.d.pads.wgt.before_read(weights);
        for i in &l.inputs {
            join(&mut deps, &self.d.pads.inp.before_read(i.1));
        }
        for (ys, xs, uops) in parts {
            let (ny, nx) = (ys.len() as u32, xs.len() as u32);
            let loops = map_loops(ny, nx, [w, 1], [job.stride[0] * in_w, job.stride[1]]);
            let (uops, loops) = compress(uops, loops);
            let op = self.push(
                Kind::Gemm {
                    uops,
                    loops,
                    reset: false,
                },
                &deps,
            );
            let compute = Unit::Compute as usize;
            self.d.pads.wgt.read(weights, compute, op);
            for i in &l.inputs {
                self.d.pads.inp.read(i.1, compute, op);
            }
            if let Some(slot) = self.acc_slot {
                self.d.pads.acc.write(slot, compute, op);
            }
        }
    }

    /// Slope, shifts, residual and limits of a whole tile.
    fn finish(
        &mut self,
        l: &Loaded,
        slot: SlotId,
        acc: u32,
        blocks: &Range<u32>,
        pix: u32,
    ) -> Result<(), DoesNotFit> {
        let job = self.job;
        let n = blocks.len() as u32 * pix;
        let none = Deps::default();
        if job.leaky.as_ref().is_some_and(Vec::is_empty) {
            self.push(alu(AluOpcode::Max, Some(0), acc, acc, line(n)), &none);
        } else if let Some(terms) = &job.leaky {
            let (sum, term) = (acc + n, acc + 2 * n);
            for (i, k) in terms.iter().enumerate() {
                let to = if i == 0 { sum } else { term };
                self.push(
                    alu(AluOpcode::Shr, Some((*k).into()), to, acc, line(n)),
                    &none,
                );
                if i > 0 {
                    self.push(alu(AluOpcode::Add, None, sum, term, line(n)), &none);
                }
            }
            self.push(alu(AluOpcode::Max, None, acc, sum, line(n)), &none);
        }
        if job.shifts.is_some() {
            let (_, _, shifts) = self.biases(blocks)?;
            let loops = Loops {
                iter: [blocks.len() as u32, pix],
                dst: [pix, 1],
                src: [1, 0],
                wgt: [0, 0],
            };
            self.push(alu(AluOpcode::Shr, None, acc, shifts, loops), &none);
        } else if job.shift > 0 {
            self.push(
                alu(AluOpcode::Shr, Some(job.shift.into()), acc, acc, line(n)),
                &none,
            );
        }
        if let Some((inp, wgt)) = l.residual {
            let mut deps = self.d.pads.inp.before_read(inp);
            join(&mut deps, &self.d.pads.wgt.before_read(wgt));
            let src = self.d.pads.inp.start(inp).unwrap_or(0);
            let at = self.d.pads.wgt.start(wgt).unwrap_or(0);
            let kind = Kind::Gemm {
                uops: vec![uop(acc, src, at)],
                loops: line(n),
                reset: false,
            };
            let op = self.push(kind, &deps);
            self.d.pads.inp.read(inp, Unit::Compute as usize, op);
            self.d.pads.wgt.read(wgt, Unit::Compute as usize, op);
        }
        if job.post_shift > 0 {
            let imm = Some(job.post_shift.into());
            self.push(alu(AluOpcode::Shr, imm, acc, acc, line(n)), &none);
        }
        let (lo, hi) = job.clamp;
        self.push(
            alu(AluOpcode::Max, Some(lo.into()), acc, acc, line(n)),
            &none,
        );
        let op = self.push(
            alu(AluOpcode::Min, Some(hi.into()), acc, acc, line(n)),
            &none,
        );
        self.d.pads.acc.write(slot, Unit::Compute as usize, op);
        Ok(())
    }

    fn store(&mut self, slot: SlotId, acc: u32, spot: &Spot, blocks: &Range<u32>) {
        store(
            self.d,
            self.job.layer,
            &self.job.output,
            slot,
            acc,
            &spot.rows,
            &spot.cols,
            blocks,
        );
    }
}

/// Stores a tile `[blocks][rows][cols]` that lies at `acc` in `slot`.
#[allow(clippy::too_many_arguments)]
pub(super) fn store(
    d: &mut Device<'_>,
    layer: u32,
    out: &FMap,
    slot: SlotId,
    acc: u32,
    rows: &Range<u32>,
    cols: &Range<u32>,
    blocks: &Range<u32>,
) {
    let (h, w) = (rows.len() as u32, cols.len() as u32);
    let dram = |b: u32| out.base + b * out.plane() + rows.start * out.w + cols.start;
    let whole = w == out.w;
    let mut parts = Vec::new();
    if whole && out.plane() <= d.max_stride {
        parts.push(Rows {
            dram: dram(blocks.start),
            y: blocks.len() as u32,
            x: h * w,
            stride: out.plane(),
        });
    } else {
        for b in blocks.clone() {
            parts.push(Rows {
                dram: dram(b),
                y: if whole { 1 } else { h },
                x: if whole { h * w } else { w },
                stride: out.w,
            });
        }
    }
    let deps = d.pads.acc.before_read(slot);
    let mut sram = acc;
    for rows_in_dram in parts {
        let kind = Kind::Store {
            sram,
            rows: rows_in_dram,
        };
        sram += rows_in_dram.x * rows_in_dram.y;
        let op = d.stream.push(kind, layer, &deps);
        d.pads.acc.read(slot, Unit::Store as usize, op);
        d.pads.writes.entry(out.buffer).or_default().push(Write {
            op,
            blocks: out.block + blocks.start..out.block + blocks.end,
            rows: rows.clone(),
            cols: cols.clone(),
        });
    }
}

/// A micro-op; indices are inside the scratchpads, which are inside the fields.
pub(super) fn uop(dst: u32, src: u32, wgt: u32) -> Uop {
    Uop {
        dst_idx: dst as u16,
        src_idx: src as u16,
        wgt_idx: wgt as u16,
    }
}

/// `n` vectors one after the other, of both operands.
pub(super) fn line(n: u32) -> Loops {
    Loops {
        iter: [1, n],
        dst: [0, 1],
        src: [0, 1],
        wgt: [0, 0],
    }
}

/// An ALU operation with one micro-op.
pub(super) fn alu(opcode: AluOpcode, imm: Option<i16>, dst: u32, src: u32, loops: Loops) -> Kind {
    Kind::Alu {
        uops: vec![uop(dst, src, 0)],
        loops,
        opcode,
        imm,
    }
}

/// Loops over `ny` rows of `nx`, with the distances of rows and columns in dst
/// and src; one loop where rows follow each other.
pub(super) fn map_loops(ny: u32, nx: u32, dst: [u32; 2], src: [u32; 2]) -> Loops {
    let joined = (dst[0] == nx * dst[1] && src[0] == nx * src[1]) || ny == 1;
    if joined {
        let one = ny * nx == 1;
        return Loops {
            iter: [1, ny * nx],
            dst: [0, if one { 0 } else { dst[1] }],
            src: [0, if one { 0 } else { src[1] }],
            wgt: [0, 0],
        };
    }
    if nx == 1 {
        return Loops {
            iter: [1, ny],
            dst: [0, dst[0]],
            src: [0, src[0]],
            wgt: [0, 0],
        };
    }
    Loops {
        iter: [ny, nx],
        dst,
        src,
        wgt: [0, 0],
    }
}

/// Moves repetition from micro-ops into loops that have one trip.
fn compress(mut uops: Vec<Uop>, mut loops: Loops) -> (Vec<Uop>, Loops) {
    for l in [0, 1] {
        if loops.iter[l] != 1 {
            continue;
        }
        if let Some((n, d)) = period(&uops) {
            loops.iter[l] = (uops.len() / n) as u32;
            (loops.dst[l], loops.src[l], loops.wgt[l]) = d;
            uops.truncate(n);
        }
    }
    (uops, loops)
}

/// The shortest beginning that repeats to the end with a constant distance.
fn period(uops: &[Uop]) -> Option<(usize, (u32, u32, u32))> {
    let n = uops.len();
    let diff = |a: &Uop, b: &Uop| {
        let d = |x: u16, y: u16| y.checked_sub(x).map(u32::from);
        Some((
            d(a.dst_idx, b.dst_idx)?,
            d(a.src_idx, b.src_idx)?,
            d(a.wgt_idx, b.wgt_idx)?,
        ))
    };
    (1..=n / 2).filter(|m| n.is_multiple_of(*m)).find_map(|m| {
        let first = diff(&uops[0], &uops[m])?;
        let fits = first.2 < 1 << crate::isa::C_WIDX_BITS;
        let all = (1..n - m).all(|i| diff(&uops[i], &uops[i + m]) == Some(first));
        (fits && all).then_some((m, first))
    })
}
