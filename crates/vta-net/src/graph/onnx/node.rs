//! A node of the file while it is lowered: operands and attributes.

use super::constant::Const;
use super::error::{Fault, Problem, Res};
use super::proto::{AttributeProto, NodeProto};
use crate::graph::TensorId;
use std::rc::Rc;

/// What a name of the file stands for.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Const(Rc<Const>),
    Tensor(TensorId),
}

/// Larger attributes are nonsense; products of two stay within i64.
const MAX_ATTRIBUTE: i64 = 1 << 24;

/// A node and what its operands stand for.
pub(super) struct OnnxNode<'a> {
    pub name: String,
    pub proto: &'a NodeProto,
    pub inputs: Vec<Option<Value>>,
    pub opset: i64,
    /// Elements of the file's batch, where the network of one of them is read.
    pub batch: usize,
}

/// ONNX's numbers of attribute types.
mod attribute {
    pub const FLOAT: i32 = 1;
    pub const INT: i32 = 2;
    pub const STRING: i32 = 3;
    pub const TENSOR: i32 = 4;
    pub const FLOATS: i32 = 6;
    pub const INTS: i32 = 7;
    pub const STRINGS: i32 = 8;
}

impl OnnxNode<'_> {
    pub fn op(&self) -> &str {
        &self.proto.op_type
    }

    /// Name of an operand, for messages.
    pub fn input_name(&self, i: usize) -> &str {
        self.proto.input.get(i).map_or("", String::as_str)
    }

    /// Name of a result; empty when nobody wants it.
    pub fn output(&self, i: usize) -> &str {
        self.proto.output.get(i).map_or("", String::as_str)
    }

    pub fn fault(&self, i: usize, problem: Problem) -> Fault {
        Fault::at(self.input_name(i), problem)
    }

    /// An operand, none when left out.
    pub fn optional(&self, i: usize) -> Option<&Value> {
        self.inputs.get(i).and_then(Option::as_ref)
    }

    pub fn value(&self, i: usize) -> Res<&Value> {
        self.optional(i).ok_or(Problem::Operand(i).into())
    }

    /// A computed operand.
    pub fn tensor(&self, i: usize) -> Res<TensorId> {
        match self.value(i)? {
            Value::Tensor(t) => Ok(*t),
            Value::Const(_) => Err(self.fault(i, Problem::Constant)),
        }
    }

    /// A constant operand.
    pub fn constant(&self, i: usize) -> Res<&Rc<Const>> {
        match self.value(i)? {
            Value::Const(c) => Ok(c),
            Value::Tensor(_) => Err(self.fault(i, Problem::Computed)),
        }
    }

    /// A constant operand that may be left out.
    pub fn optional_constant(&self, i: usize) -> Res<Option<&Rc<Const>>> {
        match self.optional(i) {
            None => Ok(None),
            Some(_) => self.constant(i).map(Some),
        }
    }

    /// Integers of a constant operand that may be left out.
    pub fn optional_ints(&self, i: usize) -> Res<Option<Vec<i64>>> {
        match self.optional_constant(i)? {
            None => Ok(None),
            Some(c) => c.to_ints().map(Some).map_err(|f| self.fault(i, f.problem)),
        }
    }

    /// Integers that are an attribute in old opsets and a constant operand from `since` on.
    pub fn ints_or_input(&self, name: &str, i: usize, since: i64) -> Res<Option<Vec<i64>>> {
        if self.opset < since {
            self.ints(name)
        } else {
            self.optional_ints(i)
        }
    }

    /// One value of a constant operand that may be left out.
    pub fn optional_scalar(&self, i: usize) -> Res<Option<f32>> {
        let Some(c) = self.optional_constant(i)? else {
            return Ok(None);
        };
        match c.to_floats().as_slice() {
            Some([v]) => Ok(Some(*v)),
            _ => Err(self.fault(i, Problem::Form("must be one value".to_owned()))),
        }
    }

    fn attribute(&self, name: &str, ty: i32) -> Res<Option<&AttributeProto>> {
        let found = self.proto.attribute.iter().find(|a| a.name == name);
        match found {
            Some(a) if a.r#type != 0 && a.r#type != ty => Err(Fault::value(
                format!("the type of attribute {name}"),
                a.r#type,
            )),
            found => Ok(found),
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.proto.attribute.iter().any(|a| a.name == name)
    }

    pub fn int(&self, name: &str, default: i64) -> Res<i64> {
        let a = self.attribute(name, attribute::INT)?;
        Ok(a.map_or(default, |a| a.i))
    }

    pub fn float(&self, name: &str, default: f32) -> Res<f32> {
        let v = self
            .attribute(name, attribute::FLOAT)?
            .map_or(default, |a| a.f);
        if v.is_nan() {
            return Err(Fault::value(format!("attribute {name}"), v));
        }
        Ok(v)
    }

    pub fn string(&self, name: &str, default: &str) -> Res<String> {
        let a = self.attribute(name, attribute::STRING)?;
        Ok(a.map_or_else(
            || default.to_owned(),
            |a| String::from_utf8_lossy(&a.s).into_owned(),
        ))
    }

    pub fn ints(&self, name: &str) -> Res<Option<Vec<i64>>> {
        let a = self.attribute(name, attribute::INTS)?;
        Ok(a.map(|a| a.ints.clone()))
    }

    pub fn floats(&self, name: &str) -> Res<Option<Vec<f32>>> {
        let a = self.attribute(name, attribute::FLOATS)?;
        Ok(a.map(|a| a.floats.clone()))
    }

    pub fn strings(&self, name: &str) -> Res<Option<Vec<String>>> {
        let a = self.attribute(name, attribute::STRINGS)?;
        let text = |s: &Vec<u8>| String::from_utf8_lossy(s).into_owned();
        Ok(a.map(|a| a.strings.iter().map(text).collect()))
    }

    pub fn tensor_attribute(&self, name: &str) -> Res<Option<&super::proto::TensorProto>> {
        let a = self.attribute(name, attribute::TENSOR)?;
        Ok(a.and_then(|a| a.t.as_ref()))
    }

    /// Exactly `N` sizes of a window, each at least `least`.
    pub fn sizes<const N: usize>(&self, name: &str, least: i64) -> Res<Option<[usize; N]>> {
        let Some(values) = self.ints(name)? else {
            return Ok(None);
        };
        let fits = |v: &i64| (least..=MAX_ATTRIBUTE).contains(v);
        match <[i64; N]>::try_from(values.as_slice()) {
            Ok(sizes) if sizes.iter().all(fits) => Ok(Some(sizes.map(|v| v as usize))),
            _ => Err(Fault::value(format!("attribute {name}"), values)),
        }
    }
}

/// An axis, counted from the end when negative.
pub(super) fn axis(axis: i64, rank: usize) -> Res<usize> {
    let rank_ = rank as i64;
    let at = if axis < 0 {
        axis.saturating_add(rank_)
    } else {
        axis
    };
    if (0..rank_).contains(&at) {
        Ok(at as usize)
    } else {
        Err(Fault::value(format!("an axis of {rank} dimensions"), axis))
    }
}

/// Axes without repetition, in ascending order.
pub(super) fn axes(axes: &[i64], rank: usize) -> Res<Vec<usize>> {
    let mut out: Vec<usize> = axes.iter().map(|a| axis(*a, rank)).collect::<Res<_>>()?;
    out.sort_unstable();
    if out.windows(2).any(|w| w[0] == w[1]) {
        return Err(Fault::value("the axes", axes));
    }
    Ok(out)
}
