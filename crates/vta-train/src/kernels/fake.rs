//! Values as int8 with a power of two for a step would hold them.

use rayon::prelude::*;

/// How values are rounded, and where they end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// A value is a whole number times `2^exponent`.
    pub exponent: i32,
    /// Smallest whole number.
    pub low: f32,
    /// Largest whole number.
    pub high: f32,
    /// Whether halves go away from zero, as weights do; else up, as shifts do.
    pub away: bool,
}

impl Grid {
    /// As the quantiser rounds weights.
    pub const fn weight(exponent: i32) -> Self {
        Self {
            exponent,
            low: -127.0,
            high: 127.0,
            away: true,
        }
    }

    /// As the device rounds results.
    pub const fn result(exponent: i32) -> Self {
        Self {
            exponent,
            low: -128.0,
            high: 127.0,
            away: false,
        }
    }

    /// As the host rounds inputs.
    pub const fn input(exponent: i32) -> Self {
        Self {
            away: true,
            ..Self::result(exponent)
        }
    }

    /// As the quantiser rounds biases, to steps of a layer's sums.
    pub const fn bias(exponent: i32) -> Self {
        let most = (1 << 29) as f32;
        Self {
            exponent,
            low: -most,
            high: most,
            away: true,
        }
    }

    /// The distance of two values.
    pub fn step(&self) -> f32 {
        (self.exponent as f32).exp2()
    }

    /// The value on the grid that stands for `x`.
    pub fn round(&self, x: f32) -> f32 {
        let mut x = [x];
        self.round_all(&mut x);
        x[0]
    }

    /// Puts values on the grid. In simple steps, which compilers make vectors of.
    fn round_all(&self, values: &mut [f32]) {
        // Powers of two scale exactly.
        let (step, steps_of_one) = (self.step(), (-self.exponent as f32).exp2());
        let (low, high) = (self.low - 1.0, self.high + 1.0);
        if self.away {
            for v in values {
                let steps = (*v * steps_of_one).clamp(low, high);
                let whole = steps as i32 as f32;
                let rest = steps - whole;
                let more = f32::from(u8::from(rest >= 0.5)) - f32::from(u8::from(rest <= -0.5));
                *v = self.finish(*v, whole + more, step);
            }
        } else {
            for v in values {
                let steps = (*v * steps_of_one + 0.5).clamp(low, high);
                let whole = steps as i32 as f32;
                let less = f32::from(u8::from(whole > steps));
                *v = self.finish(*v, whole - less, step);
            }
        }
    }

    /// What is no number stays so.
    fn finish(&self, x: f32, whole: f32, step: f32) -> f32 {
        match x.is_nan() {
            true => x,
            false => whole.clamp(self.low, self.high) * step,
        }
    }

    /// Clears gradients where the grid has ended: they do not go through there.
    fn stop(&self, x: &[f32], gradients: &mut [f32]) {
        let step = self.step();
        let (low, high) = (self.low * step, self.high * step);
        for (d, x) in gradients.iter_mut().zip(x) {
            *d = match *x >= low && *x <= high {
                true => *d,
                false => 0.0,
            };
        }
    }
}

/// Applies `f` to stretches of values with one grid, given where each begins:
/// all have one, or each of as many equal parts, one part after the other.
fn each(values: &mut [f32], grids: &[Grid], f: impl Fn(usize, &mut [f32], &Grid) + Sync) {
    let Some(count) = std::num::NonZeroUsize::new(grids.len()) else {
        return;
    };
    let part = values.len().div_ceil(count.get()).max(1);
    let stretches = values.par_chunks_mut(part).zip(grids).enumerate();
    stretches.for_each(|(p, (stretch, grid))| {
        let chunks = stretch.par_chunks_mut(CHUNK).enumerate();
        chunks.for_each(|(c, chunk)| f(p * part + c * CHUNK, chunk, grid));
    });
}

/// Values that a thread takes at once.
const CHUNK: usize = 1 << 14;

/// All values on their grids: one for all, or one for each of as many equal parts.
pub fn round(x: &[f32], grids: &[Grid]) -> Vec<f32> {
    let mut y = x.to_vec();
    each(&mut y, grids, |_, values, grid| grid.round_all(values));
    y
}

/// The gradient of `x`, straight through: that of the rounded values, 0 where the grid has ended.
pub fn gradient(x: &[f32], mut dy: Vec<f32>, grids: &[Grid]) -> Vec<f32> {
    each(&mut dy, grids, |at, gradients, grid| {
        grid.stop(&x[at..at + gradients.len()], gradients);
    });
    dy
}
