//! Multiply-accumulates: products with weights. Those of two tensors that are
//! both computed are not counted.

use super::{Graph, Node, Op};

/// How often a layer of maps uses each of its weights: the pixels of its
/// result `[1, c, h, w]`; a result `[1, c]` is one pixel.
pub(crate) fn pixels(dims: &[usize]) -> u64 {
    dims.iter().skip(2).product::<usize>() as u64
}

impl Graph {
    /// How often a node multiplies each of its weights: for a convolution once
    /// for each pixel of its result, for a dense layer once for each row.
    pub fn weight_uses(&self, node: &Node) -> u64 {
        let dims = &self.tensor(node.output).dims;
        match node.op {
            Op::Conv(_) => pixels(dims),
            Op::Dense(_) => dims.iter().rev().skip(1).product::<usize>() as u64,
            _ => 0,
        }
    }

    /// Multiply-accumulates of a node with all its weights, zeros and padding included.
    pub fn macs(&self, node: &Node) -> u64 {
        let weights = match &node.op {
            Op::Conv(c) => c.weight.len(),
            Op::Dense(d) => d.weight.len(),
            _ => 0,
        };
        weights as u64 * self.weight_uses(node)
    }
}
