//! What is done where: which nodes are done together, which values are kept.

use super::params::Layer;
use crate::TrainError;
use std::collections::BTreeSet;
use vta_net::graph::{Graph, Node, Op, TensorId};

/// How a node is done while batch normalisation sees the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// By itself; a convolution is then normalised, if it has a normalisation.
    Alone,
    /// A convolution whose normalisation is done with the ReLU that follows.
    WithRelu,
    /// A convolution whose normalisation is done by the sum that follows.
    Raw,
    /// A sum of a raw convolution's result (operand `conv`) and another, then ReLU if `relu`.
    NormSum { conv: usize, relu: bool },
    /// A ReLU that is already done: passes its operand on.
    Done,
}

/// Refuses what works across the samples of a batch.
pub(super) fn check(graph: &Graph) -> Result<(), TrainError> {
    let network = |why: String| TrainError::Network {
        network: graph.name.clone(),
        why,
    };
    if graph.inputs.len() != 1 {
        return Err(network(format!("it has {} inputs", graph.inputs.len())));
    }
    if graph.outputs.is_empty() {
        return Err(network("it has no output".into()));
    }
    for (t, info) in graph.tensors().iter().enumerate() {
        let used = graph.inputs.contains(&TensorId(t)) || graph.producer(TensorId(t)).is_some();
        if used && info.dims.first() != Some(&1) {
            let what = format!("`{}` is {:?}, without a batch of 1", info.name, info.dims);
            return Err(network(what));
        }
    }
    for node in graph.nodes() {
        if let Some(why) = across(graph, node) {
            return Err(TrainError::Node {
                node: node.name.clone(),
                op: node.op.name(),
                why,
            });
        }
    }
    Ok(())
}

/// Why a node cannot work on a batch.
fn across(graph: &Graph, node: &Node) -> Option<&'static str> {
    let rank = |t: TensorId| graph.tensor(t).dims.len();
    if matches!(node.op, Op::Host(_)) {
        return Some("it has no gradient here");
    }
    let axis = match &node.op {
        Op::Softmax { axis } | Op::Concat { axis } | Op::Slice { axis, .. } => *axis == 0,
        Op::ReduceMean { axes } => axes.contains(&0),
        Op::Transpose { perm } => perm.first() != Some(&0),
        Op::Pad { pads, .. } => pads.first() != Some(&(0, 0)),
        Op::Dense(_) => rank(node.inputs[0]) < 2,
        _ => false,
    };
    if axis {
        return Some("it works across the samples of a batch");
    }
    let ranks = node
        .inputs
        .iter()
        .map(|t| rank(*t))
        .chain([rank(node.output)]);
    if ranks.clone().any(|r| r > 6) {
        return Some("tensors of more than 6 dimensions");
    }
    // Operands are broadcast from behind: the batch must stay in front.
    let pair = matches!(node.op, Op::Add | Op::Mul | Op::MatMul);
    if pair && rank(node.inputs[0]) != rank(node.inputs[1]) {
        return Some("operands of different ranks");
    }
    match &node.op {
        Op::AddConst(c) | Op::MulConst(c) if c.values.ndim() > rank(node.inputs[0]) => {
            Some("a constant of higher rank")
        }
        Op::Resize { .. } | Op::Conv(_) | Op::MaxPool(_) | Op::AveragePool { .. }
            if rank(node.inputs[0]) != 4 =>
        {
            Some("maps need 4 dimensions")
        }
        _ => None,
    }
}

/// Which nodes are layers whose results reach the outputs with no layer and no
/// ReLU behind them: scores and boxes, which keep their bias and are not normalised.
pub(super) fn last_layers(graph: &Graph) -> Vec<bool> {
    let nodes: Vec<&Node> = graph.nodes().collect();
    let mut wanted: BTreeSet<TensorId> = graph.outputs.iter().copied().collect();
    let mut last = vec![false; nodes.len()];
    // Nodes stand before those that read them.
    for (i, node) in nodes.iter().enumerate().rev() {
        if !wanted.contains(&node.output) {
            continue;
        }
        match node.op {
            Op::Conv(_) | Op::Dense(_) => last[i] = true,
            Op::Reshape
            | Op::Sigmoid
            | Op::Softmax { .. }
            | Op::Concat { .. }
            | Op::Slice { .. }
            | Op::Transpose { .. } => wanted.extend(node.inputs.iter().copied()),
            _ => {}
        }
    }
    last
}

/// The role of each node; values in `kept` must be seen as they are.
pub(super) fn roles(
    graph: &Graph,
    layers: &[Option<Layer>],
    kept: &BTreeSet<TensorId>,
) -> Vec<Role> {
    let nodes: Vec<&Node> = graph.nodes().collect();
    let mut roles = vec![Role::Alone; nodes.len()];
    // The only node that reads a tensor which nobody else needs.
    let reader = |t: TensorId| {
        let mut readers = (0..nodes.len()).filter(|i| nodes[*i].inputs.contains(&t));
        let first = readers.next()?;
        let only = readers.next().is_none() && !graph.outputs.contains(&t) && !kept.contains(&t);
        only.then_some(first)
    };
    for (i, node) in nodes.iter().enumerate() {
        let normed = layers[i].is_some_and(|l| l.norm.is_some());
        let Some(next) = reader(node.output).filter(|_| normed) else {
            continue;
        };
        match nodes[next].op {
            Op::Relu => {
                roles[i] = Role::WithRelu;
                roles[next] = Role::Done;
            }
            Op::Add if roles[next] == Role::Alone => {
                let operands = &nodes[next].inputs;
                let dims = |t: &TensorId| &graph.tensor(*t).dims;
                if operands[0] == operands[1] || dims(&operands[0]) != dims(&operands[1]) {
                    continue;
                }
                let conv = usize::from(operands[1] == node.output);
                let after = reader(nodes[next].output).filter(|r| nodes[*r].op == Op::Relu);
                roles[i] = Role::Raw;
                roles[next] = Role::NormSum {
                    conv,
                    relu: after.is_some(),
                };
                if let Some(after) = after {
                    roles[after] = Role::Done;
                }
            }
            _ => {}
        }
    }
    roles
}

/// Whether maps are better with channels last: not where convolutions with groups,
/// which want them first, stand between the others.
pub(super) fn channels_last(graph: &Graph) -> bool {
    let mut convs = graph.nodes().filter_map(|n| match &n.op {
        Op::Conv(c) => Some(c.groups),
        _ => None,
    });
    convs.all(|groups| groups == 1)
}

/// For each node, the values that nobody needs after it.
pub(super) fn last_uses(graph: &Graph, kept: &BTreeSet<TensorId>) -> Vec<Vec<TensorId>> {
    let mut last = vec![None; graph.tensors().len()];
    for (i, node) in graph.nodes().enumerate() {
        node.inputs.iter().for_each(|t| last[t.0] = Some(i));
    }
    let mut out = vec![Vec::new(); graph.nodes().count()];
    for (t, at) in last.into_iter().enumerate() {
        let t = TensorId(t);
        if let Some(at) = at.filter(|_| !graph.outputs.contains(&t) && !kept.contains(&t)) {
            out[at].push(t);
        }
    }
    out
}
