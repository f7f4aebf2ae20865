//! Gradients of weights: for each block, a sum over pixels.

use super::blocks::{Blocks, ranges};
use super::padded::Padded;
use super::tile::{GROUP, Steps, Stretch, Stretches, product};
use crate::kernels::Buffer;
use crate::kernels::conv::Geometry;
use rayon::prelude::*;

/// Partial sums; fixed, so that bits do not depend on threads.
const PARTIAL_SUMS: usize = 8;

/// Pixels that are worked on together, about: a block's channels of them, in both
/// maps, stay in the first cache.
const STRIP_PIXELS: usize = 128;

/// A block at work.
#[derive(Debug)]
struct Work {
    /// Output block, input block, position.
    block: [usize; 3],
    /// Where its operands begin in an image, and its sums.
    a: usize,
    b: usize,
    c: usize,
    /// Inputs, and groups of outputs.
    size: (usize, usize),
    /// Outputs.
    row: usize,
}

/// The gradient of the weight `[co, ci, kh, kw]`, from `x [n, h, w, ci]` and the
/// gradient `dy [n, ho, wo, co]` of the output; zero in blocks that take no part.
///
/// # Panics
/// A convolution that does not [fit](super::fits), blocks of another weight, slices
/// of other sizes: a mistake in the caller.
pub fn weight_gradient(g: &Geometry, x: &[f32], dy: &[f32], blocks: &Blocks) -> Vec<f32> {
    let w = &g.window;
    let (xs, dys) = (g.ci * g.in_plane(), g.co * g.out_plane());
    assert!(super::fits(g) && blocks.suit(g));
    assert_eq!(x.len(), g.n * xs);
    assert_eq!(dy.len(), g.n * dys);
    let [top, left, bottom, right] = w.pads;
    let operand = Padded::new(g.input, g.ci, [top, left], [bottom, right]);
    let works = works(g, &operand, blocks);
    let length = works.last().map_or(0, |w| w.c + w.size.0 * w.row);
    let mut dw = vec![0.0; g.co * g.depth()];
    if x.is_empty() || dy.is_empty() || length == 0 {
        return dw;
    }
    let part = g.n.div_ceil(PARTIAL_SUMS);
    let sums: Vec<Buffer> = x
        .par_chunks(part * xs)
        .zip(dy.par_chunks(part * dys))
        .map(|(x, dy)| {
            let mut sum = Buffer::zeros(length);
            for (x, dy) in x.chunks_exact(xs).zip(dy.chunks_exact(dys)) {
                operand.with(x, |x| image(g, &operand, (x, dy), &works, &mut sum));
            }
            sum
        })
        .collect();
    let mut sums = sums.into_iter();
    let Some(mut total) = sums.next() else {
        return dw;
    };
    for sum in sums {
        total.iter_mut().zip(&sum[..]).for_each(|(t, s)| *t += s);
    }
    spread(g, &works, &total, &mut dw);
    dw
}

/// The blocks that take part, those of the same outputs together.
fn works(g: &Geometry, operand: &Padded, blocks: &Blocks) -> Vec<Work> {
    let w = &g.window;
    let kw = w.kernel[1];
    let (mut all, mut c) = (Vec::new(), 0);
    for (ob, outputs) in ranges(g.co) {
        for (ib, inputs) in ranges(g.ci) {
            for at in 0..w.kernel[0] * kw {
                if !blocks.has(ob, ib, at) {
                    continue;
                }
                let row = at / kw * w.dilation[0] * operand.row();
                all.push(Work {
                    block: [ob, ib, at],
                    a: row + at % kw * w.dilation[1] * g.ci + inputs.start,
                    b: outputs.start,
                    c,
                    size: (inputs.len(), outputs.len() / GROUP),
                    row: outputs.len(),
                });
                c += inputs.len() * outputs.len();
            }
        }
    }
    all
}

/// Adds what one image gives.
fn image(
    g: &Geometry,
    operand: &Padded,
    (x, dy): (&[f32], &[f32]),
    works: &[Work],
    sum: &mut [f32],
) {
    let [ho, wo] = g.output;
    let (stride, row) = (g.window.stride, operand.row());
    let rows = (STRIP_PIXELS / wo).clamp(1, ho);
    for first in (0..ho).step_by(rows) {
        let rows = rows.min(ho - first);
        let stretches = |outputs: usize| {
            let list = (0..rows).map(|r| Stretch {
                a: r * stride[0] * row,
                b: r * wo * g.co,
                k: wo,
            });
            let steps = Steps {
                c: outputs,
                a: 1,
                a_k: stride[1] * g.ci,
                b_k: g.co,
            };
            Stretches::new(list, steps)
        };
        // Of one group and of two.
        let stretches = [stretches(GROUP), stretches(2 * GROUP)];
        let (x, dy) = (&x[first * stride[0] * row..], &dy[first * wo * g.co..]);
        for work in works {
            let pair = (&x[work.a..], &dy[work.b..]);
            let stretches = &stretches[work.size.1 - 1];
            product(&mut sum[work.c..], pair, stretches, work.size, true);
        }
    }
}

/// From blocks to the weight's order.
fn spread(g: &Geometry, works: &[Work], sums: &[f32], dw: &mut [f32]) {
    let k = g.window.kernel[0] * g.window.kernel[1];
    let outputs: Vec<_> = ranges(g.co).map(|r| r.1).collect();
    let inputs: Vec<_> = ranges(g.ci).map(|r| r.1).collect();
    for work in works {
        let [ob, ib, at] = work.block;
        let sums = &sums[work.c..][..work.size.0 * work.row];
        for (i, sums) in inputs[ib].clone().zip(sums.chunks_exact(work.row)) {
            for (o, s) in outputs[ob].clone().zip(sums) {
                dw[(o * g.ci + i) * k + at] = *s;
            }
        }
    }
}
