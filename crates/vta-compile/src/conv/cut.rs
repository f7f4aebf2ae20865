//! What a convolution is cut into: tiles of the map, tiles of output blocks, and
//! for each of them chunks of the sum: input blocks and a part of the kernel.

use crate::fit::{self, DoesNotFit};
use crate::lowered::{LoweredConv, Tile};
use crate::map::{FMap, len};
use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};

/// How much of a kernel is in a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Kernel rows and columns.
    pub size: [u32; 2],
    /// A tile of whole rows loads whole input rows, which follow each other in DRAM.
    pub whole_rows: bool,
}

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
    /// Part of the kernel of a chunk.
    pub tk: Part,
    /// Weight elements of a load.
    pub cap: u32,
    /// Output blocks in the outer loop, tiles of the map in the inner one.
    pub co_outer: bool,
    /// What is there is loaded again where it is in the way of other loads.
    pub tight: bool,
}

/// Weight elements that are loaded together.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// Indices of tiles.
    pub tiles: Vec<usize>,
    /// For each of them, its index among the elements that are loaded.
    pub element: Vec<u32>,
    /// Elements that are loaded.
    pub count: u32,
    /// First element in the segment.
    pub dram: u32,
}

/// A part of the output map.
#[derive(Debug, Clone)]
pub(super) struct SpatialTile {
    /// Rows and columns of sums.
    pub rows: Range<u32>,
    pub cols: Range<u32>,
    /// Rows and columns that are stored: the same, or those of the pool.
    pub out_rows: Range<u32>,
    pub out_cols: Range<u32>,
}

impl SpatialTile {
    /// Sums of one block.
    pub fn sums(&self) -> u32 {
        len(&self.rows) * len(&self.cols)
    }

    /// Vectors of one block that are stored.
    pub fn stored(&self) -> u32 {
        len(&self.out_rows) * len(&self.out_cols)
    }
}

/// Kernel rows and columns of a chunk, from the first that is kept to the last.
type KernelPart = [RangeInclusive<u32>; 2];

/// A layer in pieces.
pub(super) struct Cut {
    /// Parts of the output map.
    pub spatial_tiles: Vec<SpatialTile>,
    /// Parts of the kernel, row by row.
    pub parts: Vec<KernelPart>,
    /// Tiles of output blocks.
    pub n_co_tiles: u32,
    n_ci_tiles: u32,
    /// Whole input rows are loaded.
    whole_rows: bool,
    /// Weights of each tile of output blocks, part of the kernel and chunk of input blocks.
    pub groups: Vec<Vec<Group>>,
    /// Tiles whose bytes follow each other in DRAM; none is the identity.
    pub order: Vec<Option<usize>>,
}

/// The parts of an axis of `n` in pieces of `by`.
fn pieces(n: u32, by: u32) -> impl Iterator<Item = Range<u32>> {
    (0..n.div_ceil(by)).map(move |i| i * by..(i * by + by).min(n))
}

/// Most chunks of a layer: a schedule of more would fill gigabytes.
const MOST_CHUNKS: u64 = 1 << 22;

/// Counts what a layer is cut into: tiles of the map, times tiles of output blocks,
/// times parts of the kernel and chunks of input blocks.
///
/// # Errors
/// More than a schedule can hold.
fn chunks(out: &FMap, t: &Tiling, blocks: u64, parts: usize) -> Result<(), DoesNotFit> {
    let tiles = u64::from(out.h.div_ceil(t.th)) * u64::from(out.w.div_ceil(t.tw));
    let n_co_tiles = blocks.div_ceil(t.tco.into());
    let all = tiles.saturating_mul(n_co_tiles);
    match all.saturating_mul(parts as u64) {
        0..=MOST_CHUNKS => Ok(()),
        _ => Err(DoesNotFit::TooLarge("chunks of a layer")),
    }
}

/// The parts of a map of sums, and of what is stored of it.
fn spatial_tiles(lowered: &LoweredConv, t: &Tiling) -> Result<Vec<SpatialTile>, DoesNotFit> {
    let (o, out) = (&lowered.output, lowered.stored());
    let mut all = Vec::new();
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
            if t.tw >= out.w {
                cols = 0..o.w;
            }
            if rows.is_empty() || cols.is_empty() {
                return Err(DoesNotFit::NoRoom);
            }
            all.push(SpatialTile {
                rows,
                cols,
                out_rows: out_rows.clone(),
                out_cols,
            });
        }
    }
    Ok(all)
}

/// The kernel rows (or columns) that are kept, from the first to the last, in
/// pieces of `by`; where none is kept, any.
fn kept(tiles: &[Tile], by: u32, at: fn(&Tile) -> u32) -> Vec<RangeInclusive<u32>> {
    let first = tiles.iter().map(at).min().unwrap_or(0);
    let last = tiles.iter().map(at).max().unwrap_or(0);
    let piece = |r: Range<u32>| first + r.start..=first + r.end - 1;
    pieces(last - first + 1, by).map(piece).collect()
}

impl Cut {
    /// The pieces of a layer whose weights start at `weights_at` of their segment.
    ///
    /// # Errors
    /// More than can be counted, or a pool whose outputs meet nothing.
    pub fn new(lowered: &LoweredConv, t: &Tiling, weights_at: u32) -> Result<Self, DoesNotFit> {
        let (o, i) = (&lowered.output, &lowered.input);
        let [ky, kx] = [
            kept(&lowered.tiles, t.tk.size[0], |t| t.ky),
            kept(&lowered.tiles, t.tk.size[1], |t| t.kx),
        ];
        let (n_co_tiles, n_ci_tiles) = (o.blocks.div_ceil(t.tco), i.blocks.div_ceil(t.tci));
        let of_tile = ky.len() * kx.len() * n_ci_tiles as usize;
        chunks(lowered.stored(), t, o.blocks.into(), of_tile)?;
        let mut buckets = vec![Vec::new(); n_co_tiles as usize * of_tile];
        for (at, tile) in lowered.tiles.iter().enumerate() {
            let part = |k: u32, axis: &[RangeInclusive<u32>], by: u32| (k - axis[0].start()) / by;
            let (y, x) = (
                part(tile.ky, &ky, t.tk.size[0]),
                part(tile.kx, &kx, t.tk.size[1]),
            );
            let part = y as usize * kx.len() + x as usize;
            let chunk = part * n_ci_tiles as usize + (tile.ci / t.tci) as usize;
            buckets[(tile.co / t.tco) as usize * of_tile + chunk].push(at);
        }
        let mut order = Vec::new();
        if lowered.residual.is_some() {
            order.push(None);
        }
        let groups = buckets
            .into_iter()
            .map(|bucket| groups(lowered, bucket, t.cap, weights_at, &mut order));
        Ok(Self {
            spatial_tiles: spatial_tiles(lowered, t)?,
            groups: groups.collect::<Result<_, _>>()?,
            parts: ky
                .iter()
                .flat_map(|y| kx.iter().map(|x| [y.clone(), x.clone()]))
                .collect(),
            n_co_tiles,
            n_ci_tiles,
            whole_rows: t.tk.whole_rows && t.tw >= lowered.stored().w,
            order,
        })
    }

    /// Indices of the weights of a tile of output blocks.
    pub fn buckets(&self, co_tile: u32) -> Range<usize> {
        let n = self.parts.len() * self.n_ci_tiles as usize;
        co_tile as usize * n..(co_tile as usize + 1) * n
    }

    /// The part of the kernel that weights are of.
    pub fn part_of(&self, bucket: usize) -> usize {
        bucket / self.n_ci_tiles as usize % self.parts.len()
    }

    /// Input rows and columns that a tile of the map needs for a part of the kernel.
    pub fn met(&self, lowered: &LoweredConv, spatial: usize, part: usize) -> [Range<u32>; 2] {
        let (s, [ky, kx]) = (&self.spatial_tiles[spatial], self.parts[part].clone());
        let (w, i) = (&lowered.window, &lowered.input);
        let rows = w.needed(0, &s.rows, ky, i.h);
        let cols = match self.whole_rows {
            true => 0..i.w,
            false => w.needed(1, &s.cols, kx, i.w),
        };
        [rows, cols]
    }
}

/// Weights of a bucket in groups of `cap` elements, behind those in `order`.
fn groups(
    lowered: &LoweredConv,
    bucket: Vec<usize>,
    cap: u32,
    weights_at: u32,
    order: &mut Vec<Option<usize>>,
) -> Result<Vec<Group>, DoesNotFit> {
    let mut all: Vec<Group> = Vec::new();
    let mut open: Option<Group> = None;
    // Elements of the open group, by what they hold.
    let mut at: HashMap<u32, u32> = HashMap::new();
    for tile in bucket {
        let content = lowered.tiles[tile].content;
        let full = |g: &Group| g.count == cap && !at.contains_key(&content);
        if open.as_ref().is_some_and(full) {
            all.extend(open.take());
            at.clear();
        }
        let before = fit::count("weight elements of a layer", order.len())?;
        let group = open.get_or_insert_with(|| Group {
            tiles: Vec::new(),
            element: Vec::new(),
            count: 0,
            dram: weights_at + before,
        });
        let element = *at.entry(content).or_insert_with(|| {
            order.push(Some(tile));
            group.count += 1;
            group.count - 1
        });
        group.tiles.push(tile);
        group.element.push(element);
    }
    all.extend(open);
    Ok(all)
}
