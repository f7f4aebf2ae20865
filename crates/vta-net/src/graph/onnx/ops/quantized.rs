//! Quantised tensors that are computed.
//!
//! A quantised tensor is held as the real values that it stands for, and its grid
//! (scale, zero point) is remembered ([`Grid`]). The limits of the integers stay;
//! rounding to the file's steps is left to the quantiser, which has steps of its
//! own. Who needs the integers themselves gets them ([`Importer::numbers`]).

use super::super::constant::{Const, ty};
use super::super::error::{Fault, Problem, Res};
use super::super::fold::integer_type;
use super::super::grid::Grid;
use super::super::import::Importer;
use super::super::node::{OnnxNode, Value, axis};
use super::conv::{Image, conv_of, groups};
use super::elementwise::clip_to;
use crate::graph::{Constant, Dense, Function, Op, TensorId};
use ndarray::{Array1, ArrayD, Ix2};

/// The grid of operands `scale` and `zero`; none where it differs between elements.
fn grid(n: &OnnxNode<'_>, scale: usize, zero: usize) -> Res<Option<Grid>> {
    let scales = n.constant(scale)?;
    let all: Vec<f32> = scales.to_floats().iter().copied().collect();
    if let Some(s) = all.iter().find(|s| !s.is_finite() || **s <= 0.0) {
        return Err(n.fault(scale, Problem::Form(format!("scale {s} is not positive"))));
    }
    let zeros = match n.optional_constant(zero)? {
        Some(c) => c.to_ints()?,
        None => vec![0],
    };
    Ok(match (&all[..], &zeros[..]) {
        ([scale], [zero]) => Some(Grid {
            scale: *scale,
            zero: *zero as f32,
        }),
        _ => None,
    })
}

/// The bounds of the integers.
fn integers(n: &OnnxNode<'_>, zero: usize) -> Res<(f32, f32)> {
    let (low, high) = ty::range(integer_type(n, zero)?);
    Ok((low as f32, high as f32))
}

/// Scales or zero points for each index of an axis, as a constant that is broadcast.
fn along(im: &mut Importer, n: &OnnxNode<'_>, i: usize, dims: &[usize]) -> Res<Constant> {
    let at = axis(n.int("axis", 1)?, dims.len())?;
    let c = n.constant(i)?.clone();
    let mut constant = im.operand(&c)?;
    if constant.values.len() == 1 {
        return Ok(constant);
    }
    let mut shape = vec![1; dims.len()];
    shape[at] = dims[at];
    let values = constant.values.into_shape_with_order(shape);
    let wrong = |_| {
        n.fault(
            i,
            Problem::Form(format!("one for each of {} is needed", dims[at])),
        )
    };
    constant.values = values.map_err(wrong)?;
    Ok(constant)
}

fn negative(mut c: Constant) -> Constant {
    c.values.mapv_inplace(|v| -v);
    c
}

pub(super) fn quantize(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    if n.int("block_size", 0)? != 0 {
        return Err(Fault::form("quantisation in blocks is not supported"));
    }
    let x = n.tensor(0)?;
    if grid(n, 1, 2)?.is_some() {
        return quantised(im, n, x, 1);
    }
    let (low, high) = integers(n, 2)?;
    // A scale for each channel: the integers are computed.
    let dims = im.dims(x).to_vec();
    let mut inverse = along(im, n, 1, &dims)?;
    inverse.values.mapv_inplace(f32::recip);
    let mut y = im.step(n, Op::MulConst(inverse), &[x])?;
    y = im.step(n, Op::Elementwise(vec![Function::Round]), &[y])?;
    if n.optional(2).is_some() {
        let zero = along(im, n, 2, &dims)?;
        y = im.step(n, Op::AddConst(zero), &[y])?;
    }
    im.result(
        n,
        Op::Clip {
            min: low,
            max: high,
        },
        &[y],
    )
}

pub(super) fn dequantize(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    if n.int("block_size", 0)? != 0 {
        return Err(Fault::form("quantisation in blocks is not supported"));
    }
    let x = n.tensor(0)?;
    if let Some(grid) = grid(n, 1, 2)? {
        let y = real(im, n, x, grid)?;
        im.bind(n, 0, Value::Tensor(y));
        return Ok(());
    }
    let dims = im.dims(x).to_vec();
    let mut y = im.numbers(n, x)?;
    if n.optional(2).is_some() {
        let zero = negative(along(im, n, 2, &dims)?);
        y = im.step(n, Op::AddConst(zero), &[y])?;
    }
    let scale = along(im, n, 1, &dims)?;
    im.result(n, Op::MulConst(scale), &[y])
}

/// The real values of a quantised tensor, by this grid.
fn real(im: &mut Importer, n: &OnnxNode<'_>, x: TensorId, grid: Grid) -> Res<TensorId> {
    let own = im.grid(x).unwrap_or(Grid::NUMBERS);
    if own == grid {
        // The values are those already, but they are no integers any more.
        return Ok(match own == Grid::NUMBERS {
            true => x,
            false => im.ungridded(n, x)?,
        });
    }
    // ((x / own.scale + own.zero) - zero) * scale
    let factor = (f64::from(grid.scale) / f64::from(own.scale)) as f32;
    let shift = (own.zero - grid.zero) * grid.scale;
    let mut y = x;
    if own == Grid::NUMBERS {
        // In the order of the file, which is exact for small integers.
        if grid.zero != 0.0 {
            let zero = Importer::scalar(n, "zero", -grid.zero);
            y = im.step(n, Op::AddConst(zero), &[y])?;
        }
        let scale = Importer::scalar(n, "scale", grid.scale);
        return im.step(n, Op::MulConst(scale), &[y]);
    }
    if factor != 1.0 {
        let factor = Importer::scalar(n, "factor", factor);
        y = im.step(n, Op::MulConst(factor), &[y])?;
    }
    if shift != 0.0 {
        let shift = Importer::scalar(n, "shift", shift);
        y = im.step(n, Op::AddConst(shift), &[y])?;
    }
    if y == x {
        y = im.ungridded(n, x)?;
    }
    Ok(y)
}

/// A computed operand's real values, by the grid in operands `scale` and `zero`.
fn operand(im: &mut Importer, n: &OnnxNode<'_>, x: usize, scale: usize) -> Res<TensorId> {
    let grid = grid(n, scale, scale + 1)?;
    let grid = grid.ok_or_else(|| n.fault(scale, Problem::Form("must be one value".into())))?;
    let x = im.tensor_of(n, x)?;
    real(im, n, x, grid)
}

/// A constant operand's real values; scales may differ along the first axis, or the last.
fn weights(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    (w, scale, zero): (usize, Option<usize>, usize),
    last: bool,
) -> Res<ArrayD<f32>> {
    let c = n.constant(w)?.clone();
    im.budget.take(c.dims())?;
    let mut values = c.to_floats().as_standard_layout().into_owned();
    let rank = values.ndim();
    let shaped = |c: &Const| -> Res<ArrayD<f32>> {
        let v = c.to_floats();
        let mut dims = vec![1; rank];
        if v.len() > 1 {
            dims[if last { rank - 1 } else { 0 }] = v.len();
        }
        let wrong = |_| Fault::form("scales for each channel do not fit the weight");
        let v: Vec<f32> = v.iter().copied().collect();
        ArrayD::from_shape_vec(dims, v).map_err(wrong)
    };
    let fits = |with: &ArrayD<f32>, to: &ArrayD<f32>| with.broadcast(to.raw_dim()).is_some();
    let wrong = || n.fault(w, Problem::Form("scales do not fit the weight".into()));
    if let Some(z) = n.optional_constant(zero)? {
        let z = shaped(z)?;
        if !fits(&z, &values) {
            return Err(wrong());
        }
        values -= &z;
    }
    if let Some(scale) = scale {
        let s = shaped(n.constant(scale)?)?;
        if !fits(&s, &values) {
            return Err(wrong());
        }
        values *= &s;
    }
    Ok(values)
}

/// The node's result is quantised: limits, and its grid.
fn quantised(im: &mut Importer, n: &OnnxNode<'_>, y: TensorId, scale: usize) -> Res<()> {
    let (low, high) = integers(n, scale + 1)?;
    let grid = grid(n, scale, scale + 1)?;
    let grid = grid.ok_or_else(|| n.fault(scale, Problem::Form("must be one value".into())))?;
    let y = clip_to(im, n, y, grid.real(low), grid.real(high))?;
    im.set_grid(y, grid);
    im.bind(n, 0, Value::Tensor(y));
    Ok(())
}

pub(super) fn qlinear_conv(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = operand(im, n, 0, 1)?;
    let image = Image::around(im, n, x)?;
    let weight = weights(im, n, (3, Some(4), 5), false)?;
    let co = weight.shape().first().copied().unwrap_or(0);
    let bias = match n.optional_constant(8)?.cloned() {
        None => Array1::zeros(co),
        Some(c) => {
            // Its scale is that of input times weight.
            let sx = n.optional_scalar(1)?.unwrap_or(1.0);
            let scales = n.constant(4)?.to_floats();
            let scales: Vec<f32> = scales.iter().copied().collect();
            let all = c.to_floats();
            if all.len() != co {
                return Err(n.fault(8, Problem::Form(format!("{co} values are needed"))));
            }
            let of = |i: usize| scales.get(i).or(scales.first()).copied().unwrap_or(1.0);
            all.iter()
                .enumerate()
                .map(|(i, b)| b * sx * of(i))
                .collect()
        }
    };
    let name = n.constant(3)?.origin.clone();
    let conv = conv_of(n, &image, 3, (name, weight), bias, groups(n)?)?;
    let y = im.step(n, Op::Conv(conv), &[image.x])?;
    let to = image.result_dims(im.dims(y));
    let y = im.step_to(n, Op::Reshape, &[y], Some(&to))?;
    quantised(im, n, y, 6)
}

pub(super) fn conv_integer(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let zero = n.optional_scalar(2)?.unwrap_or(0.0);
    let x = n.tensor(0)?;
    let x = im.numbers(n, x)?;
    let minus = Importer::scalar(n, "zero", -zero);
    let x = match zero {
        0.0 => x,
        _ => im.step(n, Op::AddConst(minus), &[x])?,
    };
    let image = Image::around(im, n, x)?;
    let weight = weights(im, n, (1, None, 3), false)?;
    let co = weight.shape().first().copied().unwrap_or(0);
    let name = n.constant(1)?.origin.clone();
    let conv = conv_of(n, &image, 1, (name, weight), Array1::zeros(co), groups(n)?)?;
    let y = im.step(n, Op::Conv(conv), &[image.x])?;
    let to = image.result_dims(im.dims(y));
    im.reshape(n, y, &to)
}

/// A product with a constant matrix, or with a computed one.
fn product(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    a: TensorId,
    right: Result<(String, ArrayD<f32>), TensorId>,
) -> Res<TensorId> {
    match right {
        Err(b) => im.step(n, Op::MatMul, &[a, b]),
        Ok((weight_name, values)) => {
            let dims = values.shape().to_vec();
            let matrix = values.into_dimensionality::<Ix2>();
            let matrix = matrix.map_err(|_| Fault::form(format!("{dims:?} is no matrix")))?;
            let weight = matrix.t().as_standard_layout().into_owned();
            let bias = Array1::zeros(weight.nrows());
            let dense = Dense {
                weight_name,
                weight: weight.into(),
                transposed: true,
                bias,
            };
            im.step(n, Op::Dense(dense), &[a])
        }
    }
}

pub(super) fn qlinear_matmul(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let a = operand(im, n, 0, 1)?;
    let b = match n.value(3)?.clone() {
        Value::Const(c) => Ok((c.origin.clone(), weights(im, n, (3, Some(4), 5), true)?)),
        Value::Tensor(_) => Err(operand(im, n, 3, 4)?),
    };
    let y = product(im, n, a, b)?;
    quantised(im, n, y, 6)
}

pub(super) fn matmul_integer(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let mut side = |i: usize| -> Res<TensorId> {
        let x = im.tensor_of(n, i)?;
        let x = im.numbers(n, x)?;
        match n.optional_scalar(i + 2)?.unwrap_or(0.0) {
            0.0 => Ok(x),
            zero => {
                let minus = Importer::scalar(n, "zero", -zero);
                im.step(n, Op::AddConst(minus), &[x])
            }
        }
    };
    let a = side(0)?;
    let b = match n.value(1)?.clone() {
        Value::Const(c) => Ok((c.origin.clone(), weights(im, n, (1, None, 3), true)?)),
        Value::Tensor(_) => Err(side(1)?),
    };
    let y = product(im, n, a, b)?;
    im.bind(n, 0, Value::Tensor(y));
    Ok(())
}
