//! What activations look like, on samples.

mod histogram;
mod method;
mod stats;

use super::error::QuantError;
use super::float::{self, Value};
use super::plan::{Kind, Plan, plan};
use crate::graph::{Graph, Op, TensorId};
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use ndarray::{ArrayD, IxDyn};
use rayon::prelude::*;
use vta_tensor::host::Tensor;

pub use method::Method;
pub(crate) use method::TRIED;
use stats::extent;
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

    /// What was seen of each tensor of a plan of the same graph.
    pub(crate) fn of_plan(&self, plan: &Plan<'_>) -> Vec<Stats> {
        let tensors = plan.tensors.iter();
        tensors.map(|t| self.tensors[t.like.0].clone()).collect()
    }

    fn of(graph: &Graph, samples: Vec<Vec<Tensor>>, origin: Origin) -> Result<Self, QuantError> {
        if samples.is_empty() {
            return Err(QuantError::NoSamples);
        }
        let wanted = Wanted::of(graph);
        let judged = judged(graph);
        let mut tensors = vec![Stats::default(); graph.tensors().len()];
        let mut wants = Vec::new();
        for (first, some) in (0..).step_by(AT_ONCE).zip(samples.chunks(AT_ONCE)) {
            let parts: Vec<Result<_, QuantError>> = some
                .par_iter()
                .enumerate()
                .map(|(i, s)| {
                    let mut stats = Vec::new();
                    let visit = |t: TensorId, value: &Value| {
                        let max = extent(&float::slice(value));
                        let max = max.ok_or_else(|| not_finite(graph, t, first + i))?;
                        if wanted.moments[t.0] {
                            stats.push((t, Stats::new(value, max, wanted.steps[t.0])));
                        }
                        Ok::<_, QuantError>(())
                    };
                    let values = float::walk(graph, s, &judged, visit)?;
                    let wants = judged.iter().filter_map(|t| values[t.0].clone());
                    Ok((stats, wants.collect()))
                })
                .collect();
            for part in parts {
                let (stats, values) = part?;
                for (t, one) in stats {
                    tensors[t.0].include(one);
                }
                wants.push(values);
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

/// Which tensors are looked at, by id.
struct Wanted {
    /// For moments of their channels.
    moments: Vec<bool>,
    /// To choose steps by.
    steps: Vec<bool>,
}

impl Wanted {
    /// Those that the quantiser asks about; all, where it can do nothing with the graph.
    fn of(graph: &Graph) -> Self {
        let tensors = graph.tensors().len();
        let Ok(plan) = plan(graph) else {
            let all = vec![true; tensors];
            return Self {
                moments: all.clone(),
                steps: all,
            };
        };
        let mut steps = vec![false; tensors];
        for (t, int8) in plan.tensors.iter().zip(plan.in_int8()) {
            steps[t.like.0] |= int8;
        }
        let mut moments = steps.clone();
        for step in &plan.steps {
            if let Kind::Linear(linear) = &step.kind {
                linear.befores().iter().for_each(|t| moments[t.0] = true);
            }
        }
        Self { moments, steps }
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

fn not_finite(graph: &Graph, t: TensorId, sample: usize) -> QuantError {
    let node = graph.producer(t).map_or("input", |n| &n.name);
    QuantError::Sample {
        tensor: graph.tensor(t).name.clone(),
        node: node.to_owned(),
        sample,
    }
}
