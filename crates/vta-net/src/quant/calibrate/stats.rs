//! Statistics of one tensor.

use ndarray::{ArrayD, Axis};

/// Bins of a histogram of magnitudes.
pub(super) const BINS: usize = 2048;

/// Exponents below the one that holds every value.
const FINER: i32 = 3;

/// Exponents above it, for tensors that share a step with larger ones.
const COARSER: i32 = 4;

const CANDIDATES: usize = (FINER + COARSER + 1) as usize;

/// The largest magnitude.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extent(f32);

impl Extent {
    pub const fn include(&mut self, other: Self) {
        self.0 = self.0.max(other.0);
    }
}

/// The largest magnitude of a tensor; none if a value is not finite.
pub(super) fn extent(values: Option<&ArrayD<f32>>) -> Option<Extent> {
    let mut most = 0_f32;
    for x in values.into_iter().flatten() {
        if !x.is_finite() {
            return None;
        }
        most = most.max(x.abs());
    }
    Some(Extent(most))
}

/// What was seen of a tensor.
#[derive(Debug, Clone)]
pub(crate) struct Stats {
    /// Largest magnitude.
    pub max: f32,
    /// The smallest exponent whose steps reach it with 127; none for zeros.
    pub exponent: Option<i32>,
    /// Sum of squares.
    pub energy: f64,
    pub count: f64,
    /// Sums of squared errors of the exponents around `exponent`.
    errors: [f64; CANDIDATES],
    /// Magnitudes from 0 to `max`.
    pub histogram: Vec<u64>,
    /// Mean of each channel, for each sample.
    means: Vec<Vec<f64>>,
    /// Sum over samples of each channel's mean square.
    squares: Vec<f64>,
}

impl Stats {
    /// Of one sample, by the extent of all.
    pub(super) fn new(values: Option<&ArrayD<f32>>, Extent(max): Extent) -> Self {
        let exponent = (max > 0.).then(|| covering(max));
        let mut stats = Self {
            max,
            exponent,
            energy: 0.,
            count: 0.,
            errors: [0.; CANDIDATES],
            histogram: vec![0; BINS],
            means: Vec::new(),
            squares: Vec::new(),
        };
        let Some(values) = values else { return stats };
        stats.count = values.len() as f64;
        let axis = channel_axis(values.shape());
        let (means, squares) = axis.map_or_else(Default::default, |axis| {
            let channels = values.axis_iter(Axis(axis));
            let moments = channels.map(|c| {
                let n = c.len().max(1) as f64;
                let sums = c.iter().fold((0., 0.), |(s, q), x| {
                    let x = f64::from(*x);
                    (s + x, q + x * x)
                });
                (sums.0 / n, sums.1 / n)
            });
            moments.unzip()
        });
        stats.means.push(means);
        stats.squares = squares;
        if let (Some(exponent), Some(data)) = (exponent, values.as_slice_memory_order()) {
            stats.energy = data.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
            let scale = BINS as f32 / max;
            for x in data {
                let bin = (x.abs() * scale) as usize;
                stats.histogram[bin.min(BINS - 1)] += 1;
            }
            for (i, error) in stats.errors.iter_mut().enumerate() {
                *error = rounding(data, exponent - FINER + i as i32);
            }
        }
        stats
    }

    /// Another sample of the same tensor.
    pub(super) fn include(&mut self, other: Self) {
        self.energy += other.energy;
        self.count += other.count;
        for (a, b) in self.errors.iter_mut().zip(other.errors) {
            *a += b;
        }
        for (a, b) in self.histogram.iter_mut().zip(other.histogram) {
            *a += b;
        }
        for (a, b) in self.squares.iter_mut().zip(other.squares) {
            *a += b;
        }
        self.means.extend(other.means);
    }

    /// The exponents to choose from.
    pub fn candidates(&self) -> Option<std::ops::RangeInclusive<i32>> {
        self.exponent.map(|e| e - FINER..=e)
    }

    /// Sum of squared errors with an exponent, as a fraction of the sum of squares.
    pub fn error(&self, exponent: i32) -> f64 {
        let Some(own) = self.exponent else { return 0. };
        if self.energy == 0. {
            return 0.;
        }
        let error = match usize::try_from(exponent - own + FINER) {
            Ok(i) if i < CANDIDATES => self.errors[i],
            // Coarser still: noise of a step, or everything becomes zero.
            Ok(_) => (self.count * 4_f64.powi(exponent) / 12.).min(self.energy),
            // Finer still: everything is cut off.
            Err(_) => self.energy,
        };
        error / self.energy
    }

    /// Mean of each channel over the first samples.
    pub fn means(&self, samples: usize) -> Vec<f64> {
        let samples = samples.min(self.means.len());
        let channels = self.means.first().map_or(0, Vec::len);
        let mean = |c: usize| {
            let sum: f64 = self.means[..samples].iter().map(|m| m[c]).sum();
            sum / samples.max(1) as f64
        };
        (0..channels).map(mean).collect()
    }

    /// Mean square of each channel over all samples.
    pub fn squares(&self) -> Vec<f64> {
        let samples = self.means.len().max(1) as f64;
        self.squares.iter().map(|s| s / samples).collect()
    }
}

/// The dimension that counts channels.
const fn channel_axis(dims: &[usize]) -> Option<usize> {
    match dims.len() {
        0 => None,
        4 => Some(1),
        n => Some(n - 1),
    }
}

/// The smallest exponent with `127 * 2^exponent >= max`.
pub(crate) fn covering(max: f32) -> i32 {
    let mut exponent = (f64::from(max) / 127.).log2().ceil() as i32;
    // The logarithm may be off by a rounding.
    while f64::from(max) > 127. * 2_f64.powi(exponent) {
        exponent += 1;
    }
    exponent
}

/// Sum of squared errors of int8 with steps of `2^exponent`.
fn rounding(data: &[f32], exponent: i32) -> f64 {
    let step = 2_f32.powi(exponent);
    let scale = 1. / step;
    // Round to even by the usual constant: half-way cases do not matter here.
    const ROUND: f32 = 12_582_912.;
    let mut total = 0.;
    for chunk in data.chunks(4096) {
        let sum: f32 = chunk
            .iter()
            .map(|x| {
                let q = (x * scale).clamp(-128., 127.) + ROUND - ROUND;
                let d = q * step - x;
                d * d
            })
            .sum();
        total += f64::from(sum);
    }
    total
}
