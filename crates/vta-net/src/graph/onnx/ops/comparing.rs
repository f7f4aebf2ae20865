//! Comparisons and logic. Truth values are 1 and 0.

use super::super::error::{Fault, Res};
use super::super::import::Importer;
use super::super::node::{OnnxNode, Value};
use crate::graph::{Function, Op, TensorId};

/// 1 where x is 0, 0 where it is 1.
pub(super) fn negation() -> Vec<Function> {
    vec![Function::Mul { value: -1.0 }, Function::Add { value: 1.0 }]
}

/// The only value of a constant operand.
fn scalar(n: &OnnxNode<'_>, i: usize) -> Option<f32> {
    let c = n.constant(i).ok()?;
    let values = c.to_floats();
    values.iter().next().copied().filter(|_| values.len() == 1)
}

pub(super) fn compare(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let (x, value) = match (n.value(0)?.clone(), scalar(n, 1)) {
        (Value::Tensor(x), Some(value)) => (x, value),
        _ => {
            let minus = Op::MulConst(Importer::scalar(n, "minus", -1.0));
            let (x, y) = (im.tensor_of(n, 0)?, im.tensor_of(n, 1)?);
            let y = im.step(n, minus, &[y])?;
            (im.step(n, Op::Add, &[x, y])?, 0.0)
        }
    };
    let is = |f: Function| vec![f];
    let not = |f: Function| [vec![f], negation()].concat();
    let functions = match n.op() {
        "Equal" => is(Function::Equal { value }),
        "Greater" => is(Function::Greater { value }),
        "Less" => is(Function::Less { value }),
        "GreaterOrEqual" => not(Function::Less { value }),
        _ => not(Function::Greater { value }),
    };
    im.result(n, Op::Elementwise(functions), &[x])
}

pub(super) fn not(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    im.result(n, Op::Elementwise(negation()), &[n.tensor(0)?])
}

pub(super) fn logic(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let operands: [TensorId; 2] = [im.tensor_of(n, 0)?, im.tensor_of(n, 1)?];
    let f = match n.op() {
        "And" => return im.result(n, Op::Mul, &operands),
        "Or" => Function::Greater { value: 0.0 },
        "Xor" => Function::Equal { value: 1.0 },
        other => return Err(Fault::form(format!("{other} is no logic"))),
    };
    let sum = im.step(n, Op::Add, &operands)?;
    im.result(n, Op::Elementwise(vec![f]), &[sum])
}
