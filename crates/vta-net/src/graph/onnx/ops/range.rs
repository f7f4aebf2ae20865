//! Parts of tensors.

use super::super::args::{self, Range};
use super::super::constant::Const;
use super::super::error::{Fault, Res};
use super::super::import::Importer;
use super::super::node::{OnnxNode, Value, axis};
use crate::graph::{HostOp, Op, TensorId};

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
        return picked(im, n, x, range.axis, &range.indices());
    }
    let (op, dims) = range_op(im, x, range)?;
    im.step_to(n, op, &[x], Some(&dims))
}

/// Any indices of an axis as the node's result, in these dimensions: at equal
/// distances they are a slice, else elements are gathered.
pub(super) fn pick(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    x: TensorId,
    axis: usize,
    indices: &[usize],
    to: &[usize],
) -> Res<()> {
    let y = picked(im, n, x, axis, indices)?;
    im.reshape(n, y, to)
}

/// The same as an intermediate result.
pub(super) fn picked(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    x: TensorId,
    axis: usize,
    indices: &[usize],
) -> Res<TensorId> {
    let start = indices.first().copied().unwrap_or(0);
    let step = indices.get(1).map_or(1, |i| *i as i64 - start as i64);
    let range = Range {
        axis,
        start,
        len: indices.len(),
        step,
    };
    if range.is_all(im.dims(x)) && range.indices() == indices {
        return Ok(x);
    }
    if step > 0 && range.indices() == indices {
        let (op, dims) = range_op(im, x, range)?;
        return im.step_to(n, op, &[x], Some(&dims));
    }
    let indices = indices.to_vec();
    im.step(n, Op::Host(HostOp::Gather { axis, indices }), &[x])
}

/// Constant indices of an axis; negative ones count from the end.
pub(super) fn constant_indices(c: &Const, extent: usize) -> Res<Vec<usize>> {
    let index = |i: &i64| axis(*i, extent).map_err(|_| Fault::value("an index", i));
    c.to_ints()?.iter().map(index).collect()
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
