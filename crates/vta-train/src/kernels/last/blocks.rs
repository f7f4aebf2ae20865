//! Which blocks of a weight take part.

use crate::kernels::conv::Geometry;
use std::ops::Range;

/// Channels of a block on both sides.
const BLOCK: usize = 32;

/// Channels of each block, `all` of them.
pub(super) fn ranges(all: usize) -> impl DoubleEndedIterator<Item = (usize, Range<usize>)> {
    let count = all.div_ceil(BLOCK);
    (0..count).map(move |i| (i, i * BLOCK..(i * BLOCK + BLOCK).min(all)))
}

/// Which blocks of 32 outputs by 32 inputs at one kernel position take part, of a
/// weight `[co, ci, kh, kw]` without groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks {
    inputs: usize,
    positions: usize,
    /// By output block, input block and position.
    taken: Vec<bool>,
}

impl Blocks {
    /// Those in which a value is not zero, of a weight or of what is multiplied with it.
    ///
    /// # Panics
    /// Another number of values: a mistake in the caller.
    pub fn of(dims: [usize; 4], values: &[f32]) -> Self {
        let [co, ci, kh, kw] = dims;
        assert_eq!(values.len(), co * ci * kh * kw);
        let (inputs, positions) = (ci.div_ceil(BLOCK), kh * kw);
        let mut taken = vec![false; co.div_ceil(BLOCK) * inputs * positions];
        if values.is_empty() {
            taken.clear();
        }
        for (o, values) in values.chunks_exact((ci * positions).max(1)).enumerate() {
            let from = o / BLOCK * inputs * positions;
            let taken = &mut taken[from..from + inputs * positions];
            let blocks = values.chunks(BLOCK * positions);
            for (taken, values) in taken.chunks_exact_mut(positions).zip(blocks) {
                for values in values.chunks_exact(positions) {
                    for (taken, v) in taken.iter_mut().zip(values) {
                        *taken |= *v != 0.0;
                    }
                }
            }
        }
        Self {
            inputs,
            positions,
            taken,
        }
    }

    /// All of them.
    pub fn all(dims: [usize; 4]) -> Self {
        let [co, ci, kh, kw] = dims;
        let (inputs, positions) = (ci.div_ceil(BLOCK), kh * kw);
        Self {
            inputs,
            positions,
            taken: vec![true; co.div_ceil(BLOCK) * inputs * positions],
        }
    }

    /// How many there are, and how many of them take part.
    pub fn count(&self) -> [usize; 2] {
        [self.taken.len(), self.taken.iter().filter(|t| **t).count()]
    }

    /// Whether they are blocks of a convolution's weight.
    pub(super) fn suit(&self, g: &Geometry) -> bool {
        let [kh, kw] = g.window.kernel;
        let counts = (g.ci.div_ceil(BLOCK), kh * kw);
        (self.inputs, self.positions) == counts
            && self.taken.len() == g.co.div_ceil(BLOCK) * counts.0 * counts.1
    }

    /// Whether one takes part.
    pub(super) fn has(&self, output: usize, input: usize, position: usize) -> bool {
        self.taken[(output * self.inputs + input) * self.positions + position]
    }
}
