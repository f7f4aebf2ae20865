//! Operators that move elements or name their dimensions anew.

use super::super::args;
use super::super::error::{Fault, Problem, Res};
use super::super::import::Importer;
use super::super::node::{OnnxNode, Value, axis};
use super::{alias, unsupported};
use crate::graph::shape::{ShapeError, broadcast, elements};
use crate::graph::{Constant, Op, TensorId};
use ndarray::{ArrayD, Axis, IxDyn};

pub(super) fn concat(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    if !n.has("axis") {
        return Err(Fault::form("attribute axis is missing"));
    }
    let computed = (0..n.inputs.len()).find_map(|i| n.tensor(i).ok());
    let first = computed.ok_or(Problem::Operand(0))?;
    let axis = axis(n.int("axis", 1)?, im.dims(first).len())?;
    if n.inputs.len() == 1 {
        return alias(im, n);
    }
    if n.inputs
        .iter()
        .flatten()
        .any(|v| matches!(v, Value::Const(_)))
    {
        return with_constants(im, n, axis);
    }
    let xs = (0..n.inputs.len())
        .map(|i| n.tensor(i))
        .collect::<Res<Vec<_>>>()?;
    im.result(n, Op::Concat { axis }, &xs)
}

/// Constants among computed tensors: these are padded with zeros where the
/// constants are, and the constants are added.
fn with_constants(im: &mut Importer, n: &OnnxNode<'_>, axis: usize) -> Res<()> {
    let mut parts: Vec<(TensorId, usize, usize)> = Vec::new();
    let mut before = 0;
    let mut at = 0;
    let mut constants = Vec::new();
    for (i, value) in n.inputs.iter().enumerate() {
        let value = value.as_ref().ok_or(Problem::Operand(i))?;
        let dims = match value {
            Value::Tensor(t) => im.dims(*t).to_vec(),
            Value::Const(c) => c.dims().to_vec(),
        };
        let wrong = || n.fault(i, Problem::Form(format!("{dims:?} has no axis {axis}")));
        let len = *dims.get(axis).ok_or_else(wrong)?;
        match (value, parts.last_mut()) {
            (Value::Tensor(t), _) => parts.push((*t, std::mem::take(&mut before), 0)),
            (Value::Const(_), Some(last)) => last.2 += len,
            (Value::Const(_), None) => before += len,
        }
        if let Value::Const(c) = value {
            constants.push((i, at, c.clone()));
        }
        at += len;
    }
    let mut padded = Vec::with_capacity(parts.len());
    for (t, before, after) in parts {
        let mut pads = vec![(0, 0); im.dims(t).len()];
        pads[axis] = (before, after);
        padded.push(if (before, after) == (0, 0) {
            t
        } else {
            im.step(n, Op::Pad { pads, value: 0.0 }, &[t])?
        });
    }
    let joined = match padded.as_slice() {
        [only] => *only,
        all => im.step(n, Op::Concat { axis }, all)?,
    };
    let full = im.dims(joined).to_vec();
    im.budget.take(&full)?;
    let mut sum = ArrayD::<f32>::zeros(IxDyn(&full));
    for (i, at, c) in &constants {
        let values = im.finite(c)?;
        let mut place = sum.slice_axis_mut(Axis(axis), (*at..*at + c.dims()[axis]).into());
        if place.shape() != values.shape() {
            let (left, right) = (full, values.shape().to_vec());
            return Err(n.fault(*i, ShapeError::Mismatch { left, right }.into()));
        }
        place.assign(&values);
    }
    let constant = Constant {
        name: constants[0].2.origin.clone(),
        values: sum,
    };
    im.result(n, Op::AddConst(constant), &[joined])
}

pub(super) fn flatten(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let to = args::flatten(n, im.dims(x))?;
    im.reshape(n, x, &to)
}

pub(super) fn reshape(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let to = args::reshape(n, im.dims(x))?;
    im.reshape(n, x, &to)
}

pub(super) fn squeeze(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let to = args::squeeze(n, im.dims(x))?;
    im.reshape(n, x, &to)
}

pub(super) fn unsqueeze(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let to = args::unsqueeze(n, im.dims(x))?;
    im.reshape(n, x, &to)
}

/// `Expand` that repeats nothing, as exporters leave behind.
pub(super) fn expand(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let wrong = |d: &i64| Fault::value("a dimension", d);
    let shape = n.constant(1)?.to_ints()?;
    let shape: Vec<usize> = shape
        .iter()
        .map(|d| usize::try_from(*d).map_err(|_| wrong(d)))
        .collect::<Res<_>>()?;
    let to = broadcast(im.dims(x), &shape)?;
    if elements(&to) != elements(im.dims(x)) {
        return Err(Problem::Operator("Expand that repeats elements".to_owned()).into());
    }
    im.reshape(n, x, &to)
}

pub(super) fn transpose(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let perm = args::permutation(n, im.dims(x).len())?;
    im.result(n, Op::Transpose { perm }, &[x])
}

pub(super) fn pad(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let rank = im.dims(x).len();
    let mode = n.string("mode", "constant")?;
    if mode != "constant" {
        return Err(unsupported("mode", &mode));
    }
    let flat = n.ints_or_input("pads", 1, 11)?;
    let flat = flat.ok_or_else(|| Fault::form("the pads are missing"))?;
    let value = if n.opset < 11 {
        n.float("value", 0.0)?
    } else {
        n.optional_scalar(2)?.unwrap_or(0.0)
    };
    let at = match n.optional_ints(3)? {
        Some(a) => a.iter().map(|a| axis(*a, rank)).collect::<Res<_>>()?,
        None => (0..rank).collect::<Vec<_>>(),
    };
    let mut pads = vec![(0, 0); rank];
    if flat.len() != 2 * at.len() {
        return Err(Fault::value("the number of pads", flat.len()));
    }
    for (i, a) in at.iter().enumerate() {
        let size = |v: i64| {
            if v < 0 {
                return Err(Fault::form("negative pads are not supported"));
            }
            usize::try_from(v).map_err(|_| Fault::value("a pad", v))
        };
        pads[*a] = (size(flat[i])?, size(flat[i + at.len()])?);
    }
    if pads.iter().all(|p| *p == (0, 0)) {
        im.bind(n, 0, Value::Tensor(x));
        return Ok(());
    }
    if value.is_nan() {
        return Err(Fault::value("the padding", value));
    }
    // Sums of sizes must not overflow before shape inference looks at them.
    let sum: Option<usize> = pads.iter().try_fold(0usize, |s, p| {
        s.checked_add(p.0).and_then(|s| s.checked_add(p.1))
    });
    if sum.is_none() {
        let dims = im.dims(x).to_vec();
        return Err(ShapeError::Elements { dims }.into());
    }
    im.result(n, Op::Pad { pads, value }, &[x])
}
