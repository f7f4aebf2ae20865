//! Schedules a convolution: tiles of the output, chunks of the sum, and the
//! loads that they need, in an order in which loads run ahead.

mod compute;

use crate::allocator::BufferId;
use crate::device::Device;
use crate::fit::{self, DoesNotFit};
use crate::lowered::{LoweredConv, Tile};
use crate::map::{FMap, len, meet};
use std::collections::HashMap;
use std::ops::Range;

/// How a layer is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tiling {
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
    tiles: Vec<usize>,
    /// For each of them, its index among the elements that are loaded.
    element: Vec<u32>,
    /// Elements that are loaded.
    count: u32,
    /// First element in the segment.
    dram: u32,
}

/// A part of the output map.
#[derive(Debug, Clone)]
struct SpatialTile {
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

impl SpatialTile {
    /// Sums of one block.
    fn sums(&self) -> u32 {
        len(&self.rows) * len(&self.cols)
    }

    /// Vectors of one block that are stored.
    fn stored(&self) -> u32 {
        len(&self.out_rows) * len(&self.out_cols)
    }
}

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
    spatial_tiles: Vec<SpatialTile>,
    groups: Vec<Vec<Group>>,
    n_ci_tiles: u32,
    in_buffers: HashMap<(usize, u32), (BufferId, u32)>,
    wgt_buffers: HashMap<(usize, usize), BufferId>,
    identity: Option<BufferId>,
    identity_dram: u32,
    bias_buffers: HashMap<u32, BufferId>,
    acc_buffer: Option<BufferId>,
    /// Tiles whose bytes follow each other in DRAM; none is the identity.
    order: Vec<Option<usize>>,
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
    let mut s = Scheduler::new(lowered, t, d)?;
    let mut pending: Option<Loaded> = None;
    for step in s.steps() {
        let loaded = match s.load(step, pending.as_ref()) {
            Ok(l) => l,
            Err(DoesNotFit::Pinned) => {
                // No room for loads to run ahead.
                if let Some(p) = pending.take() {
                    s.compute(p)?;
                }
                s.load(step, None)?
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
    Ok(s.order)
}

/// The parts of an axis of `n` in pieces of `by`.
fn pieces(n: u32, by: u32) -> impl Iterator<Item = Range<u32>> {
    (0..n.div_ceil(by)).map(move |i| i * by..(i * by + by).min(n))
}

/// Most chunks of a layer: a schedule of more would fill gigabytes.
const MOST_CHUNKS: u64 = 1 << 22;

/// Counts what a layer is cut into: tiles of the map, times tiles of output blocks,
/// times chunks of input blocks.
///
/// # Errors
/// More than a schedule can hold.
fn chunks(out: &FMap, t: &Tiling, blocks: u64, n_ci_tiles: u32) -> Result<(), DoesNotFit> {
    let tiles = u64::from(out.h.div_ceil(t.th)) * u64::from(out.w.div_ceil(t.tw));
    let n_co_tiles = blocks.div_ceil(t.tco.into());
    let all = tiles.saturating_mul(n_co_tiles);
    match all.saturating_mul(n_ci_tiles.into()) {
        0..=MOST_CHUNKS => Ok(()),
        _ => Err(DoesNotFit::TooLarge("chunks of a layer")),
    }
}

impl<'a, 'd> Scheduler<'a, 'd> {
    fn new(lowered: &'a LoweredConv, t: Tiling, d: &'a mut Device<'d>) -> Result<Self, DoesNotFit> {
        let (o, i) = (&lowered.output, &lowered.input);
        // The kernel rows and columns that are kept; where nothing is, any.
        let kept = |f: fn(&Tile) -> u32| {
            let positions = || lowered.tiles.iter().map(f);
            positions().min().unwrap_or(0)..=positions().max().unwrap_or(0)
        };
        let (kept_ky, kept_kx) = (kept(|t| t.ky), kept(|t| t.kx));
        let w = &lowered.window;
        let mut spatial_tiles = Vec::new();
        let out = lowered.stored();
        chunks(out, &t, o.blocks.into(), i.blocks.div_ceil(t.tci))?;
        for out_rows in pieces(out.h, t.th) {
            for out_cols in pieces(out.w, t.tw) {
                let (rows, mut cols) = match &lowered.pool {
                    None => (out_rows.clone(), out_cols.clone()),
                    Some(p) => {
                        let [last_y, last_x] = p.window.kernel.map(|k| k - 1);
                        (
                            p.window.needed(0, &out_rows, 0..=last_y, o.h),
                            p.window.needed(1, &out_cols, 0..=last_x, o.w),
                        )
                    }
                };
                // Whole rows follow each other in DRAM.
                let whole = t.tw >= out.w;
                if whole {
                    cols = 0..o.w;
                }
                if rows.is_empty() || cols.is_empty() {
                    return Err(DoesNotFit::NoRoom);
                }
                let in_cols = if whole {
                    0..i.w
                } else {
                    w.needed(1, &cols, kept_kx.clone(), i.w)
                };
                spatial_tiles.push(SpatialTile {
                    in_rows: w.needed(0, &rows, kept_ky.clone(), i.h),
                    in_cols,
                    rows,
                    cols,
                    out_rows: out_rows.clone(),
                    out_cols,
                });
            }
        }
        let n_ci_tiles = i.blocks.div_ceil(t.tci);
        let n = o.blocks.div_ceil(t.tco) as usize * n_ci_tiles as usize;
        let mut buckets = vec![Vec::new(); n];
        for (at, tile) in lowered.tiles.iter().enumerate() {
            buckets[(tile.co / t.tco * n_ci_tiles + tile.ci / t.tci) as usize].push(at);
        }
        let mut order = Vec::new();
        let identity_dram = d.weights_at;
        if lowered.residual.is_some() {
            order.push(None);
        }
        let mut groups = Vec::with_capacity(n);
        for bucket in buckets {
            let mut of_bucket: Vec<Group> = Vec::new();
            let mut open: Option<Group> = None;
            // Elements of the open group, by what they hold.
            let mut at: HashMap<u32, u32> = HashMap::new();
            for tile in bucket {
                let content = lowered.tiles[tile].content;
                let full = |g: &Group| g.count == t.cap && !at.contains_key(&content);
                if open.as_ref().is_some_and(full) {
                    of_bucket.extend(open.take());
                    at.clear();
                }
                let before = fit::count("weight elements of a layer", order.len())?;
                let group = open.get_or_insert_with(|| Group {
                    tiles: Vec::new(),
                    element: Vec::new(),
                    count: 0,
                    dram: d.weights_at + before,
                });
                let element = *at.entry(content).or_insert_with(|| {
                    order.push(Some(tile));
                    group.count += 1;
                    group.count - 1
                });
                group.tiles.push(tile);
                group.element.push(element);
            }
            of_bucket.extend(open);
            groups.push(of_bucket);
        }
        Ok(Self {
            lowered,
            t,
            d,
            spatial_tiles,
            groups,
            n_ci_tiles,
            in_buffers: HashMap::new(),
            wgt_buffers: HashMap::new(),
            identity: None,
            identity_dram,
            bias_buffers: HashMap::new(),
            acc_buffer: None,
            order,
        })
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let n_co_tiles = self.lowered.output.blocks.div_ceil(self.t.tco);
        let mut tile = |spatial: usize, co_tile: u32| {
            let from = steps.len();
            for ci_tile in 0..self.n_ci_tiles {
                let bucket = (co_tile * self.n_ci_tiles + ci_tile) as usize;
                for group in 0..self.groups[bucket].len() {
                    steps.push(Step {
                        spatial,
                        co_tile,
                        group: Some((bucket, group)),
                        first: false,
                        last: false,
                    });
                }
            }
            if steps.len() == from {
                steps.push(Step {
                    spatial,
                    co_tile,
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
            for co_tile in 0..n_co_tiles {
                (0..self.spatial_tiles.len()).for_each(|s| tile(s, co_tile));
            }
        } else {
            for s in 0..self.spatial_tiles.len() {
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
            inputs = self.inputs(step.spatial, &blocks, &mut inp_pins)?;
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

    /// Input blocks that a group of weights meets in a spatial, in order.
    fn needed_blocks(&self, spatial: usize, bucket: usize, group: usize) -> Vec<u32> {
        let g = &self.groups[bucket][group];
        let s = &self.spatial_tiles[spatial];
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
        spatial: usize,
        blocks: &[u32],
        pins: &mut Vec<BufferId>,
    ) -> Result<Vec<(u32, BufferId, u32)>, DoesNotFit> {
        let there = |s: &Self, b: u32| {
            let (buffer, at) = s.in_buffers.get(&(spatial, b))?;
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
        let s = self.spatial_tiles[spatial].clone();
        let size = len(&s.in_rows) * len(&s.in_cols);
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
                .insert((spatial, b), (buffer, start + n * size));
        }
        let input = self.lowered.input;
        self.d
            .load_map(&input, &missing, (&s.in_rows, &s.in_cols), buffer)?;
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
        let g = &self.groups[bucket][group];
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
        let s = self.spatial_tiles[step.spatial].clone();
        let size = fit::elements(s.sums(), n as usize)?;
        let buffer = self.d.scratchpads.inp.alloc(size, pins)?;
        if let Some((map, _)) = self.lowered.residual {
            self.d.load_map(&map, &blocks, (&s.rows, &s.cols), buffer)?;
        }
        Ok(buffer)
    }
}
