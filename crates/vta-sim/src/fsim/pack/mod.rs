//! Inputs and weights as the kernels take them: second copies of two
//! scratchpads, renewed by each LOAD.
//!
//! | form | an input element | a weight element |
//! | --- | --- | --- |
//! | portable | int16 | int16, by input, then output |
//! | AVX2 | int16 | int16, by vector of outputs, pair of inputs, output, input |
//! | AVX-VNNI | uint8: the value + 128 | int8, by vector of outputs, four inputs, output, input; then int32 for each output: -128 x the sum of its weights |
//! | AVX-512 VNNI | uint8: the value + 128 | int8, by sixteen outputs, eight inputs, output, input |
//!
//! `vpdpbusd` multiplies unsigned by signed, and the 128 is taken away again: by
//! the sums behind the weights, or by the kernel for all pixels at once. Sums
//! wrap in 32 bits, so this is exact.

#[cfg(target_arch = "x86_64")]
mod x86;

use super::aligned::Aligned;
use super::simd::Simd;
use vta_program::config::HwConfig;
use vta_program::mem::Scratchpads;

/// The two copies.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    pub(super) simd: Simd,
    block: usize,
    pub(super) inp: Aligned,
    pub(super) wgt: Aligned,
    /// The scratchpads were changed behind our back.
    stale: bool,
}

impl Packed {
    /// Of empty scratchpads.
    pub(super) fn new(c: &HwConfig, simd: Simd) -> Self {
        let block = c.block as usize;
        let mut new = Self {
            simd,
            block,
            inp: Aligned::zeroed(c.inp_depth as usize * simd.inp_bytes(block)),
            wgt: Aligned::zeroed(c.wgt_depth as usize * simd.wgt_bytes(block)),
            stale: false,
        };
        if simd.is_vnni() {
            new.inp.fill(0x80);
        }
        new
    }

    /// Everything may have changed.
    pub(super) const fn forget(&mut self) {
        self.stale = true;
    }

    /// Makes the copies true again after [`Packed::forget`].
    #[inline]
    pub(super) fn refresh(&mut self, p: &Scratchpads) {
        if self.stale {
            self.stale = false;
            self.inputs(&p.inp, 0, p.inp.len() / self.block);
            self.weights(&p.wgt, 0, p.wgt.len() / (self.block * self.block));
        }
    }

    /// `count` input elements from `at` were written; they do not wrap.
    pub(super) fn inputs(&mut self, inp: &[i8], at: usize, count: usize) {
        let bytes = self.simd.inp_bytes(self.block);
        let from = &inp[at * self.block..(at + count) * self.block];
        let to = &mut self.inp[at * bytes..(at + count) * bytes];
        match self.simd {
            // SAFETY: the form was chosen among those that are available.
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2 => unsafe { x86::widened(from, to) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Simd::AvxVnni | Simd::Avx512Vnni => unsafe { x86::shifted(from, to) },
            _ => widened(from, to),
        }
    }

    /// `count` weight elements from `at` were written; they do not wrap.
    pub(super) fn weights(&mut self, wgt: &[i8], at: usize, count: usize) {
        match self.block {
            16 => self.weights_of::<16>(wgt, at, count),
            32 => self.weights_of::<32>(wgt, at, count),
            4 => self.weights_of::<4>(wgt, at, count),
            8 => self.weights_of::<8>(wgt, at, count),
            _ => self.weights_of::<64>(wgt, at, count),
        }
    }

    fn weights_of<const B: usize>(&mut self, wgt: &[i8], at: usize, count: usize) {
        let bytes = self.simd.wgt_bytes(B);
        let from = wgt[at * B * B..(at + count) * B * B].chunks_exact(B * B);
        let to = self.wgt[at * bytes..(at + count) * bytes].chunks_exact_mut(bytes);
        for (t, f) in to.zip(from) {
            match self.simd {
                // SAFETY: the form was chosen among those that are available.
                #[cfg(target_arch = "x86_64")]
                Simd::Avx2 => unsafe { x86::pairs::<B>(f, t) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Simd::AvxVnni if B >= 16 => unsafe { x86::fours_256::<B>(f, t) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Simd::Avx512Vnni => unsafe { x86::eights::<B>(f, t) },
                simd => plain::<B>(simd, f, t),
            }
        }
    }
}

impl Simd {
    /// Bytes of an input element.
    pub(super) const fn inp_bytes(self, block: usize) -> usize {
        match self {
            Self::Portable | Self::Avx2 => 2 * block,
            Self::AvxVnni | Self::Avx512Vnni => block,
        }
    }

    /// Bytes of a weight element.
    pub(super) const fn wgt_bytes(self, block: usize) -> usize {
        match self {
            Self::Portable | Self::Avx2 => 2 * block * block,
            Self::AvxVnni => block * block + 4 * block,
            Self::Avx512Vnni => block * block,
        }
    }

    const fn is_vnni(self) -> bool {
        matches!(self, Self::AvxVnni | Self::Avx512Vnni)
    }
}

/// Inputs as int16.
#[inline(always)]
fn widened(from: &[i8], to: &mut [u8]) {
    for (t, f) in to.as_chunks_mut::<2>().0.iter_mut().zip(from) {
        *t = i16::from(*f).to_ne_bytes();
    }
}

/// Inputs with 128 added.
#[inline(always)]
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code))]
fn shifted(from: &[i8], to: &mut [u8]) {
    for (t, f) in to.iter_mut().zip(from) {
        *t = f.cast_unsigned() ^ 0x80;
    }
}

/// One weight element in any form, value by value: what the vector forms of
/// this do, and what is used for blocks too small for them.
fn plain<const B: usize>(simd: Simd, from: &[i8], to: &mut [u8]) {
    match simd {
        Simd::Portable => transpose::<B>(from, to),
        Simd::Avx2 => pairs::<B>(from, to),
        Simd::AvxVnni => fours::<B>(from, to),
        Simd::Avx512Vnni => eights::<B>(from, to),
    }
}

fn transpose<const B: usize>(from: &[i8], to: &mut [u8]) {
    for (input, column) in to.chunks_exact_mut(2 * B).enumerate() {
        for (output, t) in column.chunks_exact_mut(2).enumerate() {
            let weight = i16::from(from[output * B + input]);
            t.copy_from_slice(&weight.to_ne_bytes());
        }
    }
}

fn pairs<const B: usize>(from: &[i8], to: &mut [u8]) {
    for (group, outputs) in from.chunks_exact(8 * B).enumerate() {
        let to = &mut to[group * 16 * B..][..16 * B];
        for (output, weights) in outputs.chunks_exact(B).enumerate() {
            for (pair, w) in weights.chunks_exact(2).enumerate() {
                let at = (pair * 8 + output) * 4;
                let [a, b] = [w[0], w[1]].map(|w| i16::from(w).to_ne_bytes());
                to[at..at + 4].copy_from_slice(&[a[0], a[1], b[0], b[1]]);
            }
        }
    }
}

fn fours<const B: usize>(from: &[i8], to: &mut [u8]) {
    const LANES: usize = 8;
    let (to, sums) = to.split_at_mut(B * B);
    for (group, outputs) in from.chunks_exact(LANES * B).enumerate() {
        let to = &mut to[group * LANES * B..][..LANES * B];
        for (output, weights) in outputs.chunks_exact(B).enumerate() {
            for (four, w) in weights.chunks_exact(4).enumerate() {
                let bytes = [w[0], w[1], w[2], w[3]].map(i8::cast_unsigned);
                to[(four * LANES + output) * 4..][..4].copy_from_slice(&bytes);
            }
        }
    }
    for (sum, weights) in sums.chunks_exact_mut(4).zip(from.chunks_exact(B)) {
        let total: i32 = weights.iter().map(|w| i32::from(*w)).sum();
        sum.copy_from_slice(&(-128 * total).to_ne_bytes());
    }
}

fn eights<const B: usize>(from: &[i8], to: &mut [u8]) {
    for (group, outputs) in from.chunks_exact(16 * B).enumerate() {
        let to = &mut to[group * 16 * B..][..16 * B];
        for (output, weights) in outputs.chunks_exact(B).enumerate() {
            for (part, w) in weights.as_chunks::<8>().0.iter().enumerate() {
                let at = (part * 16 + output) * 8;
                to[at..at + 8].copy_from_slice(&w.map(i8::cast_unsigned));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector forms against the plain one.
    fn compare<const B: usize>() {
        let c = HwConfig {
            block: B as u32,
            wgt_depth: 8,
            ..HwConfig::default()
        };
        let value = |i: usize| (i * i + 7 * i + i / 256) as i8;
        let wgt: Vec<i8> = (0..8 * B * B).map(value).collect();
        for simd in Simd::ALL {
            if !simd.is_available(c.block) {
                continue;
            }
            let mut packed = Packed::new(&c, simd);
            packed.weights(&wgt, 1, 6);
            let bytes = simd.wgt_bytes(B);
            let mut want = vec![0; 8 * bytes];
            for k in 1..7 {
                let to = &mut want[k * bytes..(k + 1) * bytes];
                plain::<B>(simd, &wgt[k * B * B..(k + 1) * B * B], to);
            }
            assert!(*packed.wgt == want, "{simd:?}, block {B}");
        }
    }

    #[test]
    fn vector_forms_equal_the_plain_form() {
        compare::<4>();
        compare::<8>();
        compare::<16>();
        compare::<32>();
        compare::<64>();
    }
}
