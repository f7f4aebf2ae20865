//! The operators that are read: who lowers each, and what a user should know of it.
//! `docs/operators.md` is made of this table.

use super::super::error::Res;
use super::super::import::Importer;
use super::super::node::OnnxNode;
use super::{
    comparing, conv, dense, einsum, elementwise, function, gathering, layout, norm, pool,
    quantized, range, recurrent, reduce, resize, select, transposed,
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
    /// The first opset that has it.
    pub since: u8,
    /// Who does it.
    pub place: Place,
    /// Limits, and how it is done; empty where there is nothing to say.
    pub note: &'static str,
    pub(super) lower: fn(&mut Importer, &OnnxNode<'_>) -> Res<()>,
}

macro_rules! operators {
    ($($name:literal $since:literal $place:ident $lower:path, $note:literal;)*) => {
        &[$(Operator {
            name: $name,
            since: $since,
            place: Place::$place,
            note: $note,
            lower: |im, n| $lower(im, n),
        }),*]
    };
}

/// All of them, by name.
pub static OPERATORS: &[Operator] = operators! {
    "Abs" 1 Table function::function, "";
    "Acos" 7 Table function::function, "";
    "Acosh" 9 Table function::function, "";
    "Add" 1 Device elementwise::arithmetic, "Two maps of the same dimensions, or a constant for each channel; else the host.";
    "And" 1 Host comparing::logic, "Truth values are 1 and 0.";
    "ArgMax" 1 Host select::arg_max, "Indices are whole numbers in single precision.";
    "ArgMin" 1 Host select::arg_max, "Indices are whole numbers in single precision.";
    "Asin" 7 Table function::function, "";
    "Asinh" 9 Table function::function, "";
    "Atan" 7 Table function::function, "";
    "Atanh" 9 Table function::function, "";
    "AveragePool" 1 Device pool::average_pool, "One or two dimensions. The host where padding must not count.";
    "BatchNormalization" 1 Device conv::batch_normalization, "Part of the layer before it.";
    "Cast" 1 Host elementwise::cast, "To floats nothing happens; to integers the whole part stays.";
    "CastLike" 15 Host elementwise::cast_like, "To floats only.";
    "Ceil" 1 Table function::function, "";
    "Celu" 12 Table function::function, "";
    "Clip" 1 Device elementwise::clip, "Constant bounds.";
    "Concat" 1 Moves layout::concat, "";
    "Constant" 1 Import elementwise::folded, "";
    "ConstantOfShape" 9 Import elementwise::folded, "Constant dimensions.";
    "Conv" 1 Device conv::conv, "One or two dimensions, constant weights.";
    "ConvInteger" 10 Device quantized::conv_integer, "Constant weights and zero points.";
    "ConvTranspose" 1 Device transposed::conv_transpose, "One or two dimensions, constant weights: one convolution with channels for each phase, then depth to space. Its mask is one of `[phases * co, ci]`.";
    "Cos" 7 Table function::function, "";
    "Cosh" 9 Table function::function, "";
    "CumSum" 11 Host reduce::cum_sum, "";
    "DepthToSpace" 1 Moves layout::depth_to_space, "Between layers the device's.";
    "DequantizeLinear" 10 Import quantized::dequantize, "Another scale than the tensor's is a factor.";
    "Div" 1 Host elementwise::arithmetic, "By a constant it is a factor, as `Mul`.";
    "Dropout" 1 Import elementwise::dropout, "Inference only.";
    "Einsum" 12 Host einsum::einsum, "One or two operands; a constant matrix at the right is a dense layer of the device.";
    "Elu" 1 Table function::function, "";
    "Equal" 1 Host comparing::compare, "Truth values are 1 and 0.";
    "Erf" 9 Table function::function, "";
    "Exp" 1 Table function::function, "";
    "Expand" 8 Moves layout::expand, "Constant dimensions.";
    "Flatten" 1 Moves layout::flatten, "";
    "Floor" 1 Table function::function, "";
    "GRU" 1 Host recurrent::recurrent, "The functions that it has by default, all steps, no clip.";
    "Gather" 1 Moves gathering::gather, "Computed indices: the host.";
    "GatherElements" 11 Host gathering::gather_elements, "";
    "GatherND" 11 Host gathering::gather_nd, "";
    "Gelu" 20 Table function::function, "";
    "Gemm" 1 Device dense::gemm, "";
    "GlobalAveragePool" 1 Device pool::global, "";
    "GlobalMaxPool" 1 Device pool::global, "";
    "Greater" 1 Host comparing::compare, "Truth values are 1 and 0.";
    "GreaterOrEqual" 12 Host comparing::compare, "Truth values are 1 and 0.";
    "GroupNormalization" 18 Host norm::group, "";
    "HardSigmoid" 1 Table function::function, "";
    "HardSwish" 14 Table function::function, "";
    "Identity" 1 Import super::alias, "";
    "If" 1 Import elementwise::folded, "Constant conditions.";
    "InstanceNormalization" 1 Host norm::instance, "";
    "IsInf" 10 Host function::function, "";
    "IsNaN" 9 Host function::function, "";
    "LRN" 1 Host norm::lrn, "";
    "LSTM" 1 Host recurrent::recurrent, "The functions that it has by default, all steps, no clip, no peepholes.";
    "LayerNormalization" 17 Host norm::layer, "The first result.";
    "LeakyRelu" 1 Device elementwise::leaky_relu, "Slopes between 0 and 1, as a sum of at most three powers of two; else a table.";
    "Less" 1 Host comparing::compare, "Truth values are 1 and 0.";
    "LessOrEqual" 12 Host comparing::compare, "Truth values are 1 and 0.";
    "Log" 1 Table function::function, "";
    "LogSoftmax" 1 Host elementwise::softmax, "";
    "Loop" 1 Import elementwise::folded, "Constant numbers of rounds.";
    "LpNormalization" 1 Host norm::lp, "p 1 or 2.";
    "MatMul" 1 Device dense::matmul, "A constant matrix; of two computed tensors the host.";
    "MatMulInteger" 10 Device quantized::matmul_integer, "Constant zero points.";
    "Max" 1 Host function::extreme, "With a constant a limit, as `Clip`.";
    "MaxPool" 1 Device pool::max_pool, "One or two dimensions, the first result.";
    "Mean" 1 Host elementwise::mean, "";
    "MeanVarianceNormalization" 9 Host norm::mean_variance, "";
    "Min" 1 Host function::extreme, "With a constant a limit, as `Clip`.";
    "Mish" 18 Table function::function, "";
    "Mod" 10 Host function::modulo, "";
    "Mul" 1 Device elementwise::arithmetic, "A constant for each channel; of two computed tensors the host.";
    "Neg" 1 Device elementwise::neg, "";
    "Not" 1 Host comparing::not, "Truth values are 1 and 0.";
    "Or" 1 Host comparing::logic, "Truth values are 1 and 0.";
    "PRelu" 1 Device function::prelu, "One slope as `LeakyRelu`; a slope for each channel is a sum of two maps.";
    "Pad" 1 Moves layout::pad, "Constant, reflect, edge, wrap. Zeros before a convolution are its padding.";
    "Pow" 1 Table function::pow, "With one constant exponent; else the host.";
    "QLinearConv" 10 Device quantized::qlinear_conv, "Constant weights, scales and zero points.";
    "QLinearMatMul" 10 Device quantized::qlinear_matmul, "Constant scales and zero points.";
    "QuantizeLinear" 10 Import quantized::quantize, "The limits of the integers stay, as `Clip`; steps are the quantiser's own.";
    "RNN" 1 Host recurrent::recurrent, "tanh, all steps, no clip.";
    "Range" 11 Import elementwise::folded, "Constant operands.";
    "Reciprocal" 1 Table function::function, "";
    "ReduceL1" 1 Host reduce::reduce, "";
    "ReduceL2" 1 Host reduce::reduce, "";
    "ReduceLogSum" 1 Host reduce::reduce, "";
    "ReduceLogSumExp" 1 Host reduce::reduce, "";
    "ReduceMax" 1 Host reduce::reduce, "Over rows and columns the device, as a pool.";
    "ReduceMean" 1 Host pool::reduce_mean, "Over rows and columns the device, as a pool.";
    "ReduceMin" 1 Host reduce::reduce, "";
    "ReduceProd" 1 Host reduce::reduce, "";
    "ReduceSum" 1 Host reduce::reduce, "Over rows and columns the device, as a pool.";
    "ReduceSumSquare" 1 Host reduce::reduce, "";
    "Relu" 1 Device elementwise::relu, "";
    "Reshape" 1 Moves layout::reshape, "Constant dimensions.";
    "Resize" 10 Moves resize::resize, "By whole factors on the device: nearest, and linear in `half_pixel` and `asymmetric` (by 2, 4 and 8). Other nearest forms move elements; all else is the host's.";
    "Round" 11 Table function::function, "";
    "ScatterElements" 11 Moves gathering::scatter_elements, "Constant indices, no reduction.";
    "ScatterND" 11 Moves gathering::scatter_nd, "Constant indices, no reduction.";
    "Selu" 1 Table function::function, "";
    "Shape" 1 Import elementwise::folded, "";
    "Shrink" 9 Table function::function, "";
    "Sigmoid" 1 Table elementwise::sigmoid, "";
    "Sign" 9 Table function::function, "";
    "Sin" 7 Table function::function, "";
    "Sinh" 9 Table function::function, "";
    "Size" 1 Import elementwise::folded, "";
    "Slice" 1 Moves range::slice, "Constant bounds.";
    "Softmax" 1 Host elementwise::softmax, "";
    "Softplus" 1 Table function::function, "";
    "Softsign" 1 Table function::function, "";
    "SpaceToDepth" 1 Moves layout::space_to_depth, "";
    "Split" 1 Moves range::split, "";
    "Sqrt" 1 Table function::function, "";
    "Squeeze" 1 Moves layout::squeeze, "";
    "Sub" 1 Device elementwise::arithmetic, "As `Add`.";
    "Sum" 1 Device elementwise::sum, "As `Add`.";
    "Swish" 24 Table function::function, "";
    "Tan" 7 Table function::function, "";
    "Tanh" 1 Table function::function, "";
    "ThresholdedRelu" 10 Table function::function, "";
    "Tile" 1 Moves layout::tile, "Constant repeats.";
    "TopK" 1 Host select::top_k, "A constant k; indices are whole numbers in single precision.";
    "Transpose" 1 Moves layout::transpose, "";
    "Trilu" 14 Host select::trilu, "A constant k.";
    "Unsqueeze" 1 Moves layout::unsqueeze, "";
    "Upsample" 1 Moves resize::resize, "As `Resize`.";
    "Where" 9 Host select::choose, "";
    "Xor" 1 Host comparing::logic, "Truth values are 1 and 0.";
};

/// The operator of a name.
pub(super) fn find(name: &str) -> Option<&'static Operator> {
    OPERATORS.iter().find(|o| o.name == name)
}

impl Place {
    /// In words.
    const fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Moves => "placement or host, int8",
            Self::Table => "table, int8",
            Self::Host => "host",
            Self::Import => "when read",
        }
    }
}

/// All operators as a table in Markdown: operator, first opset, who does it, limits.
pub fn markdown() -> String {
    let mut out =
        "| operator | opsets | where | how, and limits |\n| --- | --- | --- | --- |\n".to_owned();
    for o in OPERATORS {
        let first = usize::from(o.since).max(*OPSETS.start());
        let place = o.place.name();
        out += &format!(
            "| {} | {first} to {} | {place} | {} |\n",
            o.name,
            OPSETS.end(),
            o.note
        );
    }
    out
}

/// The opsets that are read.
pub const OPSETS: std::ops::RangeInclusive<usize> = 7..=28;
