//! Which tensors of a network are compared with a teacher's.

use vta_net::graph::{Graph, Op, TensorId};

/// Maps that are compared at most: the last ones.
const MOST: usize = 3;

/// The last map of each size, from large to small: where a network's stages
/// end. Behind an activation, where there is one of the size.
pub fn features(graph: &Graph) -> Vec<TensorId> {
    let mut found: Vec<([usize; 2], TensorId, bool)> = Vec::new();
    for node in graph.nodes() {
        let [_, _, h, w] = graph.tensor(node.output).dims[..] else {
            continue;
        };
        if h * w <= 1 || graph.outputs.contains(&node.output) {
            continue;
        }
        let active = matches!(node.op, Op::Relu | Op::Clip { .. } | Op::LeakyRelu { .. });
        match found.iter_mut().find(|f| f.0 == [h, w]) {
            Some(f) if active || !f.2 => *f = ([h, w], node.output, active),
            Some(_) => {}
            None => found.push(([h, w], node.output, active)),
        }
    }
    let first = found.len().saturating_sub(MOST);
    found[first..].iter().map(|f| f.1).collect()
}
