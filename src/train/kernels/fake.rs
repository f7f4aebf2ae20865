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
        // Powers of two scale exactly.
        let steps = x * (-self.exponent as f32).exp2();
        let whole = match self.away {
            true => steps.round(),
            false => (steps + 0.5).floor(),
        };
        whole.clamp(self.low, self.high) * self.step()
    }

    /// Whether a gradient goes through: not where the grid has ended.
    pub fn passes(&self, x: f32) -> bool {
        let step = self.step();
        x >= self.low * step && x <= self.high * step
    }
}

/// Applies `f` with the grid of each value: one for all, or one for each of as
/// many equal parts, one part after the other.
fn each(values: &mut [f32], grids: &[Grid], f: impl Fn(usize, &mut f32, &Grid) + Sync) {
    let Some(count) = std::num::NonZeroUsize::new(grids.len()) else {
        return;
    };
    let part = values.len().div_ceil(count.get()).max(1);
    values
        .par_chunks_mut(CHUNK)
        .enumerate()
        .for_each(|(c, chunk)| {
            for (i, v) in chunk.iter_mut().enumerate() {
                let at = c * CHUNK + i;
                f(at, v, &grids[at / part]);
            }
        });
}

/// Values that a thread takes at once.
const CHUNK: usize = 1 << 14;

/// All values on their grids: one for all, or one for each of as many equal parts.
pub fn round(x: &[f32], grids: &[Grid]) -> Vec<f32> {
    let mut y = x.to_vec();
    each(&mut y, grids, |_, v, grid| *v = grid.round(*v));
    y
}

/// The gradient of `x`, straight through: that of the rounded values, 0 where the grid has ended.
pub fn gradient(x: &[f32], mut dy: Vec<f32>, grids: &[Grid]) -> Vec<f32> {
    each(&mut dy, grids, |i, d, grid| {
        if !grid.passes(x[i]) {
            *d = 0.0;
        }
    });
    dy
}
