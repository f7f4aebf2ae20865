//! Forms for x86-64: the same loops with two sets of instructions.

use super::{GROUP, Tile};
use std::arch::x86_64::*;

/// A form whose vectors hold `$lanes` sums; a tile has up to `$most` rows.
macro_rules! form {
    (
        $(#[$doc:meta])* $name:ident, $features:literal, $vector:ty,
        lanes: $lanes:literal, most: [$most:literal: $($rest:literal)*],
        $zero:ident, $load:ident, $store:ident, $spread:ident, $fma:ident
    ) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl $name {
            /// All rows of a tile, with `G` groups.
            ///
            /// # Safety
            /// The processor has the instructions, and what the tile reaches is there.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn all<const G: usize>(mut t: Tile<'_>) {
                // SAFETY: as the caller's; rows are taken one part after the other.
                unsafe {
                    while t.rows >= $most {
                        Self::rows::<$most, G>(&t);
                        t.rows -= $most;
                        t.c = t.c.add($most * t.steps.c);
                        t.a = t.a.add($most * t.steps.a);
                    }
                    match t.rows {
                        $($rest => Self::rows::<$rest, G>(&t),)*
                        _ => {}
                    }
                }
            }

            #[target_feature(enable = $features)]
            unsafe fn rows<const P: usize, const G: usize>(t: &Tile<'_>) {
                // SAFETY: as the caller's.
                unsafe {
                    match t.steps.a_k == 1 {
                        true => Self::tile::<P, G, true>(t),
                        false => Self::tile::<P, G, false>(t),
                    }
                }
            }

            /// The factors of a product that all rows share.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn row<const G: usize>(b: *const f32) -> [$vector; 2] {
                // SAFETY: as the caller's; the second is there if the group has two
                // vectors or there are two groups.
                unsafe {
                    let second = match GROUP > $lanes || G == 2 {
                        true => $load(b.add($lanes)),
                        false => $zero(),
                    };
                    [$load(b), second]
                }
            }

            /// `P` rows; with `ALONG` products follow each other in `a`, else rows do.
            #[inline(never)]
            #[target_feature(enable = $features)]
            unsafe fn tile<const P: usize, const G: usize, const ALONG: bool>(t: &Tile<'_>) {
                // Sums that are at work together: at most two vectors of each row.
                const WIDE: usize = if GROUP == $lanes { 1 } else { 2 };
                const { assert!(GROUP == WIDE * $lanes) };
                let row = if ALONG { t.steps.a } else { 1 };
                let a_k = if ALONG { 1 } else { t.steps.a_k };
                let b_k = t.steps.b_k;
                let together = if GROUP == $lanes { G } else { 1 };
                // SAFETY: as the caller's; `together` groups have `together * WIDE`
                // vectors, at most 2.
                unsafe {
                    for first in (0..G).step_by(together) {
                        let vectors = together * WIDE;
                        let c = t.c.add(first * GROUP);
                        let mut sums = [[$zero(); 2]; P];
                        if t.add {
                            for p in 0..P {
                                for v in 0..vectors {
                                    sums[p][v] = $load(c.add(p * t.steps.c + v * $lanes));
                                }
                            }
                        }
                        for s in t.stretches {
                            let mut a = t.a.add(s.a);
                            let mut b = t.b.add(s.b + first * GROUP);
                            let mut left = s.k;
                            // Where products follow each other, four share the pointers
                            // to the rows.
                            while ALONG && left >= 4 {
                                for u in 0..4 {
                                    let (a, b) = (a.add(u), b.add(u * b_k));
                                    let w = Self::row::<G>(b);
                                    for p in 0..P {
                                        let x: $vector = $spread(*a.add(p * row));
                                        for v in 0..vectors {
                                            sums[p][v] = $fma(x, w[v], sums[p][v]);
                                        }
                                    }
                                }
                                a = a.wrapping_add(4);
                                b = b.wrapping_add(4 * b_k);
                                left -= 4;
                            }
                            for _ in 0..left {
                                let w = Self::row::<G>(b);
                                for p in 0..P {
                                    let x: $vector = $spread(*a.add(p * row));
                                    for v in 0..vectors {
                                        sums[p][v] = $fma(x, w[v], sums[p][v]);
                                    }
                                }
                                a = a.wrapping_add(a_k);
                                b = b.wrapping_add(b_k);
                            }
                        }
                        for p in 0..P {
                            for v in 0..vectors {
                                $store(c.add(p * t.steps.c + v * $lanes), sums[p][v]);
                            }
                        }
                    }
                }
            }
        }
    };
}

form!(
    /// 16 sums in a vector, two vectors for each row.
    Avx512, "avx512f", __m512, lanes: 16, most: [8: 7 6 5 4 3 2 1],
    _mm512_setzero_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_set1_ps, _mm512_fmadd_ps
);

form!(
    /// 8 sums in a vector: a group after the other.
    Avx2, "avx2,fma", __m256, lanes: 8, most: [4: 3 2 1],
    _mm256_setzero_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_set1_ps, _mm256_fmadd_ps
);
