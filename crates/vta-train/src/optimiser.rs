//! From gradients to new parameters.
//!
//! burn's own optimisers work on modules that a macro derives; here parameters
//! are a list whose names are the graph's, and the state has to go into a
//! checkpoint by these names.

use super::TrainError;
use super::backend::{Kernels, floats};
use super::checkpoint::Checkpoint;
use super::network::{Kind, Network, row};
use burn_tensor::Tensor;

/// How parameters follow their gradients. Decay is on weights only, not on
/// biases and normalisations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// Stochastic gradient descent: `v = momentum v + g + decay w`, `w -= rate v`.
    Sgd {
        /// What stays of `v`, usually 0.9.
        momentum: f64,
        /// Decay of the weights.
        decay: f64,
    },
    /// AdamW: first and second moments, decay apart from the gradient.
    AdamW {
        /// What stays of the first moment, usually 0.9.
        beta1: f64,
        /// What stays of the second moment, usually 0.999.
        beta2: f64,
        /// Decay of the weights.
        decay: f64,
    },
}

impl Rule {
    /// Descent with momentum 0.9 and decay 5e-4.
    pub const fn sgd() -> Self {
        Self::Sgd {
            momentum: 0.9,
            decay: 5e-4,
        }
    }

    /// AdamW with 0.9, 0.999 and decay 0.01.
    pub const fn adamw() -> Self {
        Self::AdamW {
            beta1: 0.9,
            beta2: 0.999,
            decay: 0.01,
        }
    }

    /// Names of the moments that are kept of each parameter.
    const fn moments(&self) -> &'static [&'static str] {
        match self {
            Self::Sgd { .. } => &["velocity"],
            Self::AdamW { .. } => &["first", "second"],
        }
    }
}

/// Added to the root of the second moment.
const ADAM_EPSILON: f64 = 1e-8;

/// A rule and its state.
#[derive(Debug, Clone)]
pub struct Optimiser<B: Kernels> {
    rule: Rule,
    /// Of each parameter its moments, in the order of [`Rule::moments`].
    state: Vec<Vec<Tensor<B, 1>>>,
}

impl<B: Kernels> Optimiser<B> {
    /// The state before the first step.
    pub fn new(rule: Rule, network: &Network<B>) -> Self {
        let zeros = |n: usize| Tensor::zeros([n], network.device());
        let one = |n: usize| rule.moments().iter().map(|_| zeros(n)).collect();
        let sizes = network.params().iter().map(|p| p.dims.iter().product());
        Self {
            rule,
            state: sizes.map(one).collect(),
        }
    }

    /// One step (counted from 0) with a rate; a parameter without a gradient stays.
    pub fn step(
        &mut self,
        network: &mut Network<B>,
        gradients: Vec<Option<Tensor<B, 1>>>,
        rate: f64,
        step: u64,
    ) {
        for (i, gradient) in gradients.into_iter().enumerate() {
            let (Some(g), Some(state)) = (gradient, self.state.get_mut(i)) else {
                continue;
            };
            let param = &network.params()[i];
            let (w, is_weight) = (param.value.clone(), param.kind == Kind::Weight);
            let new = match self.rule {
                Rule::Sgd { momentum, decay } => {
                    let mut v = state[0].clone().mul_scalar(momentum) + g;
                    if is_weight && decay != 0.0 {
                        v = v + w.clone().mul_scalar(decay);
                    }
                    state[0] = v.clone();
                    w - v.mul_scalar(rate)
                }
                Rule::AdamW {
                    beta1,
                    beta2,
                    decay,
                } => {
                    let first =
                        state[0].clone().mul_scalar(beta1) + g.clone().mul_scalar(1.0 - beta1);
                    let second = state[1].clone().mul_scalar(beta2)
                        + g.clone().mul(g).mul_scalar(1.0 - beta2);
                    (state[0], state[1]) = (first.clone(), second.clone());
                    let t = (step + 1) as f64;
                    let (c1, c2) = (1.0 - libm::pow(beta1, t), 1.0 - libm::pow(beta2, t));
                    let root = second.div_scalar(c2).sqrt().add_scalar(ADAM_EPSILON);
                    let by = first.div_scalar(c1) / root;
                    let w = match is_weight {
                        true => w.mul_scalar(1.0 - rate * decay),
                        false => w,
                    };
                    w - by.mul_scalar(rate)
                }
            };
            network.replace(i, new);
        }
    }

    /// All tensors of the state.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = &Tensor<B, 1>> {
        self.state.iter().flatten()
    }

    /// Adds the state to a checkpoint.
    pub(crate) fn save(&self, network: &Network<B>, to: &mut Checkpoint) {
        for (param, state) in network.params().iter().zip(&self.state) {
            for (what, t) in self.rule.moments().iter().zip(state) {
                to.put(format!("{what}/{}", param.name), floats(t.clone()));
            }
        }
    }

    /// Takes the state from a checkpoint.
    ///
    /// # Errors
    /// A part that is missing or has another size.
    pub(crate) fn load(
        &mut self,
        network: &Network<B>,
        from: &Checkpoint,
    ) -> Result<(), TrainError> {
        for (param, state) in network.params().iter().zip(&mut self.state) {
            let n = param.dims.iter().product();
            for (what, t) in self.rule.moments().iter().zip(state) {
                let values = from.get(&format!("{what}/{}", param.name), n)?;
                *t = row(values.to_vec(), network.device());
            }
        }
        Ok(())
    }
}
