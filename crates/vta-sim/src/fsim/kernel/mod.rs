//! The inner products of GEMM: several vectors times a list of matrices, the
//! sums kept in registers.
//!
//! `tests/sim/properties/forms.rs` compares all forms with plain loops.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "x86_64")]
pub(super) use avx512::Avx512Vnni;
pub(super) use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, AvxVnni};

/// The memories of a GEMM; `inp` and `wgt` are those of [`super::pack`].
pub(super) struct Memory<'a> {
    pub(super) acc: &'a mut [i32],
    pub(super) out: &'a mut [i8],
    pub(super) inp: &'a [u8],
    pub(super) wgt: &'a [u8],
    /// Elements of `out`, less one.
    pub(super) out_mask: usize,
    /// Bytes of an input element, divided by four.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code))]
    pub(super) vectors: usize,
}

/// One product of a sum: elements of inputs and weights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tap {
    pub(super) src: u32,
    pub(super) wgt: u32,
}

/// One sum: where it is and where its inputs are, beside those of the tile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pixel {
    pub(super) dst: u32,
    pub(super) src: u32,
}

/// `acc[dst + p.dst] += wgt[wgt + r * repeat.wgt + t.wgt] * inp[src + p.src + r *
/// repeat.src + t.src]` for all pixels p, r below `trips`, taps t.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a> {
    pub(super) dst: u32,
    pub(super) src: u32,
    pub(super) wgt: u32,
    pub(super) taps: &'a [Tap],
    pub(super) trips: u64,
    pub(super) repeat: Tap,
    pub(super) pixels: &'a [Pixel],
}

/// A form for blocks of `B`.
pub(super) trait Kernel<const B: usize> {
    /// Most pixels of a tile, up to 8.
    const MOST: usize;
    /// Most pixels of a tile that is a row, up to 16.
    const MOST_ROW: usize;

    /// What every pixel of a tile gets beside its products: it depends on the
    /// weights alone.
    ///
    /// # Safety
    /// As [`Kernel::tile`].
    unsafe fn constant(_: &Memory<'_>, _: &Tile<'_>) -> [i32; B] {
        [0; B]
    }

    /// Computes a tile of `P` pixels: sums, and their low bytes into `out`. If it
    /// is a `ROW`, only the first pixel is looked at; the others follow it in
    /// accumulators and inputs. `constant` is that of [`Kernel::constant`] for
    /// the same taps, trips and weights.
    ///
    /// # Safety
    /// The processor has the form ([`super::Simd::is_available`] for `B`), and
    /// all indices of the tile lie in the memories. No two pixels share a `dst`;
    /// `tile.pixels` has `P` elements, at least one for a row.
    unsafe fn tile<const P: usize, const ROW: bool>(
        m: &mut Memory<'_>,
        tile: &Tile<'_>,
        constant: &[i32; B],
    );
}
