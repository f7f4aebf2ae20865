//! Blocks and the projection, against plain loops and all subsets.

use proptest::prelude::*;
use vta_net::sparse::{self, BLOCK, BlockMask};
use vta_prune::{Blocks, Ranking};

/// Dimensions of weights with few blocks, partial ones among them.
pub fn small() -> impl Strategy<Value = [usize; 4]> {
    let channels = prop_oneof![Just(1usize), Just(7), Just(32), Just(33), Just(64)];
    let kernel = prop_oneof![Just([1usize, 1]), Just([1, 3]), Just([3, 1]), Just([2, 2])];
    (channels.clone(), channels, kernel).prop_map(|(co, ci, [kh, kw])| [co, ci, kh, kw])
}

/// Values with ties and zeros among them.
pub fn values(n: usize, seed: u64) -> Vec<f32> {
    let mut s = seed | 1;
    let mut next = || {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        s
    };
    let scale = [1.0f32, 0.5, 0.0, 3.0];
    (0..n)
        .map(|i| scale[(i / 37) % 4] * ((next() % 17) as f32 - 8.0) / 8.0)
        .collect()
}

/// Weight elements of a group by their indices, and the group of each.
fn group_of(dims: [usize; 4], whole: bool, at: usize) -> usize {
    let [_, ci, kh, kw] = dims;
    let (o, i, y, x) = (
        at / (ci * kh * kw),
        at / (kh * kw) % ci,
        at / kw % kh,
        at % kw,
    );
    let pair = o / BLOCK * ci.div_ceil(BLOCK) + i / BLOCK;
    if whole {
        pair
    } else {
        (pair * kh + y) * kw + x
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn energies_are_sums_over_blocks(dims in small(), whole: bool, seed: u64) {
        let blocks = Blocks::new(dims, whole, Ranking::MeanSquare);
        let w = values(blocks.len(), seed);
        let mut energies = vec![0f64; blocks.groups()];
        let mut sizes = vec![0u64; blocks.groups()];
        for (at, w) in w.iter().enumerate() {
            let group = group_of(dims, whole, at);
            energies[group] += f64::from(*w).powi(2);
            sizes[group] += 1;
        }
        prop_assert_eq!(blocks.energies(&w), energies);
        prop_assert_eq!(blocks.sizes(), sizes);
    }

    /// No other choice of `k` groups is nearer (by energy), or has a larger
    /// sum of mean squares.
    #[test]
    fn the_projection_is_the_best_of_all_subsets(dims in small(), whole: bool, by_energy: bool, seed: u64, part in 0.0..1.0f64) {
        let ranking = if by_energy { Ranking::Energy } else { Ranking::MeanSquare };
        let blocks = Blocks::new(dims, whole, ranking);
        let n = blocks.groups();
        prop_assume!(n <= 16);
        let k = (part * (n + 1) as f64) as usize;
        let w = values(blocks.len(), seed);
        let kept = blocks.top(&w, k);
        prop_assert_eq!(kept.iter().filter(|k| **k).count(), k);
        let mut z = w.clone();
        blocks.project(&mut z, &kept);
        let sizes = blocks.sizes();
        // The distance, each group's part divided by its size where means rank.
        let distance = |choice: &dyn Fn(usize) -> bool| -> f64 {
            w.iter().enumerate().filter(|(at, _)| !choice(group_of(dims, whole, *at))).map(|(at, w)| {
                let size = sizes[group_of(dims, whole, at)] as f64;
                f64::from(*w).powi(2) / if by_energy { 1.0 } else { size }
            }).sum()
        };
        for (at, (z, w)) in z.iter().zip(&w).enumerate() {
            let expected = if kept[group_of(dims, whole, at)] { *w } else { 0.0 };
            prop_assert_eq!(*z, expected);
        }
        let ours = distance(&|u| kept[u]);
        let mut per_group = vec![0.0; n];
        for (group, part) in per_group.iter_mut().enumerate() {
            *part = distance(&|u| u != group);
        }
        for subset in 0u32..1 << n {
            if subset.count_ones() as usize == k {
                let other: f64 = (0..n).filter(|u| subset >> u & 1 == 0).map(|u| per_group[u]).sum();
                prop_assert!(ours <= other + 1e-9, "{ours} > {other}");
            }
        }
    }

    /// The mask drops what the projection sets to zero, as the file's readers see it.
    #[test]
    fn the_mask_is_the_projection(dims in small(), whole: bool, seed: u64, k in 0usize..20) {
        let blocks = Blocks::new(dims, whole, Ranking::MeanSquare);
        let w: Vec<f32> = values(blocks.len(), seed).iter().map(|x| x + 9.0).collect();
        let kept = blocks.top(&w, k);
        let mask = blocks.mask(&kept);
        let mut z = w;
        blocks.project(&mut z, &kept);
        let [co, ci, kh, kw] = dims;
        let z = ndarray::Array4::from_shape_vec((co, ci, kh, kw), z).unwrap();
        prop_assert_eq!(mask.dims, BlockMask::dims_for(dims));
        prop_assert_eq!(&sparse::nonzero_blocks(z.view()), &mask);
        let factors = blocks.spread(&kept, 1.0, 0.25);
        let expected = |z: &f32| if *z == 0.0 { 0.25f32 } else { 1.0 };
        prop_assert!(factors.iter().zip(&z).all(|(f, z)| *f == expected(z)));
    }
}

#[test]
fn of_equal_blocks_the_first_stay() {
    let blocks = Blocks::new([64, 64, 1, 1], false, Ranking::MeanSquare);
    assert_eq!(blocks.top(&[0.5; 4096], 3), [true, true, true, false]);
}

/// A block of 4 rows with larger values is stronger than a full one, though
/// its sum of squares is smaller.
#[test]
fn partial_blocks_are_ranked_by_their_mean() {
    let mut w = vec![1.0; 36 * 32];
    w[32 * 32..].fill(1.5);
    let top = |ranking| Blocks::new([36, 32, 1, 1], false, ranking).top(&w, 1);
    assert_eq!(top(Ranking::MeanSquare), [false, true]);
    assert_eq!(top(Ranking::Energy), [true, false]);
}
