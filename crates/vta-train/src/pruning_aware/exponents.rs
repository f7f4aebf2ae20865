//! Exponents of the quantiser, as the trainer takes them.

use std::collections::BTreeMap;
use vta_net::graph::{Graph, Node, Op, TensorId};
use vta_net::quant::{self, QNet, QOp, QType, QuantError, quantise_with};

/// What a network is trained with so that it rounds where the device rounds.
///
/// Operands and results of the device are rounded, and nothing between the
/// operators that it does at once. Elements that are only moved keep their
/// exponent. A weight that the quantiser multiplies by the constants of a node
/// behind it (`Scale`, `Mul`) is not rounded in training.
///
/// What stays different: with a second operand of a finer step than the
/// result's, the device rounds twice; below zero, a leaky ReLU of the device
/// rounds each of its shifted sums down. Neither happens with exponents from
/// [`quantise`](quant::quantise) in networks with ReLU.
///
/// # Errors
/// Exponents that do not fit the graph.
pub fn for_training(
    exponents: &quant::Exponents,
    graph: &Graph,
) -> Result<crate::Exponents, QuantError> {
    // Training rounds values as they are.
    if let Some((name, factor)) = exponents.factors.first_key_value() {
        let (name, factor) = (name.clone(), factor.to_string());
        return Err(quant::ExponentsError::Factor { name, factor }.into());
    }
    let net = quantise_with(graph, exponents, None)?;
    let used = quant::Exponents::of(&net);
    let tensors = graph.tensors().iter().enumerate();
    let tensors =
        tensors.filter_map(|(t, info)| Some((TensorId(t), *used.tensors.get(&info.name)?)));
    let mut out = crate::Exponents {
        weights: used.weights,
        tensors: tensors.collect(),
        factors: factors(graph, &net),
    };
    let nodes: Vec<&Node> = graph.nodes().collect();
    for node in &nodes {
        if moves(&node.op)
            && let Some(&e) = out.tensors.get(&node.inputs[0])
        {
            out.tensors.entry(node.output).or_insert(e);
        }
        let name = match &node.op {
            Op::Conv(c) => &c.weight_name,
            Op::Dense(d) => &d.weight_name,
            _ => continue,
        };
        if scaled(graph, &nodes, node) {
            out.weights.remove(name);
        }
    }
    Ok(out)
}

/// Whether an operator's results are among its operand's values.
fn moves(op: &Op) -> bool {
    match op {
        Op::Reshape | Op::Transpose { .. } | Op::Slice { .. } | Op::Resize { .. } => true,
        Op::Pad { value, .. } => *value == 0.,
        Op::MaxPool(_) => true,
        _ => false,
    }
}

/// Whether a layer's weights are multiplied by the constants of a node behind it.
fn scaled(graph: &Graph, nodes: &[&Node], layer: &Node) -> bool {
    let mut t = layer.output;
    loop {
        let mut readers = nodes.iter().filter(|n| n.inputs.contains(&t));
        let (Some(next), None) = (readers.next(), readers.next()) else {
            return false;
        };
        match next.op {
            _ if graph.outputs.contains(&t) => return false,
            Op::Scale { .. } | Op::MulConst(_) => return true,
            Op::AddConst(_) | Op::Reshape => t = next.output,
            _ => return false,
        }
    }
}

/// What the device multiplies by in means and leaky ReLUs.
fn factors(graph: &Graph, net: &QNet) -> BTreeMap<TensorId, f32> {
    let mut out = BTreeMap::new();
    let nodes: Vec<&Node> = graph.nodes().collect();
    for node in &nodes {
        let factor = match &node.op {
            Op::AveragePool { .. } | Op::ReduceMean { .. } if !scaled(graph, &nodes, node) => {
                let own = net.nodes.iter().find(|n| n.name == node.name);
                own.and_then(|n| mean(net, n))
            }
            Op::LeakyRelu { alpha } => quant::slope(*alpha),
            _ => None,
        };
        if let Some(factor) = factor {
            out.insert(node.output, factor);
        }
    }
    out
}

/// The part of each value in a mean that is a convolution of the device.
fn mean(net: &QNet, node: &quant::QNode) -> Option<f32> {
    let QOp::Conv(conv) = &node.op else {
        return None;
    };
    let exponent = |t: Option<&quant::QTensorId>| match net.tensor(*t?).ty {
        QType::Int8 { exponent } => Some(exponent),
        QType::Float => None,
    };
    let sum = exponent(Some(&node.output))? - i32::from(conv.post_shift);
    let step = sum - i32::from(conv.shift.of(0)) - exponent(node.inputs.first())?;
    Some(f32::from(*conv.weight.first()?) * 2_f32.powi(step))
}
