//! Operators that take or replace elements by index.

use super::super::error::{Fault, Problem, Res};
use super::super::import::Importer;
use super::super::node::{OnnxNode, Value, axis};
use super::range::{constant_indices, pick};
use crate::graph::shape::elements;
use crate::graph::{HostOp, Op, TensorId};

/// Constant indices move elements; computed ones are the host's.
pub(super) fn gather(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    if let (Value::Tensor(x), Value::Const(indices)) = (n.value(0)?.clone(), n.value(1)?.clone()) {
        let dims = im.dims(x).to_vec();
        let at = axis(n.int("axis", 0)?, dims.len())?;
        let wanted = constant_indices(&indices, dims[at])?;
        if wanted.is_empty() {
            return Err(n.fault(1, Problem::Empty("indices")));
        }
        let to = [&dims[..at], indices.dims(), &dims[at + 1..]].concat();
        return pick(im, n, x, at, &wanted, &to);
    }
    let (data, indices) = (im.tensor_of(n, 0)?, im.tensor_of(n, 1)?);
    let axis = axis(n.int("axis", 0)?, im.dims(data).len())?;
    im.result(n, Op::Host(HostOp::Take { axis }), &[data, indices])
}

pub(super) fn gather_elements(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let (data, indices) = (im.tensor_of(n, 0)?, im.tensor_of(n, 1)?);
    let axis = axis(n.int("axis", 0)?, im.dims(data).len())?;
    im.result(
        n,
        Op::Host(HostOp::GatherElements { axis }),
        &[data, indices],
    )
}

pub(super) fn gather_nd(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let (data, indices) = (im.tensor_of(n, 0)?, im.tensor_of(n, 1)?);
    let batch_dims = n.int("batch_dims", 0)?;
    let batch_dims =
        usize::try_from(batch_dims).map_err(|_| Fault::value("batch_dims", batch_dims))?;
    im.result(
        n,
        Op::Host(HostOp::GatherNd { batch_dims }),
        &[data, indices],
    )
}

/// The data with updates in them: elements of both, one behind the other, are
/// taken where `places` says which element of the data each update replaces.
fn scatter(im: &mut Importer, n: &OnnxNode<'_>, places: &[usize]) -> Res<()> {
    if n.string("reduction", "none")? != "none" {
        return Err(super::unsupported(
            "reduction",
            &n.string("reduction", "none")?,
        ));
    }
    let (data, updates) = (im.tensor_of(n, 0)?, im.tensor_of(n, 2)?);
    let dims = im.dims(data).to_vec();
    let (all, new) = (elements(&dims).unwrap_or(0), places.len());
    if elements(im.dims(updates)) != Some(new) {
        return Err(n.fault(2, Problem::Form(format!("{new} updates are needed"))));
    }
    im.budget.take(&dims)?;
    let mut indices: Vec<usize> = (0..all).collect();
    for (i, place) in places.iter().enumerate() {
        let place = indices.get_mut(*place);
        *place.ok_or_else(|| Fault::form("an index is outside of the data"))? = all + i;
    }
    let flat: [TensorId; 2] = [
        im.step_to(n, Op::Reshape, &[data], Some(&[all]))?,
        im.step_to(n, Op::Reshape, &[updates], Some(&[new]))?,
    ];
    let both = im.step(n, Op::Concat { axis: 0 }, &flat)?;
    let taken = im.step(n, Op::Host(HostOp::Gather { axis: 0, indices }), &[both])?;
    im.reshape(n, taken, &dims)
}

/// Row-major steps of dimensions.
fn steps(dims: &[usize]) -> Vec<usize> {
    let behind = |i: usize| dims[i + 1..].iter().product();
    (0..dims.len()).map(behind).collect()
}

fn data_dims(im: &Importer, n: &OnnxNode<'_>) -> Res<Vec<usize>> {
    Ok(match n.value(0)? {
        Value::Tensor(t) => im.dims(*t).to_vec(),
        Value::Const(c) => c.dims().to_vec(),
    })
}

pub(super) fn scatter_elements(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let dims = data_dims(im, n)?;
    let axis = axis(n.int("axis", 0)?, dims.len())?;
    let c = n.constant(1)?.clone();
    im.budget.take(c.dims())?;
    if c.dims().len() != dims.len() {
        return Err(n.fault(
            1,
            Problem::Form(format!("must have {} dimensions", dims.len())),
        ));
    }
    let (steps, own) = (steps(&dims), steps(c.dims()));
    let along = constant_indices(&c, dims[axis])?;
    let place = |(k, index): (usize, &usize)| {
        let at = |i: usize| {
            if i == axis {
                *index
            } else {
                k / own[i] % c.dims()[i]
            }
        };
        (0..dims.len()).map(|i| at(i) * steps[i]).sum()
    };
    let places: Vec<usize> = along.iter().enumerate().map(place).collect();
    scatter(im, n, &places)
}

pub(super) fn scatter_nd(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let dims = data_dims(im, n)?;
    let c = n.constant(1)?.clone();
    let depth = c.dims().last().copied().unwrap_or(0);
    if depth == 0 || depth > dims.len() {
        return Err(n.fault(1, Problem::Form(format!("must index {dims:?}"))));
    }
    let (steps, row) = (steps(&dims), dims[depth..].iter().product::<usize>());
    let flat = c.to_ints()?;
    im.budget.take(&[flat.len() / depth, row])?;
    let mut places = Vec::new();
    for tuple in flat.chunks_exact(depth) {
        let mut at = 0;
        for (i, index) in tuple.iter().enumerate() {
            at += axis(*index, dims[i])? * steps[i];
        }
        places.extend(at..at + row);
    }
    scatter(im, n, &places)
}
