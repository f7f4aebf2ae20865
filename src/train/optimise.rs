//! burn's optimisers on the parameters of a network.

use super::backend::{Kernels, floats};
use super::network::{Kind, Network};
use super::TrainError;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamW, AdamWConfig, AdamWState, Sgd, SgdConfig, SgdState, SimpleOptimizer};
use burn::record::{BinBytesRecorder, FullPrecisionSettings, Recorder};
use burn::tensor::Tensor;

/// Which optimiser, with its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Optimiser {
    /// Adam with decoupled weight decay; betas 0.9 and 0.999.
    AdamW {
        /// Decay of weights; biases and normalisations have none.
        decay: f32,
    },
    /// Gradient descent with momentum.
    Sgd {
        /// Momentum.
        momentum: f64,
        /// Decay of weights; biases and normalisations have none.
        decay: f32,
    },
}

/// For weights and for all others, and the state of each parameter.
enum State<B: Kernels> {
    AdamW([AdamW; 2], Vec<Option<AdamWState<B, 1>>>),
    Sgd([Sgd<B>; 2], Vec<Option<SgdState<B, 1>>>),
}

/// An optimiser at work.
pub(super) struct Optimising<B: Kernels>(State<B>);

type Bytes = BinBytesRecorder<FullPrecisionSettings>;

impl<B: Kernels> Optimising<B> {
    /// For a number of parameters.
    pub fn new(optimiser: Optimiser, params: usize) -> Self {
        Self(match optimiser {
            Optimiser::AdamW { decay } => {
                let of = |decay| {
                    let config = AdamWConfig::new().with_epsilon(1e-8);
                    config.with_weight_decay(decay).build()
                };
                State::AdamW([of(decay), of(0.0)], vec![None; params])
            }
            Optimiser::Sgd { momentum, decay } => {
                let momentum = MomentumConfig::new()
                    .with_momentum(momentum)
                    .with_dampening(0.0);
                let config = SgdConfig::new().with_momentum(Some(momentum));
                let decay = WeightDecayConfig::new(decay);
                let decayed = config.clone().with_weight_decay(Some(decay));
                State::Sgd([decayed.build(), config.build()], vec![None; params])
            }
        })
    }

    /// One step; parameters without a gradient stay.
    pub fn step(&mut self, rate: f64, network: &mut Network<B>, grads: Vec<Option<Tensor<B, 1>>>) {
        for (i, grad) in grads.into_iter().enumerate() {
            let Some(grad) = grad else { continue };
            let param = &network.params()[i];
            let (value, other) = (param.value.clone(), usize::from(param.kind != Kind::Weight));
            let value = match &mut self.0 {
                State::AdamW(all, states) => one(&all[other], rate, value, grad, &mut states[i]),
                State::Sgd(all, states) => one(&all[other], rate, value, grad, &mut states[i]),
            };
            network.replace(i, value);
        }
    }

    /// The state as bytes.
    ///
    /// # Errors
    /// burn cannot write it.
    pub fn save(&self) -> Result<Vec<u8>, TrainError> {
        let wrong = |e| TrainError::Checkpoint(format!("cannot be written: {e}"));
        let to = Bytes::new();
        match &self.0 {
            State::AdamW(_, states) => to.record(states.clone(), ()),
            State::Sgd(_, states) => to.record(states.clone(), ()),
        }
        .map_err(wrong)
    }

    /// Takes a state that was saved.
    ///
    /// # Errors
    /// Bytes that are no such state, or of another number of parameters.
    pub fn load(&mut self, bytes: Vec<u8>, device: &B::Device) -> Result<(), TrainError> {
        let wrong = |e| TrainError::Checkpoint(format!("has no state of the optimiser: {e}"));
        let from = Bytes::new();
        let (have, want) = match &mut self.0 {
            State::AdamW(_, states) => {
                let n = states.len();
                *states = from.load(bytes, device).map_err(wrong)?;
                (states.len(), n)
            }
            State::Sgd(_, states) => {
                let n = states.len();
                *states = from.load(bytes, device).map_err(wrong)?;
                (states.len(), n)
            }
        };
        if have == want {
            return Ok(());
        }
        let what = format!("has the optimiser's state of {have} parameters, not {want}");
        Err(TrainError::Checkpoint(what))
    }
}

fn one<B: Kernels, O: SimpleOptimizer<B>>(
    optimiser: &O,
    rate: f64,
    value: Tensor<B, 1>,
    grad: Tensor<B, 1>,
    state: &mut Option<O::State<1>>,
) -> Tensor<B, 1> {
    let (value, next) = optimiser.step(rate, value, grad, state.take());
    *state = next;
    value
}

/// Scales gradients so that their common norm is at most `limit`; the norm before.
pub(super) fn clip<B: Kernels>(grads: &mut [Option<Tensor<B, 1>>], limit: f32) -> f32 {
    let mut squares = 0.0;
    for grad in grads.iter().flatten() {
        let values = floats(grad.clone());
        squares += values.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>();
    }
    let norm = squares.sqrt() as f32;
    if norm > limit {
        for grad in grads.iter_mut() {
            *grad = grad.take().map(|g| g.mul_scalar(limit / norm));
        }
    }
    norm
}
