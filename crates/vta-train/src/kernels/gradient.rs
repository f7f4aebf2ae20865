//! Gradients of convolutions.

use rayon::prelude::*;
use vta_net::graph::Window;
use vta_net::kernels::conv::{Geometry, forward, with_scratch};
use vta_net::kernels::gather::{Reach, Tile, gather, scatter};
use vta_net::kernels::matrix::{Layout, product};

/// Partial sums of a weight's gradient; fixed, so that bits do not depend on threads.
const PARTIAL_SUMS: usize = 8;

/// The gradient of the input, from the gradient `dy [n, co, ho, wo]` of the output.
///
/// # Panics
/// Slices of other sizes: a mistake in the caller.
pub fn input_gradient(g: &Geometry, dy: &[f32], weight: &[f32]) -> Vec<f32> {
    assert_eq!(dy.len(), g.n * g.co * g.out_plane());
    assert_eq!(weight.len(), g.co * g.depth());
    match mirrored(g) {
        Some(m) => forward(&m, dy, &mirrored_weight(g, weight), None),
        None => scattered(g, dy, weight),
    }
}

/// Without stride, the gradient is a convolution of `dy` with the mirrored
/// kernel, inputs and outputs swapped; none where its padding would be negative.
fn mirrored(g: &Geometry) -> Option<Geometry> {
    let w = &g.window;
    if w.stride != [1, 1] {
        return None;
    }
    let mut pads = [0; 4];
    for (i, pad) in pads.iter_mut().enumerate() {
        let reach = w.dilation[i % 2] * (w.kernel[i % 2] - 1);
        *pad = reach.checked_sub(w.pads[i])?;
    }
    Some(Geometry {
        n: g.n,
        ci: g.co,
        input: g.output,
        co: g.ci,
        output: g.input,
        window: Window { pads, ..*w },
        groups: g.groups,
    })
}

/// `[ci, co / groups, kh, kw]`, mirrored in both directions.
fn mirrored_weight(g: &Geometry, weight: &[f32]) -> Vec<f32> {
    let k = g.window.kernel[0] * g.window.kernel[1];
    let (inputs, outputs) = (g.ci / g.groups, g.outputs());
    let mut out = Vec::with_capacity(weight.len());
    for c in 0..g.ci {
        let (group, i) = (c / inputs, c % inputs);
        for o in 0..outputs {
            let at = ((group * outputs + o) * inputs + i) * k;
            out.extend(weight[at..at + k].iter().rev());
        }
    }
    out
}

/// With stride: the gradient of the gathered columns, added to where they came from.
fn scattered(g: &Geometry, dy: &[f32], weight: &[f32]) -> Vec<f32> {
    let (p, part) = (g.out_plane(), g.images_of_part());
    let image = g.ci * g.in_plane();
    let mut dx = vec![0.0; g.n * image];
    if dx.is_empty() || p == 0 {
        return dx;
    }
    let reach = Reach::new(g);
    let (depth, outputs, inputs) = (g.depth(), g.outputs(), g.ci / g.groups);
    dx.par_chunks_mut(part * image)
        .zip(dy.par_chunks(part * g.co * p))
        .for_each(|(dx, dy)| {
            for tile in g.tiles(dx.len() / image) {
                let pixels = tile.pixels(g);
                for group in 0..g.groups {
                    let a = &weight[group * outputs * depth..][..outputs * depth];
                    let la = Layout::by_rows(outputs, depth, depth).transposed();
                    with_scratch([depth * pixels, outputs * pixels], |columns, grads| {
                        collect(g, dy, group, &tile, grads);
                        let b = (&*grads, Layout::by_rows(outputs, pixels, pixels));
                        let c = Layout::by_rows(depth, pixels, pixels);
                        product((columns, c), (a, la), b, false);
                        let channels = group * inputs..(group + 1) * inputs;
                        scatter(g, &reach, columns, channels, &tile, dx);
                    });
                }
            }
        });
    dx
}

/// A tile of `dy`, `[output of the group][pixel]`.
fn collect(g: &Geometry, dy: &[f32], group: usize, tile: &Tile, out: &mut [f32]) {
    let p = g.out_plane();
    let per_image = tile.rows.len() * g.output[1];
    let offset = tile.rows.start * g.output[1];
    for (o, row) in out.chunks_exact_mut(tile.pixels(g)).enumerate() {
        let o = group * g.outputs() + o;
        for (image, to) in tile.images.clone().zip(row.chunks_exact_mut(per_image)) {
            let at = (image * g.co + o) * p + offset;
            to.copy_from_slice(&dy[at..at + per_image]);
        }
    }
}

/// The gradient of the weight, from `x` and the gradient `dy` of the output.
///
/// # Panics
/// Slices of other sizes: a mistake in the caller.
pub fn weight_gradient(g: &Geometry, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let (p, part) = (g.out_plane(), g.images_of_part());
    let image = g.ci * g.in_plane();
    assert_eq!(x.len(), g.n * image);
    assert_eq!(dy.len(), g.n * g.co * p);
    let n = g.co * g.depth();
    if x.is_empty() || dy.is_empty() {
        return vec![0.0; n];
    }
    let reach = Reach::new(g);
    let per_sum = g.n.div_ceil(part).div_ceil(PARTIAL_SUMS) * part;
    let sums: Vec<Vec<f32>> = x
        .par_chunks(per_sum * image)
        .zip(dy.par_chunks(per_sum * g.co * p))
        .map(|(x, dy)| {
            let mut sum = vec![0.0; n];
            let parts = x.chunks(part * image).zip(dy.chunks(part * g.co * p));
            for (i, (x, dy)) in parts.enumerate() {
                for (t, tile) in g.tiles(x.len() / image).enumerate() {
                    tile_gradient(g, &reach, (x, dy), &tile, &mut sum, i + t > 0);
                }
            }
            sum
        })
        .collect();
    let mut sums = sums.into_iter();
    let mut total = sums.next().unwrap_or_default();
    for sum in sums {
        total.iter_mut().zip(&sum).for_each(|(t, s)| *t += s);
    }
    total
}

fn tile_gradient(
    g: &Geometry,
    reach: &Reach,
    (x, dy): (&[f32], &[f32]),
    tile: &Tile,
    sum: &mut [f32],
    add: bool,
) {
    let (depth, outputs, p) = (g.depth(), g.outputs(), g.out_plane());
    let inputs = g.ci / g.groups;
    let pixels = tile.pixels(g);
    let offset = tile.rows.start * g.output[1];
    let single = tile.images.len() == 1;
    for group in 0..g.groups {
        let channels = group * inputs..(group + 1) * inputs;
        let c = &mut sum[group * outputs * depth..][..outputs * depth];
        let lc = Layout::by_rows(outputs, depth, depth);
        let point = single && g.is_point();
        let columns = if point { 0 } else { depth * pixels };
        let temporary = if single { 0 } else { outputs * pixels };
        with_scratch([columns, temporary], |columns, grads| {
            let (b, lb) = if point {
                let step = g.in_plane();
                let b = &x[channels.start * step + offset..];
                (b, Layout::by_rows(depth, pixels, step))
            } else {
                gather(g, reach, x, channels, tile, columns);
                (&*columns, Layout::by_rows(depth, pixels, pixels))
            };
            let (a, la) = if single {
                let a = &dy[group * outputs * p + offset..];
                (a, Layout::by_rows(outputs, pixels, p))
            } else {
                collect(g, dy, group, tile, grads);
                (&*grads, Layout::by_rows(outputs, pixels, pixels))
            };
            product((c, lc), (a, la), (b, lb.transposed()), add);
        });
    }
}
