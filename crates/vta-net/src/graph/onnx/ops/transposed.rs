//! `ConvTranspose` as one convolution that has channels for each phase, and depth
//! to space behind it.
//!
//! With stride `s`, output `q * s + p` of phase `p` meets the kernel's elements
//! `k` with `k = p + pad (mod s)`, each at input `q + (p + pad - k) / s`: for all
//! `q` the same distance, so each phase is a convolution of its own.

use super::super::error::{Fault, Problem, Res};
use super::super::import::Importer;
use super::super::node::OnnxNode;
use super::conv::{Image, Padding, groups, per_channel, window};
use crate::graph::{Conv, HostOp, Op, Window};
use ndarray::{Array1, Array4, Ix4};

/// A transposed window along one axis.
struct Axis {
    stride: usize,
    dilation: usize,
    before: usize,
    output: usize,
    /// Of the convolution: elements of its kernel, and padding before them.
    taps: usize,
    lead: usize,
}

impl Axis {
    fn new(window: &Window, i: usize, before: usize, output: usize) -> Self {
        let (stride, dilation) = (window.stride[i], window.dilation[i]);
        let kernel = (window.kernel[i] - 1) * dilation + 1;
        let mut axis = Self {
            stride,
            dilation,
            before,
            output,
            taps: 1,
            lead: 0,
        };
        let distances = (0..stride).flat_map(|p| (0..kernel).map(move |k| (p, k)));
        let distances: Vec<i64> = distances.filter_map(|(p, k)| axis.distance(p, k)).collect();
        let low = distances.iter().copied().min().unwrap_or(0).min(0);
        let high = distances.iter().copied().max().unwrap_or(0).max(0);
        axis.lead = low.unsigned_abs() as usize;
        axis.taps = (high - low + 1) as usize;
        axis
    }

    /// How far from output `q` of a phase the input is that meets a kernel element;
    /// none where they do not meet.
    const fn distance(&self, phase: usize, k: usize) -> Option<i64> {
        let over = (phase + self.before) as i64 - k as i64;
        match over.rem_euclid(self.stride as i64) {
            0 => Some(over / self.stride as i64),
            _ => None,
        }
    }

    /// Outputs of each phase.
    const fn each(&self) -> usize {
        self.output.div_ceil(self.stride)
    }

    /// Padding behind an input of this size, so that each phase has its outputs.
    fn trail(&self, size: usize) -> Option<usize> {
        (self.each() + self.taps - 1).checked_sub(size + self.lead)
    }
}

/// Padding before each axis, and the output's size.
fn sizes(
    n: &OnnxNode<'_>,
    window: &Window,
    padding: &Padding,
    image: &Image,
) -> Res<([usize; 2], [usize; 2])> {
    let line = |v: Option<Vec<i64>>, open: usize| -> Res<Option<[usize; 2]>> {
        let Some(v) = v else { return Ok(None) };
        let sized: Option<Vec<usize>> = v.iter().map(|x| usize::try_from(*x).ok()).collect();
        match sized.as_deref() {
            Some([w]) if image.line => Ok(Some([open, *w])),
            Some([h, w]) if !image.line => Ok(Some([*h, *w])),
            _ => Err(Fault::value("the attributes of its output", v)),
        }
    };
    let added = line(n.ints("output_padding")?, 0)?.unwrap_or([0; 2]);
    let shape = n.ints("output_shape")?;
    // Some write batch and channels, too.
    let spatial =
        shape.map(|s| s[s.len().saturating_sub(if image.line { 1 } else { 2 })..].to_vec());
    let wanted = line(spatial, 1)?;
    let (mut before, mut output) = ([0; 2], [0; 2]);
    for i in 0..2 {
        let kernel = (window.kernel[i] - 1) * window.dilation[i] + 1;
        let full = window.stride[i] * (image.size[i] - 1) + added[i] + kernel;
        let wrong = || Fault::form(format!("no output is left of {full} by its padding"));
        let over = |to: usize| full.checked_sub(to);
        (before[i], output[i]) = match (padding, wanted) {
            (Padding::Explicit(p), None) => {
                let size = over(p[i] + p[i + 2]).filter(|s| *s > 0).ok_or_else(wrong)?;
                (p[i], size)
            }
            (_, Some(to)) if to[i] > 0 => {
                let total = over(to[i]).unwrap_or(0);
                let upper = matches!(padding, Padding::Same { upper: true });
                let half = if upper { total / 2 } else { total - total / 2 };
                (half, to[i])
            }
            (Padding::Same { upper }, None) => {
                let to = image.size[i] * window.stride[i];
                let total = over(to).unwrap_or(0);
                let half = if *upper { total / 2 } else { total - total / 2 };
                (half, to)
            }
            _ => return Err(wrong()),
        };
    }
    Ok((before, output))
}

pub(super) fn conv_transpose(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let image = Image::of(im, n)?;
    let weight_name = n.constant(1)?.origin.clone();
    let weight = im.weights(n, 1)?;
    let dims = weight.shape().to_vec();
    let weight = match (image.line, &dims[..]) {
        (true, [ci, co, k]) => weight.into_shape_with_order((*ci, *co, 1, *k)).ok(),
        (false, _) => weight.into_dimensionality::<Ix4>().ok(),
        _ => None,
    };
    let weight =
        weight.ok_or_else(|| n.fault(1, Problem::Form(format!("{dims:?} is no weight of it"))))?;
    let (ci, co, kh, kw) = weight.dim();
    let groups = groups(n)?;
    if ci % groups != 0 || image.channels != ci {
        return Err(n.fault(
            1,
            Problem::Form(format!("{ci} input channels in {groups} groups")),
        ));
    }
    let (open, padding) = window(n, Some([kh, kw]), image.line)?;
    let (before, output) = sizes(n, &open, &padding, &image)?;
    let axes = [0, 1].map(|i| Axis::new(&open, i, before[i], output[i]));
    let [rows, columns] = &axes;
    let (inner, phases) = (ci / groups, rows.stride * columns.stride);
    im.budget
        .take(&[phases * co * groups, inner, rows.taps, columns.taps])?;
    let mut kernel = Array4::zeros((phases * co * groups, inner, rows.taps, columns.taps));
    for ((i, o, ky, kx), &w) in weight.indexed_iter() {
        let (group, i) = (i / inner, i % inner);
        for py in 0..rows.stride {
            let Some(dy) = rows.distance(py, ky * rows.dilation) else {
                continue;
            };
            for px in 0..columns.stride {
                let Some(dx) = columns.distance(px, kx * columns.dilation) else {
                    continue;
                };
                let channel = ((group * rows.stride + py) * columns.stride + px) * co + o;
                let at = |d: i64, lead: usize| (d + lead as i64) as usize;
                kernel[(channel, i, at(dy, rows.lead), at(dx, columns.lead))] = w;
            }
        }
    }
    let bias = match n.optional(2) {
        None => Array1::zeros(phases * co * groups),
        Some(_) => {
            let each = per_channel(im, n, 2, co * groups)?;
            let channel = |c: usize| each[c / (phases * co) * co + c % co];
            (0..phases * co * groups).map(channel).collect()
        }
    };
    // Where the input is longer than any output needs, the result is cut.
    let trail = [0, 1].map(|i| axes[i].trail(image.size[i]));
    let conv = Conv {
        weight_name,
        weight: kernel.into(),
        bias,
        window: Window {
            kernel: [rows.taps, columns.taps],
            stride: [1; 2],
            dilation: [1; 2],
            pads: [
                rows.lead,
                columns.lead,
                trail[0].unwrap_or(0),
                trail[1].unwrap_or(0),
            ],
        },
        groups,
    };
    let mut y = im.step(n, Op::Conv(conv), &[image.x])?;
    for (axis, a) in [2, 3].into_iter().zip(&axes) {
        y = cut(im, n, y, axis, a.each())?;
    }
    if phases > 1 {
        let (h, w) = (rows.each(), columns.each());
        let op = HostOp::Rearrange {
            split: vec![groups, rows.stride, columns.stride, co, h, w],
            perm: vec![0, 3, 4, 1, 5, 2],
            dims: vec![1, groups * co, h * rows.stride, w * columns.stride],
        };
        y = im.step(n, Op::Host(op), &[y])?;
    }
    for (axis, a) in [2, 3].into_iter().zip(&axes) {
        y = cut(im, n, y, axis, a.output)?;
    }
    let to = image.result_dims(im.dims(y));
    im.reshape(n, y, &to)
}

/// The first elements along an axis.
fn cut(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    x: crate::graph::TensorId,
    axis: usize,
    len: usize,
) -> Res<crate::graph::TensorId> {
    let mut dims = im.dims(x).to_vec();
    if dims[axis] <= len {
        return Ok(x);
    }
    dims[axis] = len;
    let op = Op::Slice {
        axis,
        start: 0,
        step: 1,
    };
    im.step_to(n, op, &[x], Some(&dims))
}
