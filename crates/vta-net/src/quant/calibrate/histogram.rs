//! How often magnitudes occur.

/// Bins of a histogram.
pub(crate) const BINS: usize = 4096;

/// Counts that are kept side by side.
const LANES: usize = 4;

/// Counts of magnitudes from 0 to a power of two. The bins of larger ones are whole
/// numbers of those of smaller ones, so counts of several samples are the same in any order.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    /// The exponent of the upper end.
    top: i32,
    /// By what values were multiplied after they were counted.
    factor: f64,
    /// Values that are exactly zero; they are in no bin.
    zeros: u64,
    bins: Vec<u64>,
}

impl Histogram {
    /// Of values with magnitudes up to `max`, which is above 0.
    pub fn new(values: &[f32], max: f32) -> Self {
        let top = exponent_above(max);
        // A power of two, in two factors that single precision has: bins are exact.
        let shift = BINS.ilog2() as i32 - top;
        let [a, b] = [shift / 2, shift - shift / 2].map(|e| 2_f32.powi(e));
        let mut bins = vec![0_u64; BINS];
        let mut zeros = 0;
        // Neighbours are often alike, and counting in one place waits for the count before.
        let mut counts = vec![[0_u64; LANES]; BINS];
        let mut places = [0_i32; 64 * LANES];
        for values in values.chunks(places.len()) {
            for (place, x) in places.iter_mut().zip(values) {
                *place = (x.abs() * a * b) as i32;
            }
            for places in places[..values.len()].chunks(LANES) {
                for (lane, place) in places.iter().enumerate() {
                    // It ends above all values, so the mask changes nothing.
                    counts[*place as usize % BINS][lane] += 1;
                }
            }
            zeros += values.iter().map(|x| u64::from(*x == 0.)).sum::<u64>();
        }
        for (bin, counts) in bins.iter_mut().zip(&counts) {
            *bin = counts.iter().sum();
        }
        // Zeros were counted as small values.
        bins[0] -= zeros;
        Self {
            top,
            factor: 1.,
            zeros,
            bins,
        }
    }

    /// Counts of more values.
    pub fn include(&mut self, mut other: Self) {
        debug_assert!(self.factor == 1. && other.factor == 1.);
        if other.top > self.top {
            std::mem::swap(self, &mut other);
        }
        // Far smaller values are all in the first bin.
        let finer = (self.top - other.top).min(BINS.ilog2() as i32);
        for (i, n) in other.bins.iter().enumerate() {
            self.bins[i >> finer] += n;
        }
        self.zeros += other.zeros;
    }

    /// Width of a bin.
    pub fn width(&self) -> f64 {
        2_f64.powi(self.top) / BINS as f64 * self.factor
    }

    /// Of the same values times a factor; it counts no more of them.
    pub fn scaled(&self, factor: f32) -> Self {
        Self {
            factor: self.factor * f64::from(factor),
            ..self.clone()
        }
    }

    /// Counts, from the smallest magnitudes to the largest.
    pub fn bins(&self) -> &[u64] {
        &self.bins
    }

    /// The bins that hold magnitudes up to `reach`.
    pub fn within(&self, reach: f64) -> usize {
        ((reach / self.width()).ceil() as usize).clamp(1, BINS)
    }

    /// Sum of squared errors of int8 with this step. Values are taken to lie evenly in
    /// their bins, which are narrow.
    pub fn error(&self, step: f64) -> f64 {
        let width = self.width();
        let (scale, spread) = (width / step, width * width / 12.);
        let mut error = 0.;
        for (i, n) in self.bins.iter().enumerate().filter(|(_, n)| **n > 0) {
            let q = ((i as f64 + 0.5) * scale).round().min(127.);
            let d = q * step - (i as f64 + 0.5) * width;
            error += *n as f64 * (d * d + spread);
        }
        error
    }
}

/// The smallest exponent of a power of two above a value, which is above 0.
fn exponent_above(max: f32) -> i32 {
    let bits = f64::from(max).to_bits();
    (bits >> 52) as i32 - 1022
}

#[cfg(test)]
mod tests {
    use super::{BINS, Histogram, exponent_above};

    #[test]
    fn ends_above_the_largest_value() {
        for (max, top) in [
            (1., 1),
            (0.99, 0),
            (127., 7),
            (128., 8),
            (f32::MIN_POSITIVE, -125),
        ] {
            assert_eq!(exponent_above(max), top, "{max}");
        }
    }

    #[test]
    fn counts_are_the_same_in_any_order_and_any_parts() {
        let all: Vec<f32> = (0..5000_u16).map(|i| f32::from(i) * 0.01 - 7.).collect();
        let (small, large) = all.split_at(900);
        let max = |v: &[f32]| v.iter().fold(0_f32, |m, x| m.max(x.abs()));
        let of = |v: &[f32]| Histogram::new(v, max(v));
        let (mut a, mut b) = (of(small), of(large));
        a.include(of(large));
        b.include(of(small));
        for h in [a, b] {
            assert_eq!((h.top, h.bins), (of(&all).top, of(&all).bins));
        }
    }

    #[test]
    fn errors_are_those_of_rounding() {
        let values: Vec<f32> = (0..20_000_u16)
            .map(|i| f32::from(i % 997) * 0.003 - 1.2)
            .collect();
        let h = Histogram::new(&values, 1.788);
        assert_eq!(h.bins().len(), BINS);
        for step in [0.005, 0.0131, 0.02] {
            let exact = values.iter().map(|x| {
                let x = f64::from(*x);
                let q = (x / step).round().clamp(-127., 127.);
                (q * step - x).powi(2)
            });
            let exact: f64 = exact.sum();
            let ratio = h.error(step) / exact;
            assert!((0.9..1.1).contains(&ratio), "{step}: {ratio}");
        }
    }
}
