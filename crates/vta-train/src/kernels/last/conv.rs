//! Convolutions and the gradients of their inputs: sums over blocks of weights.

use super::blocks::{Blocks, ranges};
use super::padded::Padded;
use super::tile::{GROUP, Steps, Stretch, Stretches, product};
use crate::kernels::Buffer;
use crate::kernels::conv::Geometry;
use rayon::prelude::*;

/// Pixels of the result that meet the same weights, in rows.
#[derive(Debug)]
struct Pass {
    rows: usize,
    columns: usize,
    /// From a row to the next, in the padded operand.
    a_row: usize,
    /// The first pixel, and from a row to the next, in the result.
    c: usize,
    c_row: usize,
}

/// Channels of the result that are summed together.
#[derive(Debug)]
struct Channels {
    first: usize,
    groups: usize,
    /// For each pass, what is summed.
    sums: Vec<Stretches>,
}

/// All that is done for an image.
#[derive(Debug)]
struct Plan {
    operand: Padded,
    passes: Vec<Pass>,
    channels: Vec<Channels>,
    /// The blocks of weights that are met, each by rows.
    weights: Buffer,
}

impl Plan {
    fn image(&self, image: &[f32], to: &mut [f32], add: bool) {
        self.operand.with(image, |a| {
            for channels in &self.channels {
                for (pass, sums) in self.passes.iter().zip(&channels.sums) {
                    for row in 0..pass.rows {
                        let c = &mut to[pass.c + row * pass.c_row + channels.first..];
                        let a = &a[row * pass.a_row..];
                        let size = (pass.columns, channels.groups);
                        product(c, (a, &self.weights), sums, size, add);
                    }
                }
            }
        });
    }

    /// Images one by one, on all threads.
    fn all(&self, from: (&[f32], usize), (to, image): (&mut [f32], usize), add: bool) {
        if image == 0 {
            return;
        }
        let (from, size) = from;
        let pairs = to.par_chunks_exact_mut(image).enumerate();
        pairs.for_each(|(i, to)| self.image(&from[i * size..][..size], to, add));
    }
}

/// `y [n, ho, wo, co]` from `x [n, h, w, ci]`, `weight [co, ci, kh, kw]` and `bias [co]`.
///
/// # Panics
/// A convolution that does not [fit](super::fits), slices of other sizes: a mistake in the caller.
pub fn forward(g: &Geometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Buffer {
    assert!(super::fits(g));
    let (from, to) = (g.ci * g.in_plane(), g.co * g.out_plane());
    assert_eq!(x.len(), g.n * from);
    assert_eq!(weight.len(), g.co * g.depth());
    let mut y = Buffer::any(g.n * to);
    if let Some(bias) = bias {
        y.par_chunks_exact_mut(g.co)
            .with_min_len(64)
            .for_each(|y| y.copy_from_slice(bias));
    }
    forward_plan(g, weight).all((x, from), (&mut y, to), bias.is_some());
    y
}

fn forward_plan(g: &Geometry, weight: &[f32]) -> Plan {
    let w = &g.window;
    let [top, left, bottom, right] = w.pads;
    let operand = Padded::new(g.input, g.ci, [top, left], [bottom, right]);
    let [kh, kw] = w.kernel;
    let blocks = Blocks::of([g.co, g.ci, kh, kw], weight);
    let steps = |columns: usize| Steps {
        c: g.co,
        a: w.stride[1] * g.ci,
        a_k: 1,
        b_k: columns,
    };
    let (k, mut weights) = (kh * kw, Vec::new());
    let mut channels = Vec::new();
    for (ob, outputs) in ranges(g.co) {
        let mut list = Vec::new();
        for at in 0..k {
            let place = at / kw * w.dilation[0] * operand.row() + at % kw * w.dilation[1] * g.ci;
            for (ib, inputs) in ranges(g.ci) {
                if !blocks.has(ob, ib, at) {
                    continue;
                }
                list.push(Stretch {
                    a: place + inputs.start,
                    b: weights.len(),
                    k: inputs.len(),
                });
                for i in inputs {
                    weights.extend(outputs.clone().map(|o| weight[(o * g.ci + i) * k + at]));
                }
            }
        }
        channels.push(Channels {
            first: outputs.start,
            groups: outputs.len() / GROUP,
            sums: vec![Stretches::new(list, steps(outputs.len()))],
        });
    }
    let pass = Pass {
        rows: g.output[0],
        columns: g.output[1],
        a_row: w.stride[0] * operand.row(),
        c: 0,
        c_row: g.output[1] * g.co,
    };
    Plan {
        operand,
        passes: vec![pass],
        channels,
        // At cache lines: else every vector of them would be in two.
        weights: Buffer::from(&weights[..]),
    }
}

/// The gradient of the input, from the gradient `dy [n, ho, wo, co]` of the output.
///
/// # Panics
/// A convolution that does not [fit](super::fits_input_gradient), slices of other
/// sizes: a mistake in the caller.
pub fn input_gradient(g: &Geometry, dy: &[f32], weight: &[f32]) -> Buffer {
    assert!(super::fits_input_gradient(g));
    let (from, to) = (g.co * g.out_plane(), g.ci * g.in_plane());
    assert_eq!(dy.len(), g.n * from);
    assert_eq!(weight.len(), g.co * g.depth());
    let mut dx = Buffer::any(g.n * to);
    gradient_plan(g, weight).all((dy, from), (&mut dx, to), false);
    dx
}

/// Along one axis: pixels of the input that are `stride` apart meet the same
/// kernel positions, and for each of these the result at a fixed distance.
#[derive(Debug)]
struct Class {
    first: usize,
    count: usize,
    /// Kernel positions, and where the result is that the first pixel met.
    met: Vec<(usize, isize)>,
}

/// The classes of an axis, and the zeros around the result that they need.
fn classes(g: &Geometry, axis: usize) -> (Vec<Class>, usize, usize) {
    let w = &g.window;
    let stride = w.stride[axis];
    let signed = |n: usize| n as isize;
    let (mut before, mut after) = (0, 0);
    let mut all = Vec::new();
    for first in 0..stride.min(g.input[axis]) {
        let count = (g.input[axis] - first).div_ceil(stride);
        let mut met = Vec::new();
        // The last positions first: they meet the first results.
        for k in (0..w.kernel[axis]).rev() {
            let at = signed(first + w.pads[axis]) - signed(k * w.dilation[axis]);
            if at.rem_euclid(signed(stride)) == 0 {
                let at = at / signed(stride);
                before = before.max(-at);
                after = after.max(at + signed(count) - signed(g.output[axis]));
                met.push((k, at));
            }
        }
        all.push(Class { first, count, met });
    }
    (all, before as usize, after as usize)
}

fn gradient_plan(g: &Geometry, weight: &[f32]) -> Plan {
    let w = &g.window;
    let (rows, above, below) = classes(g, 0);
    let (columns, left, right) = classes(g, 1);
    let operand = Padded::new(g.output, g.co, [above, left], [below, right]);
    let [kh, kw] = w.kernel;
    let blocks = Blocks::of([g.co, g.ci, kh, kw], weight);
    let pairs = || {
        rows.iter()
            .flat_map(|r| columns.iter().map(move |c| (r, c)))
    };
    let pass = |(r, c): (&Class, &Class)| Pass {
        rows: r.count,
        columns: c.count,
        a_row: operand.row(),
        c: (r.first * g.input[1] + c.first) * g.ci,
        c_row: w.stride[0] * g.input[1] * g.ci,
    };
    let (k, mut weights) = (kh * kw, Vec::new());
    let mut channels = Vec::new();
    for (ib, inputs) in ranges(g.ci) {
        let steps = Steps {
            c: w.stride[1] * g.ci,
            a: g.co,
            a_k: 1,
            b_k: inputs.len(),
        };
        let mut sums = Vec::new();
        for (r, c) in pairs() {
            let mut list = Vec::new();
            for (ky, y) in &r.met {
                for (kx, x) in &c.met {
                    let (at, y, x) = (ky * kw + kx, y + above as isize, x + left as isize);
                    let place = y as usize * operand.row() + x as usize * g.co;
                    for (ob, outputs) in ranges(g.co) {
                        if !blocks.has(ob, ib, at) {
                            continue;
                        }
                        list.push(Stretch {
                            a: place + outputs.start,
                            b: weights.len(),
                            k: outputs.len(),
                        });
                        for o in outputs {
                            let row = inputs.clone();
                            weights.extend(row.map(|i| weight[(o * g.ci + i) * k + at]));
                        }
                    }
                }
            }
            sums.push(Stretches::new(list, steps));
        }
        channels.push(Channels {
            first: inputs.start,
            groups: inputs.len() / GROUP,
            sums,
        });
    }
    Plan {
        operand,
        passes: pairs().map(pass).collect(),
        channels,
        // At cache lines: else every vector of them would be in two.
        weights: Buffer::from(&weights[..]),
    }
}
