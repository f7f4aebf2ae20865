//! Operators that move elements or name their dimensions anew.

use super::super::args;
use super::super::error::{Fault, Problem, Res};
use super::super::import::Importer;
use super::super::node::{OnnxNode, Value, axis};
use super::{alias, unsupported};
use crate::graph::Op;
use crate::graph::shape::{ShapeError, broadcast, elements};

pub(super) fn concat(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let xs = (0..n.inputs.len())
        .map(|i| n.tensor(i))
        .collect::<Res<Vec<_>>>()?;
    let first = *xs.first().ok_or(Problem::Operand(0))?;
    if !n.has("axis") {
        return Err(Fault::form("attribute axis is missing"));
    }
    let axis = axis(n.int("axis", 1)?, im.dims(first).len())?;
    if xs.len() == 1 {
        return alias(im, n);
    }
    im.result(n, Op::Concat { axis }, &xs)
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
