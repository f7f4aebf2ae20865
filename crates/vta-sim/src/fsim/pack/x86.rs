//! Inputs by wider vectors, and weight elements rearranged by vector shuffles:
//! matrices of 4 x 4 int32 transposed.

use std::arch::x86_64::*;

/// The same loop with wider vectors.
#[target_feature(enable = "avx2")]
pub(super) fn widened(from: &[i8], to: &mut [u8]) {
    super::widened(from, to);
}

/// The same loop with wider vectors.
#[target_feature(enable = "avx2")]
pub(super) fn shifted(from: &[i8], to: &mut [u8]) {
    super::shifted(from, to);
}

/// AVX2: pairs of int16.
#[target_feature(enable = "avx2")]
pub(super) fn pairs<const B: usize>(from: &[i8], to: &mut [u8]) {
    assert!(B.is_multiple_of(8) && from.len() == B * B && to.len() == 2 * B * B);
    for group in (0..B).step_by(8) {
        for column in (0..B).step_by(8) {
            // Rows r and r + 4 of eight, widened, side by side.
            let row = |r: usize| {
                // SAFETY: eight bytes of row `r` of `B`, both below `B`.
                unsafe { _mm_loadl_epi64(from.as_ptr().add(r * B + column).cast()) }
            };
            let two = |r: usize| {
                let (a, b) = (row(group + r), row(group + r + 4));
                _mm256_cvtepi8_epi16(_mm_unpacklo_epi64(a, b))
            };
            for (v, out) in turn([two(0), two(1), two(2), two(3)]).iter().enumerate() {
                let at = group * B * 2 + (column / 2 + v) * 32;
                // SAFETY: vector `column / 2 + v` of `B / 2`, in the group's
                // part of 16 * B bytes.
                unsafe { _mm256_storeu_si256(to.as_mut_ptr().add(at).cast(), *out) };
            }
        }
    }
}

/// AVX-VNNI: four int8, and the sums.
#[target_feature(enable = "avx2,avxvnni")]
pub(super) fn fours_256<const B: usize>(from: &[i8], to: &mut [u8]) {
    assert!(B.is_multiple_of(16) && from.len() == B * B && to.len() == B * B + 4 * B);
    for group in (0..B).step_by(8) {
        let mut sums = _mm256_setzero_si256();
        for column in (0..B).step_by(16) {
            let row = |r: usize| {
                // SAFETY: sixteen bytes of row `r` of `B`, both below `B`.
                unsafe { _mm_loadu_si128(from.as_ptr().add(r * B + column).cast()) }
            };
            let two = |r: usize| _mm256_set_m128i(row(group + r + 4), row(group + r));
            for (v, out) in turn([two(0), two(1), two(2), two(3)]).iter().enumerate() {
                sums = _mm256_dpbusd_avx_epi32(sums, _mm256_set1_epi8(-128), *out);
                let at = group * B + (column / 4 + v) * 32;
                // SAFETY: vector `column / 4 + v` of `B / 4`, in the group's
                // part of 8 * B bytes.
                unsafe { _mm256_storeu_si256(to.as_mut_ptr().add(at).cast(), *out) };
            }
        }
        let sums = _mm256_sub_epi32(_mm256_setzero_si256(), sums);
        // SAFETY: eight int32 of the `B` behind the weights.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().add(B * B + group * 4).cast(), sums) };
    }
}

/// Transposes the 4 x 4 int32 in each half of four vectors.
#[inline]
#[target_feature(enable = "avx2")]
fn turn([a, b, c, d]: [__m256i; 4]) -> [__m256i; 4] {
    let (ab0, ab1) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let (cd0, cd1) = (_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
    [
        _mm256_unpacklo_epi64(ab0, cd0),
        _mm256_unpackhi_epi64(ab0, cd0),
        _mm256_unpacklo_epi64(ab1, cd1),
        _mm256_unpackhi_epi64(ab1, cd1),
    ]
}

/// AVX-512 VNNI: eight int8.
#[target_feature(enable = "avx512f")]
pub(super) fn eights<const B: usize>(from: &[i8], to: &mut [u8]) {
    assert!(B.is_multiple_of(16) && from.len() == B * B && to.len() == B * B);
    let halves = [
        _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14),
        _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15),
    ];
    for group in (0..B).step_by(16) {
        for column in (0..B).step_by(16) {
            let row = |r: usize| {
                // SAFETY: sixteen bytes of row `r` of `B`, both below `B`.
                unsafe { _mm_loadu_si128(from.as_ptr().add(r * B + column).cast()) }
            };
            let four = |r: usize| {
                if B == 16 {
                    // SAFETY: rows of 16 bytes follow each other.
                    return unsafe { _mm512_loadu_si512(from.as_ptr().add(r * B).cast()) };
                }
                let rows = _mm512_castsi128_si512(row(r));
                let rows = _mm512_inserti32x4::<1>(rows, row(r + 1));
                let rows = _mm512_inserti32x4::<2>(rows, row(r + 2));
                _mm512_inserti32x4::<3>(rows, row(r + 3))
            };
            let (a, b) = (four(group), four(group + 4));
            let (c, d) = (four(group + 8), four(group + 12));
            for (k, half) in halves.iter().enumerate() {
                let low = _mm512_permutex2var_epi64(a, *half, b);
                let high = _mm512_permutex2var_epi64(c, *half, d);
                let at = group * B + (column / 8 + k) * 128;
                // SAFETY: part `column / 8 + k` of `B / 8`, in the group's part
                // of 16 * B bytes.
                unsafe {
                    _mm512_storeu_si512(to.as_mut_ptr().add(at).cast(), low);
                    _mm512_storeu_si512(to.as_mut_ptr().add(at + 64).cast(), high);
                }
            }
        }
    }
}
