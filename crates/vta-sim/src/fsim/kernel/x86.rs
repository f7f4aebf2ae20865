//! Forms for x86-64 with vectors of 32 bytes: the same loop with two sets of
//! instructions.

use super::{Kernel, Memory, Pixel, Tile};
use std::arch::x86_64::*;

/// A form whose vectors hold `$lanes` sums. `$dot(sum, inputs, weights)` takes
/// four bytes of inputs in every lane; `$sums` are int32 for each output behind
/// the weights, to be added once for each product.
macro_rules! form {
    (
        $(#[$doc:meta])* $name:ident, $features:literal, $lanes:literal, $vector:ty, row: $row:literal,
        inp: $inp:literal, wgt: $wgt:literal, sums: $sums:literal,
        $zero:ident, $load:ident, $store:ident, $add:ident, $spread:ident,
        $dot:expr, $low:expr
    ) => {
        $(#[$doc])*
        pub(in crate::fsim) struct $name;

        impl<const B: usize> Kernel<B> for $name {
            const MOST: usize = 8;
            const MOST_ROW: usize = $row;

            #[inline(never)]
            #[target_feature(enable = $features)]
            unsafe fn tile<const P: usize, const ROW: bool>(
                m: &mut Memory<'_>,
                tile: &Tile<'_>,
                _: &[i32; B],
            ) {
                const { assert!(B.is_multiple_of($lanes) || B < $lanes) };
                let inp_bytes = B * $inp;
                let wgt_bytes = B * B * $wgt + if $sums { 4 * B } else { 0 };
                // Hidden from the compiler: unrolled, the loop over it would not
                // fit the registers.
                let vectors = m.vectors;
                // SAFETY: the caller promises that all indices are inside.
                // A vector of weights is `$lanes` x 4 bytes, and `vectors`, one
                // for each four bytes of an input, are a group of outputs.
                unsafe {
                    let acc = m.acc.as_mut_ptr();
                    let first = tile.pixels.as_ptr();
                    let (mut at, mut from) = ([0; P], [m.inp.as_ptr(); P]);
                    for p in 0..P {
                        let (pixel, more) = if ROW { (0, p) } else { (p, 0) };
                        let Pixel { dst, src } = *first.add(pixel);
                        at[p] = (tile.dst + dst) as usize + more;
                        from[p] = from[p].add(((tile.src + src) as usize + more) * inp_bytes);
                    }
                    let mut sum = [$zero(); P];
                    for group in 0..B / $lanes {
                        for p in 0..P {
                            sum[p] = $load(acc.add(at[p] * B + group * $lanes).cast());
                        }
                        let mut every = $zero();
                        let (mut src, mut wgt) = (0usize, tile.wgt as usize);
                        for _ in 0..tile.trips {
                            for t in tile.taps {
                                let w = m.wgt.as_ptr().add((wgt + t.wgt as usize) * wgt_bytes);
                                let x = (src + t.src as usize) * inp_bytes;
                                if $sums {
                                    let sums = w.add(B * B + group * $lanes * 4);
                                    every = $add(every, $load(sums.cast()));
                                }
                                let w = w.add(group * vectors * $lanes * 4);
                                for v in 0..vectors {
                                    let weights = $load(w.add(v * $lanes * 4).cast());
                                    for p in 0..P {
                                        let four = from[p].add(x + v * 4).cast::<i32>();
                                        let inputs = $spread(four.read_unaligned());
                                        sum[p] = $dot(sum[p], inputs, weights);
                                    }
                                }
                            }
                            src += tile.repeat.src as usize;
                            wgt += tile.repeat.wgt as usize;
                        }
                        for p in 0..P {
                            let s: $vector = if $sums { $add(sum[p], every) } else { sum[p] };
                            $store(acc.add(at[p] * B + group * $lanes).cast(), s);
                            let o = (at[p] & m.out_mask) * B + group * $lanes;
                            $low(m.out.as_mut_ptr().add(o), s);
                        }
                    }
                }
            }
        }
    };
}

form! {
    /// See [`super::super::Simd::AvxVnni`].
    AvxVnni, "avx2,avxvnni", 8, __m256i, row: 8,
    inp: 1, wgt: 1, sums: true,
    _mm256_setzero_si256, _mm256_loadu_si256, _mm256_storeu_si256,
    _mm256_add_epi32, _mm256_set1_epi32,
    |s, x, w| _mm256_dpbusd_avx_epi32(s, x, w),
    |to, s| low_bytes(to, s)
}

form! {
    /// See [`super::super::Simd::Avx2`].
    Avx2, "avx2", 8, __m256i, row: 8,
    inp: 2, wgt: 2, sums: false,
    _mm256_setzero_si256, _mm256_loadu_si256, _mm256_storeu_si256,
    _mm256_add_epi32, _mm256_set1_epi32,
    |s, x, w| _mm256_add_epi32(s, _mm256_madd_epi16(x, w)),
    |to, s| low_bytes(to, s)
}

/// Stores the low byte of each int32.
///
/// # Safety
/// `to` is valid for eight bytes.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn low_bytes(to: *mut i8, s: __m256i) {
    let pick = _mm256_set1_epi32(0x0c08_0400);
    let lanes = _mm256_shuffle_epi8(s, pick);
    let low = _mm256_castsi256_si128(lanes);
    let high = _mm256_extracti128_si256::<1>(lanes);
    // SAFETY: the caller promises eight bytes.
    unsafe { _mm_storel_epi64(to.cast(), _mm_unpacklo_epi32(low, high)) };
}
