//! The weights of a convolution in pieces: tiles of output blocks, and for each of
//! them chunks of the sum: input blocks and a part of the kernel, in groups that are
//! loaded together.

use super::cut::{Part, Tiling};
use crate::fit::{self, DoesNotFit};
use crate::lowered::{LoweredConv, Tile};
use rustc_hash::FxHashMap;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

/// Weight elements that are loaded together.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    /// Tiles, by kernel position, then output block, then input block.
    pub tiles: Vec<GroupTile>,
    /// Elements that are loaded.
    pub count: u32,
    /// First element among the layer's.
    pub first: u32,
    /// Its tiles by kernel position.
    pub positions: Vec<Position>,
    /// Input blocks that it meets, in order.
    pub blocks: Vec<u32>,
}

/// A tile of a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupTile {
    /// Output and input block.
    pub co: u32,
    pub ci: u32,
    /// Its element among those that are loaded.
    pub element: u32,
}

/// Tiles of a group at one kernel position.
#[derive(Debug, Clone)]
pub(super) struct Position {
    /// Kernel row and column.
    pub ky: u32,
    pub kx: u32,
    /// Where they are among the group's.
    pub tiles: Range<usize>,
}

/// Kernel rows and columns of a chunk, from the first that is kept to the last.
type KernelPart = [RangeInclusive<u32>; 2];

/// A layer's weights in pieces.
#[derive(Debug)]
pub(crate) struct WeightCut {
    /// Parts of the kernel, row by row.
    pub(super) parts: Vec<KernelPart>,
    /// Tiles of output blocks.
    pub(super) n_co_tiles: u32,
    n_ci_tiles: u32,
    /// Weights of each tile of output blocks, part of the kernel and chunk of input blocks.
    pub(super) groups: Vec<Vec<Group>>,
    /// Tiles whose bytes follow each other in DRAM; none is the identity.
    order: Vec<Option<usize>>,
    /// Tiles of the largest chunk.
    largest: u32,
}

/// The parts of an axis of `n` in pieces of `by`.
pub(super) fn pieces(n: u32, by: u32) -> impl Iterator<Item = Range<u32>> {
    (0..n.div_ceil(by)).map(move |i| i * by..(i * by + by).min(n))
}

/// The kernel rows (or columns) that are kept, from the first to the last, in
/// pieces of `by`; where none is kept, any.
fn kept(tiles: &[Tile], by: u32, at: fn(&Tile) -> u32) -> Vec<RangeInclusive<u32>> {
    let first = tiles.iter().map(at).min().unwrap_or(0);
    let last = tiles.iter().map(at).max().unwrap_or(0);
    let piece = |r: Range<u32>| first + r.start..=first + r.end - 1;
    pieces(last - first + 1, by).map(piece).collect()
}

/// Most chunks of a layer: a schedule of more would fill gigabytes.
pub(super) const MOST_CHUNKS: u64 = 1 << 22;

impl WeightCut {
    /// The pieces of a layer's weights.
    ///
    /// # Errors
    /// More than can be counted.
    pub(crate) fn new(lowered: &LoweredConv, t: &Tiling) -> Result<Self, DoesNotFit> {
        let (o, i) = (&lowered.output, &lowered.input);
        let [ky, kx] = [
            kept(&lowered.tiles, t.tk.size[0], |t| t.ky),
            kept(&lowered.tiles, t.tk.size[1], |t| t.kx),
        ];
        let (n_co_tiles, n_ci_tiles) = (o.blocks.div_ceil(t.tco), i.blocks.div_ceil(t.tci));
        let of_tile = (ky.len() * kx.len()).saturating_mul(n_ci_tiles as usize);
        let all = (n_co_tiles as usize).saturating_mul(of_tile);
        if all as u64 > MOST_CHUNKS {
            return Err(DoesNotFit::TooLarge("chunks of a layer"));
        }
        let part = |k: u32, axis: &[RangeInclusive<u32>], by: u32| (k - axis[0].start()) / by;
        let bucket = |tile: &Tile| {
            let (y, x) = (
                part(tile.ky, &ky, t.tk.size[0]),
                part(tile.kx, &kx, t.tk.size[1]),
            );
            let part = y as usize * kx.len() + x as usize;
            let chunk = part * n_ci_tiles as usize + (tile.ci / t.tci) as usize;
            (tile.co / t.tco) as usize * of_tile + chunk
        };
        // Tiles by bucket, in order: where each bucket starts, then who is in it.
        let mut starts = vec![0usize; all + 1];
        let buckets: Vec<usize> = lowered.tiles.iter().map(bucket).collect();
        buckets.iter().for_each(|b| starts[b + 1] += 1);
        let largest = starts.iter().copied().max().unwrap_or(0);
        for b in 0..all {
            starts[b + 1] += starts[b];
        }
        let mut next = starts.clone();
        let mut sorted = vec![0; buckets.len()];
        for (tile, &b) in buckets.iter().enumerate() {
            sorted[next[b]] = tile;
            next[b] += 1;
        }
        let mut order = Vec::with_capacity(buckets.len() + 1);
        if lowered.residual.is_some() {
            order.push(None);
        }
        let mut met = vec![false; i.blocks as usize];
        let ranges = starts.windows(2).map(|w| &sorted[w[0]..w[1]]);
        let groups = ranges.map(|bucket| groups(lowered, bucket, t.cap, &mut order, &mut met));
        let groups = groups.collect::<Result<_, _>>()?;
        Ok(Self {
            parts: ky
                .iter()
                .flat_map(|y| kx.iter().map(|x| [y.clone(), x.clone()]))
                .collect(),
            n_co_tiles,
            n_ci_tiles,
            groups,
            order,
            largest: fit::count("weight elements of a layer", largest)?,
        })
    }

    /// Tiles whose bytes follow each other in DRAM, by index; none is the identity.
    pub(crate) fn order(&self) -> &[Option<usize>] {
        &self.order
    }

    /// Indices of the weights of a tile of output blocks.
    pub(super) fn buckets(&self, co_tile: u32) -> Range<usize> {
        let n = self.parts.len() * self.n_ci_tiles as usize;
        co_tile as usize * n..(co_tile as usize + 1) * n
    }

    /// The part of the kernel that weights are of.
    pub(super) fn part_of(&self, bucket: usize) -> usize {
        bucket / self.n_ci_tiles as usize % self.parts.len()
    }
}

/// Weights of a bucket in groups of `cap` elements, behind those in `order`. `met` has
/// nothing set, before and after.
fn groups(
    lowered: &LoweredConv,
    bucket: &[usize],
    cap: u32,
    order: &mut Vec<Option<usize>>,
    met: &mut [bool],
) -> Result<Vec<Group>, DoesNotFit> {
    let mut all: Vec<Group> = Vec::new();
    // Elements of the last group, by what they hold, where elements repeat.
    let repeats = (lowered.contents as usize) < lowered.tiles.len();
    let mut known: FxHashMap<u32, u32> = FxHashMap::default();
    for &tile in bucket {
        let t = &lowered.tiles[tile];
        let is_full = |g: &Group| g.count == cap && !known.contains_key(&t.content);
        if all.last().is_none_or(is_full) {
            known.clear();
            let room = bucket.len().min(cap as usize);
            all.push(Group {
                tiles: Vec::with_capacity(room),
                first: fit::count("weight elements of a layer", order.len())?,
                ..Group::default()
            });
        }
        let Some(group) = all.last_mut() else {
            continue;
        };
        let element = match known.get(&t.content) {
            Some(&element) => element,
            None => {
                order.push(Some(tile));
                group.count += 1;
                group.count - 1
            }
        };
        if repeats {
            known.insert(t.content, element);
        }
        let at = group.tiles.len();
        match group.positions.last_mut() {
            Some(p) if (p.ky, p.kx) == (t.ky, t.kx) => p.tiles.end = at + 1,
            _ => group.positions.push(Position {
                ky: t.ky,
                kx: t.kx,
                tiles: at..at + 1,
            }),
        }
        group.tiles.push(GroupTile {
            co: t.co,
            ci: t.ci,
            element,
        });
    }
    for group in &mut all {
        let inputs = || group.tiles.iter().map(|t| t.ci);
        inputs().for_each(|ci| met[ci as usize] = true);
        let blocks = (0u32..).zip(met.iter()).filter(|(_, met)| **met);
        group.blocks = blocks.map(|(ci, _)| ci).collect();
        inputs().for_each(|ci| met[ci as usize] = false);
    }
    Ok(all)
}

/// What of a tiling cuts the weights.
type Key = (u32, u32, Part);

/// The ways in which a layer's weights were cut so far.
#[derive(Debug, Default)]
pub(crate) struct WeightCuts {
    /// Tiles of the largest chunk: loads of more are the same.
    largest: FxHashMap<Key, u32>,
    known: FxHashMap<(Key, u32), Arc<WeightCut>>,
}

impl WeightCuts {
    /// The weights for a tiling, and the tiling with the least size of loads that cuts
    /// them so.
    ///
    /// # Errors
    /// As [`WeightCut::new`].
    pub(crate) fn of(
        &mut self,
        lowered: &LoweredConv,
        t: Tiling,
    ) -> Result<(Tiling, Arc<WeightCut>), DoesNotFit> {
        let key = (t.tco, t.tci, t.tk);
        let least = |largest: u32| Tiling {
            cap: t.cap.min(largest.max(1)),
            ..t
        };
        if let Some(&largest) = self.largest.get(&key) {
            let t = least(largest);
            if let Some(cut) = self.known.get(&(key, t.cap)) {
                return Ok((t, cut.clone()));
            }
        }
        let cut = Arc::new(WeightCut::new(lowered, &t)?);
        let t = least(cut.largest);
        self.largest.insert(key, cut.largest);
        self.known.insert((key, t.cap), cut.clone());
        Ok((t, cut))
    }
}
