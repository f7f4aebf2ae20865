//! How the loops of a GEMM become tiles.
//!
//! The micro-ops on one accumulator are a *run*: its products are summed in
//! registers. A loop with a `dst` factor and no `wgt`
//! factor walks over *pixels*, which share the weights. A loop without a `dst`
//! factor *repeats* the run at other inputs or weights. What is left goes
//! around everything.

use super::kernel::{Pixel, Tap};
use super::steps::{uop, uop_index};
use vta_program::config::HwConfig;
use vta_program::isa::{Gemm, U_DST_BITS, loop_trips, uop_trips};

/// Micro-ops on one accumulator.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) dst: u32,
    first: u32,
    count: u32,
}

/// One of the two loops.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loop {
    pub(super) trips: u64,
    pub(super) dst: u32,
    pub(super) src: u32,
    pub(super) wgt: u32,
}

impl Loop {
    const ONCE: Self = Self {
        trips: 1,
        dst: 0,
        src: 0,
        wgt: 0,
    };

    const fn is_pixels(&self) -> bool {
        self.trips > 1 && self.dst != 0 && self.wgt == 0
    }

    /// How far the destinations of its trips reach.
    const fn reach(&self) -> u64 {
        (self.trips - 1) * self.dst as u64
    }
}

/// What the loops are for; the pixels are in the plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Around everything.
    pub(super) outer: [Loop; 2],
    /// Inside a tile; its `dst` is 0.
    pub(super) repeat: Loop,
    /// If not 0, each pixel of the plan is the first of so many in a row, which
    /// follow each other in accumulators and inputs.
    pub(super) row: u32,
}

/// Lists that are filled for each instruction; their memory is kept.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    words: Vec<u32>,
    taps: Vec<Tap>,
    runs: Vec<Run>,
    /// By `dst` of a micro-op: its run, if that has this `dst`.
    run_of: Vec<u32>,
    pixels: Vec<Pixel>,
    /// Largest index of dst, src, wgt before any wraps.
    most: [u64; 3],
}

fn loops(g: &Gemm) -> [Loop; 2] {
    [
        Loop {
            trips: loop_trips(g.iter_out),
            dst: g.dst_factor_out.into(),
            src: g.src_factor_out.into(),
            wgt: g.wgt_factor_out.into(),
        },
        Loop {
            trips: loop_trips(g.iter_in),
            dst: g.dst_factor_in.into(),
            src: g.src_factor_in.into(),
            wgt: g.wgt_factor_in.into(),
        },
    ]
}

impl Plan {
    /// Decodes the micro-ops and brings those of one accumulator together.
    pub(super) fn gather(&mut self, g: &Gemm, uops: &[u32], c: &HwConfig) {
        let trips = uop_trips(g.uop_bgn, g.uop_end);
        self.words.clear();
        let bgn = usize::from(g.uop_bgn);
        match uops.get(bgn..bgn + trips as usize) {
            Some(words) => self.words.extend_from_slice(words),
            None => {
                let index = |n| uop_index(g.uop_bgn, n, c.uop_depth);
                self.words.extend((0..trips).map(|n| uops[index(n)]));
            }
        }
        let most = self.words.iter().fold([0; 3], |most: [u32; 3], word| {
            let index = uop(*word);
            std::array::from_fn(|k| most[k].max(index[k]))
        });
        let factors = loops(g).map(|l| [l.dst, l.src, l.wgt].map(|f| (l.trips - 1) * u64::from(f)));
        self.most = std::array::from_fn(|k| u64::from(most[k]) + factors[0][k] + factors[1][k]);
        self.runs.clear();
        self.taps.clear();
        let dst = |word: &u32| uop(*word)[0];
        match self.words.first().map(dst) {
            Some(one) if self.words.iter().all(|w| dst(w) == one) => {
                let tap = |word: &u32| {
                    let [_, src, wgt] = uop(*word);
                    Tap { src, wgt }
                };
                self.taps.extend(self.words.iter().map(tap));
                self.runs.push(Run {
                    dst: one,
                    first: 0,
                    count: trips as u32,
                });
            }
            _ => self.split(),
        }
    }

    /// Sorts the micro-ops by accumulator, in the order in which each comes first.
    fn split(&mut self) {
        self.run_of.resize(1 << U_DST_BITS, 0);
        for &word in &self.words {
            let dst = uop(word)[0];
            // What is left from other instructions points to another run.
            let known = &mut self.run_of[dst as usize];
            match self.runs.get_mut(*known as usize) {
                Some(run) if run.dst == dst => run.count += 1,
                _ => {
                    *known = self.runs.len() as u32;
                    let (first, count) = (0, 1);
                    self.runs.push(Run { dst, first, count });
                }
            }
        }
        let mut first = 0;
        for run in &mut self.runs {
            run.first = first;
            first += std::mem::take(&mut run.count);
        }
        self.taps.resize(self.words.len(), Tap { src: 0, wgt: 0 });
        for &word in &self.words {
            let [dst, src, wgt] = uop(word);
            let run = &mut self.runs[self.run_of[dst as usize] as usize];
            self.taps[(run.first + run.count) as usize] = Tap { src, wgt };
            run.count += 1;
        }
    }

    /// Whether no index of any step wraps.
    pub(super) fn is_inside(&self, c: &HwConfig) -> bool {
        let [_, src, wgt] = self.most;
        self.writes_inside(c) && src < c.inp_depth.into() && wgt < c.wgt_depth.into()
    }

    /// Whether no destination of any step wraps.
    pub(super) fn writes_inside(&self, c: &HwConfig) -> bool {
        self.most[0] < c.acc_depth.into()
    }

    /// Whether no two accumulators of the steps, which do not wrap, share an
    /// output element.
    pub(super) fn keeps_outputs_apart(&self, c: &HwConfig) -> bool {
        self.most[0] < c.out_depth.into()
    }

    /// The micro-ops as they are.
    pub(super) fn words(&self) -> &[u32] {
        &self.words
    }

    /// The runs in order.
    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The products of a run.
    pub(super) fn taps(&self, run: &Run) -> &[Tap] {
        &self.taps[run.first as usize..][..run.count as usize]
    }

    /// The pixels, of which no two have the same destination.
    pub(super) fn pixels(&self) -> &[Pixel] {
        &self.pixels
    }

    /// Gives each loop its part and lists the pixels.
    pub(super) fn shape(&mut self, g: &Gemm) -> Shape {
        let [o, i] = loops(g);
        self.pixels.clear();
        let apart = o.reach() < i.dst.into() || i.reach() < o.dst.into();
        let (mut walk, mut rest) = ([Loop::ONCE; 2], [o, i]);
        match (o.is_pixels(), i.is_pixels()) {
            (true, true) if apart => (walk, rest) = (rest, walk),
            (true, both) if !both || o.trips > i.trips => {
                (walk[0], rest[0]) = (o, Loop::ONCE);
            }
            (_, true) => (walk[1], rest[1]) = (i, Loop::ONCE),
            _ => {}
        }
        let row = take_row(&mut walk);
        for a in 0..walk[0].trips as u32 {
            for b in 0..walk[1].trips as u32 {
                self.pixels.push(Pixel {
                    dst: a * walk[0].dst + b * walk[1].dst,
                    src: a * walk[0].src + b * walk[1].src,
                });
            }
        }
        let mut repeat = Loop::ONCE;
        let longest = if rest[0].dst == 0 && (rest[1].dst != 0 || rest[0].trips > rest[1].trips) {
            0
        } else {
            1
        };
        if rest[longest].dst == 0 {
            repeat = std::mem::replace(&mut rest[longest], Loop::ONCE);
        }
        Shape {
            outer: rest,
            repeat,
            row,
        }
    }
}

/// Shorter rows are better off as single pixels.
const SHORTEST_ROW: u64 = 6;

/// Takes a row out of the loops over pixels, if they make one; 0 if not.
fn take_row(walk: &mut [Loop; 2]) -> u32 {
    let is_row = |l: &Loop| l.dst == 1 && l.src == 1 && l.trips >= SHORTEST_ROW;
    let Some(k) = walk.iter().position(is_row) else {
        return 0;
    };
    let row = std::mem::replace(&mut walk[k], Loop::ONCE).trips as u32;
    // The other loop may go on where the row ends.
    let other = &mut walk[1 - k];
    if other.dst == row && other.src == row {
        return row * std::mem::replace(other, Loop::ONCE).trips as u32;
    }
    row
}
