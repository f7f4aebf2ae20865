//! Operators without parameters.

use super::function;
use super::params::row;
use super::value::Value;
use crate::backend::Kernels;
use burn_tensor::module::{avg_pool2d, max_pool2d};
use burn_tensor::ops::PadMode;
use burn_tensor::{Tensor, activation, s};
use ndarray::ArrayD;
use vta_net::graph::{Op, Window};

/// Computes a node; `dims` are the result's dimensions with the real batch.
pub(super) fn apply<K: Kernels>(
    op: &Op,
    inputs: &[&Value<K>],
    dims: &[usize],
    device: &K::Device,
) -> Value<K> {
    let x = inputs[0];
    match op {
        Op::Add if x.is_last() && inputs[1].is_last() && x.dims() == inputs[1].dims() => {
            Value::from_last(x.map_last() + inputs[1].map_last())
        }
        Op::Add => Value::from(x.six() + inputs[1].six()).reshaped(dims),
        Op::Mul => Value::from(x.six() * inputs[1].six()).reshaped(dims),
        Op::MatMul => Value::from(x.six().matmul(inputs[1].six())).reshaped(dims),
        Op::AddConst(c) => Value::from(x.six() + constant(&c.values, device)).reshaped(dims),
        Op::MulConst(c) => Value::from(x.six() * constant(&c.values, device)).reshaped(dims),
        Op::Scale { scale, shift } => {
            let n = x.dims()[0];
            let c = scale.len();
            let rest: usize = x.dims()[2..].iter().product();
            let of = |v: Vec<f32>| row::<K>(v, device).reshape([1, c, 1]);
            let y = x.to([n, c, rest]) * of(scale.to_vec()) + of(shift.to_vec());
            Value::from(y).reshaped(dims)
        }
        Op::Relu => x.each(activation::relu),
        Op::Clip { min, max } => x.each(|x| x.clamp(*min, *max)),
        Op::LeakyRelu { alpha } => x.each(|x| activation::leaky_relu(x, f64::from(*alpha))),
        Op::Sigmoid => x.each(activation::sigmoid),
        Op::Elementwise(functions) => x.each(|x| function::chain(functions, x)),
        Op::Softmax { axis } => Value::from(activation::softmax(x.around(*axis), 1)).reshaped(dims),
        Op::MaxPool(w) => Value::from(max_pool(x.map(), w)),
        Op::AveragePool {
            window,
            count_include_pad,
        } => average(x, window, *count_include_pad, dims, device),
        Op::ReduceMean { axes } if x.is_last() && axes[..] == [2, 3] => mean_of_maps(x, dims),
        Op::ReduceMean { axes } => {
            let mut y = x.clone();
            for axis in axes {
                let mut kept = y.dims().to_vec();
                kept[*axis] = 1;
                y = Value::from(y.around(*axis).mean_dim(1)).reshaped(&kept);
            }
            y.reshaped(dims)
        }
        Op::Concat { axis } => {
            let parts = inputs.iter().map(|x| x.around(*axis)).collect();
            Value::from(Tensor::cat(parts, 1)).reshaped(dims)
        }
        Op::Slice { axis, start, step } => {
            let end = start + (dims[*axis] - 1) * step + 1;
            let y = x.around(*axis);
            Value::from(y.slice([s![..], s![*start..end;*step as isize], s![..]])).reshaped(dims)
        }
        Op::Resize { factor } => {
            let [n, c, h, w] = x.map().dims();
            let y = x.to([n * c, h, 1, w, 1]);
            let y = y.expand([n * c, h, factor[0], w, factor[1]]);
            Value::from(y).reshaped(dims)
        }
        Op::Transpose { perm } => {
            let front = 6 - perm.len();
            let mut axes = [0isize, 1, 2, 3, 4, 5];
            for (i, p) in perm.iter().enumerate() {
                axes[front + i] = (front + p) as isize;
            }
            Value::from(x.six().permute(axes)).reshaped(dims)
        }
        Op::Pad { pads, value } => pad(x, pads, *value, device),
        // Convolutions and dense layers have parameters: `forward` does them. What
        // the host alone does is refused before (`plan`).
        Op::Reshape | Op::Conv(_) | Op::Dense(_) | Op::Host(_) => x.reshaped(dims),
    }
}

/// A mean in which each value has the part `factor`, or a leaky ReLU of that
/// slope. The half step that makes results round comes before the slope then.
pub(super) fn with_factor<K: Kernels>(
    op: &Op,
    (factor, half): (f32, f32),
    x: &Value<K>,
    dims: &[usize],
) -> Option<Value<K>> {
    match op {
        Op::LeakyRelu { .. } => {
            Some(x.each(|x| activation::leaky_relu(x + half, f64::from(factor)) - half))
        }
        // Sums first: they are exact where values are on a grid.
        Op::ReduceMean { .. } => {
            let [n, c, h, w] = x.map().dims();
            let sums = x.to([n * c, h * w]).sum_dim(1);
            Some(Value::from(sums * factor).reshaped(dims))
        }
        Op::AveragePool { window, .. } => {
            let x = x.map();
            let [_, c, h, w] = x.dims();
            let sums = match window.kernel == [h, w] && window.pads == [0; 4] {
                true => x
                    .reshape([dims[0] * c, h * w])
                    .sum_dim(1)
                    .reshape([dims[0], c, 1, 1]),
                false => {
                    let [kh, kw] = window.kernel;
                    let ones = Tensor::ones([c, 1, kh, kw], &x.device());
                    K::conv(x, ones, None, window, c)
                }
            };
            Some(Value::from(sums * factor).reshaped(dims))
        }
        _ => None,
    }
}

/// A constant, with ones in front.
fn constant<K: Kernels>(values: &ArrayD<f32>, device: &K::Device) -> Tensor<K, 6> {
    let mut dims = [1; 6];
    let n = values.ndim().min(6);
    dims[6 - n..].copy_from_slice(&values.shape()[..n]);
    row::<K>(values.iter().copied().collect(), device).reshape(dims)
}

/// Padding that differs on opposite sides, put around the map; what is left for the window.
fn around<K: Kernels>(x: Tensor<K, 4>, w: &Window, value: f32) -> (Tensor<K, 4>, [usize; 2]) {
    let [top, left, bottom, right] = w.pads;
    if [top, left] == [bottom, right] {
        return (x, [top, left]);
    }
    let pads = (left, right, top, bottom);
    (x.pad(pads, PadMode::Constant(value)), [0, 0])
}

/// The mean of each channel of a map with channels last.
fn mean_of_maps<K: Kernels>(x: &Value<K>, dims: &[usize]) -> Value<K> {
    let x = x.map_last();
    let [n, h, w, c] = x.dims();
    Value::from(x.reshape([n, h * w, c]).mean_dim(1)).reshaped(dims)
}

fn max_pool<K: Kernels>(x: Tensor<K, 4>, w: &Window) -> Tensor<K, 4> {
    let (x, padding) = around(x, w, f32::NEG_INFINITY);
    max_pool2d(x, w.kernel, w.stride, padding, w.dilation, false)
}

fn average<K: Kernels>(
    x: &Value<K>,
    w: &Window,
    include: bool,
    dims: &[usize],
    device: &K::Device,
) -> Value<K> {
    if x.is_last() && w.kernel == x.dims()[2..] && w.pads == [0; 4] {
        return mean_of_maps(x, dims);
    }
    let x = x.map();
    let [n, c, h, width] = x.dims();
    if w.kernel == [h, width] && w.pads == [0; 4] {
        return Value::from(x.reshape([n * c, h * width]).mean_dim(1)).reshaped(dims);
    }
    let symmetric = w.pads[..2] == w.pads[2..];
    if w.dilation == [1, 1] && (include || symmetric) {
        let (x, padding) = around(x, w, 0.0);
        return Value::from(avg_pool2d(x, w.kernel, w.stride, padding, include, false));
    }
    // Sums, as a convolution of each channel, over the number of values in each window.
    let ones = |channels: usize| Tensor::ones([channels, 1, w.kernel[0], w.kernel[1]], device);
    let sums = K::conv(x, ones(c), None, w, c);
    let counts = K::conv(Tensor::ones([1, 1, h, width], device), ones(1), None, w, 1);
    Value::from(match include {
        true => sums / (w.kernel[0] * w.kernel[1]) as f32,
        false => sums / counts.clamp_min(1.0),
    })
}

fn pad<K: Kernels>(
    x: &Value<K>,
    pads: &[(usize, usize)],
    value: f32,
    device: &K::Device,
) -> Value<K> {
    let mut y = x.clone();
    for (axis, (before, after)) in pads.iter().enumerate() {
        if *before + *after == 0 {
            continue;
        }
        let mut dims = y.dims().to_vec();
        dims[axis] += before + after;
        let y3 = y.around(axis);
        let [a, _, b] = y3.dims();
        let side = |n: usize| Tensor::full([a, n, b], value, device);
        let mut parts = Vec::new();
        if *before > 0 {
            parts.push(side(*before));
        }
        parts.push(y3);
        if *after > 0 {
            parts.push(side(*after));
        }
        y = Value::from(Tensor::cat(parts, 1)).reshaped(&dims);
    }
    y
}
