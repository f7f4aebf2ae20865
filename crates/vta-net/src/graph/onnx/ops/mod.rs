//! One function for each operator of the list: a node of the file to nodes of the graph builder.

mod conv;
mod dense;
mod elementwise;
mod function;
mod layout;
mod pool;
mod quantized;
mod range;
mod resize;

use super::error::{Fault, Problem, Res};
use super::import::Importer;
use super::node::{OnnxNode, Value};
use crate::graph::Op;

/// Lowers a node with at least one computed operand.
pub(super) fn lower(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    match n.op() {
        "Conv" => conv::conv(im, n),
        "BatchNormalization" => conv::batch_normalization(im, n),
        "Gemm" => dense::gemm(im, n),
        "MatMul" => dense::matmul(im, n),
        "Add" | "Sub" | "Mul" | "Div" => elementwise::arithmetic(im, n),
        "Sum" => elementwise::sum(im, n),
        "Relu" => im.result(n, Op::Relu, &[n.tensor(0)?]),
        "Sigmoid" => im.result(n, Op::Sigmoid, &[n.tensor(0)?]),
        "LeakyRelu" => elementwise::leaky_relu(im, n),
        "Clip" => elementwise::clip(im, n),
        "Softmax" => elementwise::softmax(im, n),
        "Identity" => alias(im, n),
        "Dropout" => elementwise::dropout(im, n),
        "Cast" => elementwise::cast(im, n),
        "QuantizeLinear" => quantized::quantize(im, n),
        "DequantizeLinear" => quantized::dequantize(im, n),
        "MaxPool" => pool::max_pool(im, n),
        "AveragePool" => pool::average_pool(im, n),
        "GlobalAveragePool" | "GlobalMaxPool" => pool::global(im, n),
        "ReduceMean" => pool::reduce_mean(im, n),
        "Concat" => layout::concat(im, n),
        "Flatten" => layout::flatten(im, n),
        "Reshape" => layout::reshape(im, n),
        "Squeeze" => layout::squeeze(im, n),
        "Unsqueeze" => layout::unsqueeze(im, n),
        "Expand" => layout::expand(im, n),
        "Transpose" => layout::transpose(im, n),
        "Pad" => layout::pad(im, n),
        "Split" => range::split(im, n),
        "Slice" => range::slice(im, n),
        "Gather" => range::gather(im, n),
        "Resize" | "Upsample" => resize::resize(im, n),
        "Neg" => {
            let minus = Importer::scalar(n, "minus", -1.0);
            im.result(n, Op::MulConst(minus), &[n.tensor(0)?])
        }
        "Pow" => function::pow(im, n),
        "PRelu" => function::prelu(im, n),
        "Max" | "Min" => function::extreme(im, n),
        other => match function::function(im, n)? {
            true => Ok(()),
            false => Err(Problem::Operator(other.to_owned()).into()),
        },
    }
}

/// The result is the operand.
fn alias(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    im.bind(n, 0, Value::Tensor(x));
    Ok(())
}

/// A string attribute with a value that is not supported.
fn unsupported(name: &str, value: &str) -> Fault {
    Fault::form(format!("{name} {value:?} is not supported"))
}
