//! Steps of the host that only feed each other become one.

use super::net::{QNet, QNode, QOp, QTensorId, QType};
use vta_tensor::host::{FusedOp, HostOp, MAX_FUSED};

/// Fuses a host node into the only node that reads it, where that one is the host's too.
///
/// What is in single precision is never the device's. Of int8 only what is turned
/// into single precision is fused: between layers of the device moves may be nothing
/// at all in memory.
pub fn fuse_host(net: &mut QNet) {
    let mut readers = vec![0usize; net.tensors.len()];
    for node in &net.nodes {
        node.inputs.iter().for_each(|t| readers[t.0] += 1);
    }
    net.outputs.iter().for_each(|t| readers[t.0] += 1);
    let mut maker: Vec<Option<usize>> = vec![None; net.tensors.len()];
    let mut nodes: Vec<Option<QNode>> = Vec::with_capacity(net.nodes.len());
    for mut node in std::mem::take(&mut net.nodes) {
        while let Some(from) = source(&node, &net.tensors, &readers, &maker, &nodes) {
            if let Some(source) = nodes[from].take() {
                let before = source.inputs.iter().chain(&node.inputs);
                before.for_each(|t| readers[t.0] -= 1);
                node = fused(source, node);
                node.inputs.iter().for_each(|t| readers[t.0] += 1);
            }
        }
        maker[node.output.0] = Some(nodes.len());
        nodes.push(Some(node));
    }
    net.nodes = nodes.into_iter().flatten().collect();
}

/// An operand's maker that can be fused into a node.
fn source(
    node: &QNode,
    tensors: &[super::net::QTensor],
    readers: &[usize],
    maker: &[Option<usize>],
    nodes: &[Option<QNode>],
) -> Option<usize> {
    let QOp::Host(op) = &node.op else { return None };
    node.inputs.iter().find_map(|t| {
        let from = maker[t.0]?;
        let source = nodes[from].as_ref()?;
        let QOp::Host(first) = &source.op else {
            return None;
        };
        // What a step takes in it has for itself: nothing of it is left in memory.
        let takes = matches!(op, HostOp::Dequantize { .. } | HostOp::Fused { .. });
        let float = tensors[t.0].ty == QType::Float || takes;
        let small = size(op) + size(first) <= MAX_FUSED;
        (readers[t.0] == 1 && float && small).then_some(from)
    })
}

const fn size(op: &HostOp) -> usize {
    match op {
        HostOp::Fused { ops } => ops.len(),
        _ => 1,
    }
}

/// The operators of a node, as operators of a step with these operands.
fn operators(
    node: &QNode,
    operands: &mut Vec<QTensorId>,
    made: usize,
) -> Vec<(HostOp, Vec<Place>)> {
    let mut place = |t: QTensorId| match operands.iter().position(|o| *o == t) {
        Some(i) => Place::Operand(i),
        None => {
            operands.push(t);
            Place::Operand(operands.len() - 1)
        }
    };
    let own: Vec<Place> = node.inputs.iter().map(|t| place(*t)).collect();
    match &node.op {
        QOp::Host(HostOp::Fused { ops }) => {
            let at = |i: &usize| match i.checked_sub(own.len()) {
                None => own[*i],
                Some(k) => Place::Made(made + k),
            };
            let one = |o: &FusedOp| (o.op.clone(), o.inputs.iter().map(at).collect());
            ops.iter().map(one).collect()
        }
        QOp::Host(op) => vec![(op.clone(), own)],
        _ => Vec::new(),
    }
}

/// Names of operators, each once; conversions go without saying where there are others.
fn together(first: &str, second: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in first.split('+').chain(second.split('+')) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let converts = |n: &str| matches!(n, "QuantizeLinear" | "DequantizeLinear");
    if names.iter().any(|n| !converts(n)) {
        names.retain(|n| !converts(n));
    }
    names.join("+")
}

/// An operand of an operator in a step.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Operand(usize),
    Made(usize),
}

/// Both as one.
fn fused(source: QNode, node: QNode) -> QNode {
    let mut operands: Vec<QTensorId> = Vec::new();
    let mut all = operators(&source, &mut operands, 0);
    let last = all.len() - 1;
    let behind = operators(&node, &mut operands, all.len());
    // The source's result is no operand any more.
    let gone = operands.iter().position(|t| *t == source.output);
    all.extend(behind);
    if let Some(gone) = gone {
        operands.remove(gone);
    }
    let count = operands.len();
    let index = |p: &Place| match *p {
        Place::Operand(i) if Some(i) == gone => count + last,
        Place::Operand(i) => i - usize::from(gone.is_some_and(|g| i > g)),
        Place::Made(i) => count + i,
    };
    let ops = all.iter().map(|(op, inputs)| FusedOp {
        op: op.clone(),
        inputs: inputs.iter().map(index).collect(),
    });
    QNode {
        op: QOp::Host(HostOp::Fused { ops: ops.collect() }),
        source: together(&source.source, &node.source),
        inputs: operands,
        why: if node.op == QOp::Host(HostOp::Copy) {
            source.why
        } else {
            node.why
        },
        ..node
    }
}
