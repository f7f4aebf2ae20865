//! What activations look like, on samples.

mod method;
mod stats;

use super::error::QuantError;
use super::float;
use crate::graph::{Graph, Op, TensorId};
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use ndarray::{ArrayD, IxDyn};
use rayon::prelude::*;
use vta_tensor::host::Tensor;

pub use method::Method;
pub(crate) use method::TRIED;
use stats::{Extent, extent};
pub(crate) use stats::{Stats, covering};

/// Samples whose statistics are in memory at once; no result depends on it.
const AT_ONCE: usize = 16;

/// What the samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Real ones.
    Samples {
        /// Their number.
        samples: usize,
    },
    /// Noise of unit variance: no data were given, and steps may not fit real inputs.
    Noise {
        /// Seed of the generator.
        seed: u64,
        /// Number of samples.
        samples: usize,
    },
}

/// What was observed on a network's tensors, and the samples themselves.
#[derive(Debug, Clone)]
pub struct Calibration {
    /// What the samples are.
    pub origin: Origin,
    pub(crate) samples: Vec<Vec<Tensor>>,
    /// The float network's values of [`judged`] tensors for each sample.
    pub(crate) wants: Vec<Vec<ArrayD<f32>>>,
    /// By tensor.
    pub(crate) tensors: Vec<Stats>,
}

impl Calibration {
    /// Observes a network on samples: for each, a float tensor for each input.
    ///
    /// # Errors
    /// No samples, inputs that do not fit, values that are not finite.
    pub fn observe(graph: &Graph, samples: Vec<Vec<Tensor>>) -> Result<Self, QuantError> {
        let origin = Origin::Samples {
            samples: samples.len(),
        };
        Self::of(graph, samples, origin)
    }

    /// Observes a network on normal noise of unit variance, the same for the same seed.
    ///
    /// # Errors
    /// Values that are not finite.
    pub fn noise(graph: &Graph, seed: u64, samples: usize) -> Result<Self, QuantError> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = || {
            // Twelve uniform values have unit variance.
            let sum: f32 = (0..12).map(|_| (rng.next_u32() >> 8) as f32).sum();
            sum / (1 << 24) as f32 - 6.
        };
        let inputs: Vec<_> = (0..samples)
            .map(|_| {
                let inputs = graph.inputs.iter().map(|t| {
                    let dims = IxDyn(&graph.tensor(*t).dims);
                    Tensor::F32(ArrayD::from_shape_simple_fn(dims, &mut normal))
                });
                inputs.collect()
            })
            .collect();
        Self::of(graph, inputs, Origin::Noise { seed, samples })
    }

    /// The samples: for each, a tensor for each input.
    pub fn samples(&self) -> &[Vec<Tensor>] {
        &self.samples
    }

    fn of(graph: &Graph, samples: Vec<Vec<Tensor>>, origin: Origin) -> Result<Self, QuantError> {
        if samples.is_empty() {
            return Err(QuantError::NoSamples);
        }
        // Twice over the samples: errors of steps need the extents of all of them.
        let extents: Vec<Result<_, QuantError>> = samples
            .par_iter()
            .enumerate()
            .map(|(i, s)| {
                let values = float::trace(graph, s)?;
                let extents = values
                    .iter()
                    .enumerate()
                    .map(|(t, v)| extent(v.as_ref()).ok_or_else(|| not_finite(graph, t, i)));
                let extents: Vec<Extent> = extents.collect::<Result<_, _>>()?;
                let wants = judged(graph).into_iter();
                Ok((extents, wants.filter_map(|t| values[t.0].clone()).collect()))
            })
            .collect();
        let mut most = vec![Extent::default(); graph.tensors().len()];
        let mut wants = Vec::new();
        for sample in extents {
            let (extents, values): (Vec<Extent>, Vec<ArrayD<f32>>) = sample?;
            for (most, extent) in most.iter_mut().zip(extents) {
                most.include(extent);
            }
            wants.push(values);
        }
        let mut tensors: Vec<Stats> = Vec::new();
        for some in samples.chunks(AT_ONCE) {
            let parts: Vec<Result<Vec<Stats>, QuantError>> = some
                .par_iter()
                .map(|s| {
                    let values = float::trace(graph, s)?;
                    let stats = values.iter().zip(&most);
                    Ok(stats.map(|(v, m)| Stats::new(v.as_ref(), *m)).collect())
                })
                .collect();
            for part in parts {
                let part = part?;
                if tensors.is_empty() {
                    tensors = part;
                } else {
                    let pairs = tensors.iter_mut().zip(part);
                    pairs.for_each(|(all, one)| all.include(one));
                }
            }
        }
        Ok(Self {
            origin,
            samples,
            wants,
            tensors,
        })
    }
}

/// The tensors by which an integer network is judged, one for each output: the
/// output, or what goes into its softmax or sigmoid. Those make much of some
/// errors and hide others, so few samples would decide.
pub(crate) fn judged(graph: &Graph) -> Vec<TensorId> {
    let judged = |t: &TensorId| match graph.producer(*t) {
        Some(node) if matches!(node.op, Op::Softmax { .. } | Op::Sigmoid) => node.inputs[0],
        _ => *t,
    };
    graph.outputs.iter().map(judged).collect()
}

fn not_finite(graph: &Graph, tensor: usize, sample: usize) -> QuantError {
    let t = TensorId(tensor);
    let node = graph.producer(t).map_or("input", |n| &n.name);
    QuantError::Sample {
        tensor: graph.tensor(t).name.clone(),
        node: node.to_owned(),
        sample,
    }
}
