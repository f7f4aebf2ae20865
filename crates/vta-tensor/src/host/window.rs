//! Windows over `[1, c, h, w]`. Dimensions were checked before.

use super::moving::from_vec;
use crate::window::Window;
use ndarray::ArrayD;
use std::ops::Range;

/// The outputs along an axis at which kernel position `k` meets an input, and
/// the input that the first of them meets.
fn met(
    win: &Window,
    axis: usize,
    k: usize,
    inputs: usize,
    outputs: usize,
) -> (Range<usize>, usize) {
    let axis = win.axis(axis);
    let met = axis.outputs_met(k, inputs, outputs);
    let first = axis.input(met.start, k).filter(|_| !met.is_empty());
    (met, first.unwrap_or_default())
}

/// The map of one channel.
fn channels<T: Copy>(a: &ArrayD<T>) -> (Vec<T>, [usize; 3]) {
    let s = a.shape();
    (a.iter().copied().collect(), [s[1], s[2], s[3]])
}

pub(super) fn im2col<T: Copy + Default>(a: &ArrayD<T>, win: &Window, dims: &[usize]) -> ArrayD<T> {
    let (x, [c, h, w]) = channels(a);
    let (ho, wo) = (dims[2], dims[3]);
    let mut out = vec![T::default(); dims.iter().product()];
    let [kh, kw] = win.kernel;
    for (map, planes) in x
        .chunks_exact(h * w)
        .zip(out.chunks_exact_mut(kh * kw * ho * wo))
    {
        for (k, plane) in planes.chunks_exact_mut(ho * wo).enumerate() {
            let (rows, y0) = met(win, 0, k / kw, h, ho);
            let (columns, x0) = met(win, 1, k % kw, w, wo);
            for (i, oy) in rows.enumerate() {
                let from = &map[(y0 + i * win.stride[0]) * w..][x0..w];
                let to = &mut plane[oy * wo..][columns.clone()];
                if win.stride[1] == 1 {
                    to.copy_from_slice(&from[..to.len()]);
                } else {
                    for (t, f) in to.iter_mut().zip(from.iter().step_by(win.stride[1])) {
                        *t = *f;
                    }
                }
            }
        }
    }
    debug_assert_eq!(c * kh * kw, dims[1]);
    from_vec(dims, out)
}

/// What meets each output, kernel position by kernel position.
fn fold<T: Copy, A: Copy>(
    a: &ArrayD<T>,
    win: &Window,
    dims: &[usize],
    start: A,
    mut step: impl FnMut(&mut A, T),
) -> ArrayD<A> {
    let (x, [_, h, w]) = channels(a);
    let (ho, wo) = (dims[2], dims[3]);
    let mut out = vec![start; dims.iter().product()];
    for (map, plane) in x.chunks_exact(h * w).zip(out.chunks_exact_mut(ho * wo)) {
        for ky in 0..win.kernel[0] {
            let (rows, y0) = met(win, 0, ky, h, ho);
            for kx in 0..win.kernel[1] {
                let (columns, x0) = met(win, 1, kx, w, wo);
                for (i, oy) in rows.clone().enumerate() {
                    let from = &map[(y0 + i * win.stride[0]) * w..][x0..w];
                    let to = &mut plane[oy * wo..][columns.clone()];
                    for (t, f) in to.iter_mut().zip(from.iter().step_by(win.stride[1])) {
                        step(t, *f);
                    }
                }
            }
        }
    }
    from_vec(dims, out)
}

pub(super) fn max<T: Copy>(
    a: &ArrayD<T>,
    win: &Window,
    dims: &[usize],
    least: T,
    larger: impl Fn(T, T) -> T,
) -> ArrayD<T> {
    fold(a, win, dims, least, |m, x| *m = larger(*m, x))
}

pub(super) fn mean(
    a: &ArrayD<f32>,
    win: &Window,
    dims: &[usize],
    count_include_pad: bool,
) -> ArrayD<f32> {
    let all = (win.kernel[0] * win.kernel[1]) as f32;
    fold(a, win, dims, (0.0f32, 0u32), |(sum, n), x| {
        *sum += x;
        *n += 1;
    })
    .mapv(|(sum, n)| match n {
        0 => 0.0,
        _ if count_include_pad => sum / all,
        n => sum / n as f32,
    })
}
