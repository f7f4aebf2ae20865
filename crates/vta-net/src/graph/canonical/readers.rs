//! Who reads each tensor.

use crate::graph::{Node, TensorId};

/// For each tensor the nodes that read it, and whether the network's user does.
#[derive(Debug)]
pub(crate) struct Readers {
    /// Indices of nodes; a node that reads twice is there twice.
    nodes: Vec<Vec<usize>>,
    outputs: Vec<bool>,
}

impl Readers {
    /// Of a network of so many tensors: its nodes with their indices, and its outputs.
    pub fn of<'a>(
        tensors: usize,
        nodes: impl Iterator<Item = (usize, &'a Node)>,
        outputs: &[TensorId],
    ) -> Self {
        let mut readers = Self {
            nodes: vec![Vec::new(); tensors],
            outputs: vec![false; tensors],
        };
        for (i, node) in nodes {
            for t in &node.inputs {
                readers.nodes[t.0].push(i);
            }
        }
        for t in outputs {
            readers.outputs[t.0] = true;
        }
        readers
    }

    /// All readers of a tensor that is not an output.
    pub fn all(&self, t: TensorId) -> Option<&[usize]> {
        (!self.outputs[t.0]).then_some(&self.nodes[t.0])
    }

    /// The only reader of a tensor that is not an output.
    pub fn only(&self, t: TensorId) -> Option<usize> {
        match self.nodes[t.0][..] {
            [one] if !self.outputs[t.0] => Some(one),
            _ => None,
        }
    }
}
