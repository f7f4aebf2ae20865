//! Ways to cut a convolution, ranked by a formula: what is to be tried in the schedule.

use crate::conv::Part;
pub(crate) use crate::conv::Tiling;
use crate::cost::Cost;
use crate::lowered::{LoweredConv, Tile};
use vta_program::config::HwConfig;
use vta_program::timing::PIPELINE;

/// Tilings of which the best are looked for, by the formula: far more than are tried.
const LOOKED_AT: usize = 1024;

/// The sizes of a part that give different numbers of parts of `n`, largest first.
pub(crate) fn sizes(n: u32) -> Vec<u32> {
    let mut all: Vec<u32> = (1..=n).map(|parts| n.div_ceil(parts)).collect();
    all.dedup();
    all
}

/// A tiling, and what the formula says of it.
struct Ranked {
    tiling: Tiling,
    cycles: f64,
}

/// What the formula knows of a layer.
pub(crate) struct Formula<'a> {
    lowered: &'a LoweredConv,
    c: &'a HwConfig,
    acc: u64,
    /// Kernel rows and columns up to the last that is kept.
    pub kernel: [u32; 2],
    steps: f64,
    alu: f64,
    store: f64,
    vec_beats: f64,
    wgt_beats: f64,
    positions: f64,
}

impl<'a> Formula<'a> {
    /// That of a layer, with so many accumulators.
    pub(crate) fn new(lowered: &'a LoweredConv, c: &'a HwConfig, acc: u32) -> Self {
        let max_k = |f: fn(&Tile) -> u32| lowered.tiles.iter().map(f).max().unwrap_or(0);
        let mut positions: Vec<_> = lowered.tiles.iter().map(|t| (t.ky, t.kx)).collect();
        positions.dedup();
        let beats = |bytes: u32| f64::from(bytes) / f64::from(c.beat_bytes());
        let store = Cost::new(c).store(&lowered.stored().rows(), c.out_bytes());
        let alu = lowered.alu_cycles(lowered.output.vectors(), lowered.stored().vectors());
        Self {
            lowered,
            c,
            acc: acc.into(),
            kernel: [max_k(|t| t.ky) + 1, max_k(|t| t.kx) + 1],
            steps: lowered.gemm_steps() as f64,
            alu: alu as f64,
            store: store as f64,
            vec_beats: beats(c.inp_bytes()),
            wgt_beats: beats(c.wgt_bytes()),
            positions: positions.len().max(1) as f64,
        }
    }

    /// Sums that `n` stored rows (axis 0) or columns (axis 1) need.
    fn sums(&self, n: u32, axis: usize) -> u32 {
        let (o, s) = (&self.lowered.output, self.lowered.stored());
        let (len, all) = if axis == 0 { (o.h, s.h) } else { (o.w, s.w) };
        match &self.lowered.pool {
            Some(p) if n < all => {
                let w = &p.window;
                let reach = w.reach(axis) + 1;
                ((n - 1) * w.stride[axis] + reach).min(len)
            }
            _ if n >= all => len,
            _ => n,
        }
    }

    /// Vectors of one input block that a tile needs for a part of the kernel.
    fn area(&self, h: u32, w: u32, tk: Part) -> u64 {
        let (lowered, i) = (self.lowered, &self.lowered.input);
        let window = &lowered.window;
        let reach = |axis: usize| (tk.size[axis] - 1) * window.dilation[axis];
        let rows = ((h - 1) * window.stride[0] + reach(0) + 1).min(i.h);
        let cols = if w >= lowered.output.w && tk.whole_rows {
            i.w
        } else {
            ((w - 1) * window.stride[1] + reach(1) + 1).min(i.w)
        };
        u64::from(rows) * u64::from(cols)
    }

    /// Rows of sums that the tile above has made, of tiles of so many rows.
    fn carried(&self, t: &Tiling) -> u32 {
        match &self.lowered.pool {
            Some(p) if t.carries => {
                let both = (p.window.reach(0) + 1).saturating_sub(p.window.stride[0]);
                // A tile sums a row at least.
                both.min(self.sums(t.th, 0).saturating_sub(1))
            }
            _ => 0,
        }
    }

    /// Whether the rows of sums that two tiles need are made once: one tile comes behind
    /// the other, and there is room for both.
    fn can_carry(&self, t: &Tiling) -> bool {
        let o = self.lowered.stored();
        let one_by_one = t.co_outer || t.tco >= o.blocks;
        one_by_one
            && t.tw >= o.w
            && t.th < o.h
            && self.carried(t) > 0
            && 2 * self.tile(t) <= self.acc
    }

    /// Accumulators of a tile.
    fn tile(&self, t: &Tiling) -> u64 {
        let stored = u64::from(t.th) * u64::from(t.tw) * u64::from(self.lowered.acc_per_vector());
        let sums = match &self.lowered.pool {
            None => 0,
            Some(_) => u64::from(self.sums(t.th, 0)) * u64::from(self.sums(t.tw, 1)),
        };
        u64::from(t.tco) * (stored + sums)
    }

    /// Whether a tile and a chunk of its inputs fit.
    fn fits(&self, t: &Tiling) -> bool {
        let area = self.area(
            self.sums(t.th, 0) - self.carried(t),
            self.sums(t.tw, 1),
            t.tk,
        );
        let residual = match self.lowered.residual {
            Some(_) => u64::from(t.th) * u64::from(t.tw) * u64::from(t.tco),
            None => 0,
        };
        let inp = u64::from(self.c.inp_depth);
        self.tile(t) <= self.acc && area * u64::from(t.tci) <= inp && residual <= inp
    }

    /// Whether the inputs of two chunks fit.
    pub(crate) fn runs_ahead(&self, t: &Tiling) -> bool {
        let area = self.area(
            self.sums(t.th, 0) - self.carried(t),
            self.sums(t.tw, 1),
            t.tk,
        );
        2 * area * u64::from(t.tci) <= self.c.inp_depth.into()
    }

    /// Estimated cycles, and operations.
    fn rank(&self, t: Tiling) -> Option<Ranked> {
        let (lowered, c) = (self.lowered, self.c);
        let (o, i) = (lowered.stored(), &lowered.input);
        let (h, w) = (self.sums(t.th, 0), self.sums(t.tw, 1));
        let area = self.area(h - self.carried(&t), w, t.tk) as f64;
        let n_parts = f64::from(
            self.kernel[0].div_ceil(t.tk.size[0]) * self.kernel[1].div_ceil(t.tk.size[1]),
        );
        let n_spatial_tiles = f64::from(o.h.div_ceil(t.th) * o.w.div_ceil(t.tw));
        let n_co_tiles = f64::from(o.blocks.div_ceil(t.tco));
        let n_ci_tiles = f64::from(i.blocks.div_ceil(t.tci));
        if t.co_outer && (n_co_tiles < 1.5 || n_spatial_tiles < 1.5) {
            return None;
        }
        let depth = f64::from(c.wgt_depth);
        let weights = lowered.tiles.len() as f64;
        let per_chunk = weights / (n_co_tiles * n_ci_tiles * n_parts);
        let groups = (per_chunk / f64::from(t.cap)).ceil().max(1.0);
        if groups > 1.5 && t.cap < c.wgt_depth / 2 && per_chunk < depth / 2.0 {
            // One load of all is as good.
            return None;
        }
        let stays = weights <= depth || (t.co_outer && weights / n_co_tiles <= depth * 0.75);
        let weight_reads = if stays { 1.0 } else { n_spatial_tiles };
        let all_in = area * n_parts * f64::from(i.blocks) <= f64::from(c.inp_depth);
        let input_stays = all_in && (!t.co_outer || n_spatial_tiles < 1.5);
        let input_reads = if input_stays { 1.0 } else { n_co_tiles };
        // Rows that pools of two tiles need are summed twice.
        let again =
            n_spatial_tiles * f64::from(h) * f64::from(w) / f64::from(lowered.output.plane());
        let again = match &lowered.pool {
            Some(_) if !t.carries => again.max(1.0),
            _ => 1.0,
        };
        let copied = self.carried(&t) * o.w * o.blocks;
        let copied = f64::from(copied) * (n_spatial_tiles - 1.0);
        let residual = match lowered.residual {
            Some(_) => lowered.output.vectors() as f64 * self.vec_beats,
            None => 0.0,
        };
        let read = weights * self.wgt_beats * weight_reads
            + n_spatial_tiles * n_parts * area * f64::from(i.blocks) * self.vec_beats * input_reads
            + residual;
        let n_tiles = n_spatial_tiles * n_co_tiles;
        let chunks = n_tiles * n_ci_tiles * n_parts * groups;
        let loads = chunks * 2.0;
        let gemms = chunks * (self.positions / (n_parts * groups)).max(1.0);
        let compute =
            self.steps * again + self.alu + copied + PIPELINE as f64 * (gemms + 5.0 * n_tiles);
        let load = read + 24.0 * loads;
        let ops = gemms + 6.0 * n_tiles + loads;
        let chunk = area * f64::from(t.tci);
        // What nothing else runs beside: the last store, the first loads.
        let alone = self.tile(&t) * 2 > self.acc && n_tiles > 1.5;
        let tail = if alone {
            self.store
        } else {
            self.store / n_tiles
        };
        let head = chunk * self.vec_beats + per_chunk.min(f64::from(t.cap)) * self.wgt_beats;
        let waits = if chunk * 2.0 > f64::from(c.inp_depth) && chunks > 1.5 {
            load * 0.5
        } else {
            0.0
        };
        let busy = compute.max(load).max(self.store).max(ops * 6.0);
        Some(Ranked {
            tiling: t,
            cycles: busy + (tail + head) * 0.5 + waits,
        })
    }
}

/// Parts that a kernel can be cut into: rows of it, and columns where one row is too much.
pub(crate) fn kernel_parts(kernel: [u32; 2]) -> Vec<Part> {
    let part = |size, whole_rows| Part { size, whole_rows };
    let by_rows = sizes(kernel[0]).into_iter().skip(1);
    let by_rows = by_rows.map(|n| part([n, kernel[1]], true));
    let by_cols = sizes(kernel[1]).into_iter();
    by_rows
        .chain(by_cols.map(|n| part([1, n], false)))
        .collect()
}

/// Ways to cut that are looked at together.
pub(crate) struct Cuts<'a> {
    /// Widths of a tile.
    pub widths: &'a [u32],
    /// Parts of the kernel.
    pub parts: &'a [Part],
    /// As [`Tiling::tight`].
    pub tight: bool,
}

/// Tilings that fit, best first.
pub(crate) fn candidates(f: &Formula<'_>, cuts: &Cuts<'_>) -> Vec<Tiling> {
    let (lowered, c) = (f.lowered, f.c);
    let o = lowered.stored();
    let caps: Vec<u32> = [2, 4, 8].iter().map(|d| (c.wgt_depth / d).max(1)).collect();
    let mut found = Vec::new();
    for &tw in cuts.widths {
        for th in sizes(o.h) {
            for tco in sizes(o.blocks) {
                for tci in sizes(lowered.input.blocks) {
                    for &tk in cuts.parts {
                        let t = Tiling {
                            th,
                            tw,
                            tco,
                            tci,
                            tk,
                            cap: 1,
                            co_outer: false,
                            tight: cuts.tight,
                            carries: false,
                        };
                        if !f.fits(&t) {
                            continue;
                        }
                        for &cap in &caps {
                            for co_outer in [false, true] {
                                let t = Tiling { cap, co_outer, ..t };
                                found.extend(f.rank(t));
                                let carries = Tiling { carries: true, ..t };
                                if f.can_carry(&carries) {
                                    found.extend(f.rank(carries));
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    let by_cycles = |a: &Ranked, b: &Ranked| a.cycles.total_cmp(&b.cycles);
    if found.len() > LOOKED_AT {
        found.select_nth_unstable_by(LOOKED_AT, by_cycles);
        found.truncate(LOOKED_AT);
    }
    found.sort_by(by_cycles);
    found.into_iter().map(|r| r.tiling).collect()
}
