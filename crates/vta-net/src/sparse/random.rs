//! Masks of a density, for measuring without pruning.

use super::{BlockMask, MaskError, MaskLayer, Masks};
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// How many of `blocks` blocks a density keeps: `density * blocks`, halves up.
pub fn kept_at(density: f64, blocks: usize) -> usize {
    ((density * blocks as f64).round() as usize).min(blocks)
}

/// Keeps [`kept_at`] blocks of each layer, all choices alike; layers that stay
/// dense get no mask.
///
/// A layer's choice depends on the seed, the name of its weight and its
/// number of blocks, not on other layers.
///
/// # Errors
/// A density outside 0 to 1.
pub fn random(density: f64, seed: u64, layers: &[MaskLayer]) -> Result<Masks, MaskError> {
    if !(0.0..=1.0).contains(&density) {
        return Err(MaskError::Density(density));
    }
    let mut masks = Masks::new();
    for layer in layers {
        let name = &layer.weight_name;
        // A weight that two layers share stays dense if one of them does.
        let mut same = layers.iter().filter(|l| l.weight_name == *name);
        if same.any(|l| !l.keep_dense.is_empty()) || masks.contains_key(name) {
            continue;
        }
        let mut mask = BlockMask::full(layer.mask_dims());
        mask.kept.fill(false);
        for at in choose(
            kept_at(density, mask.blocks()),
            mask.blocks(),
            rng(seed, name),
        ) {
            mask.kept.set(at, true);
        }
        masks.insert(name.clone(), mask);
    }
    Ok(masks)
}

fn rng(seed: u64, name: &str) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(name.as_bytes());
    ChaCha8Rng::from_seed(hash.finalize().into())
}

/// `k` of the numbers below `n`, all choices alike.
fn choose(k: usize, n: usize, mut rng: ChaCha8Rng) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    for i in 0..k {
        let j = i + below((n - i) as u64, &mut rng) as usize;
        all.swap(i, j);
    }
    all.truncate(k);
    all
}

/// A number below `n`, all alike: draws that would favour small ones are drawn again.
fn below(n: u64, rng: &mut ChaCha8Rng) -> u64 {
    let fair = u64::MAX - u64::MAX % n;
    loop {
        let draw = rng.next_u64();
        if draw < fair {
            return draw % n;
        }
    }
}
