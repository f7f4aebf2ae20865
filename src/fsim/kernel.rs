//! The inner product of one GEMM step: a scalar form, and AVX2 where the
//! processor has it (found at run time). A test compares the two.

use bitvec::vec::BitVec;

/// Weight elements rearranged for the vector form, made when first used.
///
/// An element of `B` x `B` int8 becomes `B / 2` groups, one for each pair of
/// inputs, of `B` pairs of int16, one for each output: what `vpmaddwd` takes.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    values: Vec<i16>,
    valid: BitVec,
}

impl Packed {
    /// Nothing is rearranged yet.
    pub(super) fn new(depth: usize, block: usize) -> Self {
        let used = has_simd(block);
        Self {
            values: if used {
                vec![0; depth * block * block]
            } else {
                Vec::new()
            },
            valid: BitVec::repeat(false, depth),
        }
    }

    /// Forgets `count` elements from `at`, which wrap at the depth.
    pub(super) fn forget(&mut self, at: usize, count: usize) {
        let depth = self.valid.len();
        let at = at % depth;
        let end = (at + count).min(depth);
        self.valid[at..end].fill(false);
        let wrapped = (count.saturating_sub(end - at)).min(depth);
        self.valid[..wrapped].fill(false);
    }

    /// Forgets everything.
    pub(super) fn forget_all(&mut self) {
        self.valid.fill(false);
    }

    /// The rearranged form of an element.
    #[inline(always)]
    pub(super) fn get<const B: usize>(&mut self, index: usize, wgt: &[i8]) -> &[i16] {
        let range = index * B * B..(index + 1) * B * B;
        if !self.valid[index] {
            pack::<B>(&wgt[range.clone()], &mut self.values[range.clone()]);
            self.valid.set(index, true);
        }
        &self.values[range]
    }
}

#[cold]
#[inline(never)]
fn pack<const B: usize>(wgt: &[i8], to: &mut [i16]) {
    for (row, weights) in wgt.chunks_exact(B).enumerate() {
        for (pair, w) in weights.chunks_exact(2).enumerate() {
            let at = (pair * B + row) * 2;
            to[at] = w[0].into();
            to[at + 1] = w[1].into();
        }
    }
}

/// Whether there is a vector form for this block on this processor.
fn has_simd(block: usize) -> bool {
    #[cfg(target_arch = "x86_64")]
    return block >= 8 && std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = block;
        false
    }
}

/// `acc += wgt * inp`, `out` = low bytes of `acc`.
#[inline(always)]
pub(super) fn scalar<const B: usize>(acc: &mut [i32], out: &mut [i8], wgt: &[i8], inp: &[i8]) {
    for ((a, o), row) in acc.iter_mut().zip(out).zip(wgt.chunks_exact(B)) {
        let products = row
            .iter()
            .zip(inp)
            .map(|(w, i)| i32::from(*w) * i32::from(*i));
        *a = a.wrapping_add(products.sum());
        *o = *a as i8;
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2 {
    //! `vpmaddwd`: eight outputs of a pair of inputs at a time.
    use std::arch::x86_64::*;

    /// One step; `packed` as in [`super::Packed`].
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in crate::fsim) fn step<const B: usize>(
        acc: &mut [i32],
        out: &mut [i8],
        packed: &[i16],
        inp: &[i8],
    ) {
        assert!(B.is_multiple_of(8) && acc.len() == B && out.len() == B);
        assert!(packed.len() == B * B && inp.len() == B);
        // SAFETY: the lengths were checked above; every access below is
        // inside: vector v of group p starts at (p * B + 8 * v) * 2 int16.
        unsafe {
            for half in (0..B).step_by(16) {
                // Up to sixteen outputs, as two vectors of eight.
                let two = half + 16 <= B;
                let a = acc.as_mut_ptr().add(half).cast::<__m256i>();
                let mut sum0 = _mm256_loadu_si256(a);
                let mut sum1 = if two {
                    _mm256_loadu_si256(a.add(1))
                } else {
                    _mm256_setzero_si256()
                };
                for chunk in (0..B).step_by(8) {
                    // Eight inputs as int16: four pairs, in both lanes.
                    let bytes = _mm_loadl_epi64(inp.as_ptr().add(chunk).cast());
                    let words = _mm256_broadcastsi128_si256(_mm_cvtepi8_epi16(bytes));
                    let group = packed.as_ptr().add((chunk / 2 * B + half) * 2);
                    macro_rules! pair {
                        ($p:literal, $shuffle:literal) => {
                            let x = _mm256_shuffle_epi32::<$shuffle>(words);
                            let w = group.add($p * B * 2).cast::<__m256i>();
                            let w0 = _mm256_loadu_si256(w);
                            sum0 = _mm256_add_epi32(sum0, _mm256_madd_epi16(x, w0));
                            if two {
                                let w1 = _mm256_loadu_si256(w.add(1));
                                sum1 = _mm256_add_epi32(sum1, _mm256_madd_epi16(x, w1));
                            }
                        };
                    }
                    pair!(0, 0b00_00_00_00);
                    pair!(1, 0b01_01_01_01);
                    pair!(2, 0b10_10_10_10);
                    pair!(3, 0b11_11_11_11);
                }
                _mm256_storeu_si256(a, sum0);
                // Low byte of each int32.
                let low = _mm256_set1_epi32(0xff);
                let o = out.as_mut_ptr().add(half);
                if two {
                    _mm256_storeu_si256(a.add(1), sum1);
                    let words = _mm256_packus_epi32(
                        _mm256_and_si256(sum0, low),
                        _mm256_and_si256(sum1, low),
                    );
                    let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
                    let bytes = _mm_packus_epi16(
                        _mm256_castsi256_si128(words),
                        _mm256_extracti128_si256::<1>(words),
                    );
                    _mm_storeu_si128(o.cast(), bytes);
                } else {
                    let words =
                        _mm256_packus_epi32(_mm256_and_si256(sum0, low), _mm256_setzero_si256());
                    let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
                    let bytes =
                        _mm_packus_epi16(_mm256_castsi256_si128(words), _mm_setzero_si128());
                    _mm_storel_epi64(o.cast(), bytes);
                }
            }
        }
    }
}

/// Which form to use, decided once for an instruction.
pub(super) enum Form<'a> {
    /// No vector form.
    Scalar,
    /// AVX2 with the rearranged weights.
    #[cfg(target_arch = "x86_64")]
    Avx2(&'a mut Packed),
    /// Keeps the lifetime in use where there is no vector form.
    #[cfg(not(target_arch = "x86_64"))]
    Unused(std::convert::Infallible, std::marker::PhantomData<&'a ()>),
}

impl<'a> Form<'a> {
    /// The best form for this block.
    pub(super) fn best(packed: &'a mut Packed) -> Self {
        #[cfg(target_arch = "x86_64")]
        if !packed.values.is_empty() {
            return Self::Avx2(packed);
        }
        let _ = packed;
        Self::Scalar
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "x86_64")]
    fn compare<const B: usize>(seed: u64) {
        use super::*;
        use rand_chacha::{
            ChaCha8Rng,
            rand_core::{Rng, SeedableRng},
        };
        if !has_simd(B) {
            return;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut bytes = |n: usize| -> Vec<i8> { (0..n).map(|_| rng.next_u32() as i8).collect() };
        for round in 0..50 {
            let (mut wgt, mut inp) = (bytes(B * B), bytes(B));
            if round == 0 {
                wgt.fill(-128);
                inp.fill(-128);
            }
            let mut acc: Vec<i32> = bytes(B).iter().map(|b| i32::from(*b) << 23).collect();
            let (mut out, mut packed) = (vec![0; B], Packed::new(1, B));
            let (mut acc2, mut out2) = (acc.clone(), out.clone());
            scalar::<B>(&mut acc, &mut out, &wgt, &inp);
            // SAFETY: `has_simd` found AVX2.
            unsafe { avx2::step::<B>(&mut acc2, &mut out2, packed.get::<B>(0, &wgt), &inp) };
            assert_eq!((acc, out), (acc2, out2), "block {B}, round {round}");
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn vector_form_equals_scalar_form() {
        compare::<8>(1);
        compare::<16>(2);
        compare::<32>(3);
        compare::<64>(4);
    }
}
