//! From channels first to channels last, and back.

use crate::kernels::Buffer;
use rayon::prelude::*;

/// Rows and columns that are moved together.
const SIDE: usize = 16;

/// `[n, pixels, channels]` from `[n, channels, pixels]`.
pub fn to_last(x: &[f32], channels: usize, pixels: usize) -> Buffer {
    swap(x, channels, pixels)
}

/// `[n, channels, pixels]` from `[n, pixels, channels]`.
pub fn to_first(x: &[f32], channels: usize, pixels: usize) -> Buffer {
    swap(x, pixels, channels)
}

/// Each image of `rows` by `columns`, transposed.
fn swap(x: &[f32], rows: usize, columns: usize) -> Buffer {
    let mut y = Buffer::any(x.len());
    let image = (rows * columns).max(1);
    y.par_chunks_exact_mut(image)
        .zip(x.par_chunks_exact(image))
        .for_each(|(y, x)| {
            for r in (0..rows).step_by(SIDE) {
                for c in (0..columns).step_by(SIDE) {
                    for c in c..(c + SIDE).min(columns) {
                        let y = &mut y[c * rows + r..][..SIDE.min(rows - r)];
                        for (i, y) in y.iter_mut().enumerate() {
                            *y = x[(r + i) * columns + c];
                        }
                    }
                }
            }
        });
    y
}
