//! The operators that are read: who lowers each, and what a user should know of it.
//! `docs/operators.md` is made of this table.

use super::super::error::Res;
use super::super::import::Importer;
use super::super::node::OnnxNode;
use super::{
    comparing, conv, dense, einsum, elementwise, function, gathering, layout, norm, pool, quantized,
    range, recurrent, reduce, resize, select, transposed,
};

/// Who does an operator where its operands allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The device.
    Device,
    /// The device where blocks of channels stay whole, else the host, in int8.
    Moves,
    /// The host, one step from int8 to int8 by a table.
    Table,
    /// The host, in single precision.
    Host,
    /// Nobody: it is computed or resolved when the model is read.
    Import,
}

/// An operator of ONNX that is read.
pub struct Operator {
    /// ONNX's name.
    pub name: &'static str,
    /// Who does it.
    pub place: Place,
    /// Limits, and how it is done; empty where there is nothing to say.
    pub note: &'static str,
    pub(super) lower: fn(&mut Importer, &OnnxNode<'_>) -> Res<()>,
}

macro_rules! operators {
    ($($name:literal $place:ident $lower:path, $note:literal;)*) => {
        &[$(Operator {
            name: $name,
            place: Place::$place,
            note: $note,
            lower: |im, n| $lower(im, n),
        }),*]
    };
}

/// All of them, by name.
pub static OPERATORS: &[Operator] = operators! {
    "Abs" Table function::function, "";
    "Acos" Table function::function, "";
    "Acosh" Table function::function, "";
    "Add" Device elementwise::arithmetic, "Two maps of the same dimensions, or a constant for each channel; else the host.";
    "And" Host comparing::logic, "Truth values are 1 and 0.";
    "ArgMax" Host select::arg_max, "Indices are whole numbers in single precision.";
    "ArgMin" Host select::arg_max, "Indices are whole numbers in single precision.";
    "Asin" Table function::function, "";
    "Asinh" Table function::function, "";
    "Atan" Table function::function, "";
    "Atanh" Table function::function, "";
    "AveragePool" Device pool::average_pool, "One or two dimensions. The host where padding must not count.";
    "BatchNormalization" Device conv::batch_normalization, "Part of the layer before it.";
    "Cast" Host elementwise::cast, "To floats nothing happens; to integers the whole part stays.";
    "CastLike" Host elementwise::cast_like, "To floats only.";
    "Ceil" Table function::function, "";
    "Celu" Table function::function, "";
    "Clip" Device elementwise::clip, "Constant bounds.";
    "Concat" Moves layout::concat, "";
    "Constant" Import elementwise::folded, "";
    "ConstantOfShape" Import elementwise::folded, "Constant dimensions.";
    "Conv" Device conv::conv, "One or two dimensions, constant weights.";
    "ConvInteger" Device quantized::conv_integer, "Constant weights and zero points.";
    "ConvTranspose" Device transposed::conv_transpose, "One or two dimensions, constant weights: one convolution with channels for each phase, then depth to space. Its mask is one of `[phases * co, ci]`.";
    "Cos" Table function::function, "";
    "Cosh" Table function::function, "";
    "CumSum" Host reduce::cum_sum, "";
    "DepthToSpace" Moves layout::depth_to_space, "";
    "DequantizeLinear" Import quantized::dequantize, "Another scale than the tensor's is a factor.";
    "Div" Host elementwise::arithmetic, "By a constant it is a factor, as `Mul`.";
    "Dropout" Import elementwise::dropout, "Inference only.";
    "Einsum" Host einsum::einsum, "One or two operands; a constant matrix at the right is a dense layer of the device.";
    "Elu" Table function::function, "";
    "Equal" Host comparing::compare, "Truth values are 1 and 0.";
    "Erf" Table function::function, "";
    "Exp" Table function::function, "";
    "Expand" Moves layout::expand, "Constant dimensions.";
    "Flatten" Moves layout::flatten, "";
    "Floor" Table function::function, "";
    "GRU" Host recurrent::recurrent, "The functions that it has by default, all steps, no clip.";
    "Gather" Moves gathering::gather, "Computed indices: the host.";
    "GatherElements" Host gathering::gather_elements, "";
    "GatherND" Host gathering::gather_nd, "";
    "Gelu" Table function::function, "";
    "Gemm" Device dense::gemm, "";
    "GlobalAveragePool" Device pool::global, "";
    "GlobalMaxPool" Device pool::global, "";
    "Greater" Host comparing::compare, "Truth values are 1 and 0.";
    "GreaterOrEqual" Host comparing::compare, "Truth values are 1 and 0.";
    "GroupNormalization" Host norm::group, "";
    "HardSigmoid" Table function::function, "";
    "HardSwish" Table function::function, "";
    "Identity" Import super::alias, "";
    "If" Import elementwise::folded, "Constant conditions.";
    "InstanceNormalization" Host norm::instance, "";
    "IsInf" Host function::function, "";
    "IsNaN" Host function::function, "";
    "LRN" Host norm::lrn, "";
    "LSTM" Host recurrent::recurrent, "The functions that it has by default, all steps, no clip, no peepholes.";
    "LayerNormalization" Host norm::layer, "The first result.";
    "LeakyRelu" Device elementwise::leaky_relu, "Slopes between 0 and 1, as a sum of at most three powers of two; else a table.";
    "Less" Host comparing::compare, "Truth values are 1 and 0.";
    "LessOrEqual" Host comparing::compare, "Truth values are 1 and 0.";
    "Log" Table function::function, "";
    "LogSoftmax" Host elementwise::softmax, "";
    "Loop" Import elementwise::folded, "Constant numbers of rounds.";
    "LpNormalization" Host norm::lp, "p 1 or 2.";
    "MatMul" Device dense::matmul, "A constant matrix; of two computed tensors the host.";
    "MatMulInteger" Device quantized::matmul_integer, "Constant zero points.";
    "Max" Host function::extreme, "With a constant a limit, as `Clip`.";
    "MaxPool" Device pool::max_pool, "One or two dimensions, the first result.";
    "Mean" Host elementwise::mean, "";
    "MeanVarianceNormalization" Host norm::mean_variance, "";
    "Min" Host function::extreme, "With a constant a limit, as `Clip`.";
    "Mish" Table function::function, "";
    "Mod" Host function::modulo, "";
    "Mul" Device elementwise::arithmetic, "A constant for each channel; of two computed tensors the host.";
    "Neg" Device elementwise::neg, "";
    "Not" Host comparing::not, "Truth values are 1 and 0.";
    "Or" Host comparing::logic, "Truth values are 1 and 0.";
    "PRelu" Device function::prelu, "One slope as `LeakyRelu`; a slope for each channel is a sum of two maps.";
    "Pad" Moves layout::pad, "Constant, reflect, edge, wrap. Zeros before a convolution are its padding.";
    "Pow" Table function::pow, "With one constant exponent; else the host.";
    "QLinearConv" Device quantized::qlinear_conv, "Constant weights, scales and zero points.";
    "QLinearMatMul" Device quantized::qlinear_matmul, "Constant scales and zero points.";
    "QuantizeLinear" Import quantized::quantize, "The limits of the integers stay, as `Clip`; steps are the quantiser's own.";
    "RNN" Host recurrent::recurrent, "tanh, all steps, no clip.";
    "Range" Import elementwise::folded, "Constant operands.";
    "Reciprocal" Table function::function, "";
    "ReduceL1" Host reduce::reduce, "";
    "ReduceL2" Host reduce::reduce, "";
    "ReduceLogSum" Host reduce::reduce, "";
    "ReduceLogSumExp" Host reduce::reduce, "";
    "ReduceMax" Host reduce::reduce, "Over rows and columns the device, as a pool.";
    "ReduceMean" Host pool::reduce_mean, "Over rows and columns the device, as a pool.";
    "ReduceMin" Host reduce::reduce, "";
    "ReduceProd" Host reduce::reduce, "";
    "ReduceSum" Host reduce::reduce, "Over rows and columns the device, as a pool.";
    "ReduceSumSquare" Host reduce::reduce, "";
    "Relu" Device elementwise::relu, "";
    "Reshape" Moves layout::reshape, "Constant dimensions.";
    "Resize" Moves resize::resize, "Nearest by whole factors on the device; other nearest forms move elements; linear and cubic are the host's.";
    "Round" Table function::function, "";
    "ScatterElements" Moves gathering::scatter_elements, "Constant indices, no reduction.";
    "ScatterND" Moves gathering::scatter_nd, "Constant indices, no reduction.";
    "Selu" Table function::function, "";
    "Shape" Import elementwise::folded, "";
    "Shrink" Table function::function, "";
    "Sigmoid" Table elementwise::sigmoid, "";
    "Sign" Table function::function, "";
    "Sin" Table function::function, "";
    "Sinh" Table function::function, "";
    "Size" Import elementwise::folded, "";
    "Slice" Moves range::slice, "Constant bounds.";
    "Softmax" Host elementwise::softmax, "";
    "Softplus" Table function::function, "";
    "Softsign" Table function::function, "";
    "SpaceToDepth" Moves layout::space_to_depth, "";
    "Split" Moves range::split, "";
    "Sqrt" Table function::function, "";
    "Squeeze" Moves layout::squeeze, "";
    "Sub" Device elementwise::arithmetic, "As `Add`.";
    "Sum" Device elementwise::sum, "As `Add`.";
    "Swish" Table function::function, "";
    "Tan" Table function::function, "";
    "Tanh" Table function::function, "";
    "ThresholdedRelu" Table function::function, "";
    "Tile" Moves layout::tile, "Constant repeats.";
    "TopK" Host select::top_k, "A constant k; indices are whole numbers in single precision.";
    "Transpose" Moves layout::transpose, "";
    "Trilu" Host select::trilu, "A constant k.";
    "Unsqueeze" Moves layout::unsqueeze, "";
    "Upsample" Moves resize::resize, "As `Resize`.";
    "Where" Host select::choose, "";
    "Xor" Host comparing::logic, "Truth values are 1 and 0.";
};

/// The operator of a name.
pub(super) fn find(name: &str) -> Option<&'static Operator> {
    OPERATORS.iter().find(|o| o.name == name)
}
