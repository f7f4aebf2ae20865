//! What activations look like, on samples.

mod method;
mod stats;

use super::error::QuantError;
use super::float;
use crate::graph::Graph;
use crate::host::Tensor;
use ndarray::{ArrayD, IxDyn};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

pub use method::Method;
pub(crate) use method::TRIED;
use stats::{Extent, extent};
pub(crate) use stats::{Stats, covering};

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
    /// The float network's outputs for each sample.
    pub(crate) outputs: Vec<Vec<Tensor>>,
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
                let outputs = graph.outputs.iter().filter_map(|t| values[t.0].clone());
                Ok((extents, outputs.map(Tensor::F32).collect()))
            })
            .collect();
        let mut most = vec![Extent::default(); graph.tensors().len()];
        let mut outputs = Vec::new();
        for sample in extents {
            let (extents, values): (Vec<Extent>, Vec<Tensor>) = sample?;
            for (most, extent) in most.iter_mut().zip(extents) {
                most.include(extent);
            }
            outputs.push(values);
        }
        let parts: Vec<Result<Vec<Stats>, QuantError>> = samples
            .par_iter()
            .map(|s| {
                let values = float::trace(graph, s)?;
                let stats = values.iter().zip(&most);
                Ok(stats.map(|(v, m)| Stats::new(v.as_ref(), *m)).collect())
            })
            .collect();
        let mut tensors: Vec<Stats> = Vec::new();
        for part in parts {
            let part = part?;
            if tensors.is_empty() {
                tensors = part;
            } else {
                let pairs = tensors.iter_mut().zip(part);
                pairs.for_each(|(all, one)| all.include(one));
            }
        }
        Ok(Self {
            origin,
            samples,
            outputs,
            tensors,
        })
    }
}

fn not_finite(graph: &Graph, tensor: usize, sample: usize) -> QuantError {
    let t = crate::graph::TensorId(tensor);
    let node = graph.producer(t).map_or("input", |n| &n.name);
    QuantError::Sample {
        tensor: graph.tensor(t).name.clone(),
        node: node.to_owned(),
        sample,
    }
}
