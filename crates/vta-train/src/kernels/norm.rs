//! Batch normalisation, with an optional second operand and ReLU behind it:
//! `y = relu((x - mean) / sqrt(var + eps) * gamma + beta + r)`.

use rayon::prelude::*;

/// Lanes of a sum: independent additions that the processor does at once.
const LANES: usize = 16;

/// Sizes: `[n, channels, pixels]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planes {
    /// Images.
    pub n: usize,
    /// Channels.
    pub channels: usize,
    /// Pixels of a plane.
    pub pixels: usize,
}

impl Planes {
    const fn image(&self) -> usize {
        self.channels * self.pixels
    }

    /// Values of each channel.
    pub const fn count(&self) -> usize {
        self.n * self.pixels
    }
}

/// Mean and variance (of the values themselves, not an estimate) of each channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// Means.
    pub mean: Vec<f32>,
    /// Variances.
    pub var: Vec<f32>,
}

/// What a backward pass needs of a forward pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    /// Means.
    pub mean: Vec<f32>,
    /// `1 / sqrt(var + eps)`.
    pub inverse: Vec<f32>,
}

/// Gradients of a normalisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// Of `x`.
    pub x: Vec<f32>,
    /// Of `gamma`.
    pub gamma: Vec<f32>,
    /// Of `beta`.
    pub beta: Vec<f32>,
    /// Of the second operand, where there is one.
    pub residual: Option<Vec<f32>>,
}

/// A sum of `f` over pairs, in a fixed order.
#[inline(always)]
fn sum(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (a_rest, b_rest) = (a_chunks.remainder(), b_chunks.remainder());
    for (a, b) in a_chunks.zip(b_chunks) {
        for (l, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *l += f(*a, *b);
        }
    }
    for (l, (a, b)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *l += f(*a, *b);
    }
    lanes.iter().sum()
}

/// The sum of each channel of `[n, channels, pixels]`.
pub fn plane_sums(n: usize, channels: usize, x: &[f32]) -> Vec<f32> {
    let pixels = (x.len() / (n * channels).max(1)).max(1);
    let mut sums = vec![0f64; channels];
    for (i, x) in x.chunks_exact(pixels).enumerate() {
        sums[i % channels] += f64::from(sum(x, x, |x, _| x));
    }
    sums.into_iter().map(|s| s as f32).collect()
}

/// Mean and variance of each channel over a batch.
pub fn statistics(p: Planes, x: &[f32]) -> Statistics {
    assert_eq!(x.len(), p.n * p.image());
    // Of each plane: its mean, and the sum of squared distances from it.
    let planes: Vec<(f32, f32)> = x
        .par_chunks(p.pixels.max(1))
        .with_min_len(8)
        .map(|x| {
            let mean = sum(x, x, |x, _| x) / x.len() as f32;
            (mean, sum(x, x, |x, _| (x - mean) * (x - mean)))
        })
        .collect();
    let pixels = p.pixels as f64;
    let of = |c: usize| {
        let planes = (0..p.n).map(|i| planes[i * p.channels + c]);
        let mean = planes.clone().map(|s| f64::from(s.0)).sum::<f64>() / p.n as f64;
        let squares = planes.map(|(m, s)| f64::from(s) + pixels * (f64::from(m) - mean).powi(2));
        (
            mean as f32,
            (squares.sum::<f64>() / p.count() as f64) as f32,
        )
    };
    let (mean, var) = (0..p.channels).map(of).unzip();
    Statistics { mean, var }
}

impl Scaling {
    /// From statistics.
    pub fn new(statistics: &Statistics, eps: f32) -> Self {
        Self {
            mean: statistics.mean.clone(),
            inverse: statistics
                .var
                .iter()
                .map(|v| 1.0 / (v + eps).sqrt())
                .collect(),
        }
    }
}

/// `y` of the formula above.
pub fn forward(
    p: Planes,
    x: &[f32],
    scaling: &Scaling,
    (gamma, beta): (&[f32], &[f32]),
    residual: Option<&[f32]>,
    relu: bool,
) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    let pixels = p.pixels.max(1);
    let low = if relu { 0.0 } else { f32::NEG_INFINITY };
    y.par_chunks_mut(pixels)
        .with_min_len(8)
        .enumerate()
        .for_each(|(i, y)| {
            let c = i % p.channels;
            let a = gamma[c] * scaling.inverse[c];
            let b = beta[c] - scaling.mean[c] * a;
            let x = &x[i * pixels..][..y.len()];
            match residual {
                None => y
                    .iter_mut()
                    .zip(x)
                    .for_each(|(y, x)| *y = (x * a + b).max(low)),
                Some(r) => {
                    let r = &r[i * pixels..][..y.len()];
                    let xr = x.iter().zip(r);
                    y.iter_mut()
                        .zip(xr)
                        .for_each(|(y, (x, r))| *y = (x * a + b + r).max(low));
                }
            }
        });
    y
}

/// Gradients from the gradient `dy` of `y`; with ReLU `y` says where it was cut.
pub fn backward(
    p: Planes,
    (x, y, mut dy): (&[f32], Option<&[f32]>, Vec<f32>),
    scaling: &Scaling,
    gamma: &[f32],
    residual: bool,
) -> Gradients {
    let pixels = p.pixels.max(1);
    // Behind ReLU first, in place; then two sums of each plane.
    let sums: Vec<(f32, f32)> = dy
        .par_chunks_mut(pixels)
        .with_min_len(8)
        .enumerate()
        .map(|(i, dy)| {
            let at = i * pixels..i * pixels + dy.len();
            if let Some(y) = y {
                let y = &y[at.clone()];
                for (d, y) in dy.iter_mut().zip(y) {
                    *d = if *y > 0.0 { *d } else { 0.0 };
                }
            }
            let mean = scaling.mean[i % p.channels];
            let x = &x[at];
            (sum(dy, dy, |d, _| d), sum(dy, x, |d, x| d * (x - mean)))
        })
        .collect();
    let total = |c: usize, f: fn(&(f32, f32)) -> f32| {
        (0..p.n)
            .map(|i| f64::from(f(&sums[i * p.channels + c])))
            .sum::<f64>() as f32
    };
    let beta: Vec<f32> = (0..p.channels).map(|c| total(c, |s| s.0)).collect();
    let dgamma: Vec<f32> = (0..p.channels)
        .map(|c| total(c, |s| s.1) * scaling.inverse[c])
        .collect();
    let count = p.count() as f32;
    let write = |i: usize, dx: &mut [f32], dy: Option<&[f32]>| {
        let c = i % p.channels;
        let x = &x[i * pixels..][..dx.len()];
        let a = gamma[c] * scaling.inverse[c];
        let slope = a * dgamma[c] * scaling.inverse[c] / count;
        let shift = slope * scaling.mean[c] - a * beta[c] / count;
        match dy {
            None => dx
                .iter_mut()
                .zip(x)
                .for_each(|(d, x)| *d = a * *d - slope * x + shift),
            Some(dy) => dx
                .iter_mut()
                .zip(x.iter().zip(dy))
                .for_each(|(dx, (x, d))| *dx = a * d - slope * x + shift),
        }
    };
    if residual {
        let mut dx = vec![0.0; x.len()];
        dx.par_chunks_mut(pixels)
            .zip(dy.par_chunks(pixels))
            .with_min_len(8)
            .enumerate()
            .for_each(|(i, (dx, dy))| write(i, dx, Some(dy)));
        return Gradients {
            x: dx,
            gamma: dgamma,
            beta,
            residual: Some(dy),
        };
    }
    dy.par_chunks_mut(pixels)
        .with_min_len(8)
        .enumerate()
        .for_each(|(i, dx)| write(i, dx, None));
    Gradients {
        x: dy,
        gamma: dgamma,
        beta,
        residual: None,
    }
}
