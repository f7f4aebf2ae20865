//! Constants moved, repeated and cut.

use super::super::args;
use super::super::constant::{Const, Values, decode, ty};
use super::super::error::{Fault, Problem, Res};
use super::super::import::SizeBudget;
use super::super::node::{OnnxNode, axis};
use super::{axis_of, on_values};
use crate::graph::shape::{ShapeError, broadcast, elements};
use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn};
use std::rc::Rc;

fn sizes(values: &[i64]) -> Res<Vec<usize>> {
    let size = |d: &i64| usize::try_from(*d).map_err(|_| Fault::value("the dimensions", values));
    values.iter().map(size).collect()
}

/// The same elements in other dimensions, in the order of rows.
fn shaped<T: Clone>(a: &ArrayD<T>, dims: &[usize]) -> Res<ArrayD<T>> {
    let flat = a.iter().cloned().collect::<Vec<_>>();
    let shaped = ArrayD::from_shape_vec(IxDyn(dims), flat);
    shaped.map_err(|_| Fault::value("the dimensions", dims))
}

pub(super) fn reshape(n: &OnnxNode<'_>, c: &Const, budget: &mut SizeBudget) -> Res<Const> {
    budget.take(c.dims())?;
    let dims = match n.op() {
        "Reshape" => args::reshape(n, c.dims())?,
        "Flatten" => args::flatten(n, c.dims())?,
        "Squeeze" => args::squeeze(n, c.dims())?,
        _ => args::unsqueeze(n, c.dims())?,
    };
    Ok(c.with(on_values!(&c.values, a => shaped(a, &dims)?)))
}

pub(super) fn transpose(n: &OnnxNode<'_>, c: &Const, budget: &mut SizeBudget) -> Res<Const> {
    budget.take(c.dims())?;
    let perm = args::permutation(n, c.dims().len())?;
    let permuted = |dims: &[usize]| perm.iter().map(|p| dims[*p]).collect::<Vec<_>>();
    let to = permuted(c.dims());
    let mut out = c.with(on_values!(&c.values, a => {
        let moved: ArrayViewD<'_, _> = a.view().permuted_axes(perm.clone());
        ArrayD::from_shape_vec(IxDyn(&to), moved.iter().copied().collect())
            .map_err(|_| Fault::value("the permutation", &perm))?
    }));
    if perm == [1, 0] {
        out.flipped = !out.flipped;
    }
    Ok(out)
}

pub(super) fn concat(n: &OnnxNode<'_>, parts: &[Rc<Const>], budget: &mut SizeBudget) -> Res<Const> {
    let first = &parts[0];
    let at = axis_of(n, 0, first.dims().len())?;
    for p in parts {
        budget.take(p.dims())?;
        let (left, right) = (first.dims().to_vec(), p.dims().to_vec());
        let others = (0..left.len()).filter(|i| *i != at);
        if left.len() != right.len() || others.into_iter().any(|i| left[i] != right[i]) {
            return Err(ShapeError::Mismatch { left, right }.into());
        }
    }
    let wrong = |_| Fault::value("the axis", at);
    let mut floats: Vec<ArrayViewD<'_, f32>> = Vec::new();
    let mut ints: Vec<ArrayViewD<'_, i64>> = Vec::new();
    for p in parts {
        match &p.values {
            Values::Float(a) => floats.push(a.view()),
            Values::Int(a) => ints.push(a.view()),
        }
    }
    let values = match (floats.is_empty(), ints.is_empty()) {
        (false, true) => Values::Float(ndarray::concatenate(Axis(at), &floats).map_err(wrong)?),
        (true, false) => Values::Int(ndarray::concatenate(Axis(at), &ints).map_err(wrong)?),
        _ => return Err(Fault::form("operands of different types")),
    };
    Ok(first.with(values))
}

/// Some indices of an axis.
fn take(c: &Const, at: usize, indices: &[usize], budget: &mut SizeBudget) -> Res<Const> {
    let mut dims = c.dims().to_vec();
    dims[at] = indices.len();
    budget.take(&dims)?;
    Ok(c.with(on_values!(&c.values, a => a.select(Axis(at), indices))))
}

pub(super) fn slice(n: &OnnxNode<'_>, c: &Const, budget: &mut SizeBudget) -> Res<Const> {
    let mut out = c.clone();
    for range in args::slice(n, c.dims())? {
        out = take(&out, range.axis, &range.indices(), budget)?;
    }
    Ok(out)
}

pub(super) fn split(n: &OnnxNode<'_>, c: &Const, budget: &mut SizeBudget) -> Res<Vec<Const>> {
    let (at, parts) = args::split(n, c.dims())?;
    let mut start = 0;
    let mut out = Vec::with_capacity(parts.len());
    for len in parts {
        let indices: Vec<usize> = (start..start + len).collect();
        out.push(take(c, at, &indices, budget)?);
        start += len;
    }
    Ok(out)
}

pub(super) fn gather(n: &OnnxNode<'_>, c: &Const, budget: &mut SizeBudget) -> Res<Const> {
    let dims = c.dims();
    let at = axis_of(n, 0, dims.len())?;
    let indices = n.constant(1)?;
    let wanted: Vec<usize> = indices
        .to_ints()?
        .iter()
        .map(|i| axis(*i, dims[at]).map_err(|_| Fault::value("an index", i)))
        .collect::<Res<_>>()?;
    let to = [&dims[..at], indices.dims(), &dims[at + 1..]].concat();
    let taken = take(c, at, &wanted, budget)?;
    Ok(c.with(on_values!(&taken.values, a => shaped(a, &to)?)))
}

pub(super) fn expand(n: &OnnxNode<'_>, c: &Const, budget: &mut SizeBudget) -> Res<Const> {
    let to = broadcast(c.dims(), &sizes(&n.constant(1)?.to_ints()?)?)?;
    budget.take(&to)?;
    let wrong = || Fault::value("the dimensions", &to);
    Ok(c.with(on_values!(&c.values, a => {
        a.broadcast(IxDyn(&to)).ok_or_else(wrong)?.to_owned()
    })))
}

pub(super) fn tile(n: &OnnxNode<'_>, c: &Const, budget: &mut SizeBudget) -> Res<Const> {
    let repeats = sizes(&n.constant(1)?.to_ints()?)?;
    if repeats.len() != c.dims().len() {
        return Err(n.fault(
            1,
            Problem::Form("one number for each dimension is needed".into()),
        ));
    }
    let whole: Option<Vec<usize>> = c
        .dims()
        .iter()
        .zip(&repeats)
        .map(|(d, r)| d.checked_mul(*r))
        .collect();
    budget.take(&whole.ok_or_else(|| Fault::value("the repetitions", &repeats))?)?;
    let mut out = c.clone();
    for (at, times) in repeats.into_iter().enumerate() {
        let size = c.dims()[at];
        let total = size.checked_mul(times);
        let total = total.ok_or_else(|| Fault::value("a repetition", times))?;
        let mut dims = out.dims().to_vec();
        dims[at] = total;
        budget.take(&dims)?;
        budget.take(&[total])?;
        let indices: Vec<usize> = (0..total).map(|i| i % size).collect();
        out.values = on_values!(&out.values, a => a.select(Axis(at), &indices));
    }
    Ok(out)
}

pub(super) fn range(
    n: &OnnxNode<'_>,
    operands: &[Rc<Const>],
    budget: &mut SizeBudget,
) -> Res<Const> {
    let mut bounds = [0i64; 3];
    for (i, bound) in bounds.iter_mut().enumerate() {
        match operands.get(i).map(|c| c.to_ints()).transpose()?.as_deref() {
            Some([v]) => *bound = *v,
            _ => return Err(n.fault(i, Problem::Form("must be one whole number".into()))),
        }
    }
    let [start, limit, step] = bounds.map(i128::from);
    if step == 0 {
        return Err(n.fault(2, Problem::Form("must not be zero".into())));
    }
    let distance = if step > 0 {
        limit - start
    } else {
        start - limit
    };
    let count = if distance <= 0 {
        0
    } else {
        let step = step.unsigned_abs();
        usize::try_from(distance.unsigned_abs().div_ceil(step)).unwrap_or(usize::MAX)
    };
    budget.take(&[count])?;
    let values: Vec<i64> = (0..count as i128)
        .map(|i| (start + i * step) as i64)
        .collect();
    let mut out = Const::ints(n.output(0), values);
    if let Values::Float(_) = operands[0].values {
        out.values = Values::Float(out.to_floats());
    }
    out.ty = operands[0].ty;
    Ok(out)
}

pub(super) fn constant_of_shape(
    n: &OnnxNode<'_>,
    c: &Const,
    budget: &mut SizeBudget,
) -> Res<Const> {
    let dims = sizes(&c.to_ints()?)?;
    let (what, value) = match n.tensor_attribute("value")? {
        Some(t) => {
            let c = decode(t.clone(), n.output(0))?;
            (c.ty, c.values)
        }
        None => (ty::FLOAT, Values::Float(ArrayD::zeros(IxDyn(&[1])))),
    };
    budget.take(&dims)?;
    if elements(&dims).is_none() {
        return Err(Fault::value("the dimensions", &dims));
    }
    let values = on_values!(&value, a => match a.first() {
        Some(v) if a.len() == 1 => ArrayD::from_elem(IxDyn(&dims), *v),
        _ => return Err(Fault::form("attribute value must be one value")),
    });
    Ok(Const {
        origin: n.output(0).to_owned(),
        ty: what,
        flipped: false,
        values,
    })
}
