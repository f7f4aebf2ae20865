//! Random values and tensors of them.

use burn_tensor::backend::Backend;
use burn_tensor::{Tensor, TensorData};
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// Values within ±1.
pub fn random(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut one = || (rng.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0;
    (0..n).map(|_| one()).collect()
}

pub fn tensor<B: Backend, const D: usize>(values: Vec<f32>, dims: [usize; D]) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(values, dims), &Default::default())
}

/// The largest distance of two lists, relative to 1 and the larger value.
pub fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let one = |(a, b): (&f32, &f32)| (a - b).abs() / 1f32.max(a.abs()).max(b.abs());
    a.iter().zip(b).map(one).fold(0.0, f32::max)
}
