//! GEMM: loops of one vector times one matrix.
//!
//! The RTL does one step a cycle, each on the results of all steps before it
//! (the pipeline forwards the last write, `bypass_cond`; older ones are in
//! memory in time). A step only adds to its accumulator, and sums that wrap do
//! not depend on their order. So whole loops are done as tiles (`plan`), and
//! `out`, the low byte of the sum, is right after the last of them. Where
//! indices wrap, or two accumulators share an output, steps go one by one.

use super::kernel::{self, Kernel, Memory, Pixel, Tap, Tile};
use super::plan::Plan;
use super::steps::uop;
use super::{Core, Pace, Simd};
use vta_program::config::HwConfig;
use vta_program::isa::{Gemm, loop_trips};

/// Calls `f` with the sums of factors (dst, src, wgt) of each pair of loop
/// counters in order, until it returns false; they wrap in 32 bits
/// (`TensorGemmIndexGenerator`).
fn each_trip(g: &Gemm, mut f: impl FnMut([u32; 3]) -> bool) {
    let outer = [g.dst_factor_out, g.src_factor_out, g.wgt_factor_out].map(u32::from);
    let inner = [g.dst_factor_in, g.src_factor_in, g.wgt_factor_in].map(u32::from);
    let add = |a: [u32; 3], b: [u32; 3]| std::array::from_fn(|k| a[k].wrapping_add(b[k]));
    let mut o = [0u32; 3];
    for _ in 0..loop_trips(g.iter_out) {
        let mut i = o;
        for _ in 0..loop_trips(g.iter_in) {
            if !f(i) {
                return;
            }
            i = add(i, inner);
        }
        o = add(o, outer);
    }
}

impl Core {
    /// Executes GEMM.
    pub(super) fn gemm(&mut self, g: &Gemm, pace: &mut Pace<'_>) {
        match self.cfg.block {
            16 => self.gemm_block::<16>(g, pace),
            32 => self.gemm_block::<32>(g, pace),
            4 => self.gemm_block::<4>(g, pace),
            8 => self.gemm_block::<8>(g, pace),
            _ => self.gemm_block::<64>(g, pace),
        }
    }

    fn gemm_block<const B: usize>(&mut self, g: &Gemm, pace: &mut Pace<'_>) {
        self.plan.gather(g, &self.pads.uop, &self.cfg);
        if g.reset_reg {
            self.reset::<B>(g, pace);
            return;
        }
        self.packed.refresh(&self.pads);
        // SAFETY: the form was chosen among those that are available.
        unsafe {
            match self.packed.simd {
                Simd::Portable => self.products::<B, kernel::Portable>(g, pace),
                #[cfg(target_arch = "x86_64")]
                Simd::Avx2 => self.products::<B, kernel::Avx2>(g, pace),
                #[cfg(target_arch = "x86_64")]
                Simd::AvxVnni => self.products::<B, kernel::AvxVnni>(g, pace),
                #[cfg(target_arch = "x86_64")]
                Simd::Avx512Vnni => self.products::<B, kernel::Avx512Vnni>(g, pace),
                #[cfg(not(target_arch = "x86_64"))]
                _ => self.products::<B, kernel::Portable>(g, pace),
            }
        }
    }

    /// Zeroes the accumulators of all steps; `out` stays as it is.
    fn reset<const B: usize>(&mut self, g: &Gemm, pace: &mut Pace<'_>) {
        let mask = self.cfg.acc_depth - 1;
        let (acc, plan) = (&mut self.pads.acc, &self.plan);
        if plan.writes_inside(&self.cfg) && g.dst_factor_in == 1 {
            let count = loop_trips(g.iter_in) as usize;
            for run in plan.runs() {
                for o in 0..loop_trips(g.iter_out) as usize {
                    let at = run.dst as usize + o * usize::from(g.dst_factor_out);
                    acc[at * B..(at + count) * B].fill(0);
                    if !pace.done(count as u64) {
                        return;
                    }
                }
            }
            return;
        }
        each_trip(g, |[dst, ..]| {
            for run in plan.runs() {
                let at = (run.dst.wrapping_add(dst) & mask) as usize;
                acc[at * B..][..B].fill(0);
            }
            pace.done(plan.runs().len() as u64)
        });
    }

    /// # Safety
    /// The processor has the form.
    unsafe fn products<const B: usize, K: Kernel<B>>(&mut self, g: &Gemm, pace: &mut Pace<'_>) {
        let c = &self.cfg;
        let mut m = Memory {
            acc: &mut self.pads.acc,
            out: &mut self.pads.out,
            inp: &self.packed.inp,
            wgt: &self.packed.wgt,
            out_mask: c.out_depth as usize - 1,
            vectors: self.packed.simd.inp_bytes(B) / 4,
        };
        if self.plan.is_inside(c) && self.plan.keeps_outputs_apart(c) {
            // SAFETY: the largest indices of all steps are inside; the plan
            // makes tiles of those steps.
            unsafe { tiles::<B, K>(&mut self.plan, g, &mut m, pace) };
        } else {
            // SAFETY: as for this function.
            unsafe { one_by_one::<B, K>(&self.plan, g, c, &mut m, pace) };
        }
    }
}

/// Whole loops.
///
/// # Safety
/// The processor has the form; all indices of all steps are inside.
unsafe fn tiles<const B: usize, K: Kernel<B>>(
    plan: &mut Plan,
    g: &Gemm,
    m: &mut Memory<'_>,
    pace: &mut Pace<'_>,
) {
    let shape = plan.shape(g);
    let plan = &*plan;
    let pixels_all = plan.pixels().len() as u64 * u64::from(shape.row.max(1));
    let [a, b] = shape.outer;
    for i in 0..a.trips {
        for j in 0..b.trips {
            let at = |f: [u32; 2]| i as u32 * f[0] + j as u32 * f[1];
            let (dst, src, wgt) = (at([a.dst, b.dst]), at([a.src, b.src]), at([a.wgt, b.wgt]));
            for run in plan.runs() {
                let mut tile = Tile {
                    dst: dst + run.dst,
                    src,
                    wgt,
                    taps: plan.taps(run),
                    trips: shape.repeat.trips,
                    repeat: Tap {
                        src: shape.repeat.src,
                        wgt: shape.repeat.wgt,
                    },
                    pixels: &[],
                };
                // Sums do not depend on their order: long ones go in parts.
                let once = pixels_all * tile.taps.len() as u64;
                let most = Pace::times(once);
                let mut left = shape.repeat.trips;
                while left > 0 {
                    tile.trips = left.min(most);
                    left -= tile.trips;
                    // SAFETY: as for this function; pixels are apart.
                    unsafe {
                        let constant = K::constant(m, &tile);
                        if shape.row > 0 {
                            rows::<B, K>(m, &mut tile, &constant, plan.pixels(), shape.row);
                        } else {
                            pixels::<B, K>(m, &mut tile, &constant, plan.pixels());
                        }
                    }
                    tile.src += tile.trips as u32 * tile.repeat.src;
                    tile.wgt += tile.trips as u32 * tile.repeat.wgt;
                    if !pace.done(tile.trips * once) {
                        return;
                    }
                }
            }
        }
    }
}

/// The tile for pixels at any place, in parts of nearly the same size: small
/// ones wait for latencies.
///
/// # Safety
/// As [`Kernel::tile`].
unsafe fn pixels<'a, const B: usize, K: Kernel<B>>(
    m: &mut Memory<'_>,
    tile: &mut Tile<'a>,
    constant: &[i32; B],
    mut rest: &'a [Pixel],
) {
    let mut left = rest.len().div_ceil(K::MOST);
    while left > 0 {
        (tile.pixels, rest) = rest.split_at(rest.len().div_ceil(left));
        left -= 1;
        // SAFETY: as for this function.
        unsafe { sized::<B, K, false>(m, tile, constant, tile.pixels.len()) };
    }
}

/// The tile for rows of `length` pixels.
///
/// # Safety
/// As [`Kernel::tile`].
unsafe fn rows<'a, const B: usize, K: Kernel<B>>(
    m: &mut Memory<'_>,
    tile: &mut Tile<'a>,
    constant: &[i32; B],
    firsts: &'a [Pixel],
    length: u32,
) {
    let (dst, src) = (tile.dst, tile.src);
    for first in firsts.chunks_exact(1) {
        tile.pixels = first;
        (tile.dst, tile.src) = (dst, src);
        let mut rest = length as usize;
        let mut left = rest.div_ceil(K::MOST_ROW);
        while left > 0 {
            let now = rest.div_ceil(left);
            // SAFETY: as for this function.
            unsafe { sized::<B, K, true>(m, tile, constant, now) };
            tile.dst += now as u32;
            tile.src += now as u32;
            (rest, left) = (rest - now, left - 1);
        }
    }
    (tile.dst, tile.src) = (dst, src);
}

/// # Safety
/// As [`Kernel::tile`]; at most [`Kernel::MOST_ROW`] pixels for a row, else
/// [`Kernel::MOST`].
#[inline(always)]
unsafe fn sized<const B: usize, K: Kernel<B>, const ROW: bool>(
    m: &mut Memory<'_>,
    tile: &Tile<'_>,
    constant: &[i32; B],
    pixels: usize,
) {
    macro_rules! sizes {
        ($($p:literal)*) => {
            match pixels {
                // Only sizes that occur are compiled.
                // SAFETY: as for this function.
                $($p if const { $p <= if ROW { K::MOST_ROW } else { K::MOST } } => unsafe {
                    K::tile::<$p, ROW>(m, tile, constant)
                },)*
                n => unreachable!("a tile of {n} pixels"),
            }
        };
    }
    sizes!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
}

/// Each step with its masks.
///
/// # Safety
/// The processor has the form.
unsafe fn one_by_one<const B: usize, K: Kernel<B>>(
    plan: &Plan,
    g: &Gemm,
    c: &HwConfig,
    m: &mut Memory<'_>,
    pace: &mut Pace<'_>,
) {
    let masks = [c.acc_depth - 1, c.inp_depth - 1, c.wgt_depth - 1];
    each_trip(g, |sum| {
        for &word in plan.words() {
            let index = uop(word);
            let [dst, src, wgt] = std::array::from_fn(|k| index[k].wrapping_add(sum[k]) & masks[k]);
            let tile = Tile {
                dst,
                src,
                wgt,
                taps: &[Tap { src: 0, wgt: 0 }],
                trips: 1,
                repeat: Tap { src: 0, wgt: 0 },
                pixels: &[Pixel { dst: 0, src: 0 }],
            };
            // SAFETY: the masks are the depths, less one.
            unsafe {
                let constant = K::constant(m, &tile);
                K::tile::<1, false>(m, &tile, &constant);
            }
        }
        pace.done(plan.words().len() as u64)
    });
}
