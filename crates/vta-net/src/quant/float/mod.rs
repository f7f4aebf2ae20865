//! The float reference: a graph's values in single precision.
//!
//! Convolutions and dense layers have the kernels of [`kernels`](crate::kernels); all
//! other operators are those of [`host`](vta_tensor::host), so that a host step and
//! the reference agree. Values are the same in every run and on any number of
//! threads; products are summed in the order that suits the machine.

mod conv;
mod inplace;
mod ops;
mod values;

use crate::graph::{Graph, Node, Op, TensorId};
use ndarray::{ArrayD, IxDyn};
use rayon::prelude::*;
use std::borrow::Cow;
use values::Values;
use vta_tensor::host::{HostError, HostOp, Tensor};

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
    let nothing = |_, _: &Value| Ok(());
    let mut values = walk(graph, inputs, &graph.outputs, nothing)?;
    let outputs = graph.outputs.iter().enumerate().filter_map(|(i, t)| {
        // An output that is named twice is needed again.
        match graph.outputs[i + 1..].contains(t) {
            true => values[t.0].clone(),
            false => values[t.0].take(),
        }
    });
    Ok(outputs.map(Tensor::F32).collect())
}

/// Every tensor for one sample, by id.
///
/// # Errors
/// As [`run`].
pub fn trace(graph: &Graph, inputs: &[Tensor]) -> Result<Vec<Option<ArrayD<f32>>>, FloatError> {
    let all: Vec<TensorId> = (0..graph.tensors().len()).map(TensorId).collect();
    walk(graph, inputs, &all, |_, _: &Value| Ok(()))
}

/// Computes one sample and shows each tensor as soon as it is there; the result has
/// those of `kept`, by id. All others are gone after their last reader.
///
/// # Errors
/// As [`run`], and those of `visit`.
pub(crate) fn walk<E: From<FloatError>>(
    graph: &Graph,
    inputs: &[Tensor],
    kept: &[TensorId],
    mut visit: impl FnMut(TensorId, &Value) -> Result<(), E>,
) -> Result<Vec<Option<Value>>, E> {
    if inputs.len() != graph.inputs.len() {
        return Err(E::from(FloatError::Inputs {
            want: graph.inputs.len(),
            got: inputs.len(),
        }));
    }
    let mut values = Values::new(graph, kept);
    for (t, value) in graph.inputs.iter().zip(inputs) {
        let info = graph.tensor(*t);
        match value {
            Tensor::F32(a) if a.shape() == info.dims => {
                visit(*t, a)?;
                values.put(*t, value.clone());
            }
            _ => {
                return Err(E::from(FloatError::Input {
                    tensor: info.name.clone(),
                    want: info.dims.clone(),
                    got: format!("{} {:?}", value.dtype(), value.dims()),
                }));
            }
        }
    }
    for (i, node) in graph.nodes().enumerate() {
        let dims = &graph.tensor(node.output).dims;
        let y = evaluate(node, i, &mut values, dims)?;
        if y.shape() != dims {
            return Err(E::from(misfit(node)));
        }
        visit(node.output, &y)?;
        values.result(node, i, y);
    }
    Ok(values.into_kept())
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
    at: usize,
    values: &mut Values,
    dims: &[usize],
) -> Result<Value, FloatError> {
    if let Some(y) = inplace::evaluate(node, at, values) {
        return Ok(y);
    }
    let operand = |t: &TensorId| values.get(*t).ok_or_else(|| misfit(node));
    let operands: Vec<&Tensor> = node.inputs.iter().map(operand).collect::<Result<_, _>>()?;
    if let Op::Host(op) = &node.op {
        return host(node, std::slice::from_ref(op), &operands);
    }
    let one = operands.first().and_then(|t| t.as_f32());
    let one = one.ok_or_else(|| misfit(node))?;
    let direct = match &node.op {
        Op::Conv(c) => conv::conv(c, one),
        Op::Dense(d) => conv::dense(d, one),
        Op::AveragePool {
            window,
            count_include_pad,
        } => ops::average(window, *count_include_pad, one),
        op => {
            let steps = host_ops(op, one.shape(), dims).ok_or_else(|| misfit(node))?;
            return host(node, &steps, &operands);
        }
    };
    direct.ok_or_else(|| misfit(node))
}

/// Runs host operators one after the other; the first has all operands.
fn host(node: &Node, steps: &[HostOp], operands: &[&Tensor]) -> Result<Value, FloatError> {
    let run = |step: &HostOp, operands: &[&Tensor]| {
        step.run(operands).map_err(|source| FloatError::Host {
            node: node.name.clone(),
            source,
        })
    };
    let (first, rest) = steps.split_first().ok_or_else(|| misfit(node))?;
    let mut value = run(first, operands)?;
    for step in rest {
        value = run(step, &[&value])?;
    }
    match value {
        Tensor::F32(a) => Ok(a),
        Tensor::I8(_) => Err(misfit(node)),
    }
}

/// A tensor's values.
pub(crate) type Value = ArrayD<f32>;

/// An array of given dimensions.
fn shaped(dims: &[usize], data: Vec<f32>) -> Option<Value> {
    ArrayD::from_shape_vec(IxDyn(dims), data).ok()
}

/// The elements, row by row.
pub(crate) fn slice(x: &Value) -> Cow<'_, [f32]> {
    match x.as_slice() {
        Some(s) => s.into(),
        None => x.iter().copied().collect::<Vec<_>>().into(),
    }
}
