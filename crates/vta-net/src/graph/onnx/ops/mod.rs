//! One function for each operator of the table: a node of the file to nodes of the graph builder.

mod comparing;
mod conv;
mod dense;
mod einsum;
mod elementwise;
mod function;
mod gathering;
mod layout;
mod norm;
mod pool;
mod quantized;
mod range;
mod recurrent;
mod reduce;
mod resize;
mod select;
mod table;
mod transposed;

pub use table::{OPERATORS, OPSETS, Operator, Place, markdown};

use super::error::{Fault, Problem, Res};
use super::import::Importer;
use super::node::{OnnxNode, Value};

/// Lowers a node with at least one computed operand.
pub(super) fn lower(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    match table::find(n.op()) {
        Some(operator) => (operator.lower)(im, n),
        None => Err(Problem::Operator(n.op().to_owned()).into()),
    }
}

/// Whether an operator knows what quantised operands stand for.
pub(super) fn takes_quantised(op: &str) -> bool {
    matches!(
        op,
        "DequantizeLinear" | "QLinearConv" | "QLinearMatMul" | "ConvInteger" | "MatMulInteger"
    )
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
