//! What the host computes: operators on plain tensors.
//!
//! Below programs and the quantiser: both the integer reference and the host
//! steps of a program call the same functions, so their values are the same.
//! Operators that only move elements take either type; arithmetic is in f32,
//! with `Quantize` and `Dequantize` between the two.

use ndarray::ArrayD;

/// A value: dimensions and elements, row by row.
#[derive(Debug, Clone, PartialEq)]
pub enum Tensor {
    /// 8-bit integers.
    I8(ArrayD<i8>),
    /// Single precision.
    F32(ArrayD<f32>),
}

/// Type of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// 8-bit integers.
    I8,
    /// Single precision.
    F32,
}

/// One operator of the host.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum HostOp {
    /// f32 to i8: round half away from zero of `x / 2^exponent`, limited to -128..=127.
    Quantize {
        /// The exponent of a step.
        exponent: i32,
    },
    /// i8 to f32: `x * 2^exponent`.
    Dequantize {
        /// The exponent of a step.
        exponent: i32,
    },
    /// The same tensor, maybe in another layout.
    Copy,
    /// `[1, c, h, w]` to `[1, c * kh * kw, ho, wo]`: channel `(c * kh + ky) * kw + kx`
    /// holds what kernel position (ky, kx) meets, zero on padding.
    Im2col {
        /// Rows, columns.
        kernel: [usize; 2],
        /// Down, right.
        stride: [usize; 2],
        /// Down, right.
        dilation: [usize; 2],
        /// Top, left, bottom, right.
        pads: [usize; 4],
    },
    /// The same elements in other dimensions.
    Reshape {
        /// The dimensions.
        dims: Vec<usize>,
    },
    /// Permuted axes.
    Transpose {
        /// Dimension `i` of the result is dimension `perm[i]`.
        perm: Vec<usize>,
    },
    /// A range of an axis.
    Slice {
        /// The axis.
        axis: usize,
        /// First index.
        start: usize,
        /// Number of indices.
        len: usize,
        /// Distance of indices.
        step: usize,
    },
    /// One after the other along an axis.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// Nearest neighbour upsampling of `[1, c, h, w]`.
    Resize {
        /// Down, right.
        factor: [usize; 2],
    },
    /// Constant padding; the constant of an i8 tensor is rounded.
    Pad {
        /// Elements before and after, for each dimension.
        pads: Vec<(usize, usize)>,
        /// The constant, as in the tensor.
        value: f32,
    },
    /// Largest value in a window of `[1, c, h, w]`; padding does not count. Either type.
    MaxPool {
        /// Rows, columns.
        kernel: [usize; 2],
        /// Down, right.
        stride: [usize; 2],
        /// Down, right.
        dilation: [usize; 2],
        /// Top, left, bottom, right.
        pads: [usize; 4],
    },
    /// Mean of a window of `[1, c, h, w]`.
    AveragePool {
        /// Rows, columns.
        kernel: [usize; 2],
        /// Down, right.
        stride: [usize; 2],
        /// Top, left, bottom, right.
        pads: [usize; 4],
        /// Whether padding counts as values.
        count_include_pad: bool,
    },
    /// Mean over axes, which stay as 1.
    ReduceMean {
        /// The axes.
        axes: Vec<usize>,
    },
    /// Sum of two tensors, broadcast.
    Add,
    /// Product of two tensors, broadcast.
    Mul,
    /// Product of two matrices (leading dimensions are batches).
    MatMul,
    /// Sum with a constant, broadcast.
    AddConst {
        /// Its dimensions.
        dims: Vec<usize>,
        /// Its values.
        values: Vec<f32>,
    },
    /// Product with a constant, broadcast.
    MulConst {
        /// Its dimensions.
        dims: Vec<usize>,
        /// Its values.
        values: Vec<f32>,
    },
    /// x between two bounds.
    Clip {
        /// Lower bound.
        min: f32,
        /// Upper bound.
        max: f32,
    },
    /// x, or `alpha * x` below zero.
    LeakyRelu {
        /// Slope below zero.
        alpha: f32,
    },
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// Softmax along an axis.
    Softmax {
        /// The axis.
        axis: usize,
    },
}
