//! A convolution in single precision.

use crate::quant::shape::Map;
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayView4, ArrayViewMut2};

use crate::graph::Window;

/// Weights and window of a convolution.
pub(super) struct ConvArgs<'a> {
    /// `[co, ci / groups, kh, kw]`.
    pub weight: ArrayView4<'a, f32>,
    /// `[co]`.
    pub bias: &'a [f32],
    pub window: &'a Window,
    pub groups: usize,
}

/// Computes `[c][h][w]` from `[c][h][w]`; none where the parts do not fit.
pub(super) fn conv(args: &ConvArgs<'_>, x: &[f32], input: Map) -> Option<(Map, Vec<f32>)> {
    let (co, ci, kh, kw) = args.weight.dim();
    let [h, w] = args.window.output(input.h, input.w)?;
    let output = Map { c: co, h, w };
    let fits = args.groups > 0
        && ci * args.groups == input.c
        && co.is_multiple_of(args.groups)
        && args.bias.len() == co
        && args.window.kernel == [kh, kw]
        && x.len() == input.c * input.plane();
    if !fits {
        return None;
    }
    let plane = output.plane();
    let mut y = Vec::with_capacity(co * plane);
    for b in args.bias {
        y.resize(y.len() + plane, *b);
    }
    let padded = Padded::new(x, input, args.window);
    let outputs = co / args.groups;
    if outputs == 1 {
        planes(args, &padded, output, &mut y);
        return Some((output, y));
    }
    let length = ci * kh * kw;
    let weight = args.weight.as_standard_layout();
    let weight = weight.as_slice()?;
    let mut columns = Vec::new();
    for group in 0..args.groups {
        let rows = group * outputs..(group + 1) * outputs;
        let point =
            [kh, kw] == [1, 1] && args.window.stride == [1, 1] && args.window.pads == [0; 4];
        let b = if point {
            &x[group * ci * plane..(group + 1) * ci * plane]
        } else {
            padded.gather(
                args.window,
                group * ci..(group + 1) * ci,
                output,
                &mut columns,
            );
            &columns[..]
        };
        let a = &weight[rows.start * length..rows.end * length];
        let a = ArrayView2::from_shape((outputs, length), a).ok()?;
        let b = ArrayView2::from_shape((length, plane), b).ok()?;
        let c = &mut y[rows.start * plane..rows.end * plane];
        let mut c = ArrayViewMut2::from_shape((outputs, plane), c).ok()?;
        general_mat_mul(1., &a, &b, 1., &mut c);
    }
    Some((output, y))
}

/// A map with its padding of zeros.
struct Padded {
    data: Vec<f32>,
    h: usize,
    w: usize,
}

impl Padded {
    fn new(x: &[f32], input: Map, window: &Window) -> Self {
        let [top, left, bottom, right] = window.pads;
        let (h, w) = (input.h + top + bottom, input.w + left + right);
        let mut data = vec![0.; input.c * h * w];
        for (row, x) in x.chunks_exact(input.w).enumerate() {
            let at = (row / input.h * h + row % input.h + top) * w + left;
            data[at..at + input.w].copy_from_slice(x);
        }
        Self { data, h, w }
    }

    /// Where a kernel position meets the first pixel of a row of the output.
    const fn start(&self, window: &Window, [c, oy, ky, kx]: [usize; 4]) -> usize {
        let y = c * self.h + oy * window.stride[0] + ky * window.dilation[0];
        y * self.w + kx * window.dilation[1]
    }

    /// What each weight meets: a row of output pixels for each weight of an output channel.
    fn gather(
        &self,
        window: &Window,
        channels: std::ops::Range<usize>,
        output: Map,
        columns: &mut Vec<f32>,
    ) {
        columns.clear();
        for c in channels {
            for ky in 0..window.kernel[0] {
                for kx in 0..window.kernel[1] {
                    for oy in 0..output.h {
                        let at = self.start(window, [c, oy, ky, kx]);
                        if window.stride[1] == 1 {
                            columns.extend_from_slice(&self.data[at..at + output.w]);
                        } else {
                            let row = self.data[at..].iter().step_by(window.stride[1]);
                            columns.extend(row.take(output.w));
                        }
                    }
                }
            }
        }
    }
}

/// One weight times one plane at a time, for groups of one output.
fn planes(args: &ConvArgs<'_>, padded: &Padded, output: Map, y: &mut [f32]) {
    let ci = args.weight.dim().1;
    for ((c, i, ky, kx), w) in args.weight.indexed_iter() {
        let y = &mut y[c * output.plane()..(c + 1) * output.plane()];
        for (oy, y) in y.chunks_exact_mut(output.w).enumerate() {
            let at = padded.start(args.window, [c * ci + i, oy, ky, kx]);
            let row = &padded.data[at..];
            if args.window.stride[1] == 1 {
                y.iter_mut().zip(row).for_each(|(y, x)| *y += w * x);
            } else {
                let row = row.iter().step_by(args.window.stride[1]);
                y.iter_mut().zip(row).for_each(|(y, x)| *y += w * x);
            }
        }
    }
}
