//! Operators along axes, in f32. Dimensions were checked before; sums are in
//! the order of the elements.

use ndarray::{ArrayD, Axis};
use serde::{Deserialize, Serialize};

/// What becomes of the values along axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reduction {
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// Their product.
    Prod,
    /// Their sum.
    Sum,
}

impl Reduction {
    /// ONNX's name of the operator.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Max => "ReduceMax",
            Self::Min => "ReduceMin",
            Self::Prod => "ReduceProd",
            Self::Sum => "ReduceSum",
        }
    }

    pub(super) fn over(self, x: &ArrayD<f32>, axes: &[usize], dims: &[usize]) -> ArrayD<f32> {
        let (start, f): (f32, fn(f32, f32) -> f32) = match self {
            Self::Max => (f32::NEG_INFINITY, f32::max),
            Self::Min => (f32::INFINITY, f32::min),
            Self::Prod => (1.0, |a, b| a * b),
            Self::Sum => (0.0, |a, b| a + b),
        };
        fold(x, axes, dims, start, f)
    }
}

/// Elements in their order, each into the result that it belongs to.
fn fold(
    x: &ArrayD<f32>,
    axes: &[usize],
    dims: &[usize],
    start: f32,
    f: impl Fn(f32, f32) -> f32,
) -> ArrayD<f32> {
    let mut out = ArrayD::from_elem(dims, start);
    for (at, &v) in x.indexed_iter() {
        let mut to = at.clone();
        for &a in axes {
            to[a] = 0;
        }
        let to = &mut out[to];
        *to = f(*to, v);
    }
    out
}

pub(super) fn log_softmax(x: &ArrayD<f32>, axis: usize) -> ArrayD<f32> {
    let mut out = x.as_standard_layout().into_owned();
    for mut lane in out.lanes_mut(Axis(axis)) {
        let top = lane.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum = lane.iter().fold(0.0, |s, v| s + libm::expf(v - top));
        let rest = libm::logf(sum);
        lane.mapv_inplace(|v| v - top - rest);
    }
    out
}

pub(super) fn normalize(x: &ArrayD<f32>, axes: &[usize], epsilon: f32) -> ArrayD<f32> {
    let mut dims = x.shape().to_vec();
    for &a in axes {
        dims[a] = 1;
    }
    let sums = fold(x, axes, &dims, 0.0, |a, b| a + b);
    let n = (x.len() / sums.len().max(1)) as f32;
    let means = sums.mapv(|s| s / n);
    let mut out = x.as_standard_layout().into_owned();
    if let Some(means) = means.broadcast(x.raw_dim()) {
        out -= &means;
    }
    let squares = fold(&out, axes, &dims, 0.0, |a, b| a + b * b);
    let deviation = squares.mapv(|s| (s / n + epsilon).sqrt());
    if let Some(deviation) = deviation.broadcast(x.raw_dim()) {
        out /= &deviation;
    }
    out
}

/// `f` of each lane along an axis gives a lane of `len` elements.
fn lanes(
    x: &ArrayD<f32>,
    axis: usize,
    len: usize,
    mut f: impl FnMut(&[f32], &mut [f32]),
) -> ArrayD<f32> {
    let mut dims = x.shape().to_vec();
    dims[axis] = len;
    let mut out = ArrayD::zeros(dims);
    let (mut from, mut to) = (Vec::new(), vec![0.0; len]);
    let all = out.lanes_mut(Axis(axis)).into_iter();
    for (mut lane, x) in all.zip(x.lanes(Axis(axis))) {
        from.clear();
        from.extend(x.iter());
        f(&from, &mut to);
        lane.iter_mut().zip(&to).for_each(|(o, v)| *o = *v);
    }
    out
}

pub(super) fn interpolate(
    x: &ArrayD<f32>,
    axis: usize,
    taps: usize,
    indices: &[usize],
    weights: &[f32],
) -> ArrayD<f32> {
    lanes(x, axis, indices.len() / taps, |x, y| {
        let sums = indices.chunks_exact(taps).zip(weights.chunks_exact(taps));
        for (y, (indices, weights)) in y.iter_mut().zip(sums) {
            let products = indices.iter().zip(weights).map(|(i, w)| x[*i] * w);
            *y = products.fold(0.0, |s, p| s + p);
        }
    })
}

pub(super) fn arg_max(x: &ArrayD<f32>, axis: usize, last: bool) -> ArrayD<f32> {
    lanes(x, axis, 1, |x, y| {
        let mut best = 0;
        for (i, v) in x.iter().enumerate() {
            if *v > x[best] || (last && *v == x[best]) {
                best = i;
            }
        }
        y[0] = best as f32;
    })
}

pub(super) fn top_k(
    x: &ArrayD<f32>,
    axis: usize,
    k: usize,
    largest: bool,
    indices: bool,
) -> ArrayD<f32> {
    let mut order: Vec<usize> = Vec::new();
    lanes(x, axis, k, |x, y| {
        order.clear();
        order.extend(0..x.len());
        // The sort is stable: of equal values the first stays in front.
        order.sort_by(|a, b| match largest {
            true => x[*b].total_cmp(&x[*a]),
            false => x[*a].total_cmp(&x[*b]),
        });
        for (y, i) in y.iter_mut().zip(&order) {
            *y = if indices { *i as f32 } else { x[*i] };
        }
    })
}

pub(super) fn lrn(x: &ArrayD<f32>, size: usize, alpha: f32, beta: f32, bias: f32) -> ArrayD<f32> {
    let channels = x.shape()[1];
    let (before, after) = ((size - 1) / 2, size / 2);
    lanes(x, 1, channels, |x, y| {
        for (c, y) in y.iter_mut().enumerate() {
            let near = c.saturating_sub(before)..(c + after + 1).min(channels);
            let squares = x[near].iter().fold(0.0, |s, v| s + v * v);
            *y = x[c] / libm::powf(bias + alpha / size as f32 * squares, beta);
        }
    })
}
