//! Quantised constants.

use super::super::constant::{Const, Values, ty};
use super::super::error::{Fault, Problem, Res};
use super::super::import::SizeBudget;
use super::super::node::{OnnxNode, axis};
use crate::graph::shape::ShapeError;
use ndarray::{ArrayD, IxDyn};

/// Scale and zero point of each element: one value, or one for each index of an axis.
struct Scales {
    scale: Vec<f32>,
    zero: Vec<i64>,
    /// How many elements share a scale, one after the other.
    run: usize,
}

impl Scales {
    fn of(n: &OnnxNode<'_>, dims: &[usize]) -> Res<Self> {
        if n.int("block_size", 0)? != 0 {
            return Err(Fault::form("quantisation in blocks is not supported"));
        }
        let scales = n.constant(1)?;
        let scale: Vec<f32> = scales.to_floats().iter().copied().collect();
        let bad = |s: &&f32| !s.is_finite() || **s <= 0.0;
        if let Some(s) = scale.iter().find(bad) {
            return Err(n.fault(1, Problem::Form(format!("scale {s} is not positive"))));
        }
        let zero = match n.optional_constant(2)? {
            Some(c) => match &c.values {
                Values::Int(a) => a.iter().copied().collect(),
                Values::Float(_) => {
                    return Err(n.fault(2, Problem::Type(c.ty)));
                }
            },
            None => vec![0; scale.len()],
        };
        let (per_axis, run) = if scale.len() == 1 && scales.dims().len() <= 1 {
            (1, usize::MAX)
        } else {
            let at = axis(n.int("axis", 1)?, dims.len())?;
            (dims[at], dims[at + 1..].iter().product())
        };
        for (i, got) in [(1, scale.len()), (2, zero.len())] {
            if got != per_axis {
                let (what, want) = ("the number of scales and zero points", per_axis);
                return Err(n.fault(i, ShapeError::Size { what, want, got }.into()));
            }
        }
        Ok(Self { scale, zero, run })
    }

    fn at(&self, index: usize) -> (f32, i64) {
        let i = (index / self.run.max(1)) % self.scale.len();
        (self.scale[i], self.zero[i])
    }
}

pub(super) fn dequantize(n: &OnnxNode<'_>, budget: &mut SizeBudget) -> Res<Const> {
    let c = n.constant(0)?;
    budget.take(c.dims())?;
    let Values::Int(a) = &c.values else {
        return Err(n.fault(0, Problem::Type(c.ty)));
    };
    let scales = Scales::of(n, c.dims())?;
    let values = a
        .iter()
        .enumerate()
        .map(|(i, q)| {
            let (scale, zero) = scales.at(i);
            q.saturating_sub(zero) as f32 * scale
        })
        .collect();
    let values = ArrayD::from_shape_vec(IxDyn(c.dims()), values);
    let values = values.map_err(|_| Fault::value("the dimensions", c.dims()))?;
    let mut out = c.with(Values::Float(values));
    out.ty = ty::FLOAT;
    Ok(out)
}

/// The type of the integers that a node quantises to: that of its zero point, the
/// operand `zero`, where it has one.
pub(in super::super) fn integer_type(n: &OnnxNode<'_>, zero: usize) -> Res<i32> {
    let to = match n.optional_constant(zero)? {
        Some(z) => z.ty,
        None => i32::try_from(n.int("output_dtype", 0)?)
            .ok()
            .filter(|t| *t != 0)
            .unwrap_or(ty::UINT8),
    };
    if !ty::is_int(to) {
        return Err(Problem::Type(to).into());
    }
    Ok(to)
}

pub(super) fn quantize(n: &OnnxNode<'_>, budget: &mut SizeBudget) -> Res<Const> {
    let c = n.constant(0)?;
    budget.take(c.dims())?;
    let to = integer_type(n, 2)?;
    let (low, high) = ty::range(to);
    let scales = Scales::of(n, c.dims())?;
    let values = c
        .to_floats()
        .iter()
        .enumerate()
        .map(|(i, v)| {
            let (scale, zero) = scales.at(i);
            let q = (v / scale).round_ties_even() as i64;
            q.saturating_add(zero).clamp(low, high)
        })
        .collect();
    let values = ArrayD::from_shape_vec(IxDyn(c.dims()), values);
    let values = values.map_err(|_| Fault::value("the dimensions", c.dims()))?;
    let mut out = c.with(Values::Int(values));
    out.ty = to;
    Ok(out)
}
