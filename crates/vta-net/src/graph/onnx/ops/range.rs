//! Parts of tensors.

use super::super::args::{self, Range};
use super::super::error::{Fault, Problem, Res};
use super::super::import::Importer;
use super::super::node::{OnnxNode, Value, axis};
use crate::graph::{Op, TensorId};

/// The slice of a range, as a node's operator and the dimensions of its result.
fn range_op(im: &Importer, x: TensorId, range: Range) -> Res<(Op, Vec<usize>)> {
    let Ok(step) = usize::try_from(range.step) else {
        return Err(Fault::form("negative steps are not supported"));
    };
    let mut dims = im.dims(x).to_vec();
    if range.len == 0 {
        let text = format!("an empty slice of axis {} of {dims:?}", range.axis);
        return Err(Fault::form(text));
    }
    dims[range.axis] = range.len;
    let op = Op::Slice {
        axis: range.axis,
        start: range.start,
        step,
    };
    Ok((op, dims))
}

pub(super) fn slice(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let mut x = n.tensor(0)?;
    let dims = im.dims(x).to_vec();
    let mut ranges = args::slice(n, &dims)?;
    ranges.retain(|r| !r.is_all(&dims));
    for r in &mut ranges {
        if r.len == 1 {
            r.step = 1;
        }
    }
    let Some(last) = ranges.pop() else {
        im.bind(n, 0, Value::Tensor(x));
        return Ok(());
    };
    for r in ranges {
        x = part(im, n, x, r)?;
    }
    if last.step < 0 && last.len > 0 {
        let y = part(im, n, x, last)?;
        im.bind(n, 0, Value::Tensor(y));
        return Ok(());
    }
    let (op, dims) = range_op(im, x, last)?;
    im.result_to(n, 0, op, &[x], Some(&dims))
}

/// A range, backwards too, as an intermediate result.
fn part(im: &mut Importer, n: &OnnxNode<'_>, x: TensorId, range: Range) -> Res<TensorId> {
    if range.step < 0 && range.len > 0 {
        return pick(im, n, x, range.axis, &range.indices());
    }
    let (op, dims) = range_op(im, x, range)?;
    im.step_to(n, op, &[x], Some(&dims))
}

/// Most slices that one node may become.
const MAX_PARTS: usize = 64;

/// Any indices of an axis: slices of indices at equal distances, one after the other.
fn pick(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    x: TensorId,
    axis: usize,
    indices: &[usize],
) -> Res<TensorId> {
    let mut parts = Vec::new();
    let mut rest = indices;
    while let [start, more @ ..] = rest {
        let step = more
            .first()
            .and_then(|i| i.checked_sub(*start))
            .filter(|s| *s > 0);
        let step = step.unwrap_or(1);
        let follows = more
            .iter()
            .zip(1..)
            .take_while(|(i, k)| **i == start + k * step);
        let len = 1 + follows.count();
        if parts.len() == MAX_PARTS {
            let text = format!("more than {MAX_PARTS} slices would be needed");
            return Err(Fault::form(text));
        }
        let range = Range {
            axis,
            start: *start,
            len,
            step: step as i64,
        };
        let (op, dims) = range_op(im, x, range)?;
        parts.push(im.step_to(n, op, &[x], Some(&dims))?);
        rest = &rest[len..];
    }
    match parts.as_slice() {
        [only] => Ok(*only),
        all => im.step(n, Op::Concat { axis }, all),
    }
}

pub(super) fn split(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let (axis, parts) = args::split(n, im.dims(x))?;
    let mut start = 0;
    for (i, len) in parts.into_iter().enumerate() {
        let range = Range {
            axis,
            start,
            len,
            step: 1,
        };
        start += len;
        if n.output(i).is_empty() {
            continue;
        }
        if range.is_all(im.dims(x)) {
            im.bind(n, i, Value::Tensor(x));
            continue;
        }
        let (op, dims) = range_op(im, x, range)?;
        im.result_to(n, i, op, &[x], Some(&dims))?;
    }
    Ok(())
}

/// Constant indices at equal distances are a slice, others several.
pub(super) fn gather(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let dims = im.dims(x).to_vec();
    let at = axis(n.int("axis", 0)?, dims.len())?;
    let indices = n.constant(1)?.clone();
    let wanted: Vec<usize> = indices
        .to_ints()?
        .iter()
        .map(|i| axis(*i, dims[at]).map_err(|_| Fault::value("an index", i)))
        .collect::<Res<_>>()?;
    let Some(start) = wanted.first().copied() else {
        return Err(n.fault(1, Problem::Empty("indices")));
    };
    let step = wanted.get(1).map_or(1, |w| *w as i64 - start as i64);
    let range = Range {
        axis: at,
        start,
        len: wanted.len(),
        step,
    };
    let to = [&dims[..at], indices.dims(), &dims[at + 1..]].concat();
    if step <= 0 || range.indices() != wanted {
        let y = pick(im, n, x, at, &wanted)?;
        return im.reshape(n, y, &to);
    }
    if range.is_all(&dims) {
        return im.reshape(n, x, &to);
    }
    let (op, part) = range_op(im, x, range)?;
    if part == to {
        return im.result_to(n, 0, op, &[x], Some(&to));
    }
    let y = im.step_to(n, op, &[x], Some(&part))?;
    im.reshape(n, y, &to)
}
