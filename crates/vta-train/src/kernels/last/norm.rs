//! Batch normalisation of maps with channels last, with an optional second operand
//! and ReLU behind it.

use crate::kernels::Buffer;
use crate::kernels::norm::{Planes, Scaling, Statistics};
use crate::kernels::wide::wide;
use rayon::prelude::*;

/// Values that loops run over, about: some pixels, so that few channels make no short loops.
const STRETCH: usize = 512;

/// Pixels of a stretch.
fn together(channels: usize) -> usize {
    (STRETCH / channels.max(1)).max(1)
}

/// A value of each channel, for the pixels of a stretch.
fn repeated(values: impl Iterator<Item = f32>, channels: usize) -> Vec<f32> {
    let one: Vec<f32> = values.collect();
    one.repeat(together(channels))
}

/// Sums of a stretch's values, as sums of each channel, in a fixed order.
fn folded(sums: &[f32], channels: usize) -> Vec<f32> {
    let mut total = vec![0.0; channels];
    for sums in sums.chunks_exact(channels.max(1)) {
        total.iter_mut().zip(sums).for_each(|(t, s)| *t += s);
    }
    total
}

wide! {
    /// Adds values to sums, stretch by stretch.
    fn add_up(sums: &mut [f32], x: &[f32]) {
        for x in x.chunks(sums.len()) {
            for (s, x) in sums.iter_mut().zip(x) {
                *s += x;
            }
        }
    }
}

wide! {
    /// Adds squared distances from means.
    fn add_squares(sums: &mut [f32], means: &[f32], x: &[f32]) {
        for x in x.chunks(sums.len()) {
            for (s, (x, m)) in sums.iter_mut().zip(x.iter().zip(means)) {
                *s += (x - m) * (x - m);
            }
        }
    }
}

/// The sum of each channel of `[pixels, channels]`.
pub fn channel_sums(channels: usize, x: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0; channels * together(channels)];
    let mut total = vec![0f64; channels];
    for x in x.chunks((64 * sums.len()).max(1)) {
        sums.fill(0.0);
        add_up(&mut sums, x);
        let part = folded(&sums, channels);
        total
            .iter_mut()
            .zip(part)
            .for_each(|(t, p)| *t += f64::from(p));
    }
    total.into_iter().map(|t| t as f32).collect()
}

/// Mean and variance of each channel over a batch.
pub fn statistics(p: Planes, x: &[f32]) -> Statistics {
    assert_eq!(x.len(), p.n * p.channels * p.pixels);
    let c = p.channels;
    // Of each image: means, and sums of squared distances from them.
    let images: Vec<(Vec<f32>, Vec<f32>)> = x
        .par_chunks((c * p.pixels).max(1))
        .map(|x| {
            let mut sums = vec![0.0; c * together(c)];
            add_up(&mut sums, x);
            let mut means = folded(&sums, c);
            means.iter_mut().for_each(|m| *m /= p.pixels as f32);
            let repeated = repeated(means.iter().copied(), c);
            sums.fill(0.0);
            add_squares(&mut sums, &repeated, x);
            (means, folded(&sums, c))
        })
        .collect();
    let pixels = p.pixels as f64;
    let of = |c: usize| {
        let images = images
            .iter()
            .map(|(m, s)| (f64::from(m[c]), f64::from(s[c])));
        let mean = images.clone().map(|s| s.0).sum::<f64>() / p.n as f64;
        let squares = images.map(|(m, s)| s + pixels * (m - mean).powi(2));
        (
            mean as f32,
            (squares.sum::<f64>() / p.count() as f64) as f32,
        )
    };
    let (mean, var) = (0..c).map(of).unzip();
    Statistics { mean, var }
}

wide! {
    /// `y = max(x a + b, low)`.
    fn scale(y: &mut [f32], x: &[f32], a: &[f32], b: &[f32], low: f32) {
        for (y, x) in y.chunks_mut(a.len()).zip(x.chunks(a.len())) {
            for ((y, x), (a, b)) in y.iter_mut().zip(x).zip(a.iter().zip(b)) {
                *y = (x * a + b).max(low);
            }
        }
    }
}

wide! {
    /// `y = max(x a + b + r, low)`.
    fn scale_and_add(y: &mut [f32], x: &[f32], r: &[f32], a: &[f32], b: &[f32], low: f32) {
        let n = a.len();
        for ((y, x), r) in y.chunks_mut(n).zip(x.chunks(n)).zip(r.chunks(n)) {
            for ((y, (x, r)), (a, b)) in y.iter_mut().zip(x.iter().zip(r)).zip(a.iter().zip(b)) {
                *y = (x * a + b + r).max(low);
            }
        }
    }
}

/// `relu((x - mean) / sqrt(var + eps) * gamma + beta + residual)`.
pub fn forward(
    p: Planes,
    x: &[f32],
    scaling: &Scaling,
    (gamma, beta): (&[f32], &[f32]),
    residual: Option<&[f32]>,
    relu: bool,
) -> Buffer {
    let mut y = Buffer::any(x.len());
    let low = if relu { 0.0 } else { f32::NEG_INFINITY };
    let a: Vec<f32> = gamma
        .iter()
        .zip(&scaling.inverse)
        .map(|(g, i)| g * i)
        .collect();
    let shift = beta
        .iter()
        .zip(scaling.mean.iter().zip(&a))
        .map(|(b, (m, a))| b - m * a);
    let (b, a) = (
        repeated(shift, p.channels),
        repeated(a.iter().copied(), p.channels),
    );
    let image = (p.channels * p.pixels).max(1);
    y.par_chunks_mut(image).enumerate().for_each(|(i, y)| {
        let at = i * image..i * image + y.len();
        match residual {
            None => scale(y, &x[at], &a, &b, low),
            Some(r) => scale_and_add(y, &x[at.clone()], &r[at], &a, &b, low),
        }
    });
    y
}

wide! {
    /// Clears gradients where ReLU cut, and adds them as [`add_gradients`] does.
    fn cut_and_add(sums: &mut [f32], products: &mut [f32], means: &[f32], dy: &mut [f32], xy: [&[f32]; 2]) {
        let n = sums.len();
        for ((dy, x), y) in dy.chunks_mut(n).zip(xy[0].chunks(n)).zip(xy[1].chunks(n)) {
            let sums = sums.iter_mut().zip(products.iter_mut());
            for ((s, p), ((d, (x, y)), m)) in sums.zip(dy.iter_mut().zip(x.iter().zip(y)).zip(means)) {
                *d = if *y > 0.0 { *d } else { 0.0 };
                *s += *d;
                *p += *d * (x - m);
            }
        }
    }
}

wide! {
    /// Adds gradients, and their products with the distances from means.
    fn add_gradients(sums: &mut [f32], products: &mut [f32], means: &[f32], dy: &[f32], x: &[f32]) {
        let n = sums.len();
        for (dy, x) in dy.chunks(n).zip(x.chunks(n)) {
            let sums = sums.iter_mut().zip(products.iter_mut());
            for ((s, p), ((d, x), m)) in sums.zip(dy.iter().zip(x).zip(means)) {
                *s += d;
                *p += d * (x - m);
            }
        }
    }
}

wide! {
    /// `d = a d - slope x + shift`.
    fn finish(d: &mut [f32], x: &[f32], a: &[f32], slope: &[f32], shift: &[f32]) {
        let n = a.len();
        for (d, x) in d.chunks_mut(n).zip(x.chunks(n)) {
            let by = a.iter().zip(slope.iter().zip(shift));
            for ((d, x), (a, (slope, shift))) in d.iter_mut().zip(x).zip(by) {
                *d = a * *d - slope * x + shift;
            }
        }
    }
}

wide! {
    /// `dx = a d - slope x + shift`.
    fn finish_apart(dx: &mut [f32], d: &[f32], x: &[f32], by: [&[f32]; 3]) {
        let [a, slope, shift] = by;
        let n = a.len();
        for ((dx, d), x) in dx.chunks_mut(n).zip(d.chunks(n)).zip(x.chunks(n)) {
            let by = a.iter().zip(slope.iter().zip(shift));
            for ((dx, (d, x)), (a, (slope, shift))) in dx.iter_mut().zip(d.iter().zip(x)).zip(by) {
                *dx = a * d - slope * x + shift;
            }
        }
    }
}

/// Gradients of a normalisation with channels last.
#[derive(Debug)]
pub struct Slopes {
    /// Of `x`, where it is not in the place of `dy`.
    pub x: Option<Buffer>,
    /// Of `gamma`.
    pub gamma: Vec<f32>,
    /// Of `beta`.
    pub beta: Vec<f32>,
}

/// Gradients from the gradient `dy` of `y`; with ReLU `y` says where it was cut.
/// With a second operand `dy` becomes its gradient, else that of `x`.
pub fn backward(
    p: Planes,
    (x, y, dy): (&[f32], Option<&[f32]>, &mut [f32]),
    scaling: &Scaling,
    gamma: &[f32],
    residual: bool,
) -> Slopes {
    let c = p.channels;
    let image = (c * p.pixels).max(1);
    let means = repeated(scaling.mean.iter().copied(), c);
    let sums: Vec<[Vec<f32>; 2]> = dy
        .par_chunks_mut(image)
        .enumerate()
        .map(|(i, dy)| {
            let at = i * image..i * image + dy.len();
            let mut sums = [0, 1].map(|_| vec![0.0; means.len()]);
            let [s, products] = &mut sums;
            let x = &x[at.clone()];
            match y {
                Some(y) => cut_and_add(s, products, &means, dy, [x, &y[at]]),
                None => add_gradients(s, products, &means, dy, x),
            }
            sums.map(|s| folded(&s, c))
        })
        .collect();
    let total = |which: usize, c: usize| {
        let images = sums.iter().map(|s| f64::from(s[which][c]));
        images.sum::<f64>() as f32
    };
    let beta: Vec<f32> = (0..c).map(|c| total(0, c)).collect();
    let dgamma: Vec<f32> = (0..c).map(|c| total(1, c) * scaling.inverse[c]).collect();
    let count = p.count() as f32;
    let a = |c: usize| gamma[c] * scaling.inverse[c];
    let slope = |c: usize| a(c) * dgamma[c] * scaling.inverse[c] / count;
    let shift = |c: usize| slope(c) * scaling.mean[c] - a(c) * beta[c] / count;
    let by: [&dyn Fn(usize) -> f32; 3] = [&a, &slope, &shift];
    let by = by.map(|f| repeated((0..c).map(f), c));
    let by @ [a, slope, shift] = [&by[0][..], &by[1], &by[2]];
    let x = x.par_chunks(image);
    let dx = if residual {
        let mut dx = Buffer::any(dy.len());
        let all = dx.par_chunks_mut(image).zip(dy.par_chunks(image)).zip(x);
        all.for_each(|((dx, d), x)| finish_apart(dx, d, x, by));
        Some(dx)
    } else {
        let all = dy.par_chunks_mut(image).zip(x);
        all.for_each(|(d, x)| finish(d, x, a, slope, shift));
        None
    };
    Slopes {
        x: dx,
        gamma: dgamma,
        beta,
    }
}
