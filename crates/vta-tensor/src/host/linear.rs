//! Linear upsampling of maps by whole factors.

use super::moving::from_vec;
use ndarray::{ArrayD, Axis};
use std::ops::{AddAssign, Mul};

/// Along an axis: the inputs of each output with their weights, over a common denominator.
struct Line {
    denominator: usize,
    taps: Vec<Vec<(usize, usize)>>,
}

impl Line {
    fn new(inputs: usize, factor: usize, half_pixel: bool) -> Self {
        // Twice as fine, so that halves of pixels are whole numbers.
        let (denominator, first, step) = match half_pixel {
            true => (2 * factor, 1 - factor as i64, 2),
            false => (factor, 0, 1),
        };
        let last = inputs as i64 - 1;
        let taps = (0..inputs * factor).map(|o| {
            let at = first + step * o as i64;
            let behind = at.rem_euclid(denominator as i64) as usize;
            let before = at.div_euclid(denominator as i64);
            let input = |i: i64| i.clamp(0, last) as usize;
            let both = [
                (input(before), denominator - behind),
                (input(before + 1), behind),
            ];
            both.into_iter().filter(|t| t.1 > 0).collect()
        });
        Self {
            denominator,
            taps: taps.collect(),
        }
    }

    /// The weights as other numbers.
    fn map<S>(&self, weight: impl Fn(usize) -> S) -> Vec<Vec<(usize, S)>> {
        let of = |taps: &Vec<(usize, usize)>| taps.iter().map(|(i, n)| (*i, weight(*n))).collect();
        self.taps.iter().map(of).collect()
    }
}

/// Weighted sums, along columns first.
fn sums<T: Copy, S: Copy + Default + AddAssign + Mul<Output = S>>(
    a: &ArrayD<T>,
    [rows, columns]: [Vec<Vec<(usize, S)>>; 2],
    dims: &[usize],
    (to, from): (impl Fn(T) -> S, impl Fn(S) -> T),
) -> ArrayD<T> {
    let mut flat = Vec::with_capacity(dims.iter().product());
    let width = a.shape()[3];
    let mut between = vec![S::default(); width];
    for channel in a.index_axis(Axis(0), 0).outer_iter() {
        for taps in &rows {
            between.fill(S::default());
            for (i, weight) in taps {
                let row = channel.index_axis(Axis(0), *i);
                for (sum, x) in between.iter_mut().zip(row) {
                    *sum += *weight * to(*x);
                }
            }
            flat.extend(columns.iter().map(|taps| {
                let mut sum = S::default();
                for (i, weight) in taps {
                    sum += *weight * between[*i];
                }
                from(sum)
            }));
        }
    }
    from_vec(dims, flat)
}

fn lines(dims: &[usize], factor: [usize; 2], half_pixel: bool) -> [Line; 2] {
    [0, 1].map(|i| Line::new(dims[i + 2], factor[i], half_pixel))
}

/// In single precision.
pub(super) fn float(
    a: &ArrayD<f32>,
    factor: [usize; 2],
    half_pixel: bool,
    dims: &[usize],
) -> ArrayD<f32> {
    let lines = lines(a.shape(), factor, half_pixel);
    let weights = lines.map(|l| l.map(|n| n as f32 / l.denominator as f32));
    sums(a, weights, dims, (|x| x, |sum| sum))
}

/// The exact sums, rounded to the nearest integer, halves up.
pub(super) fn integer(
    a: &ArrayD<i8>,
    factor: [usize; 2],
    half_pixel: bool,
    dims: &[usize],
) -> ArrayD<i8> {
    let lines = lines(a.shape(), factor, half_pixel);
    let one = (lines[0].denominator * lines[1].denominator) as i64;
    let weights = lines.map(|l| l.map(|n| n as i64));
    // A mean of int8 is one.
    let round = |sum: i64| (2 * sum + one).div_euclid(2 * one) as i8;
    sums(a, weights, dims, (i64::from, round))
}
