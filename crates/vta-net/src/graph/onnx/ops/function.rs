//! Operators that are functions of single elements.

use super::super::error::{Fault, Problem, Res};
use super::super::import::Importer;
use super::super::node::{OnnxNode, Value};
use super::elementwise::limited;
use crate::graph::{Constant, Function, HostOp, Op};
use vta_tensor::host::Pairwise;

/// The function of an operator with one operand, if it is one.
fn named(n: &OnnxNode<'_>) -> Res<Option<Function>> {
    let float = |name: &str, default: f32| -> Res<f32> {
        let v = n.float(name, default)?;
        match v.is_finite() {
            true => Ok(v),
            false => Err(Fault::value(format!("attribute {name}"), v)),
        }
    };
    Ok(Some(match n.op() {
        "Abs" => Function::Abs,
        "Acos" => Function::Acos,
        "Acosh" => Function::Acosh,
        "Asin" => Function::Asin,
        "Asinh" => Function::Asinh,
        "Atan" => Function::Atan,
        "Atanh" => Function::Atanh,
        "Cosh" => Function::Cosh,
        "IsInf" => Function::IsInf {
            negative: n.int("detect_negative", 1)? != 0,
            positive: n.int("detect_positive", 1)? != 0,
        },
        "IsNaN" => Function::IsNan,
        "Shrink" => Function::Shrink {
            bias: float("bias", 0.0)?,
            lambd: float("lambd", 0.5)?,
        },
        "Sinh" => Function::Sinh,
        "Tan" => Function::Tan,
        "Ceil" => Function::Ceil,
        "Celu" => Function::Celu {
            alpha: float("alpha", 1.0)?,
        },
        "Cos" => Function::Cos,
        "Elu" => Function::Elu {
            alpha: float("alpha", 1.0)?,
        },
        "Erf" => Function::Erf,
        "Exp" => Function::Exp,
        "Floor" => Function::Floor,
        "Gelu" => match n.string("approximate", "none")?.as_str() {
            "none" => Function::Gelu { tanh: false },
            "tanh" => Function::Gelu { tanh: true },
            other => return Err(super::unsupported("approximate", other)),
        },
        "HardSigmoid" => Function::HardSigmoid {
            alpha: float("alpha", 0.2)?,
            beta: float("beta", 0.5)?,
        },
        "HardSwish" => Function::HardSwish,
        "Log" => Function::Log,
        "Mish" => Function::Mish,
        "Reciprocal" => Function::Reciprocal,
        "Round" => Function::Round,
        "Selu" => Function::Selu {
            alpha: float("alpha", 1.673_263_2)?,
            gamma: float("gamma", 1.050_701)?,
        },
        "Sign" => Function::Sign,
        "Sin" => Function::Sin,
        "Softplus" => Function::Softplus,
        "Softsign" => Function::Softsign,
        "Sqrt" => Function::Sqrt,
        "Swish" => Function::Swish {
            alpha: float("alpha", 1.0)?,
        },
        "Tanh" => Function::Tanh,
        "ThresholdedRelu" => Function::ThresholdedRelu {
            alpha: float("alpha", 1.0)?,
        },
        _ => return Ok(None),
    }))
}

/// Lowers such an operator.
pub(super) fn function(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let function = named(n)?.ok_or_else(|| Problem::Operator(n.op().to_owned()))?;
    im.result(n, Op::Elementwise(vec![function]), &[n.tensor(0)?])
}

/// A power; one constant exponent is a function of single elements.
pub(super) fn pow(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let one = n.constant(1).is_ok_and(|c| c.len() == 1);
    let (Value::Tensor(x), true) = (n.value(0)?.clone(), one) else {
        let (x, y) = (im.tensor_of(n, 0)?, im.tensor_of(n, 1)?);
        return im.result(n, pairwise(Pairwise::Pow), &[x, y]);
    };
    let exponent = n.optional_scalar(1)?.unwrap_or(1.0);
    if !exponent.is_finite() {
        return Err(Fault::value("the exponent", exponent));
    }
    match exponent {
        1.0 => {
            im.bind(n, 0, Value::Tensor(x));
            Ok(())
        }
        exponent => im.result(n, Op::Elementwise(vec![Function::Pow { exponent }]), &[x]),
    }
}

/// `PRelu`: one slope is `LeakyRelu`; others are `slope * x + (1 - slope) * max(x, 0)`.
pub(super) fn prelu(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let slope = n.constant(1)?.clone();
    let slope = im.operand(&slope)?;
    let first = slope.values.iter().next().copied();
    if let Some(alpha) = first.filter(|a| slope.values.iter().all(|s| s == a)) {
        return im.result(n, Op::LeakyRelu { alpha }, &[x]);
    }
    let rest = Constant {
        name: format!("{}.rest", slope.name),
        values: slope.values.mapv(|s| 1.0 - s),
    };
    let above = im.step(n, Op::Relu, &[x])?;
    let above = im.step(n, Op::MulConst(rest), &[above])?;
    let all = im.step(n, Op::MulConst(slope), &[x])?;
    im.result(n, Op::Add, &[all, above])
}

fn pairwise(function: Pairwise) -> Op {
    Op::Host(HostOp::Pairwise { function })
}

/// `Max` and `Min`; one value as a constant is a limit.
pub(super) fn extreme(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let is_max = n.op() == "Max";
    let computed = (0..n.inputs.len()).find(|i| n.tensor(*i).is_ok());
    let first = computed.ok_or_else(|| Fault::form("its operands are constants"))?;
    let mut x = n.tensor(first)?;
    let rest: Vec<usize> = (0..n.inputs.len()).filter(|i| *i != first).collect();
    for (k, i) in rest.iter().enumerate() {
        let last = k + 1 == rest.len();
        let limit = match n.value(*i)? {
            Value::Const(c) if c.len() == 1 => im.finite(&c.clone())?.iter().next().copied(),
            _ => None,
        };
        match limit {
            Some(limit) => {
                let (min, max) = match is_max {
                    true => (limit, f32::MAX),
                    false => (f32::MIN, limit),
                };
                if last {
                    return limited(im, n, x, min, max);
                }
                x = im.step(n, Op::Clip { min, max }, &[x])?;
            }
            None => {
                let y = im.tensor_of(n, *i)?;
                let op = pairwise(if is_max { Pairwise::Max } else { Pairwise::Min });
                if last {
                    return im.result(n, op, &[x, y]);
                }
                x = im.step(n, op, &[x, y])?;
            }
        }
    }
    im.bind(n, 0, Value::Tensor(x));
    Ok(())
}

/// The remainder of a division.
pub(super) fn modulo(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let fmod = n.int("fmod", 0)? != 0;
    let (x, y) = (im.tensor_of(n, 0)?, im.tensor_of(n, 1)?);
    im.result(n, pairwise(Pairwise::Mod { fmod }), &[x, y])
}
