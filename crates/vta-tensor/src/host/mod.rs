//! What the host computes: operators on plain tensors.
//!
//! Below programs and the quantiser: both the integer reference and the host
//! steps of a program call the same functions, so their values are the same.
//! Operators that only move elements take either type; arithmetic is in f32,
//! with `Quantize` and `Dequantize` between the two.

mod arithmetic;
mod dims;
mod error;
mod function;
mod fused;
mod gathering;
mod linear;
mod moving;
mod pairwise;
mod recurrent;
mod reduce;
mod text;
mod window;

pub use dims::{MAX_ELEMENTS, MAX_EXPONENT, broadcast, elements};
pub use error::HostError;
pub use function::{Function, MAX_FUNCTIONS};
pub use fused::{FusedOp, MAX_FUSED};
pub use pairwise::Pairwise;
pub use recurrent::{Cell, Recurrent};
pub use reduce::Reduction;

use crate::window::Window;
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
    /// f32 to i8: round half away from zero of `x / 2^exponent`, limited to
    /// -128..=127; what is not a number is 0.
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
    Im2col(Window),
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
    /// Linear upsampling of `[1, c, h, w]`; beyond the edge are the values at the edge.
    /// Either type: of i8 the exact sums are rounded to the nearest integer, halves up.
    ResizeLinear {
        /// Down, right.
        factor: [usize; 2],
        /// Whether the middles of both maps lie on each other (`half_pixel`), not their
        /// first elements (`asymmetric`).
        half_pixel: bool,
    },
    /// Constant padding; the constant of an i8 tensor is rounded.
    Pad {
        /// Elements before and after, for each dimension.
        pads: Vec<(usize, usize)>,
        /// The constant, as in the tensor.
        #[serde(with = "text::number")]
        value: f32,
    },
    /// Largest value in a window of `[1, c, h, w]`; padding does not count. Either
    /// type. A window that meets nothing but padding gives the smallest value.
    MaxPool(Window),
    /// Mean of a window of `[1, c, h, w]`; 0 where it meets nothing but padding.
    AveragePool {
        /// Rows, columns.
        kernel: [usize; 2],
        /// Down, right.
        stride: [usize; 2],
        /// Top, left, bottom, right.
        pads: [usize; 4],
        /// Distance of the window's elements, down and right.
        #[serde(default = "no_dilation", skip_serializing_if = "is_dense")]
        dilation: [usize; 2],
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
        #[serde(with = "text::numbers")]
        values: Vec<f32>,
    },
    /// Product with a constant, broadcast.
    MulConst {
        /// Its dimensions.
        dims: Vec<usize>,
        /// Its values.
        #[serde(with = "text::numbers")]
        values: Vec<f32>,
    },
    /// x between two bounds.
    Clip {
        /// Lower bound.
        #[serde(with = "text::number")]
        min: f32,
        /// Upper bound.
        #[serde(with = "text::number")]
        max: f32,
    },
    /// x, or `alpha * x` below zero.
    LeakyRelu {
        /// Slope below zero.
        #[serde(with = "text::number")]
        alpha: f32,
    },
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// Functions of single elements, one after the other.
    Elementwise {
        /// The functions, at least one and [`MAX_FUNCTIONS`] at most.
        functions: Vec<Function>,
    },
    /// i8 to i8 by a table: any function of one element between two steps.
    Table {
        /// The results of -128 to 127, in this order.
        values: Vec<i8>,
    },
    /// Softmax along an axis.
    Softmax {
        /// The axis.
        axis: usize,
    },
    /// The logarithm of softmax along an axis.
    LogSoftmax {
        /// The axis.
        axis: usize,
    },
    /// A tensor that is not computed. It has no operands.
    Constant {
        /// Its dimensions.
        dims: Vec<usize>,
        /// Its values.
        #[serde(with = "text::numbers")]
        values: Vec<f32>,
    },
    /// Elements of an axis in any order, some maybe repeated, some left out. Either type.
    Gather {
        /// The axis.
        axis: usize,
        /// For each element of the result the one that it is.
        indices: Vec<usize>,
    },
    /// Reshape, transpose, reshape: depth to space, channel shuffles. Either type.
    Rearrange {
        /// The dimensions before the transposition.
        split: Vec<usize>,
        /// Dimension `i` behind it is dimension `perm[i]` before.
        perm: Vec<usize>,
        /// The dimensions of the result.
        dims: Vec<usize>,
    },
    /// Along an axis each result is a weighted sum of the same number of elements:
    /// linear and cubic `Resize`, `CumSum`.
    Interpolate {
        /// The axis.
        axis: usize,
        /// Elements in each sum.
        taps: usize,
        /// Their indices, one sum after the other.
        indices: Vec<usize>,
        /// Their weights.
        #[serde(with = "text::numbers")]
        weights: Vec<f32>,
    },
    /// `(x - mean) / sqrt(variance + epsilon)`, both over axes.
    Normalize {
        /// The axes.
        axes: Vec<usize>,
        /// What is added to the variance.
        #[serde(with = "text::number")]
        epsilon: f32,
    },
    /// Sum, product, largest or smallest value over axes, which stay as 1.
    Reduce {
        /// Which of them.
        reduction: Reduction,
        /// The axes.
        axes: Vec<usize>,
    },
    /// Index of the largest value along an axis, which stays as 1.
    ArgMax {
        /// The axis.
        axis: usize,
        /// Whether the last of equal values counts, not the first.
        select_last_index: bool,
    },
    /// The largest values along an axis, largest first; of equal values the one with
    /// the lower index comes first.
    TopK {
        /// The axis.
        axis: usize,
        /// How many.
        k: usize,
        /// Whether it is the largest values, not the smallest.
        largest: bool,
        /// Whether the result is their indices, not the values.
        indices: bool,
    },
    /// A function of two tensors, element by element, broadcast.
    Pairwise {
        /// The function.
        function: Pairwise,
    },
    /// Elements of the second operand where the first is not 0, else of the third; all broadcast.
    Where,
    /// Elements of the first operand along an axis, by the indices in the second
    /// (whole numbers; negative ones count from the end).
    Take {
        /// The axis.
        axis: usize,
    },
    /// Elements of the first operand: the second has their index along an axis.
    GatherElements {
        /// The axis.
        axis: usize,
    },
    /// Elements or slices of the first operand; the last dimension of the second has
    /// their indices.
    GatherNd {
        /// Leading dimensions that both share.
        batch_dims: usize,
    },
    /// Local response normalisation over the channels of `[1, c, ...]`:
    /// `x / (bias + alpha / size * sum of squares) ^ beta`.
    Lrn {
        /// Channels in a sum.
        size: usize,
        /// Factor of the sum.
        #[serde(with = "text::number")]
        alpha: f32,
        /// The exponent.
        #[serde(with = "text::number")]
        beta: f32,
        /// What is added to the sum.
        #[serde(with = "text::number")]
        bias: f32,
    },
    /// Several operators as one step, the last of which makes its result.
    Fused {
        /// They, operands first.
        ops: Vec<FusedOp>,
    },
    /// A recurrent layer over `[steps, batch, input]`; more operands are the state at the start.
    Recurrent(Box<Recurrent>),
}

const fn no_dilation() -> [usize; 2] {
    [1; 2]
}

fn is_dense(dilation: &[usize; 2]) -> bool {
    *dilation == [1; 2]
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::I8 => "i8",
            Self::F32 => "f32",
        })
    }
}

impl DType {
    /// Bytes of an element.
    pub const fn bytes(self) -> usize {
        match self {
            Self::I8 => 1,
            Self::F32 => 4,
        }
    }
}

impl Tensor {
    /// Dimensions.
    pub fn dims(&self) -> &[usize] {
        match self {
            Self::I8(a) => a.shape(),
            Self::F32(a) => a.shape(),
        }
    }

    /// The elements, if they are int8.
    pub const fn as_i8(&self) -> Option<&ArrayD<i8>> {
        match self {
            Self::I8(a) => Some(a),
            Self::F32(_) => None,
        }
    }

    /// The elements, if they are in single precision.
    pub const fn as_f32(&self) -> Option<&ArrayD<f32>> {
        match self {
            Self::F32(a) => Some(a),
            Self::I8(_) => None,
        }
    }

    /// Type of the elements.
    pub const fn dtype(&self) -> DType {
        match self {
            Self::I8(_) => DType::I8,
            Self::F32(_) => DType::F32,
        }
    }
}

/// The same function on either type.
macro_rules! either {
    ($tensor:expr, $a:ident => $result:expr) => {
        match $tensor {
            Tensor::I8($a) => Tensor::I8($result),
            Tensor::F32($a) => Tensor::F32($result),
        }
    };
}

impl HostOp {
    /// The window of an operator that has one.
    pub fn window(&self) -> Option<Window> {
        match self {
            Self::Im2col(window) | Self::MaxPool(window) => Some(*window),
            Self::AveragePool {
                kernel,
                stride,
                pads,
                dilation,
                ..
            } => Some(Window {
                kernel: *kernel,
                stride: *stride,
                dilation: *dilation,
                pads: *pads,
            }),
            _ => None,
        }
    }

    /// The result for these operands. Sums are in f32, in the order of the
    /// elements, so that values are the same on every machine.
    ///
    /// # Errors
    /// A number, types or dimensions of operands that the operator does not take.
    pub fn run(&self, inputs: &[&Tensor]) -> Result<Tensor, HostError> {
        let types: Vec<DType> = inputs.iter().map(|t| t.dtype()).collect();
        self.dtype(&types)?;
        let dims: Vec<&[usize]> = inputs.iter().map(|t| t.dims()).collect();
        let dims = self.dims(&dims)?;
        if let Self::Fused { ops } = self {
            return fused::run(self, ops, inputs);
        }
        if let Self::Constant { values, .. } = self {
            return Ok(Tensor::F32(moving::from_vec(&dims, values.clone())));
        }
        let x = inputs[0];
        Ok(match self {
            Self::Copy => x.clone(),
            Self::Gather { axis, indices } => {
                either!(x, a => gathering::gather(a, *axis, indices))
            }
            Self::Rearrange { split, perm, .. } => {
                either!(x, a => gathering::rearrange(a, split, perm, &dims))
            }
            Self::Take { axis } => gathering::take(self, inputs, *axis, &dims)?,
            Self::GatherElements { axis } => gathering::elements(self, inputs, *axis, &dims)?,
            Self::GatherNd { batch_dims } => gathering::nd(self, inputs, *batch_dims, &dims)?,
            Self::Reshape { .. } => either!(x, a => moving::reshape(a, &dims)),
            Self::Transpose { perm } => either!(x, a => moving::transpose(a, perm)),
            Self::Slice {
                axis, start, step, ..
            } => either!(x, a => moving::slice(a, *axis, *start, *step, &dims)),
            Self::Concat { axis } => moving::concat(inputs, *axis, &dims),
            Self::Resize { factor } => either!(x, a => moving::resize(a, *factor, &dims)),
            Self::ResizeLinear { factor, half_pixel } => match x {
                Tensor::I8(a) => Tensor::I8(linear::integer(a, *factor, *half_pixel, &dims)),
                Tensor::F32(a) => Tensor::F32(linear::float(a, *factor, *half_pixel, &dims)),
            },
            Self::Pad { pads, value } => match x {
                Tensor::I8(a) => Tensor::I8(moving::pad(a, pads, arithmetic::to_i8(*value), &dims)),
                Tensor::F32(a) => Tensor::F32(moving::pad(a, pads, *value, &dims)),
            },
            Self::Im2col(window) => {
                either!(x, a => window::im2col(a, window, &dims))
            }
            Self::MaxPool(window) => match x {
                Tensor::I8(a) => Tensor::I8(window::max(a, window, &dims, i8::MIN, i8::max)),
                Tensor::F32(a) => {
                    let least = f32::NEG_INFINITY;
                    Tensor::F32(window::max(a, window, &dims, least, f32::max))
                }
            },
            Self::Table { values } => match x {
                // Its length was checked.
                Tensor::I8(a) => {
                    Tensor::I8(a.mapv(|q| values[usize::from(q.cast_unsigned() ^ 128)]))
                }
                Tensor::F32(_) => x.clone(),
            },
            _ => return Ok(arithmetic::run(self, inputs, &dims)),
        })
    }
}
