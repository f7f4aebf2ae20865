//! Blocks of one weight: their energies, and the projection onto `k` of them.

use serde::{Deserialize, Serialize};
use vta_net::sparse::{BLOCK, BlockMask};

/// What makes a block strong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ranking {
    /// Mean square over its real elements, so that a block at the edge is not
    /// weak because it is small.
    #[default]
    MeanSquare,
    /// Sum of squares: what makes the projection the nearest one in the plain
    /// distance `|W - Z|^2`. The same where all blocks are full.
    Energy,
}

/// How a weight `[co, ci / groups, kh, kw]` is cut into groups that are kept
/// or dropped as a whole: 32x32 blocks at one kernel position, or at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocks {
    weight: [usize; 4],
    whole_kernel: bool,
    ranking: Ranking,
}

impl Blocks {
    /// The blocks of a weight; a dense layer is `[out, in, 1, 1]`. With
    /// `whole_kernel` one decision is for all kernel positions.
    pub fn new(weight: [usize; 4], whole_kernel: bool, ranking: Ranking) -> Self {
        Self {
            weight,
            whole_kernel,
            ranking,
        }
    }

    /// Dimensions of the weight.
    pub fn weight(&self) -> [usize; 4] {
        self.weight
    }

    /// Elements of the weight.
    pub fn len(&self) -> usize {
        self.weight.iter().product()
    }

    /// Whether the weight has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Dimensions of its mask.
    pub fn mask_dims(&self) -> [usize; 4] {
        BlockMask::dims_for(self.weight)
    }

    /// Groups that are kept or dropped.
    pub fn groups(&self) -> usize {
        self.mask_dims().iter().product::<usize>() / self.mask_blocks()
    }

    /// Blocks of the mask that a group has.
    pub fn mask_blocks(&self) -> usize {
        match self.whole_kernel {
            true => (self.weight[2] * self.weight[3]).max(1),
            false => 1,
        }
    }

    /// Calls `f` with each run of consecutive elements that lie in one group:
    /// the group, the first element, their number.
    ///
    /// Elements come in the order of the weight.
    pub(super) fn runs(&self, mut f: impl FnMut(usize, usize, usize)) {
        let [co, ci, kh, kw] = self.weight;
        let (positions, columns) = (kh * kw, ci.div_ceil(BLOCK));
        for o in 0..co {
            for i in 0..ci {
                let at = (o * ci + i) * positions;
                let pair = o / BLOCK * columns + i / BLOCK;
                if self.whole_kernel {
                    f(pair, at, positions);
                } else {
                    (0..positions).for_each(|p| f(pair * positions + p, at + p, 1));
                }
            }
        }
    }

    /// Rows and columns of a group's blocks, and its kernel position: what its cost
    /// depends on most.
    pub(super) fn kind(&self, group: usize) -> [usize; 3] {
        let [co, ci, kh, kw] = self.weight;
        let positions = match self.whole_kernel {
            true => 1,
            false => (kh * kw).max(1),
        };
        let (pair, position) = (group / positions, group % positions);
        let columns = ci.div_ceil(BLOCK).max(1);
        let size = |all: usize, block: usize| all.saturating_sub(block * BLOCK).min(BLOCK);
        [size(co, pair / columns), size(ci, pair % columns), position]
    }

    /// Elements of each group.
    pub fn sizes(&self) -> Vec<u64> {
        let mut sizes = vec![0; self.groups()];
        self.runs(|group, _, n| sizes[group] += n as u64);
        sizes
    }

    /// Sum of squares of each group, in f64 and in the order of the elements.
    ///
    /// # Panics
    /// `w` has not [`Blocks::len`] elements.
    pub fn energies(&self, w: &[f32]) -> Vec<f64> {
        assert_eq!(w.len(), self.len(), "elements of the weight");
        let mut energies = vec![0.0; self.groups()];
        self.runs(|group, at, n| {
            for x in &w[at..at + n] {
                energies[group] += f64::from(*x) * f64::from(*x);
            }
        });
        energies
    }

    /// What groups are ranked by, from their energies and sizes.
    pub fn scores(&self, energies: &[f64], sizes: &[u64]) -> Vec<f64> {
        match self.ranking {
            Ranking::Energy => energies.to_vec(),
            Ranking::MeanSquare => {
                let pairs = energies.iter().zip(sizes);
                pairs.map(|(e, n)| e / (*n).max(1) as f64).collect()
            }
        }
    }

    /// Groups from the strongest to the weakest; of equals the first comes first.
    pub fn order(&self, energies: &[f64]) -> Vec<usize> {
        let scores = self.scores(energies, &self.sizes());
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
        order
    }

    /// The `k` strongest groups of `w`: set where kept. No other choice of `k`
    /// groups has a larger sum of scores.
    ///
    /// # Panics
    /// `w` has not [`Blocks::len`] elements.
    pub fn top(&self, w: &[f32], k: usize) -> Vec<bool> {
        let mut kept = vec![false; self.groups()];
        for group in self.order(&self.energies(w)).into_iter().take(k) {
            kept[group] = true;
        }
        kept
    }

    /// Sets all elements of groups that are not kept to zero.
    ///
    /// # Panics
    /// Another number of elements or groups than the weight has.
    pub fn project(&self, w: &mut [f32], kept: &[bool]) {
        assert_eq!(
            (w.len(), kept.len()),
            (self.len(), self.groups()),
            "of the weight"
        );
        self.runs(|group, at, n| {
            if !kept[group] {
                w[at..at + n].fill(0.0);
            }
        });
    }

    /// For each element of the weight, `kept` or `dropped`, as its group is.
    pub fn spread(&self, groups: &[bool], kept: f32, dropped: f32) -> Vec<f32> {
        let mut out = vec![kept; self.len()];
        self.runs(|group, at, n| {
            if !groups[group] {
                out[at..at + n].fill(dropped);
            }
        });
        out
    }

    /// The mask of kept groups, as files and the compiler have it.
    pub fn mask(&self, kept: &[bool]) -> BlockMask {
        let mut mask = BlockMask::full(self.mask_dims());
        let each = self.mask_blocks();
        for (group, kept) in kept.iter().enumerate() {
            // Kernel positions are the innermost dimensions of a mask.
            mask.kept[group * each..(group + 1) * each].fill(*kept);
        }
        mask
    }
}
