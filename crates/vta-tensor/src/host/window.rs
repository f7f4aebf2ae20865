//! Windows over `[1, c, h, w]`. Dimensions were checked before.

use super::moving::from_vec;
use ndarray::ArrayD;
use std::ops::Range;

/// A window of two dimensions, as in the operators.
pub(super) struct Window {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    pub pads: [usize; 4],
}

impl Window {
    /// The output positions along an axis at which kernel position `k` meets
    /// an element, and the element that the first of them meets.
    fn inside(
        &self,
        axis: usize,
        k: usize,
        extent: usize,
        outputs: usize,
    ) -> (Range<usize>, usize) {
        let (stride, before) = (self.stride[axis], self.pads[axis]);
        let offset = k * self.dilation[axis];
        // Output `o` meets element `o * stride + offset - before`.
        let first = before.saturating_sub(offset).div_ceil(stride);
        let end = (extent + before).saturating_sub(offset).div_ceil(stride);
        let end = end.min(outputs);
        match first < end {
            true => (first..end, first * stride + offset - before),
            false => (0..0, 0),
        }
    }
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
            let (rows, y0) = win.inside(0, k / kw, h, ho);
            let (columns, x0) = win.inside(1, k % kw, w, wo);
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
            let (rows, y0) = win.inside(0, ky, h, ho);
            for kx in 0..win.kernel[1] {
                let (columns, x0) = win.inside(1, kx, w, wo);
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
