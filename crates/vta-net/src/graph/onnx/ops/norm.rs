//! Normalisations by the values of a sample.

use super::super::error::{Fault, Res};
use super::super::import::Importer;
use super::super::node::{OnnxNode, axes, axis};
use super::conv::per_channel;
use crate::graph::{Constant, Function, HostOp, Op, TensorId};

fn normalize(axes: Vec<usize>, epsilon: f32) -> Op {
    Op::Host(HostOp::Normalize { axes, epsilon })
}

/// `x * scale + bias` by constant operands that are broadcast, as the node's result.
fn affine(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    x: TensorId,
    scale: Option<Constant>,
    bias: Option<Constant>,
) -> Res<()> {
    let mut ops: Vec<Op> = Vec::new();
    ops.extend(scale.map(Op::MulConst));
    ops.extend(bias.map(Op::AddConst));
    let Some(last) = ops.pop() else {
        im.bind(n, 0, super::Value::Tensor(x));
        return Ok(());
    };
    let mut x = x;
    for op in ops {
        x = im.step(n, op, &[x])?;
    }
    im.result(n, last, &[x])
}

fn optional(im: &mut Importer, n: &OnnxNode<'_>, i: usize) -> Res<Option<Constant>> {
    match n.optional_constant(i)?.cloned() {
        Some(c) => im.operand(&c).map(Some),
        None => Ok(None),
    }
}

pub(super) fn layer(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let rank = im.dims(x).len();
    let first = axis(n.int("axis", -1)?, rank)?;
    let axes: Vec<usize> = (first..rank).collect();
    let epsilon = n.float("epsilon", 1e-5)?;
    if !n.output(1).is_empty() || !n.output(2).is_empty() {
        moments(im, n, x, &axes, epsilon)?;
    }
    let op = normalize(axes, epsilon);
    let y = im.step(n, op, &[x])?;
    let (scale, bias) = (optional(im, n, 1)?, optional(im, n, 2)?);
    affine(im, n, y, scale, bias)
}

/// The mean, and the inverse of the deviation, as results of their own.
fn moments(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    x: TensorId,
    axes: &[usize],
    epsilon: f32,
) -> Res<()> {
    let mut to = im.dims(x).to_vec();
    axes.iter().for_each(|a| to[*a] = 1);
    let mean = || Op::ReduceMean {
        axes: axes.to_vec(),
    };
    let m = im.step_to(n, mean(), &[x], Some(&to))?;
    im.bind(n, 1, super::Value::Tensor(m));
    let minus = Op::MulConst(Importer::scalar(n, "minus", -1.0));
    let less = im.step(n, minus, &[m])?;
    let d = im.step(n, Op::Add, &[x, less])?;
    let square = Op::Elementwise(vec![Function::Pow { exponent: 2.0 }]);
    let d = im.step(n, square, &[d])?;
    let variance = im.step_to(n, mean(), &[d], Some(&to))?;
    let inverse = vec![
        Function::Add { value: epsilon },
        Function::Sqrt,
        Function::Reciprocal,
    ];
    let inverse = im.step(n, Op::Elementwise(inverse), &[variance])?;
    im.bind(n, 2, super::Value::Tensor(inverse));
    Ok(())
}

/// A constant for each channel, as one that is broadcast over `rank` dimensions.
fn channels(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    i: usize,
    (count, rank): (usize, usize),
) -> Res<Constant> {
    let values = per_channel(im, n, i, count)?;
    let mut dims = vec![1; rank];
    dims[1] = count;
    let values = values
        .into_shape_with_order(dims)
        .map_err(|_| Fault::form("its channels"))?;
    Ok(Constant {
        name: n.input_name(i).to_owned(),
        values,
    })
}

pub(super) fn instance(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let dims = im.dims(x).to_vec();
    if dims.len() < 3 {
        return Err(Fault::form(format!(
            "{dims:?} has no positions to normalise over"
        )));
    }
    let op = normalize((2..dims.len()).collect(), n.float("epsilon", 1e-5)?);
    let y = im.step(n, op, &[x])?;
    let of = (dims[1], dims.len());
    let (scale, bias) = (channels(im, n, 1, of)?, channels(im, n, 2, of)?);
    affine(im, n, y, Some(scale), Some(bias))
}

pub(super) fn group(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let dims = im.dims(x).to_vec();
    let groups = usize::try_from(n.int("num_groups", 0)?).unwrap_or(0);
    let &[batch, c, ..] = dims.as_slice() else {
        return Err(Fault::form(format!("{dims:?} has no channels")));
    };
    if groups == 0 || c % groups != 0 {
        return Err(Fault::value(
            format!("the number of groups of {c} channels"),
            groups,
        ));
    }
    let rest = dims[1..].iter().product::<usize>() / groups;
    let y = im.step_to(n, Op::Reshape, &[x], Some(&[batch, groups, rest]))?;
    let y = im.step(n, normalize(vec![2], n.float("epsilon", 1e-5)?), &[y])?;
    let y = im.step_to(n, Op::Reshape, &[y], Some(&dims))?;
    // Before opset 21 there is a value for each group.
    let each = n.constant(1)?.len();
    let spread = |mut constant: Constant| {
        if each == groups && groups != c {
            let values: Vec<f32> = constant.values.iter().copied().collect();
            let values = values
                .iter()
                .flat_map(|v| std::iter::repeat_n(*v, c / groups));
            let mut shape = vec![1; dims.len()];
            shape[1] = c;
            constant.values = ndarray::ArrayD::from_shape_vec(shape, values.collect())
                .map_err(|_| Fault::form("its channels"))?;
        }
        Ok::<_, Fault>(constant)
    };
    let of = (each, dims.len());
    let (scale, bias) = (channels(im, n, 1, of)?, channels(im, n, 2, of)?);
    affine(im, n, y, Some(spread(scale)?), Some(spread(bias)?))
}

pub(super) fn mean_variance(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let rank = im.dims(x).len();
    let over = n.ints("axes")?.unwrap_or_else(|| vec![0, 2, 3]);
    im.result(n, normalize(axes(&over, rank)?, 1e-9), &[x])
}

pub(super) fn lrn(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let size = n.int("size", 0)?;
    let size = usize::try_from(size).ok().filter(|s| *s > 0);
    let op = HostOp::Lrn {
        size: size.ok_or_else(|| Fault::form("attribute size is missing"))?,
        alpha: n.float("alpha", 0.0001)?,
        beta: n.float("beta", 0.75)?,
        bias: n.float("bias", 1.0)?,
    };
    im.result(n, Op::Host(op), &[n.tensor(0)?])
}

/// x over its length.
pub(super) fn lp(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let over = vec![axis(n.int("axis", -1)?, im.dims(x).len())?];
    let (each, all) = match n.int("p", 2)? {
        1 => (Function::Abs, vec![]),
        2 => (Function::Pow { exponent: 2.0 }, vec![Function::Sqrt]),
        p => return Err(Fault::value("p", p)),
    };
    let y = im.step(n, Op::Elementwise(vec![each]), &[x])?;
    let sum = HostOp::Reduce {
        reduction: vta_tensor::host::Reduction::Sum,
        axes: over,
    };
    let y = im.step(n, Op::Host(sum), &[y])?;
    // What has no length stays as it is.
    let guard = Function::Sum {
        left: Vec::new(),
        right: vec![Function::Equal { value: 0.0 }],
    };
    let inverse = [all, vec![guard, Function::Reciprocal]].concat();
    let y = im.step(n, Op::Elementwise(inverse), &[y])?;
    im.result(n, Op::Mul, &[x, y])
}
