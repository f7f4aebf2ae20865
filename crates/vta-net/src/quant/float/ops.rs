//! Operators on plain arrays, and what the host has for the others.

use super::{shaped, slice};
use crate::graph::{Op, Window};
use crate::quant::shape::Map;
use ndarray::{Array1, ArrayD};
use vta_tensor::host::HostOp;

pub(super) fn average(window: &Window, include: bool, x: &ArrayD<f32>) -> Option<ArrayD<f32>> {
    let input = Map::of(x.shape())?;
    let [ho, wo] = window.output(input.h, input.w)?;
    let x = slice(x);
    let mut y = Vec::with_capacity(input.c * ho * wo);
    let [rows, columns] = [0, 1].map(|i| window.axis(i));
    for plane in x.chunks_exact(input.plane()) {
        for oy in 0..ho {
            for ox in 0..wo {
                let (mut sum, mut count) = (0., 0);
                for iy in rows.inputs_read(oy, input.h) {
                    for ix in columns.inputs_read(ox, input.w) {
                        sum += plane[iy * input.w + ix];
                        count += 1;
                    }
                }
                if include {
                    count = window.kernel[0] * window.kernel[1];
                }
                y.push(sum / count.max(1) as f32);
            }
        }
    }
    shaped(&[1, input.c, ho, wo], y)
}

/// The host operators, one after the other, that do what an operator does;
/// none for those that only the device has (convolutions, dense layers), and
/// for pools whose window the host does not know.
pub(crate) fn host_ops(op: &Op, input: &[usize], output: &[usize]) -> Option<Vec<HostOp>> {
    let per_channel = |values: &Array1<f32>| {
        let mut dims = vec![1; input.len()];
        *dims.get_mut(1)? = values.len();
        Some((dims, values.to_vec()))
    };
    let one = match op {
        Op::Conv(_) | Op::Dense(_) => return None,
        Op::Add => HostOp::Add,
        Op::Mul => HostOp::Mul,
        Op::MatMul => HostOp::MatMul,
        Op::AddConst(c) => HostOp::AddConst {
            dims: c.values.shape().to_vec(),
            values: c.values.iter().copied().collect(),
        },
        Op::MulConst(c) => HostOp::MulConst {
            dims: c.values.shape().to_vec(),
            values: c.values.iter().copied().collect(),
        },
        Op::Scale { scale, shift } => {
            let (dims, values) = per_channel(scale)?;
            let scale = HostOp::MulConst { dims, values };
            let (dims, values) = per_channel(shift)?;
            return Some(vec![scale, HostOp::AddConst { dims, values }]);
        }
        Op::Relu => HostOp::Clip {
            min: 0.,
            max: f32::INFINITY,
        },
        Op::Clip { min, max } => HostOp::Clip {
            min: *min,
            max: *max,
        },
        Op::LeakyRelu { alpha } => HostOp::LeakyRelu { alpha: *alpha },
        Op::Sigmoid => HostOp::Sigmoid,
        Op::Elementwise(functions) => HostOp::Elementwise {
            functions: functions.clone(),
        },
        Op::Softmax { axis } => HostOp::Softmax { axis: *axis },
        Op::MaxPool(w) => HostOp::MaxPool(*w),
        Op::AveragePool {
            window: w,
            count_include_pad,
        } => HostOp::AveragePool {
            kernel: w.kernel,
            stride: w.stride,
            pads: w.pads,
            dilation: w.dilation,
            count_include_pad: *count_include_pad,
        },
        Op::ReduceMean { axes } => {
            let mean = HostOp::ReduceMean { axes: axes.clone() };
            if input.len() == output.len() {
                return Some(vec![mean]);
            }
            let dims = output.to_vec();
            return Some(vec![mean, HostOp::Reshape { dims }]);
        }
        Op::Concat { axis } => HostOp::Concat { axis: *axis },
        Op::Slice { axis, start, step } => HostOp::Slice {
            axis: *axis,
            start: *start,
            len: *output.get(*axis)?,
            step: *step,
        },
        Op::Resize { factor } => HostOp::Resize { factor: *factor },
        Op::Reshape => HostOp::Reshape {
            dims: output.to_vec(),
        },
        Op::Transpose { perm } => HostOp::Transpose { perm: perm.clone() },
        Op::Pad { pads, value } => HostOp::Pad {
            pads: pads.clone(),
            value: *value,
        },
        Op::Host(op) => op.clone(),
    };
    Some(vec![one])
}
