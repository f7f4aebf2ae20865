//! Matrix products.

use super::super::constant::Const;
use super::super::error::{Problem, Res};
use super::super::import::Importer;
use super::super::node::{OnnxNode, Value};
use crate::graph::shape::ShapeError;
use crate::graph::{Dense, Op, TensorId};
use ndarray::{Array1, Array2, ArrayD, Axis, Ix2};

/// A constant matrix as `[out, in]`. `stored_in_out`: the operand is `[in, out]`.
fn weight(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    input: usize,
    stored_in_out: bool,
) -> Res<(Dense, usize)> {
    let c = n.constant(input)?.clone();
    let mut values = im.finite(&c)?;
    if values.ndim() == 1 && stored_in_out {
        // A vector at the right is a matrix of one column; the caller drops it.
        values = values.insert_axis(Axis(1));
    }
    let dims = values.shape().to_vec();
    // Leading ones of a batch of matrices are no more than a spelling.
    let lead = dims.len().saturating_sub(2);
    let matrix = if dims.len() >= 2 && dims[..lead].iter().all(|d| *d == 1) {
        let last = (dims[lead], dims[lead + 1]);
        values.into_shape_with_order(last).ok()
    } else {
        None
    };
    let Some(matrix) = matrix else {
        return Err(n.fault(
            input,
            Problem::Form(format!("must be a matrix, not {dims:?}")),
        ));
    };
    let weight = if stored_in_out {
        matrix.t().as_standard_layout().into_owned()
    } else {
        matrix
    };
    let bias = Array1::zeros(weight.nrows());
    let dense = Dense {
        weight_name: c.origin.clone(),
        weight: weight.into(),
        transposed: stored_in_out != c.flipped,
        bias,
    };
    Ok((dense, dims.len()))
}

pub(super) fn matmul(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let matrix = |c: &Const| {
        let dims = c.dims();
        let lead = dims.len().saturating_sub(2);
        (dims.len() >= 2 && dims[..lead].iter().all(|d| *d == 1)).then_some(dims.len())
    };
    match (n.value(0)?, n.value(1)?) {
        (Value::Tensor(x), Value::Const(c))
            if c.dims().len() == 1 || matrix(c).is_some_and(|r| r <= im.dims(*x).len().max(2)) =>
        {
            let (dense, _) = weight(im, n, 1, true)?;
            if c.dims().len() == 1 {
                let y = im.step(n, Op::Dense(dense), &[*x])?;
                let mut to = im.dims(y).to_vec();
                to.pop();
                return im.result_to(n, 0, Op::Reshape, &[y], Some(&to));
            }
            im.result(n, Op::Dense(dense), &[*x])
        }
        (Value::Const(c), Value::Tensor(y))
            if im.dims(*y).len() >= 2 && matrix(c).is_some_and(|r| r <= im.dims(*y).len()) =>
        {
            // (A B)^T = B^T A^T.
            let (dense, _) = weight(im, n, 0, false)?;
            let dims = im.dims(*y).len();
            let mut perm: Vec<usize> = (0..dims).collect();
            perm.swap(dims - 2, dims - 1);
            let y = im.step(n, Op::Transpose { perm: perm.clone() }, &[*y])?;
            let y = im.step(n, Op::Dense(dense), &[y])?;
            im.result(n, Op::Transpose { perm }, &[y])
        }
        _ => product(im, n),
    }
}

/// A product of two tensors, or of constants in batches; vectors are rows and columns.
fn product(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let (mut x, mut y) = (im.tensor_of(n, 0)?, im.tensor_of(n, 1)?);
    let (row, column) = (im.dims(x).len() == 1, im.dims(y).len() == 1);
    if row {
        let dims = [1, im.dims(x)[0]];
        x = im.step_to(n, Op::Reshape, &[x], Some(&dims))?;
    }
    if column {
        let dims = [im.dims(y)[0], 1];
        y = im.step_to(n, Op::Reshape, &[y], Some(&dims))?;
    }
    let z = im.step(n, Op::MatMul, &[x, y])?;
    let mut to = im.dims(z).to_vec();
    if column {
        to.pop();
    }
    if row {
        to.remove(to.len() - 1 - usize::from(!column));
    }
    im.reshape(n, z, &to)
}

pub(super) fn gemm(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let alpha = n.float("alpha", 1.0)?;
    let beta = n.float("beta", 1.0)?;
    let (ta, tb) = (n.int("transA", 0)? != 0, n.int("transB", 0)? != 0);
    let mut a = n.tensor(0)?;
    if im.dims(a).len() != 2 {
        let (want, dims) = (2, im.dims(a).to_vec());
        return Err(n.fault(0, ShapeError::Rank { want, dims }.into()));
    }
    let flip = || Op::Transpose { perm: vec![1, 0] };
    if ta {
        a = im.step(n, flip(), &[a])?;
    }
    match n.value(1)? {
        Value::Tensor(b) => {
            let b = if tb { im.step(n, flip(), &[*b])? } else { *b };
            let mut y = im.step(n, Op::MatMul, &[a, b])?;
            if alpha != 1.0 {
                let factor = Importer::scalar(n, "alpha", alpha);
                y = im.step(n, Op::MulConst(factor), &[y])?;
            }
            plus(im, n, y, beta)
        }
        Value::Const(_) => {
            let (mut dense, _) = weight(im, n, 1, !tb)?;
            if alpha != 1.0 {
                dense.weight.update(|mut w| w.mapv_inplace(|v| v * alpha));
            }
            let out = dense.weight.nrows();
            let c = match n.optional(2) {
                None => return im.result(n, Op::Dense(dense), &[a]),
                Some(Value::Tensor(_)) => None,
                Some(Value::Const(_)) => {
                    let c = im.weights(n, 2)?;
                    row(&c, out)
                }
            };
            match c {
                Some(bias) => {
                    dense.bias = bias * beta;
                    im.result(n, Op::Dense(dense), &[a])
                }
                None => {
                    let y = im.step(n, Op::Dense(dense), &[a])?;
                    plus(im, n, y, beta)
                }
            }
        }
    }
}

/// A constant that is the same for all rows of a product.
fn row(c: &ArrayD<f32>, out: usize) -> Option<Array1<f32>> {
    let rows = c.ndim() == 2 && c.shape()[0] != 1;
    if rows || c.ndim() > 2 {
        return None;
    }
    let all = c.broadcast((1, out))?.into_dimensionality::<Ix2>().ok()?;
    let all: Array2<f32> = all.to_owned();
    Some(all.row(0).to_owned())
}

/// `y + beta * c`, c being the node's third operand.
fn plus(im: &mut Importer, n: &OnnxNode<'_>, y: TensorId, beta: f32) -> Res<()> {
    match n.optional(2) {
        None => {
            im.bind(n, 0, Value::Tensor(y));
            Ok(())
        }
        Some(Value::Tensor(c)) => {
            let mut c = *c;
            if beta != 1.0 {
                let factor = Importer::scalar(n, "beta", beta);
                c = im.step(n, Op::MulConst(factor), &[c])?;
            }
            im.result(n, Op::Add, &[y, c])
        }
        Some(Value::Const(c)) => {
            let mut c = im.operand(c)?;
            c.values.mapv_inplace(|v| v * beta);
            im.result(n, Op::AddConst(c), &[y])
        }
    }
}
