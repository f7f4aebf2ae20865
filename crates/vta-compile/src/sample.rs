//! Layers that are cut alike: of one shape, and with about as many blocks.
//!
//! A search for ways to cut a layer takes far longer than to try the few that it found.
//! So it is made for a sample: a layer of this shape with as many blocks, rounded, at
//! places drawn by their number. Masks that differ in a few blocks have the same sample.
//! It depends on shape, mask and hardware alone, so what was asked before changes nothing.

use crate::fit::DoesNotFit;
use crate::lower::{self, LayerMask};
use crate::lowered::{LoweredConv, Pooled};
use crate::map::{FMap, KernelWindow};
use vta_net::quant::{QConv, Shift};
use vta_net::sparse::BlockMask;

/// What the way to cut a layer depends on, and masks do not change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Shape {
    weight: (usize, usize, usize, usize),
    groups: usize,
    window: KernelWindow,
    /// Operand and result: blocks, rows, columns.
    maps: [[u32; 3]; 2],
    has_residual: bool,
    /// Shift by channel, shift, shift behind the residual.
    shifts: [bool; 3],
    leaky: Option<usize>,
    pool: Option<(KernelWindow, [u32; 3])>,
    /// Operands that the launch makes.
    made_here: [bool; 2],
}

/// What of a mask the way to cut a layer is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Kept {
    /// Blocks, rounded.
    blocks: usize,
    /// Kernel rows and columns with a kept block: the first, and the one behind the last.
    kernel: [(usize, usize); 2],
    sparse: bool,
}

/// Layers that are cut alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Sample {
    shape: Shape,
    kept: Kept,
}

/// Layers with fewer blocks are searched by themselves: with so few, where they are
/// matters more than how many there are, and a search is short.
const FEWEST: usize = 8;

/// The same on maps of at most so many vectors a block, where a search is shorter still.
const FEWEST_ON_SMALL: (usize, u32) = (16, 7 * 7);

/// Leading bits of a number of blocks that count: it is off by 6 % at most.
const BITS: u32 = 4;

/// A number with its leading bits.
fn rounded(n: usize) -> usize {
    let over = (usize::BITS - n.leading_zeros()).saturating_sub(BITS);
    match over {
        0 => n,
        _ => ((n >> (over - 1)) + 1) >> 1 << over,
    }
}

/// A number without a pattern (Steele and others, "Fast splittable pseudorandom number
/// generators", 2014: its mixing step).
const fn mixed(n: u64) -> u64 {
    let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ n >> 31
}

impl Kept {
    fn of(mask: &LayerMask) -> Self {
        let [.., kh, kw] = mask.mask.dims;
        let mut kernel = [(kh, 0), (kw, 0)];
        for at in mask.mask.kept.iter_ones() {
            for (axis, k) in [at / kw % kh, at % kw].into_iter().enumerate() {
                let (first, end) = kernel[axis];
                kernel[axis] = (first.min(k), end.max(k + 1));
            }
        }
        Self {
            blocks: rounded(mask.mask.count_kept()).min(mask.mask.blocks()),
            kernel,
            sparse: mask.sparse,
        }
    }

    /// So many blocks of a mask of these dimensions, at these kernel positions.
    fn mask(&self, dims: [usize; 4]) -> LayerMask {
        let mut mask = BlockMask::full(dims);
        let all = mask.blocks();
        let [.., kh, kw] = dims;
        let [(y0, y1), (x0, x1)] = self.kernel;
        if self.blocks < all {
            let met =
                |at: &usize| (y0..y1).contains(&(at / kw % kh)) && (x0..x1).contains(&(at % kw));
            let mut places: Vec<usize> = (0..all).filter(met).collect();
            places.sort_unstable_by_key(|at| mixed(*at as u64 + 1));
            mask.kept.fill(false);
            for at in places.into_iter().take(self.blocks) {
                mask.kept.set(at, true);
            }
        }
        LayerMask {
            mask,
            sparse: self.sparse,
        }
    }
}

/// Rows, columns and blocks of a map.
const fn extents(m: &FMap) -> [u32; 3] {
    [m.blocks, m.h, m.w]
}

/// A map somewhere in DRAM, for itself.
const fn alone(m: &FMap, root: usize) -> FMap {
    FMap {
        root,
        block: 0,
        base: 0,
        ..*m
    }
}

/// A convolution on its maps, with the pool that alone reads it.
pub(crate) struct Layer<'a> {
    pub node: usize,
    pub conv: &'a QConv,
    /// Input, result, second operand.
    pub maps: (FMap, FMap, Option<FMap>),
    pub pool: Option<Pooled>,
    /// Operands that the launch makes.
    pub made_here: &'a [FMap],
}

impl Layer<'_> {
    /// What it is cut like. None where that is not told by its shape and the number of its
    /// blocks.
    ///
    /// # Errors
    /// A window that is too large to compute with.
    pub(crate) fn sample(&self, mask: &LayerMask) -> Result<Option<Sample>, DoesNotFit> {
        let (conv, (input, output, second)) = (self.conv, &self.maps);
        let (more, small) = FEWEST_ON_SMALL;
        let fewest = if output.plane() <= small {
            more
        } else {
            FEWEST
        };
        // Elements of constant kernels repeat as their values do.
        if conv.weight_name.is_empty() || mask.mask.count_kept() < fewest {
            return Ok(None);
        }
        let made = |m: &FMap| self.made_here.iter().any(|made| made.root == m.root);
        let shape = Shape {
            weight: conv.weight.dim(),
            groups: conv.groups,
            window: KernelWindow::new(&conv.window, output)?,
            maps: [extents(input), extents(output)],
            has_residual: second.is_some(),
            shifts: match &conv.shift {
                Shift::Layer(s) => [false, *s > 0, conv.post_shift > 0],
                Shift::Channel(_) => [true, true, conv.post_shift > 0],
            },
            leaky: conv.leaky.as_ref().map(Vec::len),
            pool: self.pool.map(|p| (p.window, extents(&p.map))),
            made_here: [made(input), second.as_ref().is_some_and(made)],
        };
        let kept = Kept::of(mask);
        Ok(Some(Sample { shape, kept }))
    }

    /// The layer of a sample: lowered, its pool, and its operands that the launch makes.
    ///
    /// # Errors
    /// As [`lower::conv`].
    pub(crate) fn of_sample(
        &self,
        sample: &Sample,
        block: u32,
    ) -> Result<(LoweredConv, Option<Pooled>, Vec<FMap>), DoesNotFit> {
        let (input, output, second) = &self.maps;
        let maps = (
            alone(input, 0),
            alone(output, 1),
            second.map(|m| alone(&m, 2)),
        );
        let mask = sample.kept.mask(self.conv.weight.mask_dims());
        let pool = self.pool.map(|p| Pooled {
            map: alone(&p.map, 3),
            ..p
        });
        let [first, other] = sample.shape.made_here;
        let made = [first.then_some(maps.0), maps.2.filter(|_| other)];
        let lowered = lower::conv(self.node, self.conv, &mask, maps, block)?;
        Ok((lowered, pool, made.into_iter().flatten().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_leading_bits() {
        let all = [0, 1, 15, 16, 17, 31, 32, 100, 575, 1_000];
        let to = [0, 1, 15, 16, 18, 32, 32, 104, 576, 1_024];
        assert_eq!(all.map(rounded), to);
    }

    #[test]
    fn a_sample_has_as_many_blocks_at_the_same_kernel_positions() {
        let mut mask = BlockMask::full([4, 4, 3, 3]);
        // The first kernel row is gone, and some more.
        for at in 0..mask.blocks() {
            let ky = at / 3 % 3;
            mask.kept.set(at, ky > 0 && at % 5 > 0);
        }
        let layer = LayerMask { mask, sparse: true };
        let kept = Kept::of(&layer);
        assert_eq!(kept.kernel, [(1, 3), (0, 3)]);
        let sample = kept.mask(layer.mask.dims);
        assert_eq!(Kept::of(&sample), kept);
        assert_eq!(sample.mask.count_kept(), rounded(layer.mask.count_kept()));
        let first = (0..sample.mask.blocks()).filter(|at| at / 3 % 3 == 0);
        assert!(first.into_iter().all(|at| !sample.mask.kept[at]));
    }
}
