//! Which 32x32 blocks of a weight are kept.

use bitvec::vec::BitVec;
use ndarray::ArrayView4;

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

    /// The mask of the transposed weight.
    pub fn transposed(&self) -> Self {
        let [n_co, n_ci, kh, kw] = self.dims;
        let mut out = Self::full([n_ci, n_co, kh, kw]);
        for [co, ci, ky, kx] in self.dropped() {
            out.set([ci, co, ky, kx], false);
        }
        out
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.kept.len()
    }

    /// Number of blocks that are kept.
    pub fn count_kept(&self) -> usize {
        self.kept.count_ones()
    }

    /// The blocks that are dropped, row by row.
    pub fn dropped(&self) -> impl Iterator<Item = [usize; 4]> {
        let [_, n_ci, kh, kw] = self.dims;
        self.kept.iter_zeros().map(move |at| {
            let rows = at / kw;
            [rows / kh / n_ci, rows / kh % n_ci, rows % kh, at % kw]
        })
    }

    /// Values of a weight of `co` by `ci` channels that are in kept blocks;
    /// blocks at the edge count what they hold.
    pub(super) fn kept_values(&self, co: usize, ci: usize) -> usize {
        let [_, _, kh, kw] = self.dims;
        let side = |block: usize, of: usize| BLOCK.min(of - block * BLOCK);
        let dropped: usize = self
            .dropped()
            .map(|[o, i, ..]| side(o, co) * side(i, ci))
            .sum();
        co * ci * kh * kw - dropped
    }
}

/// The blocks of a weight `[co, ci / groups, kh, kw]` that hold anything but zeros.
pub fn nonzero_blocks<T: Default + PartialEq>(weight: ArrayView4<'_, T>) -> BlockMask {
    let (co, ci, kh, kw) = weight.dim();
    let zero = T::default();
    let dims = BlockMask::dims_for([co, ci, kh, kw]);
    // Bytes, which are written sooner than bits.
    let mut kept = vec![false; dims.iter().product()];
    for (o, filter) in weight.outer_iter().enumerate() {
        for (i, kernel) in filter.outer_iter().enumerate() {
            let first = (o / BLOCK * dims[1] + i / BLOCK) * kh * kw;
            let block = &mut kept[first..first + kh * kw];
            block
                .iter_mut()
                .zip(kernel)
                .for_each(|(k, w)| *k |= *w != zero);
        }
    }
    BlockMask {
        dims,
        kept: kept.into_iter().collect(),
    }
}
