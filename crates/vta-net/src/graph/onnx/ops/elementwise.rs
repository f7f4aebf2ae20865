//! Operators on single elements, and those that do nothing at inference.

use super::super::constant::ty;
use super::super::error::{Fault, Problem, Res};
use super::super::import::{Importer, finite};
use super::super::node::{OnnxNode, Value, axis};
use super::alias;
use super::comparing::negation;
use crate::graph::{Constant, Function, HostOp, Op, TensorId};
use vta_tensor::host::Pairwise;

pub(super) fn arithmetic(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let integer = |i: usize| match n.value(i) {
        Ok(Value::Tensor(t)) => im.builder.is_integer(*t),
        Ok(Value::Const(c)) => ty::is_int(c.ty),
        Err(_) => false,
    };
    let integers = integer(0) && integer(1);
    if integers && n.op() == "Div" {
        return divided_integers(im, n);
    }
    real_arithmetic(im, n)?;
    if let (true, Some(Value::Tensor(t))) = (integers, im.bound(n, 0)) {
        im.builder.integers.insert(t);
    }
    Ok(())
}

/// Integers are divided towards zero.
fn divided_integers(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let (x, y) = (im.tensor_of(n, 0)?, im.tensor_of(n, 1)?);
    let function = Pairwise::DivInteger;
    let z = im.step(n, Op::Host(HostOp::Pairwise { function }), &[x, y])?;
    im.builder.integers.insert(z);
    im.bind(n, 0, Value::Tensor(z));
    Ok(())
}

fn real_arithmetic(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let op = n.op();
    match (n.value(0)?.clone(), n.value(1)?.clone()) {
        (Value::Tensor(x), Value::Tensor(y)) => match op {
            "Add" => im.result(n, Op::Add, &[x, y]),
            "Mul" => im.result(n, Op::Mul, &[x, y]),
            "Sub" => {
                let minus = Importer::scalar(n, "minus", -1.0);
                let y = im.step(n, Op::MulConst(minus), &[y])?;
                im.result(n, Op::Add, &[x, y])
            }
            _ => {
                let y = im.step(n, Op::Elementwise(vec![Function::Reciprocal]), &[y])?;
                im.result(n, Op::Mul, &[x, y])
            }
        },
        (Value::Tensor(x), Value::Const(c)) => {
            let mut c = im.operand(&c)?;
            match op {
                "Sub" => c.values.mapv_inplace(|v| -v),
                "Div" => {
                    c.values.mapv_inplace(f32::recip);
                    finite(n.input_name(1), &c.values)?;
                }
                _ => {}
            }
            by_constant(im, n, x, c, matches!(op, "Add" | "Sub"))
        }
        (Value::Const(c), Value::Tensor(x)) => {
            let c = im.operand(&c)?;
            match op {
                "Add" | "Mul" => by_constant(im, n, x, c, op == "Add"),
                "Sub" => {
                    let minus = Importer::scalar(n, "minus", -1.0);
                    let x = im.step(n, Op::MulConst(minus), &[x])?;
                    im.result(n, Op::AddConst(c), &[x])
                }
                _ => {
                    let x = im.step(n, Op::Elementwise(vec![Function::Reciprocal]), &[x])?;
                    im.result(n, Op::MulConst(c), &[x])
                }
            }
        }
        (Value::Const(_), Value::Const(_)) => Err(n.fault(0, Problem::Constant)),
    }
}

fn by_constant(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    x: TensorId,
    c: Constant,
    sum: bool,
) -> Res<()> {
    let op = if sum {
        Op::AddConst(c)
    } else {
        Op::MulConst(c)
    };
    im.result(n, op, &[x])
}

/// `Sum` of any number of tensors, constants among them.
pub(super) fn sum(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let computed = (0..n.inputs.len()).find(|i| n.tensor(*i).is_ok());
    let first = computed.ok_or(Problem::Operand(0))?;
    let rest: Vec<usize> = (0..n.inputs.len()).filter(|i| *i != first).collect();
    let mut x = n.tensor(first)?;
    for (k, i) in rest.iter().enumerate() {
        let (op, inputs) = match n.value(*i)?.clone() {
            Value::Tensor(y) => (Op::Add, vec![x, y]),
            Value::Const(c) => (Op::AddConst(im.operand(&c)?), vec![x]),
        };
        if k + 1 == rest.len() {
            return im.result(n, op, &inputs);
        }
        x = im.step(n, op, &inputs)?;
    }
    im.bind(n, 0, Value::Tensor(x));
    Ok(())
}

pub(super) fn leaky_relu(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let alpha = n.float("alpha", 0.01)?;
    if !alpha.is_finite() {
        return Err(Fault::value("attribute alpha", alpha));
    }
    im.result(n, Op::LeakyRelu { alpha }, &[n.tensor(0)?])
}

pub(super) fn clip(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let (min, max) = if n.opset < 11 {
        let min = n.float("min", f32::MIN)?;
        (min, n.float("max", f32::MAX)?)
    } else {
        let min = n.optional_scalar(1)?.unwrap_or(f32::MIN);
        (min, n.optional_scalar(2)?.unwrap_or(f32::MAX))
    };
    if min.is_nan() || max.is_nan() || min > max {
        return Err(Fault::value("the range", (min, max)));
    }
    limited(im, n, n.tensor(0)?, min, max)
}

/// A clip in its simplest form, as the node's result.
pub(super) fn limited(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    x: TensorId,
    min: f32,
    max: f32,
) -> Res<()> {
    match limits(min, max) {
        None => {
            im.bind(n, 0, Value::Tensor(x));
            Ok(())
        }
        Some(op) => im.result(n, op, &[x]),
    }
}

fn limits(min: f32, max: f32) -> Option<Op> {
    match (min <= f32::MIN, max >= f32::MAX) {
        (true, true) => None,
        (false, true) if min == 0.0 => Some(Op::Relu),
        _ => Some(Op::Clip { min, max }),
    }
}

/// A clip as a tensor of its own, even where it limits nothing.
pub(super) fn clip_to(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    x: TensorId,
    min: f32,
    max: f32,
) -> Res<TensorId> {
    match limits(min, max) {
        None => im.ungridded(n, x),
        Some(op) => im.step(n, op, &[x]),
    }
}

pub(super) fn relu(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    im.result(n, Op::Relu, &[n.tensor(0)?])
}

pub(super) fn sigmoid(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    im.result(n, Op::Sigmoid, &[n.tensor(0)?])
}

pub(super) fn neg(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let minus = Importer::scalar(n, "minus", -1.0);
    im.result(n, Op::MulConst(minus), &[n.tensor(0)?])
}

/// An operator that is always folded, resolved or expanded before.
pub(super) fn folded(_: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    Err(Fault::form(format!(
        "{} is supported with constant operands only",
        n.op()
    )))
}

pub(super) fn mean(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let mut x = im.tensor_of(n, 0)?;
    for i in 1..n.inputs.len() {
        let y = im.tensor_of(n, i)?;
        x = im.step(n, Op::Add, &[x, y])?;
    }
    let part = Importer::scalar(n, "part", 1.0 / n.inputs.len() as f32);
    im.result(n, Op::MulConst(part), &[x])
}

/// `Softmax` and `LogSoftmax`.
pub(super) fn softmax(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let dims = im.dims(x).to_vec();
    let old = n.opset < 13;
    let axis = axis(n.int("axis", if old { 1 } else { -1 })?, dims.len())?;
    let behind: usize = dims[axis..].iter().product();
    let op = |axis| match n.op() {
        "LogSoftmax" => Op::Host(HostOp::LogSoftmax { axis }),
        _ => Op::Softmax { axis },
    };
    if !old || behind == dims[axis] {
        return im.result(n, op(axis), &[x]);
    }
    // Before opset 13 all dimensions from the axis on are one.
    let before: usize = dims[..axis].iter().product();
    let flat = im.step_to(n, Op::Reshape, &[x], Some(&[before, behind]))?;
    let y = im.step(n, op(1), &[flat])?;
    im.result_to(n, 0, Op::Reshape, &[y], Some(&dims))
}

pub(super) fn dropout(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let training = n.opset >= 12 && n.optional_scalar(2)?.is_some_and(|v| v != 0.0);
    if training {
        return Err(Fault::form("training_mode is not supported"));
    }
    alias(im, n)
}

/// To floats nothing happens; integers keep the whole part, truth values are 0 or 1.
pub(super) fn cast(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let to = n.int("to", 0)?;
    let Ok(to) = i32::try_from(to) else {
        return Err(Fault::value("attribute to", to));
    };
    let functions = match to {
        _ if ty::is_float(to) => return alias(im, n),
        ty::BOOL => [vec![Function::Equal { value: 0.0 }], negation()].concat(),
        _ if ty::is_int(to) => vec![Function::Trunc],
        _ => return Err(Problem::Type(to).into()),
    };
    im.result(n, Op::Elementwise(functions), &[n.tensor(0)?])
}

pub(super) fn cast_like(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    match n.value(1)? {
        Value::Const(c) if !ty::is_float(c.ty) => Err(n.fault(1, Problem::Type(c.ty))),
        _ => alias(im, n),
    }
}
