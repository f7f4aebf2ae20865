//! What a convolution is cut into: tiles of the map, and for each of them its weights
//! in pieces.

use super::weights::{Group, MOST_CHUNKS, Position, WeightCut, pieces};
use crate::fit::DoesNotFit;
use crate::lowered::LoweredConv;
use crate::map::{FMap, len, meet};
use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

/// How much of a kernel is in a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// Rows of sums that the pool of the tile above needs too are taken from there.
    pub carries: bool,
}

/// A part of the output map.
#[derive(Debug, Clone)]
pub(super) struct SpatialTile {
    /// Rows and columns of sums.
    pub rows: Range<u32>,
    pub cols: Range<u32>,
    /// The rows that are summed for this tile: the others, above them, are there.
    pub summed: Range<u32>,
    /// Rows and columns that are stored: the same, or those of the pool.
    pub out_rows: Range<u32>,
    pub out_cols: Range<u32>,
    /// Which kernel rows and columns meet more than padding.
    pub met_rows: Vec<bool>,
    pub met_cols: Vec<bool>,
    /// Whether all of them do.
    pub meets_all: bool,
}

impl SpatialTile {
    /// Sums of one block.
    pub fn sums(&self) -> u32 {
        len(&self.rows) * len(&self.cols)
    }

    /// Accumulators of one block: sums where they are pooled, what is stored.
    pub fn accumulators(&self, lowered: &LoweredConv) -> u32 {
        let stored = self.stored() * lowered.acc_per_vector();
        match lowered.pool {
            None => stored,
            Some(_) => self.sums() + stored,
        }
    }

    /// Sums of one block that the tile above has made.
    pub fn carried(&self) -> u32 {
        (self.summed.start - self.rows.start) * len(&self.cols)
    }

    /// Vectors of one block that are stored.
    pub fn stored(&self) -> u32 {
        len(&self.out_rows) * len(&self.out_cols)
    }
}

/// A layer in pieces.
pub(super) struct Cut<'a> {
    /// Parts of the output map.
    pub spatial_tiles: Rc<[SpatialTile]>,
    /// Weights, by tile of output blocks, part of the kernel and chunk of input blocks.
    pub weights: &'a WeightCut,
    /// Whole input rows are loaded.
    whole_rows: bool,
}

/// Counts what a layer is cut into: tiles of the map, times chunks of weights.
///
/// # Errors
/// More than a schedule can hold.
fn chunks(out: &FMap, t: &Tiling, weights: &WeightCut) -> Result<(), DoesNotFit> {
    let tiles = u64::from(out.h.div_ceil(t.th)) * u64::from(out.w.div_ceil(t.tw));
    match tiles.saturating_mul(weights.groups.len() as u64) {
        0..=MOST_CHUNKS => Ok(()),
        _ => Err(DoesNotFit::TooLarge("chunks of a layer")),
    }
}

/// The parts of a map of sums, and of what is stored of it.
fn spatial_tiles(lowered: &LoweredConv, t: &Tiling) -> Result<Vec<SpatialTile>, DoesNotFit> {
    let (o, out) = (&lowered.output, lowered.stored());
    let mut all: Vec<SpatialTile> = Vec::new();
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
            let above = all.last().filter(|_| t.carries).map_or(0, |s| s.rows.end);
            let summed = rows.start.max(above).min(rows.end)..rows.end;
            // At the end of a map a tile may have nothing to sum: others have no such tile.
            if summed.is_empty() {
                return Err(DoesNotFit::NoRoom);
            }
            let meets = |r| meet(r, &summed);
            let met_rows: Vec<bool> = lowered.met_rows.iter().map(meets).collect();
            let met_cols: Vec<bool> = lowered.met_cols.iter().map(|r| meet(r, &cols)).collect();
            all.push(SpatialTile {
                meets_all: met_rows.iter().chain(&met_cols).all(|met| *met),
                met_rows,
                met_cols,
                rows,
                summed,
                cols,
                out_rows: out_rows.clone(),
                out_cols,
            });
        }
    }
    Ok(all)
}

impl<'w> Cut<'w> {
    /// The pieces of a layer.
    ///
    /// # Errors
    /// More than can be counted, or a pool whose outputs meet nothing.
    pub fn new(
        lowered: &LoweredConv,
        t: &Tiling,
        weights: &'w WeightCut,
    ) -> Result<Self, DoesNotFit> {
        let out = lowered.stored();
        chunks(out, t, weights)?;
        Ok(Self {
            spatial_tiles: spatial_tiles(lowered, t)?.into(),
            weights,
            whole_rows: t.tk.whole_rows && t.tw >= out.w,
        })
    }

    /// Input rows and columns that a tile of the map needs for a part of the kernel.
    pub fn met(&self, lowered: &LoweredConv, spatial: usize, part: usize) -> [Range<u32>; 2] {
        let (s, [ky, kx]) = (
            &self.spatial_tiles[spatial],
            self.weights.parts[part].clone(),
        );
        let (w, i) = (&lowered.window, &lowered.input);
        let rows = w.needed(0, &s.summed, ky, i.h);
        let cols = match self.whole_rows {
            true => 0..i.w,
            false => w.needed(1, &s.cols, kx, i.w),
        };
        [rows, cols]
    }

    /// Input blocks that a group of weights meets in a tile of the map, in order.
    pub fn needed_blocks<'a>(&self, spatial: usize, group: &'a Group) -> Cow<'a, [u32]> {
        let s = &self.spatial_tiles[spatial];
        let is_met = |p: &&Position| s.met_rows[p.ky as usize] && s.met_cols[p.kx as usize];
        if s.meets_all || group.positions.iter().all(|p| is_met(&p)) {
            return Cow::Borrowed(&group.blocks);
        }
        let met = group.positions.iter().filter(is_met);
        let tiles = met.flat_map(|p| &group.tiles[p.tiles.clone()]);
        let mut blocks: Vec<u32> = tiles.map(|t| t.ci).collect();
        blocks.sort_unstable();
        blocks.dedup();
        Cow::Owned(blocks)
    }
}
