//! Operators that take elements by index. Dimensions were checked before.

use super::moving::{from_vec, reshape, transpose};
use super::{HostError, HostOp, Tensor};
use ndarray::{ArrayD, Axis};

pub(super) fn gather<T: Copy>(a: &ArrayD<T>, axis: usize, indices: &[usize]) -> ArrayD<T> {
    a.select(Axis(axis), indices)
        .as_standard_layout()
        .into_owned()
}

pub(super) fn rearrange<T: Copy>(
    a: &ArrayD<T>,
    split: &[usize],
    perm: &[usize],
    dims: &[usize],
) -> ArrayD<T> {
    reshape(&transpose(&reshape(a, split), perm), dims)
}

/// Data and indices in single precision; types were checked.
fn operands<'a>(inputs: &[&'a Tensor]) -> (&'a ArrayD<f32>, &'a ArrayD<f32>) {
    match (inputs[0], inputs[1]) {
        (Tensor::F32(a), Tensor::F32(b)) => (a, b),
        _ => unreachable!("the types were checked"),
    }
}

/// An index of an axis; negative ones count from the end.
fn index(op: &HostOp, value: f32, extent: usize) -> Result<usize, HostError> {
    let from = if value < 0.0 {
        value + extent as f32
    } else {
        value
    };
    if from >= 0.0 && from < extent as f32 && from.fract() == 0.0 {
        return Ok(from as usize);
    }
    Err(op.wrong(format!("index {value} of {extent} elements")))
}

pub(super) fn take(
    op: &HostOp,
    inputs: &[&Tensor],
    axis: usize,
    dims: &[usize],
) -> Result<Tensor, HostError> {
    let (data, of) = operands(inputs);
    let extent = data.shape()[axis];
    let indices = of.iter().map(|i| index(op, *i, extent));
    let indices = indices.collect::<Result<Vec<_>, _>>()?;
    Ok(Tensor::F32(reshape(&gather(data, axis, &indices), dims)))
}

pub(super) fn elements(
    op: &HostOp,
    inputs: &[&Tensor],
    axis: usize,
    dims: &[usize],
) -> Result<Tensor, HostError> {
    let (data, of) = operands(inputs);
    let extent = data.shape()[axis];
    let mut flat = Vec::with_capacity(of.len());
    for (at, i) in of.indexed_iter() {
        let mut at = at.clone();
        at[axis] = index(op, *i, extent)?;
        flat.push(data[at]);
    }
    Ok(Tensor::F32(from_vec(dims, flat)))
}

pub(super) fn nd(
    op: &HostOp,
    inputs: &[&Tensor],
    batch_dims: usize,
    dims: &[usize],
) -> Result<Tensor, HostError> {
    let (data, of) = operands(inputs);
    let depth = of.shape()[of.ndim() - 1];
    let (shape, batches) = (
        data.shape(),
        data.shape()[..batch_dims].iter().product::<usize>(),
    );
    let row: usize = shape[batch_dims + depth..].iter().product();
    let batch: usize = shape[batch_dims..].iter().product();
    let data: Vec<f32> = data.iter().copied().collect();
    let of: Vec<f32> = of.iter().copied().collect();
    let each = of.len() / batches / depth.max(1);
    let mut flat = Vec::with_capacity(dims.iter().product());
    for (n, place) in of.chunks_exact(depth.max(1)).enumerate() {
        let mut at = 0;
        for (i, extent) in place.iter().zip(&shape[batch_dims..]) {
            at = at * extent + index(op, *i, *extent)?;
        }
        let from = n / each.max(1) * batch + at * row;
        flat.extend_from_slice(&data[from..from + row]);
    }
    Ok(Tensor::F32(from_vec(dims, flat)))
}
