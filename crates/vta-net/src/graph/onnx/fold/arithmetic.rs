//! Arithmetic on constants.

use super::super::constant::{Const, Values, ty};
use super::super::error::{Fault, Problem, Res};
use super::super::import::SizeBudget;
use super::super::node::{OnnxNode, axes};
use crate::graph::shape::broadcast;
use ndarray::{ArrayD, Axis, IxDyn, Zip};
use std::rc::Rc;

/// Both operands broadcast, combined element by element.
fn zip<T: Copy, U>(
    a: &ArrayD<T>,
    b: &ArrayD<T>,
    to: &[usize],
    f: impl Fn(T, T) -> U,
) -> Res<ArrayD<U>> {
    let (a, b) = (a.broadcast(IxDyn(to)), b.broadcast(IxDyn(to)));
    match (a, b) {
        (Some(a), Some(b)) => Ok(Zip::from(a).and(b).map_collect(|a, b| f(*a, *b))),
        _ => Err(Fault::value("the dimensions", to)),
    }
}

/// Operators of two operands, and `Min` and `Max` of any number.
pub(super) fn binary(
    n: &OnnxNode<'_>,
    operands: &[Rc<Const>],
    budget: &mut SizeBudget,
) -> Res<Const> {
    let mut out = operands[0].as_ref().clone();
    if operands.len() < 2 {
        return match n.op() {
            "Min" | "Max" => Ok(out),
            _ => Err(Problem::Operand(1).into()),
        };
    }
    for c in &operands[1..] {
        let to = broadcast(out.dims(), c.dims())?;
        budget.take(&to)?;
        let values = pair(n, &out, c, &to)?;
        // The weight among the two gives the name.
        if c.len() > out.len() {
            out = c.as_ref().clone();
        }
        if matches!(
            n.op(),
            "Equal" | "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" | "And" | "Or"
        ) {
            out.ty = ty::BOOL;
        }
        out.values = values;
    }
    Ok(out)
}

fn pair(n: &OnnxNode<'_>, a: &Const, b: &Const, to: &[usize]) -> Res<Values> {
    let op = n.op();
    let unknown = || Problem::Operator(op.to_owned());
    Ok(match (&a.values, &b.values) {
        (Values::Int(a), Values::Int(b)) => {
            if matches!(op, "Div" | "Mod") && b.iter().any(|v| *v == 0) {
                return Err(n.fault(1, Problem::Form("division by zero".to_owned())));
            }
            let f: fn(i64, i64) -> i64 = match op {
                "Add" => i64::wrapping_add,
                "Sub" => i64::wrapping_sub,
                "Mul" => i64::wrapping_mul,
                "Div" => i64::wrapping_div,
                // The sign of the divisor, unless `fmod` asks for that of the dividend.
                "Mod" if n.int("fmod", 0)? == 0 => |a, b| {
                    let r = a.wrapping_rem(b);
                    if r != 0 && (r < 0) != (b < 0) {
                        r + b
                    } else {
                        r
                    }
                },
                "Mod" => i64::wrapping_rem,
                "Pow" => |a, b| a.wrapping_pow(u32::try_from(b).unwrap_or(0)),
                "Min" => i64::min,
                "Max" => i64::max,
                "Equal" => |a, b| (a == b).into(),
                "Less" => |a, b| (a < b).into(),
                "LessOrEqual" => |a, b| (a <= b).into(),
                "Greater" => |a, b| (a > b).into(),
                "GreaterOrEqual" => |a, b| (a >= b).into(),
                "And" => |a, b| (a != 0 && b != 0).into(),
                "Or" => |a, b| (a != 0 || b != 0).into(),
                _ => return Err(unknown().into()),
            };
            Values::Int(zip(a, b, to, f)?)
        }
        (Values::Float(a), Values::Float(b)) => {
            let f: Option<fn(f32, f32) -> f32> = match op {
                "Add" => Some(|a, b| a + b),
                "Sub" => Some(|a, b| a - b),
                "Mul" => Some(|a, b| a * b),
                "Div" => Some(|a, b| a / b),
                "Mod" => Some(|a, b| a % b),
                "Pow" => Some(f32::powf),
                "Min" => Some(f32::min),
                "Max" => Some(f32::max),
                _ => None,
            };
            let compare: fn(f32, f32) -> i64 = match op {
                "Equal" => |a, b| (a == b).into(),
                "Less" => |a, b| (a < b).into(),
                "LessOrEqual" => |a, b| (a <= b).into(),
                "Greater" => |a, b| (a > b).into(),
                "GreaterOrEqual" => |a, b| (a >= b).into(),
                _ if f.is_some() => |_, _| 0,
                _ => return Err(unknown().into()),
            };
            match f {
                Some(f) => Values::Float(zip(a, b, to, f)?),
                None => Values::Int(zip(a, b, to, compare)?),
            }
        }
        // An exponent may be of another type.
        (Values::Float(a), Values::Int(e)) if op == "Pow" => {
            Values::Float(zip(a, &e.mapv(|v| v as f32), to, f32::powf)?)
        }
        _ => return Err(Fault::form("operands of different types")),
    })
}

pub(super) fn select(
    n: &OnnxNode<'_>,
    operands: &[Rc<Const>],
    budget: &mut SizeBudget,
) -> Res<Const> {
    let [condition, yes, no] = operands else {
        return Err(Problem::Operand(operands.len()).into());
    };
    let to = broadcast(&broadcast(condition.dims(), yes.dims())?, no.dims())?;
    budget.take(&to)?;
    budget.take(&to)?;
    let Values::Int(condition) = &condition.values else {
        return Err(n.fault(0, Problem::Form("must be a condition".to_owned())));
    };
    let wrong = || Fault::value("the dimensions", &to);
    let condition = condition.broadcast(IxDyn(&to)).ok_or_else(wrong)?;
    let values = match (&yes.values, &no.values) {
        (Values::Int(a), Values::Int(b)) => {
            let pairs = zip(a, b, &to, |a, b| (a, b))?;
            Values::Int(
                Zip::from(condition)
                    .and(&pairs)
                    .map_collect(|c, p| if *c != 0 { p.0 } else { p.1 }),
            )
        }
        (Values::Float(a), Values::Float(b)) => {
            let pairs = zip(a, b, &to, |a, b| (a, b))?;
            Values::Float(
                Zip::from(condition)
                    .and(&pairs)
                    .map_collect(|c, p| if *c != 0 { p.0 } else { p.1 }),
            )
        }
        _ => return Err(Fault::form("operands of different types")),
    };
    Ok(yes.with(values))
}

pub(super) fn unary(n: &OnnxNode<'_>, c: &Const, budget: &mut SizeBudget) -> Res<Const> {
    budget.take(c.dims())?;
    let op = n.op();
    let values = match &c.values {
        Values::Int(a) => {
            let f: fn(i64) -> i64 = match op {
                "Neg" => i64::wrapping_neg,
                "Abs" => i64::wrapping_abs,
                "Not" => |v| (v == 0).into(),
                "Relu" => |v| v.max(0),
                _ => return Err(Problem::Operator(format!("{op} of integers")).into()),
            };
            Values::Int(a.mapv(f))
        }
        Values::Float(a) => {
            let f: fn(f32) -> f32 = match op {
                "Floor" => f32::floor,
                "Ceil" => f32::ceil,
                "Round" => f32::round_ties_even,
                "Sqrt" => f32::sqrt,
                "Neg" => |v| -v,
                "Abs" => f32::abs,
                "Reciprocal" => f32::recip,
                "Exp" => f32::exp,
                "Log" => f32::ln,
                "Relu" => |v| v.max(0.0),
                _ => return Err(Problem::Operator(format!("{op} of floats")).into()),
            };
            Values::Float(a.mapv(f))
        }
    };
    Ok(c.with(values))
}

pub(super) fn reduce(n: &OnnxNode<'_>, c: &Const, budget: &mut SizeBudget) -> Res<Const> {
    budget.take(c.dims())?;
    let rank = c.dims().len();
    let since = if n.op() == "ReduceSum" { 13 } else { 18 };
    let over = match n.ints_or_input("axes", 1, since)? {
        Some(a) if !a.is_empty() => axes(&a, rank)?,
        _ if n.int("noop_with_empty_axes", 0)? != 0 => return Ok(c.clone()),
        _ => (0..rank).collect(),
    };
    let keep = n.int("keepdims", 1)? != 0;
    fn along<T: Copy>(
        mut a: ArrayD<T>,
        axes: &[usize],
        keep: bool,
        start: T,
        f: fn(T, T) -> T,
    ) -> ArrayD<T> {
        // From the last axis on, so that those before keep their numbers.
        for at in axes.iter().rev() {
            a = a.fold_axis(Axis(*at), start, |a, b| f(*a, *b));
            if keep {
                a.insert_axis_inplace(Axis(*at));
            }
        }
        a
    }
    let count: usize = over.iter().map(|a| c.dims()[*a]).product();
    let values = match &c.values {
        Values::Float(a) => {
            let (start, f): (f32, fn(f32, f32) -> f32) = match n.op() {
                "ReduceProd" => (1.0, |a, b| a * b),
                "ReduceMin" => (f32::INFINITY, f32::min),
                "ReduceMax" => (f32::NEG_INFINITY, f32::max),
                _ => (0.0, |a, b| a + b),
            };
            let mut out = along(a.clone(), &over, keep, start, f);
            if n.op() == "ReduceMean" {
                out.mapv_inplace(|v| v / count as f32);
            }
            Values::Float(out)
        }
        Values::Int(a) => {
            let (start, f): (i64, fn(i64, i64) -> i64) = match n.op() {
                "ReduceProd" => (1, i64::wrapping_mul),
                "ReduceMin" => (i64::MAX, i64::min),
                "ReduceMax" => (i64::MIN, i64::max),
                "ReduceSum" => (0, i64::wrapping_add),
                other => return Err(Problem::Operator(format!("{other} of integers")).into()),
            };
            Values::Int(along(a.clone(), &over, keep, start, f))
        }
    };
    Ok(c.with(values))
}
