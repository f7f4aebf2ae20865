//! Plain loops over outputs. Arrays are made whole, by value: so compilers see
//! that lanes are apart and make vectors of them (`smlal` on ARM).

use super::{Kernel, Memory, Pixel, Tile};
use std::array::from_fn;

/// See [`super::super::Simd::Portable`].
pub(in crate::fsim) struct Portable;

impl<const B: usize> Kernel<B> for Portable {
    const MOST: usize = 1;
    const MOST_ROW: usize = 1;

    #[inline(never)]
    unsafe fn tile<const P: usize, const ROW: bool>(
        m: &mut Memory<'_>,
        tile: &Tile<'_>,
        _: &[i32; B],
    ) {
        for p in 0..P {
            let (k, more) = if ROW { (0, p as u32) } else { (p, 0) };
            let Pixel { dst, src } = tile.pixels[k];
            let at = (tile.dst + dst + more) as usize;
            let acc = &mut m.acc[at * B..][..B];
            let mut sum = [0; B];
            sum.copy_from_slice(acc);
            let (mut src, mut wgt) = (tile.src + src + more, tile.wgt);
            for _ in 0..tile.trips {
                for t in tile.taps {
                    let inputs = &m.inp[(src + t.src) as usize * 2 * B..][..2 * B];
                    let weights = &m.wgt[(wgt + t.wgt) as usize * 2 * B * B..][..2 * B * B];
                    sum = product::<B>(sum, weights, inputs);
                }
                (src, wgt) = (src + tile.repeat.src, wgt + tile.repeat.wgt);
            }
            acc.copy_from_slice(&sum);
            let low: [i8; B] = from_fn(|o| sum[o] as i8);
            m.out[(at & m.out_mask) * B..][..B].copy_from_slice(&low);
        }
    }
}

/// `sum + weights * inputs`; both are int16 as bytes.
#[inline(always)]
fn product<const B: usize>(mut sum: [i32; B], weights: &[u8], inputs: &[u8]) -> [i32; B] {
    let value = |b: &[u8], k: usize| i32::from(i16::from_ne_bytes([b[2 * k], b[2 * k + 1]]));
    for (k, column) in weights.chunks_exact(2 * B).enumerate() {
        let x = value(inputs, k);
        sum = from_fn(|o| sum[o].wrapping_add(value(column, o) * x));
    }
    sum
}
