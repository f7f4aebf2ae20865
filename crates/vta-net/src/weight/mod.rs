//! Weights that know which of their blocks are dropped.
//!
//! A mask is a part of its weight from the moment it is applied: graph and
//! integer network hold a [`Weight`], the compiler reads the mask there, and
//! nothing looks it up by name or guesses it from zeros again. A dropped block
//! whose values are not zero cannot be made.

mod mask;

pub use mask::{BLOCK, BlockMask, nonzero_blocks};

use ndarray::{Array, ArrayView, ArrayView4, ArrayViewMut, ArrayViewMut4, Axis, Dimension};
use ndarray::{Ix2, Ix4, s};
use std::borrow::Cow;
use std::ops::Deref;

/// Values of a weight, and maybe the mask that was applied to them.
///
/// It reads as its array. Values change through [`Weight::update`], after which
/// dropped blocks are zero again, or all at once, without a mask, by `array.into()`.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight<T, D: Dimension> {
    values: Array<T, D>,
    mask: Option<BlockMask>,
}

/// A mask of other dimensions than its weight's blocks have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a mask of {found:?} for blocks of {expected:?}")]
pub struct MaskDims {
    /// Dimensions of the mask.
    pub found: [usize; 4],
    /// Dimensions that the weight's mask has.
    pub expected: [usize; 4],
}

/// Ranks of weights: `[co, ci / groups, kh, kw]`, and `[out, in]`, which has the
/// blocks of `[out, in, 1, 1]`.
pub trait WeightDim: Dimension + sealed::Sealed {
    /// As four dimensions.
    fn four<T>(values: ArrayView<'_, T, Self>) -> ArrayView4<'_, T>;
    /// As four dimensions, to change.
    fn four_mut<T>(values: ArrayViewMut<'_, T, Self>) -> ArrayViewMut4<'_, T>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for ndarray::Ix2 {}
    impl Sealed for ndarray::Ix4 {}
}

impl WeightDim for Ix4 {
    fn four<T>(values: ArrayView<'_, T, Self>) -> ArrayView4<'_, T> {
        values
    }

    fn four_mut<T>(values: ArrayViewMut<'_, T, Self>) -> ArrayViewMut4<'_, T> {
        values
    }
}

impl WeightDim for Ix2 {
    fn four<T>(values: ArrayView<'_, T, Self>) -> ArrayView4<'_, T> {
        values.insert_axis(Axis(2)).insert_axis(Axis(3))
    }

    fn four_mut<T>(values: ArrayViewMut<'_, T, Self>) -> ArrayViewMut4<'_, T> {
        values.insert_axis(Axis(2)).insert_axis(Axis(3))
    }
}

impl<T, D: Dimension> From<Array<T, D>> for Weight<T, D> {
    fn from(values: Array<T, D>) -> Self {
        Self { values, mask: None }
    }
}

impl<T, D: Dimension> Deref for Weight<T, D> {
    type Target = Array<T, D>;

    fn deref(&self) -> &Self::Target {
        &self.values
    }
}

impl<T, D: Dimension> Weight<T, D> {
    /// The values; those of dropped blocks are zero.
    pub const fn values(&self) -> &Array<T, D> {
        &self.values
    }

    /// Which blocks are kept; none where no mask was applied.
    pub const fn mask(&self) -> Option<&BlockMask> {
        self.mask.as_ref()
    }
}

impl<T: Clone + Default + PartialEq, D: WeightDim> Weight<T, D> {
    /// Dimensions of its mask: `[ceil(co / 32), ceil(ci / groups / 32), kh, kw]`.
    pub fn mask_dims(&self) -> [usize; 4] {
        let (co, ci, kh, kw) = D::four(self.values.view()).dim();
        BlockMask::dims_for([co, ci, kh, kw])
    }

    /// Applies a mask: what it drops is zero from here on. What an earlier mask
    /// dropped stays dropped.
    ///
    /// # Errors
    /// A mask of other dimensions than [`Weight::mask_dims`]; then nothing has changed.
    pub fn apply(&mut self, mut mask: BlockMask) -> Result<(), MaskDims> {
        let (found, expected) = (mask.dims, self.mask_dims());
        if found != expected || mask.kept.len() != expected.iter().product::<usize>() {
            return Err(MaskDims { found, expected });
        }
        if let Some(before) = &self.mask {
            mask.kept &= &before.kept;
        }
        self.mask = Some(mask);
        self.zero();
        Ok(())
    }

    /// Changes values in place; dropped blocks are zero afterwards.
    pub fn update(&mut self, change: impl FnOnce(ArrayViewMut<'_, T, D>)) {
        change(self.values.view_mut());
        self.zero();
    }

    /// Which blocks there is anything in: its mask, and where none was applied,
    /// those that are not all zeros. The one place that finds blocks by their values.
    pub fn blocks(&self) -> Cow<'_, BlockMask> {
        match &self.mask {
            Some(mask) => Cow::Borrowed(mask),
            None => Cow::Owned(nonzero_blocks(D::four(self.values.view()))),
        }
    }

    /// Drops the blocks that are all zeros, where no mask was applied.
    pub fn detect(&mut self) {
        self.mask = Some(self.blocks().into_owned());
    }

    /// Values in blocks that are kept; blocks at the edge count what they hold.
    pub fn kept_len(&self) -> usize {
        let Some(mask) = &self.mask else {
            return self.values.len();
        };
        let (co, ci, ..) = D::four(self.values.view()).dim();
        mask.kept_values(co, ci)
    }

    fn zero(&mut self) {
        let Some(mask) = &self.mask else { return };
        let mut weight = D::four_mut(self.values.view_mut());
        let (co, ci, ..) = weight.dim();
        let side = |block: usize, of: usize| block * BLOCK..(block * BLOCK + BLOCK).min(of);
        for [o, i, y, x] in mask.dropped() {
            let mut block = weight.slice_mut(s![side(o, co), side(i, ci), y, x]);
            block.fill(T::default());
        }
    }
}
