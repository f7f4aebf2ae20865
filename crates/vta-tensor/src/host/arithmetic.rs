//! Operators that compute, in f32. Dimensions and types were checked before.

use super::dims::broadcast;
use super::function::{chain, sigmoid};
use super::moving::from_vec;
use super::{HostOp, Tensor};
use super::{reduce, window};
use crate::window::Window;
use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn, Zip};

/// The nearest int8, halves away from zero; what is not a number is 0.
pub(super) fn to_i8(x: f32) -> i8 {
    x.round() as i8
}

/// `2^exponent`, which f64 holds.
pub(super) fn power(exponent: i32) -> f64 {
    f64::from_bits(((1023 + i64::from(exponent)) as u64) << 52)
}

/// The value of an int8 of this step.
pub(super) fn dequantise(q: i8, step: f64) -> f32 {
    (f64::from(q) * step) as f32
}

/// The int8 of a value; `inverse` is 1 over the step. Halves go away from zero,
/// and what is not a number is 0.
pub(super) fn quantise(x: f32, inverse: f64) -> i8 {
    // The product is exact: f64 has room for every f32 times a power of 2.
    (f64::from(x) * inverse).round() as i8
}

pub(super) fn run(op: &HostOp, inputs: &[&Tensor], dims: &[usize]) -> Tensor {
    let x = match inputs[0] {
        Tensor::I8(a) => {
            // Only Dequantize takes int8 here.
            let step = match op {
                HostOp::Dequantize { exponent } => power(*exponent),
                _ => 1.0,
            };
            return Tensor::F32(a.mapv(|q| dequantise(q, step)));
        }
        Tensor::F32(x) => x,
    };
    let second = || inputs.get(1).and_then(|t| t.as_f32()).unwrap_or(x);
    let constant = |dims: &[usize], values: &[f32]| from_vec(dims, values.to_vec());
    Tensor::F32(match op {
        HostOp::Quantize { exponent } => {
            let inverse = power(-exponent);
            return Tensor::I8(x.mapv(|v| quantise(v, inverse)));
        }
        HostOp::AveragePool {
            count_include_pad, ..
        } => {
            let window = op.window().unwrap_or(Window::POINT);
            window::mean(x, &window, dims, *count_include_pad)
        }
        HostOp::ReduceMean { axes } => reduce_mean(x, axes, dims),
        HostOp::Add => pairs(x, second(), dims, |a, b| a + b),
        HostOp::Mul => pairs(x, second(), dims, |a, b| a * b),
        HostOp::AddConst { dims: d, values } => pairs(x, &constant(d, values), dims, |a, b| a + b),
        HostOp::MulConst { dims: d, values } => pairs(x, &constant(d, values), dims, |a, b| a * b),
        HostOp::MatMul => matmul(x, second(), dims),
        HostOp::Clip { min, max } => x.mapv(|v| v.max(*min).min(*max)),
        HostOp::LeakyRelu { alpha } => x.mapv(|v| if v < 0.0 { alpha * v } else { v }),
        HostOp::Sigmoid => x.mapv(sigmoid),
        HostOp::Elementwise { functions } => x.mapv(|v| chain(functions, v)),
        HostOp::Softmax { axis } => softmax(x, *axis),
        HostOp::LogSoftmax { axis } => reduce::log_softmax(x, *axis),
        HostOp::Interpolate {
            axis,
            taps,
            indices,
            weights,
        } => reduce::interpolate(x, *axis, *taps, indices, weights),
        HostOp::Normalize { axes, epsilon } => reduce::normalize(x, axes, *epsilon),
        HostOp::Reduce { reduction, axes } => reduction.over(x, axes, dims),
        HostOp::ArgMax {
            axis,
            select_last_index,
        } => reduce::arg_max(x, *axis, *select_last_index),
        HostOp::TopK {
            axis,
            k,
            largest,
            indices,
        } => reduce::top_k(x, *axis, *k, *largest, *indices),
        HostOp::Pairwise { function } => pairs(x, second(), dims, |a, b| function.of(a, b)),
        HostOp::Where => {
            let third = inputs.get(2).and_then(|t| t.as_f32()).unwrap_or(x);
            select(x, second(), third, dims)
        }
        HostOp::Lrn {
            size,
            alpha,
            beta,
            bias,
        } => reduce::lrn(x, *size, *alpha, *beta, *bias),
        HostOp::Recurrent(r) => {
            let state: Vec<&ArrayD<f32>> = inputs[1..].iter().filter_map(|t| t.as_f32()).collect();
            r.run(x, &state)
        }
        _ => x.clone(),
    })
}

fn stretch<'a>(a: &'a ArrayD<f32>, dims: &[usize]) -> ArrayViewD<'a, f32> {
    match a.broadcast(IxDyn(dims)) {
        Some(view) => view,
        None => unreachable!("the dimensions were checked"),
    }
}

fn pairs(
    a: &ArrayD<f32>,
    b: &ArrayD<f32>,
    dims: &[usize],
    f: impl Fn(f32, f32) -> f32,
) -> ArrayD<f32> {
    let mut out = ArrayD::zeros(dims);
    Zip::from(&mut out)
        .and(stretch(a, dims))
        .and(stretch(b, dims))
        .for_each(|o, &a, &b| *o = f(a, b));
    out
}

fn select(
    condition: &ArrayD<f32>,
    a: &ArrayD<f32>,
    b: &ArrayD<f32>,
    dims: &[usize],
) -> ArrayD<f32> {
    let mut out = ArrayD::zeros(dims);
    Zip::from(&mut out)
        .and(stretch(condition, dims))
        .and(stretch(a, dims))
        .and(stretch(b, dims))
        .for_each(|o, &c, &a, &b| *o = if c == 0.0 { b } else { a });
    out
}

fn reduce_mean(x: &ArrayD<f32>, axes: &[usize], dims: &[usize]) -> ArrayD<f32> {
    let mut sums = ArrayD::<f32>::zeros(dims);
    // Elements in their order, each into the sum that it belongs to.
    for (at, &v) in x.indexed_iter() {
        let mut to = at.clone();
        for &a in axes {
            to[a] = 0;
        }
        sums[to] += v;
    }
    let n = x.len() / sums.len();
    sums.mapv(|s| s / n as f32)
}

fn softmax(x: &ArrayD<f32>, axis: usize) -> ArrayD<f32> {
    let mut out = x.as_standard_layout().into_owned();
    for mut lane in out.lanes_mut(Axis(axis)) {
        let top = lane.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        lane.mapv_inplace(|v| libm::expf(v - top));
        let sum = lane.iter().fold(0.0, |s, v| s + v);
        lane.mapv_inplace(|v| v / sum);
    }
    out
}

/// Products are added in the order of the inner dimension.
fn matmul(a: &ArrayD<f32>, b: &ArrayD<f32>, dims: &[usize]) -> ArrayD<f32> {
    let batch = &dims[..dims.len() - 2];
    let (m, n) = (dims[dims.len() - 2], dims[dims.len() - 1]);
    let k = a.shape()[a.ndim() - 1];
    debug_assert_eq!(
        broadcast(&a.shape()[..a.ndim() - 2], &b.shape()[..b.ndim() - 2]).as_deref(),
        Some(batch)
    );
    let whole = |x: &ArrayD<f32>, rows: usize, columns: usize| -> Vec<f32> {
        let mut dims = batch.to_vec();
        dims.extend([rows, columns]);
        stretch(x, &dims).iter().copied().collect()
    };
    let (a, b) = (whole(a, m, k), whole(b, k, n));
    let mut out = vec![0.0f32; dims.iter().product()];
    let rows = out.chunks_exact_mut(n).zip(a.chunks_exact(k)).enumerate();
    for (i, (to, left)) in rows {
        let right = &b[i / m * k * n..][..k * n];
        for (&l, right) in left.iter().zip(right.chunks_exact(n)) {
            for (t, &r) in to.iter_mut().zip(right) {
                *t += l * r;
            }
        }
    }
    from_vec(dims, out)
}
