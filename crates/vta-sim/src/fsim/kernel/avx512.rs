//! AVX-512 VNNI: a vector holds two parts of eight sums.
//!
//! Processors take two products of 64 bytes a cycle, but hardly more than one
//! load of 64 bytes. So eight bytes of inputs go into all of a vector with one
//! load and serve two products: each eighth of a vector of weights is an output,
//! and each lane sums its four bytes of it. The two lanes of a sum are added
//! once, at the end of a tile. With sixteen bytes a load there are four lanes to
//! a sum, which costs more than it saves: most sums have few products.

use super::{Kernel, Memory, Pixel, Tile};
use std::arch::x86_64::*;

/// See [`super::super::Simd::Avx512Vnni`].
pub(in crate::fsim) struct Avx512Vnni;

/// Outputs of a group.
const OUTPUTS: usize = 16;

/// Inputs of a load.
const INPUTS: usize = 8;

/// Sums of a group of outputs: two vectors.
type Sums = [__m512i; 2];

/// Adds the products of all taps and trips to the sums of a group of outputs;
/// `$inputs` loads for pixel `$p`, `$byte` bytes after its first input.
macro_rules! sum_up {
    ($m:ident, $tile:ident, $group:ident, $sum:ident, |$p:ident, $byte:ident| $inputs:expr) => {{
        let (mut src, mut wgt) = (0usize, $tile.wgt as usize);
        for _ in 0..$tile.trips {
            for t in $tile.taps {
                let element = $m.wgt.as_ptr().add((wgt + t.wgt as usize) * B * B);
                let element = element.add($group * OUTPUTS * B);
                let at = (src + t.src as usize) * B;
                for k in 0..B / INPUTS {
                    let w = element.add(k * OUTPUTS * INPUTS);
                    let low = _mm512_loadu_si512(w.cast());
                    let high = _mm512_loadu_si512(w.add(64).cast());
                    let $byte = at + k * INPUTS;
                    for $p in 0..$sum.len() {
                        let inputs = $inputs;
                        let [a, b] = $sum[$p];
                        $sum[$p] = [
                            _mm512_dpbusd_epi32(a, inputs, low),
                            _mm512_dpbusd_epi32(b, inputs, high),
                        ];
                    }
                }
            }
            src += $tile.repeat.src as usize;
            wgt += $tile.repeat.wgt as usize;
        }
    }};
}

impl<const B: usize> Kernel<B> for Avx512Vnni {
    const MOST: usize = 8;
    // Two vectors of sums each, two of weights and one of inputs.
    const MOST_ROW: usize = 14;

    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn constant(m: &Memory<'_>, tile: &Tile<'_>) -> [i32; B] {
        let mut all = [0; B];
        // What inputs have too much.
        let more = _mm512_set1_epi8(-128);
        for group in 0..B / OUTPUTS {
            let mut sum: [Sums; 1] = [[_mm512_setzero_si512(); 2]];
            // SAFETY: the caller promises that all indices are inside. A group
            // of outputs has `OUTPUTS * B` bytes of an element, and `all` has
            // `OUTPUTS` values for each.
            unsafe {
                sum_up!(m, tile, group, sum, |p, _byte| more);
                let s = _mm512_sub_epi32(_mm512_setzero_si512(), outputs(sum[0]));
                _mm512_storeu_si512(all.as_mut_ptr().add(group * OUTPUTS).cast(), s);
            }
        }
        all
    }

    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn tile<const P: usize, const ROW: bool>(
        m: &mut Memory<'_>,
        tile: &Tile<'_>,
        constant: &[i32; B],
    ) {
        const { assert!(B.is_multiple_of(OUTPUTS) || B < OUTPUTS) };
        // SAFETY: the caller promises that all indices are inside. A group of
        // outputs has `OUTPUTS * B` bytes of a weight element, and `OUTPUTS` sums.
        unsafe {
            let acc = m.acc.as_mut_ptr();
            let first = tile.pixels.as_ptr();
            let (mut at, mut from) = ([0; P], [m.inp.as_ptr(); P]);
            for p in 0..P {
                let (pixel, more) = if ROW { (0, p) } else { (p, 0) };
                let Pixel { dst, src } = *first.add(pixel);
                at[p] = (tile.dst + dst) as usize + more;
                from[p] = from[p].add(((tile.src + src) as usize + more) * B);
            }
            for group in 0..B / OUTPUTS {
                let mut sum: [Sums; P] = [[_mm512_setzero_si512(); 2]; P];
                sum_up!(m, tile, group, sum, |p, byte| {
                    let eight = from[p].add(byte).cast::<i64>();
                    _mm512_set1_epi64(eight.read_unaligned())
                });
                let constant = _mm512_loadu_si512(constant.as_ptr().add(group * OUTPUTS).cast());
                for p in 0..P {
                    let to = acc.add(at[p] * B + group * OUTPUTS).cast();
                    let before = _mm512_add_epi32(constant, _mm512_loadu_si512(to));
                    let s = _mm512_add_epi32(before, outputs(sum[p]));
                    _mm512_storeu_si512(to, s);
                    let o = (at[p] & m.out_mask) * B + group * OUTPUTS;
                    let low = m.out.as_mut_ptr().add(o).cast();
                    _mm_storeu_si128(low, _mm512_cvtepi32_epi8(s));
                }
            }
        }
    }
}

/// The two lanes of each sum added.
#[inline]
#[target_feature(enable = "avx512f")]
fn outputs([a, b]: Sums) -> __m512i {
    let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    let odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    _mm512_add_epi32(
        _mm512_permutex2var_epi32(a, even, b),
        _mm512_permutex2var_epi32(a, odd, b),
    )
}
