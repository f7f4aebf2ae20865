//! The integer reference: what a program must compute, to the bit.
//!
//! Plain int32 arithmetic as [`QConv`](super::QConv) says it, with the
//! host operators of [`host`](vta_tensor::host). `tests/quant` compares it with
//! loops that are plainer still.
//!
//! What a window meets is written out here once more, on purpose: the reference
//! shares [`Window`](vta_tensor::Window) as data, not its arithmetic, so that
//! host, compiler and training are held against something of its own.

mod conv;
mod pool;
mod values;

use super::check::{NetError, check};
use super::net::{QNet, QNode, QOp, QTensorId};
use super::shape::Map;
pub(crate) use conv::{ConvPlan, finish_all};
use ndarray::{ArrayD, IxDyn};
use rayon::prelude::*;
pub(crate) use values::Values;
use vta_tensor::host::{HostError, HostOp, Tensor};

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

/// One node, ready to run.
#[derive(Debug)]
pub(crate) enum Step<'a> {
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
        let steps = net.nodes.iter().map(|node| Step::of(net, node));
        let steps = steps.collect::<Result<_, _>>()?;
        Ok(Self { net, steps })
    }

    /// Runs one sample; the result has the network's outputs.
    ///
    /// # Errors
    /// Inputs that do not fit, a host operator that fails.
    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, RunError> {
        self.values(inputs)?.outputs(self.net)
    }

    /// Runs one sample; the result has every tensor, by id.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn trace(&self, inputs: &[Tensor]) -> Result<Vec<Option<Tensor>>, RunError> {
        Ok(self.values(inputs)?.0)
    }

    /// Runs many samples on all threads.
    ///
    /// # Errors
    /// As [`Self::run`]; the first sample that fails.
    pub fn run_batch(&self, samples: &[Vec<Tensor>]) -> Result<Vec<Vec<Tensor>>, RunError> {
        let results: Vec<_> = samples.par_iter().map(|s| self.run(s)).collect();
        results.into_iter().collect()
    }

    fn values(&self, inputs: &[Tensor]) -> Result<Values, RunError> {
        let mut values = Values::new(self.net, inputs)?;
        for (node, step) in self.net.nodes.iter().zip(&self.steps) {
            let value = step.run(self.net, node, &values)?;
            values.put(self.net, node.output, value)?;
        }
        Ok(values)
    }
}

impl<'a> Step<'a> {
    /// A node of a network, which is checked.
    pub fn of(net: &QNet, node: &'a QNode) -> Result<Self, NetError> {
        let map = |t: QTensorId| {
            Map::of(&net.tensor(t).dims).ok_or_else(|| NetError {
                node: node.name.clone(),
                what: format!("`{}` is not a map", net.tensor(t).name),
            })
        };
        let ends = || Ok((map(node.inputs[0])?, map(node.output)?));
        Ok(match &node.op {
            QOp::Conv(conv) => {
                let (input, output) = ends()?;
                Step::Conv(ConvPlan::new(conv, input, output))
            }
            QOp::MaxPool(w) => {
                let (input, output) = ends()?;
                Step::MaxPool(w, input, output)
            }
            QOp::Host(op) => Step::Host(op),
        })
    }

    /// The node's result.
    pub fn run(&self, net: &QNet, node: &QNode, values: &Values) -> Result<Tensor, RunError> {
        let y = match self {
            Step::Host(op) => {
                let operands = node.inputs.iter().map(|t| values.get(net, *t));
                let operands: Vec<&Tensor> = operands.collect::<Result<_, _>>()?;
                return op.run(&operands).map_err(|source| RunError::Host {
                    node: node.name.clone(),
                    source,
                });
            }
            Step::MaxPool(window, input, output) => {
                let x = values.ints(net, node.inputs[0])?;
                pool::max_pool(&x, *input, *output, window)
            }
            Step::Conv(plan) => {
                let sums = plan.sums(&values.ints(net, node.inputs[0])?);
                let residual = values.residual(net, node)?;
                finish_all(plan.conv, &sums, residual.as_deref())
            }
        };
        shaped(net, node, y)
    }
}

/// A result with its dimensions.
pub(crate) fn shaped(net: &QNet, node: &QNode, y: Vec<i8>) -> Result<Tensor, RunError> {
    let dims = IxDyn(&net.tensor(node.output).dims);
    let y = ArrayD::from_shape_vec(dims, y).map_err(|e| NetError {
        node: node.name.clone(),
        what: e.to_string(),
    })?;
    Ok(Tensor::I8(y))
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
