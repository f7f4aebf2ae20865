//! Convolution and batch normalisation.

use super::super::error::{Fault, Problem, Res};
use super::super::import::Importer;
use super::super::node::OnnxNode;
use super::unsupported;
use crate::graph::shape::ShapeError;
use crate::graph::{Conv, Op, TensorId, Window};
use ndarray::{Array1, ArrayD, Ix1, Ix4};

/// How a window is padded.
pub(super) enum Padding {
    /// Top, left, bottom, right.
    Explicit([usize; 4]),
    /// As many outputs as strides fit; what is odd goes to the end or to the start.
    Same { upper: bool },
}

/// Attributes of one or two spatial dimensions; one stands for columns.
fn sizes(n: &OnnxNode<'_>, name: &str, least: i64, line: bool) -> Res<Option<[usize; 2]>> {
    if line {
        let one = n.sizes::<1>(name, least)?;
        return Ok(one.map(|[w]| [least.unsigned_abs() as usize, w]));
    }
    n.sizes::<2>(name, least)
}

/// The attributes of a window over maps, or over lines; `kernel` where the file
/// leaves it to the weight.
pub(super) fn window(
    n: &OnnxNode<'_>,
    kernel: Option<[usize; 2]>,
    line: bool,
) -> Res<(Window, Padding)> {
    let stated = sizes(n, "kernel_shape", 1, line)?;
    let kernel = match (stated, kernel) {
        (Some(s), Some(k)) if s != k => return Err(Fault::value("attribute kernel_shape", s)),
        (_, Some(k)) | (Some(k), None) => k,
        (None, None) => return Err(Fault::form("attribute kernel_shape is missing")),
    };
    let window = Window {
        kernel,
        stride: sizes(n, "strides", 1, line)?.unwrap_or([1; 2]),
        dilation: sizes(n, "dilations", 1, line)?.unwrap_or([1; 2]),
        pads: [0; 4],
    };
    let pads = match line {
        true => n.sizes::<2>("pads", 0)?.map(|[l, r]| [0, l, 0, r]),
        false => n.sizes::<4>("pads", 0)?,
    };
    let padding = match n.string("auto_pad", "NOTSET")?.as_str() {
        "NOTSET" | "" => Padding::Explicit(pads.unwrap_or([0; 4])),
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

/// The operand of a window: `[1, c, h, w]`, or `[1, c, w]` as a map of one row.
pub(super) struct Image {
    pub x: TensorId,
    pub channels: usize,
    /// Rows and columns.
    pub size: [usize; 2],
    /// Whether it has one spatial dimension in the file.
    pub line: bool,
}

impl Image {
    /// The node's first operand.
    pub fn of(im: &mut Importer, n: &OnnxNode<'_>) -> Res<Self> {
        let x = n.tensor(0)?;
        Self::around(im, n, x)
    }

    pub fn around(im: &mut Importer, n: &OnnxNode<'_>, x: TensorId) -> Res<Self> {
        match *im.dims(x) {
            [1, channels, h, w] => Ok(Self {
                x,
                channels,
                size: [h, w],
                line: false,
            }),
            [1, channels, w] => Ok(Self {
                x: im.step_to(n, Op::Reshape, &[x], Some(&[1, channels, 1, w]))?,
                channels,
                size: [1, w],
                line: true,
            }),
            ref dims => {
                let text = format!(
                    "{dims:?} is neither [1, c, h, w] nor [1, c, w]: other ranks and batches are not supported"
                );
                Err(n.fault(0, Problem::Form(text)))
            }
        }
    }

    /// The file's dimensions of a result that is `[1, c, h, w]`.
    pub fn result_dims(&self, dims: &[usize]) -> Vec<usize> {
        match (self.line, dims) {
            (true, [n, c, _, w]) => vec![*n, *c, *w],
            _ => dims.to_vec(),
        }
    }

    /// An operator on it as the node's result.
    pub fn result(&self, im: &mut Importer, n: &OnnxNode<'_>, op: Op) -> Res<()> {
        if !self.line {
            return im.result(n, op, &[self.x]);
        }
        let y = im.step(n, op, &[self.x])?;
        let to = self.result_dims(im.dims(y));
        im.reshape(n, y, &to)
    }
}

pub(super) fn groups(n: &OnnxNode<'_>) -> Res<usize> {
    let groups = n.int("group", 1)?;
    match usize::try_from(groups) {
        Ok(groups) if groups > 0 => Ok(groups),
        _ => Err(Fault::value("attribute group", groups)),
    }
}

/// A convolution with these weights, `[co, ci / groups, kh, kw]` or without rows.
pub(super) fn conv_of(
    n: &OnnxNode<'_>,
    image: &Image,
    operand: usize,
    (weight_name, weight): (String, ArrayD<f32>),
    bias: Array1<f32>,
    groups: usize,
) -> Res<Conv> {
    let rank = weight.shape().to_vec();
    let weight = match (image.line, &rank[..]) {
        (true, [co, ci, k]) => weight.into_shape_with_order((*co, *ci, 1, *k)).ok(),
        (false, _) => weight.into_dimensionality::<Ix4>().ok(),
        _ => None,
    };
    let weight = weight.ok_or_else(|| {
        let form =
            format!("a weight of {rank:?}: convolutions over one or two dimensions are supported");
        n.fault(operand, Problem::Form(form))
    })?;
    let (_, _, kh, kw) = weight.dim();
    let (open, padding) = window(n, Some([kh, kw]), image.line)?;
    Ok(Conv {
        weight_name,
        weight: weight.into(),
        bias,
        window: padded(open, &padding, image.size),
        groups,
    })
}

pub(super) fn conv(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let image = Image::of(im, n)?;
    let weight_name = n.constant(1)?.origin.clone();
    let weight = im.weights(n, 1)?;
    let co = weight.shape().first().copied().unwrap_or(0);
    let bias = match n.optional(2) {
        None => Array1::zeros(co),
        Some(_) => vector(im, n, 2)?,
    };
    let conv = conv_of(n, &image, 1, (weight_name, weight), bias, groups(n)?)?;
    image.result(im, n, Op::Conv(conv))
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

/// A constant operand with a value for each channel.
pub(super) fn per_channel(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    input: usize,
    channels: usize,
) -> Res<Array1<f32>> {
    let v = vector(im, n, input)?;
    if v.len() == channels {
        return Ok(v);
    }
    let (what, want, got) = ("the number of channels", channels, v.len());
    Err(n.fault(input, ShapeError::Size { what, want, got }.into()))
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
    let mut operand = |i: usize| per_channel(im, n, i, c);
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
