//! Block masks: which 32x32 blocks of a layer's weights are kept.
//!
//! Masks come from a file ([`read`]), from a density ([`random`]) or from the
//! zeros of the weights ([`nonzero_blocks`]); [`layers`] says what can have one.

mod error;
mod file;
mod layers;
mod random;
mod zero;

pub use error::MaskError;
pub use file::{MAX_FILE_BYTES, MAX_HEADER_BYTES, read, write};
pub use layers::{MaskLayer, check, keep_dense, layers};
pub use random::{kept_at, random};
pub use zero::{apply, nonzero_blocks, zero_dropped};

use bitvec::vec::BitVec;
use std::collections::BTreeMap;

/// Rows and columns of a block.
pub const BLOCK: usize = 32;

/// The mask of one layer: a bit for each block, set where it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockMask {
    /// `[ceil(co / 32), ceil(ci / groups / 32), kh, kw]`.
    pub dims: [usize; 4],
    /// Row by row.
    pub kept: BitVec,
}

/// Masks by the name of the weight's initializer.
pub type Masks = BTreeMap<String, BlockMask>;

impl BlockMask {
    /// Dimensions of the mask of a weight `[co, ci / groups, kh, kw]`.
    pub fn dims_for(weight: [usize; 4]) -> [usize; 4] {
        let [co, ci, kh, kw] = weight;
        [co.div_ceil(BLOCK), ci.div_ceil(BLOCK), kh, kw]
    }

    /// All blocks kept.
    pub fn full(dims: [usize; 4]) -> Self {
        Self {
            dims,
            kept: BitVec::repeat(true, dims.iter().product()),
        }
    }

    fn at(&self, [co, ci, ky, kx]: [usize; 4]) -> usize {
        let [_, n_ci, kh, kw] = self.dims;
        ((co * n_ci + ci) * kh + ky) * kw + kx
    }

    /// Whether a block is kept.
    pub fn get(&self, block: [usize; 4]) -> bool {
        self.kept[self.at(block)]
    }

    /// Keeps a block or drops it.
    pub fn set(&mut self, block: [usize; 4], kept: bool) {
        let at = self.at(block);
        self.kept.set(at, kept);
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.kept.len()
    }

    /// Number of blocks that are kept.
    pub fn count_kept(&self) -> usize {
        self.kept.count_ones()
    }
}
