//! The integer reference: what a program must compute, to the bit.
//!
//! Plain int32 arithmetic as [`QConv`](super::QConv) says it, with the
//! host operators of [`host`](crate::host). `tests/quant` compares it with
//! loops that are plainer still.

mod conv;
mod pool;
mod step;

use super::check::{NetError, check};
use super::net::{QNet, QNode, QOp, QTensorId, QType};
use super::shape::Map;
use crate::host::{HostOp, Tensor};
use conv::ConvPlan;
use ndarray::{ArrayD, IxDyn};
use rayon::prelude::*;
pub use step::HostError;

/// Why a network cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The network breaks a rule.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The wrong number of inputs.
    #[error("the network has {want} inputs, {got} are given")]
    Inputs {
        /// Inputs of the network.
        want: usize,
        /// Inputs given.
        got: usize,
    },
    /// A tensor that is not what the network says.
    #[error("tensor `{tensor}` should be {want}, it is {got}")]
    Tensor {
        /// Name of the tensor.
        tensor: String,
        /// Type and dimensions by the network.
        want: String,
        /// Type and dimensions of the value.
        got: String,
    },
    /// A host operator that refuses its operands.
    #[error("node `{node}`: {source}")]
    Host {
        /// Name of the node.
        node: String,
        /// Its complaint.
        source: HostError,
    },
}

/// A network that is checked and ready to run on any number of samples.
#[derive(Debug)]
pub struct Reference<'a> {
    net: &'a QNet,
    steps: Vec<Step<'a>>,
}

#[derive(Debug)]
enum Step<'a> {
    Conv(ConvPlan<'a>),
    MaxPool(&'a crate::graph::Window, Map, Map),
    Host(&'a HostOp),
}

impl<'a> Reference<'a> {
    /// Checks a network and widens its weights.
    ///
    /// # Errors
    /// The first node that breaks a rule, sums that may leave int32 among them.
    pub fn new(net: &'a QNet) -> Result<Self, NetError> {
        check(net)?;
        let steps = net.nodes.iter().map(|node| step(net, node));
        let steps = steps.collect::<Result<_, _>>()?;
        Ok(Self { net, steps })
    }

    /// Runs one sample; the result has the network's outputs.
    ///
    /// # Errors
    /// Inputs that do not fit, a host operator that fails.
    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, RunError> {
        let mut values = self.trace(inputs)?;
        let outputs = &self.net.outputs;
        let take = |(i, t): (usize, &QTensorId)| {
            // An output that is named twice is needed again.
            let value = if outputs[i + 1..].contains(t) {
                values[t.0].clone()
            } else {
                values[t.0].take()
            };
            value.ok_or_else(|| absent(self.net, *t))
        };
        outputs.iter().enumerate().map(take).collect()
    }

    /// Runs one sample; the result has every tensor, by id.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn trace(&self, inputs: &[Tensor]) -> Result<Vec<Option<Tensor>>, RunError> {
        let net = self.net;
        if inputs.len() != net.inputs.len() {
            return Err(RunError::Inputs {
                want: net.inputs.len(),
                got: inputs.len(),
            });
        }
        let mut values = vec![None; net.tensors.len()];
        for (t, value) in net.inputs.iter().zip(inputs) {
            fits(net, *t, value)?;
            values[t.0] = Some(value.clone());
        }
        for (node, step) in net.nodes.iter().zip(&self.steps) {
            let value = self.step(node, step, &values)?;
            fits(net, node.output, &value)?;
            values[node.output.0] = Some(value);
        }
        Ok(values)
    }

    /// Runs many samples on all threads.
    ///
    /// # Errors
    /// As [`Self::run`]; the first sample that fails.
    pub fn run_batch(&self, samples: &[Vec<Tensor>]) -> Result<Vec<Vec<Tensor>>, RunError> {
        let results: Vec<_> = samples.par_iter().map(|s| self.run(s)).collect();
        results.into_iter().collect()
    }

    fn step(
        &self,
        node: &QNode,
        step: &Step<'_>,
        values: &[Option<Tensor>],
    ) -> Result<Tensor, RunError> {
        let net = self.net;
        let operands = node.inputs.iter().map(|t| {
            let value = values[t.0].as_ref();
            value.ok_or_else(|| absent(net, *t))
        });
        let operands: Vec<&Tensor> = operands.collect::<Result<_, _>>()?;
        let bytes = |i: usize| {
            let t = node.inputs[i];
            ints(operands[i]).ok_or_else(|| absent(net, t))
        };
        let y = match step {
            Step::Host(op) => {
                return step::run(op, &operands).map_err(|source| RunError::Host {
                    node: node.name.clone(),
                    source,
                });
            }
            Step::MaxPool(window, input, output) => {
                pool::max_pool(&bytes(0)?, *input, *output, window)
            }
            Step::Conv(plan) => {
                let residual = match operands.len() {
                    1 => None,
                    _ => Some(bytes(1)?),
                };
                plan.run(&bytes(0)?, residual.as_deref())
            }
        };
        let dims = IxDyn(&net.tensor(node.output).dims);
        let y = ArrayD::from_shape_vec(dims, y).map_err(|e| NetError {
            node: node.name.clone(),
            what: e.to_string(),
        })?;
        Ok(Tensor::I8(y))
    }
}

/// Runs one sample; the result has the network's outputs.
///
/// # Errors
/// A network that breaks a rule, inputs that do not fit, a host operator that fails.
pub fn run(net: &QNet, inputs: &[Tensor]) -> Result<Vec<Tensor>, RunError> {
    Reference::new(net)?.run(inputs)
}

/// Runs one sample; the result has every tensor, by id.
///
/// # Errors
/// As [`run`].
pub fn trace(net: &QNet, inputs: &[Tensor]) -> Result<Vec<Option<Tensor>>, RunError> {
    Reference::new(net)?.trace(inputs)
}

fn step<'a>(net: &QNet, node: &'a QNode) -> Result<Step<'a>, NetError> {
    let map = |t: QTensorId| {
        Map::of(&net.tensor(t).dims).ok_or_else(|| NetError {
            node: node.name.clone(),
            what: format!("`{}` is not a map", net.tensor(t).name),
        })
    };
    Ok(match &node.op {
        QOp::Conv(conv) => Step::Conv(ConvPlan::new(conv, map(node.inputs[0])?, map(node.output)?)),
        QOp::MaxPool(w) => Step::MaxPool(w, map(node.inputs[0])?, map(node.output)?),
        QOp::Host(op) => Step::Host(op),
    })
}

/// An int8 tensor's elements, row by row.
fn ints(t: &Tensor) -> Option<std::borrow::Cow<'_, [i8]>> {
    let Tensor::I8(a) = t else { return None };
    Some(match a.as_slice() {
        Some(s) => s.into(),
        None => a.iter().copied().collect::<Vec<_>>().into(),
    })
}

fn absent(net: &QNet, t: QTensorId) -> RunError {
    RunError::Tensor {
        tensor: net.tensor(t).name.clone(),
        want: describe(&net.tensor(t).dims, net.tensor(t).ty),
        got: "something else".into(),
    }
}

fn describe(dims: &[usize], ty: QType) -> String {
    match ty {
        QType::Int8 { .. } => format!("int8 {dims:?}"),
        QType::Float => format!("float {dims:?}"),
    }
}

fn fits(net: &QNet, t: QTensorId, value: &Tensor) -> Result<(), RunError> {
    let tensor = net.tensor(t);
    let (dims, int) = match value {
        Tensor::I8(a) => (a.shape(), true),
        Tensor::F32(a) => (a.shape(), false),
    };
    if dims == tensor.dims && int == matches!(tensor.ty, QType::Int8 { .. }) {
        return Ok(());
    }
    let kind = if int { "int8" } else { "float" };
    Err(RunError::Tensor {
        tensor: tensor.name.clone(),
        want: describe(&tensor.dims, tensor.ty),
        got: format!("{kind} {dims:?}"),
    })
}
