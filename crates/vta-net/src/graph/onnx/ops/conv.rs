//! Convolution and batch normalisation.

use super::super::error::{Fault, Problem, Res};
use super::super::import::Importer;
use super::super::node::OnnxNode;
use super::unsupported;
use crate::graph::shape::ShapeError;
use crate::graph::{Conv, Op, Window};
use ndarray::{Array1, Ix1, Ix4};

/// How a window is padded.
pub(super) enum Padding {
    /// Top, left, bottom, right.
    Explicit([usize; 4]),
    /// As many outputs as strides fit; what is odd goes to the end or to the start.
    Same { upper: bool },
}

/// The attributes of a window; `kernel` where the file leaves it to the weight.
pub(super) fn window(n: &OnnxNode<'_>, kernel: Option<[usize; 2]>) -> Res<(Window, Padding)> {
    let stated = n.sizes::<2>("kernel_shape", 1)?;
    let kernel = match (stated, kernel) {
        (Some(s), Some(k)) if s != k => return Err(Fault::value("attribute kernel_shape", s)),
        (_, Some(k)) | (Some(k), None) => k,
        (None, None) => return Err(Fault::form("attribute kernel_shape is missing")),
    };
    let window = Window {
        kernel,
        stride: n.sizes("strides", 1)?.unwrap_or([1; 2]),
        dilation: n.sizes("dilations", 1)?.unwrap_or([1; 2]),
        pads: [0; 4],
    };
    let padding = match n.string("auto_pad", "NOTSET")?.as_str() {
        "NOTSET" | "" => Padding::Explicit(n.sizes("pads", 0)?.unwrap_or([0; 4])),
        "VALID" => Padding::Explicit([0; 4]),
        "SAME_UPPER" => Padding::Same { upper: true },
        "SAME_LOWER" => Padding::Same { upper: false },
        other => return Err(unsupported("auto_pad", other)),
    };
    Ok((window, padding))
}

/// The window with its padding for an input of this size.
pub(super) fn padded(window: Window, padding: &Padding, size: [usize; 2]) -> Window {
    match padding {
        Padding::Explicit(pads) => Window {
            pads: *pads,
            ..window
        },
        Padding::Same { upper } => window.same(size, *upper),
    }
}

/// Rows and columns of a tensor that must be `[1, c, h, w]`.
pub(super) fn image_size(im: &Importer, n: &OnnxNode<'_>) -> Res<[usize; 2]> {
    match *im.dims(n.tensor(0)?) {
        [1, _, h, w] => Ok([h, w]),
        ref dims => {
            let dims = dims.to_vec();
            Err(n.fault(0, ShapeError::Rank { want: 4, dims }.into()))
        }
    }
}

pub(super) fn conv(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let size = image_size(im, n)?;
    let weight_name = n.constant(1)?.origin.clone();
    let weight = im.weights(n, 1)?;
    let rank = weight.shape().to_vec();
    let weight = weight.into_dimensionality::<Ix4>().map_err(|_| {
        let form = format!("a weight of {rank:?}: only two-dimensional convolutions are supported");
        n.fault(1, Problem::Form(form))
    })?;
    let (co, _, kh, kw) = weight.dim();
    let (open, padding) = window(n, Some([kh, kw]))?;
    let window = padded(open, &padding, size);
    let bias = match n.optional(2) {
        None => Array1::zeros(co),
        Some(_) => vector(im, n, 2)?,
    };
    let groups = n.int("group", 1)?;
    let groups = usize::try_from(groups).map_err(|_| Fault::value("attribute group", groups))?;
    let conv = Conv {
        weight_name,
        weight: weight.into(),
        bias,
        window,
        groups,
    };
    im.result(n, Op::Conv(conv), &[n.tensor(0)?])
}

/// A constant operand of one dimension.
fn vector(im: &mut Importer, n: &OnnxNode<'_>, input: usize) -> Res<Array1<f32>> {
    let values = im.weights(n, input)?;
    let dims = values.shape().to_vec();
    let problem = || Problem::Form(format!("must have one dimension, not {dims:?}"));
    values
        .into_dimensionality::<Ix1>()
        .map_err(|_| n.fault(input, problem()))
}

pub(super) fn batch_normalization(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    if n.int("training_mode", 0)? != 0 {
        return Err(Fault::form("training_mode is not supported"));
    }
    if n.int("spatial", 1)? != 1 {
        return Err(Fault::form("spatial 0 is not supported"));
    }
    let epsilon = f64::from(n.float("epsilon", 1e-5)?);
    let c = im.dims(x).get(1).copied().unwrap_or(0);
    let mut operand = |i: usize| -> Res<Array1<f32>> {
        let v = vector(im, n, i)?;
        if v.len() == c {
            return Ok(v);
        }
        let (what, want, got) = ("the number of channels", c, v.len());
        Err(n.fault(i, ShapeError::Size { what, want, got }.into()))
    };
    let (gamma, beta, mean, variance) = (operand(1)?, operand(2)?, operand(3)?, operand(4)?);
    if let Some(v) = variance.iter().find(|v| f64::from(**v) + epsilon <= 0.0) {
        return Err(n.fault(4, Problem::Form(format!("variance {v} is not positive"))));
    }
    let factor = |i: usize| f64::from(gamma[i]) / (f64::from(variance[i]) + epsilon).sqrt();
    let scale: Array1<f32> = (0..c).map(|i| factor(i) as f32).collect();
    let shift: Array1<f32> = (0..c)
        .map(|i| (f64::from(beta[i]) - f64::from(mean[i]) * factor(i)) as f32)
        .collect();
    im.result(n, Op::Scale { scale, shift }, &[x])
}
