//! Plain loops over outputs; compilers make vectors of them.

use super::{Kernel, Memory, Pixel, Tile};

/// See [`super::super::Simd::Portable`].
pub(in crate::fsim) struct Portable;

impl<const B: usize> Kernel<B> for Portable {
    const MOST: usize = 4;
    const MOST_ROW: usize = 4;

    #[inline(never)]
    unsafe fn tile<const P: usize, const ROW: bool>(m: &mut Memory<'_>, tile: &Tile<'_>) {
        let mut sums = [[0i32; B]; P];
        let pixel = |p: usize| match (ROW, tile.pixels) {
            (true, [first, ..]) => Pixel {
                dst: first.dst + p as u32,
                src: first.src + p as u32,
            },
            (_, pixels) => pixels[p],
        };
        let at = |p: usize| (tile.dst + pixel(p).dst) as usize;
        for (p, sum) in sums.iter_mut().enumerate() {
            sum.copy_from_slice(&m.acc[at(p) * B..][..B]);
        }
        let (mut src, mut wgt) = (tile.src, tile.wgt);
        for _ in 0..tile.trips {
            for t in tile.taps {
                let weights = &m.wgt[(wgt + t.wgt) as usize * B * B..][..B * B];
                for (p, sum) in sums.iter_mut().enumerate() {
                    let first = (src + t.src + pixel(p).src) as usize * B;
                    let inputs = &m.inp[first..first + B];
                    for (column, x) in weights.chunks_exact(B).zip(inputs) {
                        let x = i16::from(x.cast_signed());
                        for (s, w) in sum.iter_mut().zip(column) {
                            // Two int8 multiply to an int16.
                            let product = i16::from(w.cast_signed()).wrapping_mul(x);
                            *s = s.wrapping_add(i32::from(product));
                        }
                    }
                }
            }
            (src, wgt) = (src + tile.repeat.src, wgt + tile.repeat.wgt);
        }
        for (p, sum) in sums.iter().enumerate() {
            m.acc[at(p) * B..][..B].copy_from_slice(sum);
            for (o, s) in m.out[(at(p) & m.out_mask) * B..][..B].iter_mut().zip(sum) {
                *o = *s as i8;
            }
        }
    }
}
