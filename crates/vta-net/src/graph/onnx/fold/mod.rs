//! Operators whose operands are all constant: computed at import.
//!
//! Exporters leave arithmetic on dimensions behind (`Shape`, `Gather`, `Concat`),
//! and weights that still have to be dequantised, transposed or reshaped. Each
//! result takes from the size budget before it is allocated.

mod arithmetic;
mod layout;
mod quantized;

pub(super) use quantized::integer_type;

use super::constant::{Const, Values, decode, ty};
use super::error::{Fault, Res};
use super::graph_builder::GraphBuilder;
use super::import::SizeBudget;
use super::node::{OnnxNode, Value, axis};
use ndarray::{ArrayD, IxDyn};
use std::rc::Rc;

/// Runs the same code on floats and on integers.
macro_rules! on_values {
    ($values:expr, $a:ident => $body:expr) => {
        match $values {
            Values::Float($a) => Values::Float($body),
            Values::Int($a) => Values::Int($body),
        }
    };
}
use on_values;

/// The results of a node, or none when it has to be computed at run time.
pub(super) fn fold(
    n: &OnnxNode<'_>,
    graph: &GraphBuilder,
    budget: &mut SizeBudget,
) -> Res<Option<Vec<Const>>> {
    let one = |c: Res<Const>| c.map(|c| Some(vec![c]));
    match n.op() {
        "Constant" => return one(constant(n)),
        "Shape" | "Size" => return one(shape(n, graph)),
        _ => {}
    }
    let mut operands: Vec<Rc<Const>> = Vec::with_capacity(n.inputs.len());
    for v in n.inputs.iter().flatten() {
        match v {
            Value::Const(c) => operands.push(c.clone()),
            Value::Tensor(_) => return Ok(None),
        }
    }
    let Some(first) = operands.first().cloned() else {
        return Ok(None);
    };
    let c = first.as_ref();
    one(match n.op() {
        "Identity" | "Dropout" => {
            budget.take(c.dims())?;
            Ok(c.clone())
        }
        "Cast" => cast(n, c, budget),
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => layout::reshape(n, c, budget),
        "Transpose" => layout::transpose(n, c, budget),
        "Concat" => layout::concat(n, &operands, budget),
        "Slice" => layout::slice(n, c, budget),
        "Split" => return layout::split(n, c, budget).map(Some),
        "Gather" => layout::gather(n, c, budget),
        "Expand" => layout::expand(n, c, budget),
        "Tile" => layout::tile(n, c, budget),
        "Range" => layout::range(n, &operands, budget),
        "ConstantOfShape" => layout::constant_of_shape(n, c, budget),
        "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" | "Min" | "Max" | "Equal" | "Less"
        | "LessOrEqual" | "Greater" | "GreaterOrEqual" | "And" | "Or" => {
            arithmetic::binary(n, &operands, budget)
        }
        "Where" => arithmetic::select(n, &operands, budget),
        "Floor" | "Ceil" | "Round" | "Sqrt" | "Neg" | "Abs" | "Reciprocal" | "Exp" | "Log"
        | "Not" | "Relu" => arithmetic::unary(n, c, budget),
        "ReduceProd" | "ReduceSum" | "ReduceMin" | "ReduceMax" | "ReduceMean" => {
            arithmetic::reduce(n, c, budget)
        }
        "DequantizeLinear" => quantized::dequantize(n, budget),
        "QuantizeLinear" => quantized::quantize(n, budget),
        _ => return Ok(None),
    })
}

fn constant(n: &OnnxNode<'_>) -> Res<Const> {
    let name = n.output(0);
    if let Some(t) = n.tensor_attribute("value").transpose() {
        return decode(t?.clone(), name);
    }
    if n.has("value_ints") {
        return Ok(Const::ints(name, n.ints("value_ints")?.unwrap_or_default()));
    }
    if n.has("value_floats") {
        let values = n.floats("value_floats")?.unwrap_or_default();
        return Ok(Const::floats(name, values));
    }
    let scalar = |values| Const {
        origin: name.to_owned(),
        ty: match &values {
            Values::Float(_) => ty::FLOAT,
            Values::Int(_) => ty::INT64,
        },
        flipped: false,
        values,
    };
    if n.has("value_int") {
        let v = n.int("value_int", 0)?;
        return Ok(scalar(Values::Int(ArrayD::from_elem(IxDyn(&[]), v))));
    }
    if n.has("value_float") {
        let v = n.float("value_float", 0.0)?;
        return Ok(scalar(Values::Float(ArrayD::from_elem(IxDyn(&[]), v))));
    }
    Err(Fault::form("no value of a supported type"))
}

fn shape(n: &OnnxNode<'_>, graph: &GraphBuilder) -> Res<Const> {
    let dims: Vec<i64> = match n.value(0)? {
        Value::Const(c) => c.dims().iter().map(|d| *d as i64).collect(),
        Value::Tensor(t) => graph.dims(*t).iter().map(|d| *d as i64).collect(),
    };
    if n.op() == "Size" {
        let total = dims.iter().product::<i64>();
        let mut c = Const::ints(n.output(0), Vec::new());
        c.values = Values::Int(ArrayD::from_elem(IxDyn(&[]), total));
        return Ok(c);
    }
    let rank = dims.len() as i64;
    let bound = |v: i64| {
        let v = if v < 0 { v.saturating_add(rank) } else { v };
        v.clamp(0, rank) as usize
    };
    let (start, end) = (bound(n.int("start", 0)?), bound(n.int("end", rank)?));
    let part = dims.get(start..end).unwrap_or_default().to_vec();
    Ok(Const::ints(n.output(0), part))
}

fn cast(n: &OnnxNode<'_>, c: &Const, budget: &mut SizeBudget) -> Res<Const> {
    budget.take(c.dims())?;
    let to = n.int("to", 0)?;
    let to = i32::try_from(to).unwrap_or(0);
    let values = if ty::is_float(to) {
        Values::Float(c.to_floats())
    } else if ty::is_int(to) {
        let (low, high) = ty::range(to);
        Values::Int(match &c.values {
            Values::Int(a) if to == ty::BOOL => a.mapv(|v| (v != 0).into()),
            Values::Float(a) if to == ty::BOOL => a.mapv(|v| (v != 0.0).into()),
            Values::Int(a) => a.mapv(|v| v.clamp(low, high)),
            // Rust's conversion rounds toward zero and saturates.
            Values::Float(a) => a.mapv(|v| (v as i64).clamp(low, high)),
        })
    } else {
        return Err(Fault::value("element type of a cast", to));
    };
    let mut out = c.with(values);
    out.ty = to;
    Ok(out)
}

/// An axis attribute.
fn axis_of(n: &OnnxNode<'_>, default: i64, rank: usize) -> Res<usize> {
    axis(n.int("axis", default)?, rank)
}
