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
        let (op, dims) = range_op(im, x, r)?;
        x = im.step_to(n, op, &[x], Some(&dims))?;
    }
    let (op, dims) = range_op(im, x, last)?;
    im.result_to(n, 0, op, &[x], Some(&dims))
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

/// Constant indices at equal distances are a slice.
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
    if step <= 0 || range.indices() != wanted {
        return Err(Fault::form(
            "indices that do not ascend at equal distances are not supported",
        ));
    }
    let to = [&dims[..at], indices.dims(), &dims[at + 1..]].concat();
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
