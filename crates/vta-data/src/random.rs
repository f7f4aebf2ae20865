//! Random numbers that are a function of a seed, a purpose, an epoch and an index.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// What numbers are drawn for: two purposes never share numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// The order of samples in an epoch.
    Order = 1,
    /// Changes of a sample in an epoch.
    Augment = 2,
    /// Which samples are held out.
    HoldOut = 3,
    /// Made images with a class.
    ShapesCls = 4,
    /// Made images with boxes.
    ShapesDet = 5,
}

/// A stream of random numbers.
#[derive(Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of (seed, purpose, epoch, index); all streams are independent.
    pub fn new(seed: u64, purpose: Purpose, epoch: u64, index: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
        key[16..24].copy_from_slice(&epoch.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(index);
        Self(rng)
    }

    /// A number below `n`, each equally likely; 0 if `n` is 0.
    pub fn below(&mut self, n: u32) -> u32 {
        if n == 0 {
            return 0;
        }
        // The high half of a product; the low half says whether it is one of
        // the few that would make some numbers more likely.
        loop {
            let product = u64::from(self.0.next_u32()) * u64::from(n);
            if product as u32 >= n.wrapping_neg() % n {
                return (product >> 32) as u32;
            }
        }
    }

    /// A number from `low` to `high`, both included; `low` if `high` is less.
    pub fn between(&mut self, low: i32, high: i32) -> i32 {
        if high <= low {
            return low;
        }
        let n = (i64::from(high) - i64::from(low) + 1) as u64;
        match u32::try_from(n) {
            Ok(n) => (i64::from(low) + i64::from(self.below(n))) as i32,
            Err(_) => self.0.next_u32() as i32,
        }
    }

    /// True in `n` of `of` cases.
    pub fn chance(&mut self, n: u32, of: u32) -> bool {
        self.below(of) < n
    }

    /// Fills with random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

/// The order of `n` samples in an epoch: a permutation of `0..n`, a function of its arguments.
pub fn order(n: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    shuffle(&mut all, &mut Random::new(seed, Purpose::Order, epoch, 0));
    all
}

/// At most `limit` of `n` samples, by chance, in their order: a function of its arguments.
pub fn chosen(n: usize, limit: usize, seed: u64) -> Vec<usize> {
    let mut all = order(n, seed, u64::MAX);
    all.truncate(limit);
    all.sort_unstable();
    all
}

/// Shuffles in place.
pub(super) fn shuffle<T>(all: &mut [T], random: &mut Random) {
    for i in (1..all.len()).rev() {
        let bound = u32::try_from(i + 1).unwrap_or(u32::MAX);
        all.swap(i, random.below(bound) as usize);
    }
}
