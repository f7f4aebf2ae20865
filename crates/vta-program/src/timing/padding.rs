//! The padding of a load, as counts.

use crate::isa::Load;

/// What a load has still to pad: zeros in cycles without a beat, rows passed
/// in any cycle (`sZpSideSkip`), zeros again (`ZeroPadding` in
/// core/TensorLoadNarrowVME.scala).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Padding {
    above: u64,
    passed: u64,
    below: u64,
}

impl Padding {
    /// None.
    pub const NONE: Self = Self {
        above: 0,
        passed: 0,
        below: 0,
    };

    /// The padding of a load.
    #[inline]
    pub const fn new(l: &Load) -> Self {
        let (x0, x1) = (l.x_pad_0 as u64, l.x_pad_1 as u64);
        let (y0, y1) = (l.y_pad_0 as u64, l.y_pad_1 as u64);
        let width = x0 + l.x_size as u64 + x1;
        let rows = l.y_size as u64;
        if x0 + x1 == 0 && y1 != 0 {
            return Self {
                above: y0 * width,
                passed: rows,
                below: y1 * width,
            };
        }
        Self {
            above: (y0 + y1) * width + (x0 + x1) * rows,
            ..Self::NONE
        }
    }

    /// Whether there is none left.
    #[inline]
    pub const fn is_done(&self) -> bool {
        self.left() == 0
    }

    /// Cycles that it takes if no beat comes.
    #[inline]
    pub const fn left(&self) -> u64 {
        self.above + self.passed + self.below
    }

    /// Cycles without a beat.
    #[inline]
    pub fn gap(&mut self, mut cycles: u64) {
        for part in [&mut self.above, &mut self.passed, &mut self.below] {
            let n = cycles.min(*part);
            *part -= n;
            cycles -= n;
        }
    }

    /// Cycles with a beat in each.
    #[inline]
    pub const fn beats(&mut self, cycles: u64) {
        if self.above == 0 {
            self.passed = self.passed.saturating_sub(cycles);
        }
    }
}
