//! Statistics of one tensor.

use super::histogram::Histogram;
use crate::quant::float::{Value, slice};

/// Exponents below the one that holds every value, among which is chosen.
const FINER: i32 = 3;

/// The largest magnitude of a tensor; none if a value is not finite.
pub(super) fn extent(values: &[f32]) -> Option<f32> {
    // Magnitudes have the order of their bits.
    let bits = |x: &f32| (x.to_bits() & 0x7fff_ffff).cast_signed();
    let most = values.iter().fold(0, |most, x| bits(x).max(most));
    let most = f32::from_bits(most.cast_unsigned());
    most.is_finite().then_some(most)
}

/// What was seen of a tensor.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stats {
    /// Largest magnitude.
    pub max: f32,
    /// Sum of squares.
    energy: f64,
    /// Number of values.
    pub count: f64,
    /// None where all are zero, or where no step is chosen by it.
    pub histogram: Option<Histogram>,
    /// Mean of each channel, for each sample.
    means: Vec<Vec<f64>>,
    /// Sum over samples of each channel's mean square.
    squares: Vec<f64>,
}

impl Stats {
    /// Of one sample with magnitudes up to `max`; with `steps`, steps can be chosen by it.
    pub fn new(values: &Value, max: f32, steps: bool) -> Self {
        let (data, dims) = (slice(values), values.shape());
        let (means, squares) = moments(&data, dims);
        let per_channel = data.len() as f64 / means.len().max(1) as f64;
        let histogram = (steps && max > 0.).then(|| Histogram::new(&data, max));
        Self {
            max,
            energy: squares.iter().sum::<f64>() * per_channel,
            count: data.len() as f64,
            histogram,
            means: vec![means],
            squares,
        }
    }

    /// Another sample of the same tensor.
    pub fn include(&mut self, other: Self) {
        self.max = self.max.max(other.max);
        self.energy += other.energy;
        self.count += other.count;
        match (&mut self.histogram, other.histogram) {
            (Some(all), Some(one)) => all.include(one),
            (all @ None, one) => *all = one,
            (Some(_), None) => {}
        }
        if self.squares.is_empty() {
            self.squares = other.squares;
        } else {
            let pairs = self.squares.iter_mut().zip(other.squares);
            pairs.for_each(|(a, b)| *a += b);
        }
        self.means.extend(other.means);
    }

    /// The smallest exponent whose steps reach every value with 127; none for zeros.
    pub fn exponent(&self) -> Option<i32> {
        (self.max > 0.).then(|| covering(self.max))
    }

    /// The exponents to choose from.
    pub fn candidates(&self) -> Option<std::ops::RangeInclusive<i32>> {
        self.exponent().map(|e| e - FINER..=e)
    }

    /// Sum of squared errors with an exponent, as a fraction of the sum of squares.
    pub fn error(&self, exponent: i32) -> f64 {
        self.error_of(2_f64.powi(exponent))
    }

    /// As [`Self::error`], with any step.
    pub fn error_of(&self, step: f64) -> f64 {
        match &self.histogram {
            Some(h) if self.energy > 0. => h.error(step) / self.energy,
            _ => 0.,
        }
    }

    /// Mean square of all values.
    pub fn mean_square(&self) -> f64 {
        self.energy / self.count.max(1.)
    }

    /// Of the same values times a factor.
    pub fn scaled(&self, factor: f32) -> Self {
        let (f, square) = (f64::from(factor), f64::from(factor) * f64::from(factor));
        Self {
            max: self.max * factor,
            energy: self.energy * square,
            count: self.count,
            histogram: self.histogram.as_ref().map(|h| h.scaled(factor)),
            means: self
                .means
                .iter()
                .map(|m| m.iter().map(|x| x * f).collect())
                .collect(),
            squares: self.squares.iter().map(|x| x * square).collect(),
        }
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

/// Mean and mean square of each channel: of dimension 1 of maps, else of the last one.
fn moments(data: &[f32], dims: &[usize]) -> (Vec<f64>, Vec<f64>) {
    match *dims {
        [1, channels, _, _] if channels > 0 => {
            let plane = (data.len() / channels).max(1);
            let mut all: Vec<(f64, f64)> = data.chunks_exact(plane).map(sums).collect();
            all.resize(channels, (0., 0.));
            let n = plane as f64;
            all.into_iter().map(|(s, q)| (s / n, q / n)).unzip()
        }
        [.., channels] if channels > 0 => {
            let n = (data.len() / channels).max(1) as f64;
            let (mut means, mut squares) = (vec![0.; channels], vec![0.; channels]);
            for row in data.chunks_exact(channels) {
                for ((mean, square), x) in means.iter_mut().zip(&mut squares).zip(row) {
                    let x = f64::from(*x);
                    *mean += x / n;
                    *square += x * x / n;
                }
            }
            (means, squares)
        }
        _ => Default::default(),
    }
}

/// Sum and sum of squares.
fn sums(data: &[f32]) -> (f64, f64) {
    const LANES: usize = 8;
    let mut lanes = [(0_f64, 0_f64); LANES];
    let chunks = data.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            let x = f64::from(*x);
            lane.0 += x;
            lane.1 += x * x;
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        let x = f64::from(*x);
        lane.0 += x;
        lane.1 += x * x;
    }
    lanes.iter().fold((0., 0.), |(s, q), l| (s + l.0, q + l.1))
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
