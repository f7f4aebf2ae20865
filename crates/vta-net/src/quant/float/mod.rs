//! The float reference: a graph's values in single precision.
//!
//! Convolutions are matrix products; all other operators are those of
//! [`host`](vta_tensor::host), so that a host step and the reference agree.

mod conv;
mod ops;

use crate::graph::{Graph, Node, Op, TensorId};
use ndarray::{ArrayD, IxDyn};
use rayon::prelude::*;
use vta_tensor::host::{HostError, Tensor};

pub(crate) use ops::host_ops;

/// Why a graph cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FloatError {
    /// The wrong number of inputs.
    #[error("the network has {want} inputs, {got} are given")]
    Inputs {
        /// Inputs of the network.
        want: usize,
        /// Inputs given.
        got: usize,
    },
    /// An input with other dimensions or of another type.
    #[error("input `{tensor}` should be float {want:?}, it is {got}")]
    Input {
        /// Name of the tensor.
        tensor: String,
        /// Its dimensions in the graph.
        want: Vec<usize>,
        /// What was given.
        got: String,
    },
    /// A node whose operands do not fit it.
    #[error("node `{node}` ({op}): its operands do not fit it")]
    Shape {
        /// Name of the node.
        node: String,
        /// Its operator.
        op: &'static str,
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

/// The network's outputs for one sample.
///
/// # Errors
/// Inputs that do not fit, a node whose operands do not fit it.
pub fn run(graph: &Graph, inputs: &[Tensor]) -> Result<Vec<Tensor>, FloatError> {
    let values = trace(graph, inputs)?;
    let outputs = graph.outputs.iter().filter_map(|t| values[t.0].clone());
    Ok(outputs.map(Tensor::F32).collect())
}

/// Every tensor for one sample, by id.
///
/// # Errors
/// As [`run`].
pub fn trace(graph: &Graph, inputs: &[Tensor]) -> Result<Vec<Option<ArrayD<f32>>>, FloatError> {
    if inputs.len() != graph.inputs.len() {
        return Err(FloatError::Inputs {
            want: graph.inputs.len(),
            got: inputs.len(),
        });
    }
    let mut values: Vec<Option<ArrayD<f32>>> = vec![None; graph.tensors().len()];
    for (t, value) in graph.inputs.iter().zip(inputs) {
        let info = graph.tensor(*t);
        match value {
            Tensor::F32(a) if a.shape() == info.dims => values[t.0] = Some(a.clone()),
            _ => {
                return Err(FloatError::Input {
                    tensor: info.name.clone(),
                    want: info.dims.clone(),
                    got: format!("{} {:?}", value.dtype(), value.dims()),
                });
            }
        }
    }
    for node in graph.nodes() {
        let dims = &graph.tensor(node.output).dims;
        let y = evaluate(node, &values, dims)?;
        if y.shape() != dims {
            return Err(misfit(node));
        }
        values[node.output.0] = Some(y);
    }
    Ok(values)
}

/// The network's outputs for many samples, on all threads.
///
/// # Errors
/// As [`run`]; the first sample that fails.
pub fn run_batch(graph: &Graph, samples: &[Vec<Tensor>]) -> Result<Vec<Vec<Tensor>>, FloatError> {
    let results: Vec<_> = samples.par_iter().map(|s| run(graph, s)).collect();
    results.into_iter().collect()
}

fn misfit(node: &Node) -> FloatError {
    FloatError::Shape {
        node: node.name.clone(),
        op: node.op.name(),
    }
}

fn evaluate(
    node: &Node,
    values: &[Option<ArrayD<f32>>],
    dims: &[usize],
) -> Result<ArrayD<f32>, FloatError> {
    let operand = |t: &TensorId| values[t.0].as_ref().ok_or_else(|| misfit(node));
    let operands: Vec<&ArrayD<f32>> = node.inputs.iter().map(operand).collect::<Result<_, _>>()?;
    if let Op::Host(op) = &node.op {
        return host(node, std::slice::from_ref(op), &operands);
    }
    let one = operands.first().ok_or_else(|| misfit(node))?;
    let direct = match &node.op {
        Op::Conv(c) => ops::conv(c, one),
        Op::Dense(d) => ops::dense(d, one),
        Op::Scale { scale, shift } => ops::scale(scale, shift, one),
        Op::AveragePool {
            window,
            count_include_pad,
        } => ops::average(window, *count_include_pad, one),
        Op::Relu => Some(one.mapv(|x| x.max(0.))),
        op => {
            let steps = host_ops(op, one.shape(), dims).ok_or_else(|| misfit(node))?;
            return host(node, &steps, &operands);
        }
    };
    direct.ok_or_else(|| misfit(node))
}

/// Runs host operators one after the other; the first has all operands.
fn host(
    node: &Node,
    steps: &[vta_tensor::host::HostOp],
    operands: &[&ArrayD<f32>],
) -> Result<ArrayD<f32>, FloatError> {
    let mut values: Vec<Tensor> = operands.iter().map(|a| Tensor::F32((*a).clone())).collect();
    for step in steps {
        let operands: Vec<&Tensor> = values.iter().collect();
        let value = step.run(&operands).map_err(|source| FloatError::Host {
            node: node.name.clone(),
            source,
        })?;
        values = vec![value];
    }
    match values.pop() {
        Some(Tensor::F32(a)) => Ok(a),
        _ => Err(misfit(node)),
    }
}

/// An array of given dimensions.
fn shaped(dims: &[usize], data: Vec<f32>) -> Option<ArrayD<f32>> {
    ArrayD::from_shape_vec(IxDyn(dims), data).ok()
}
