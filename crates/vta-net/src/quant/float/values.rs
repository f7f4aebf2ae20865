//! The values of one sample, each as long as someone reads it.

use super::Value;
use crate::graph::{Graph, Node, TensorId};
use vta_tensor::host::Tensor;

/// Tensors by id, as far as they are needed.
pub(super) struct Values {
    values: Vec<Option<Tensor>>,
    /// The index of each tensor's last reader; none for those that are kept.
    last: Vec<Option<usize>>,
}

impl Values {
    pub fn new(graph: &Graph, kept: &[TensorId]) -> Self {
        let tensors = graph.tensors().len();
        let mut last = vec![Some(0); tensors];
        for (i, node) in graph.nodes().enumerate() {
            last[node.output.0] = Some(i);
            node.inputs.iter().for_each(|t| last[t.0] = Some(i));
        }
        kept.iter().for_each(|t| last[t.0] = None);
        Self {
            values: vec![None; tensors],
            last,
        }
    }

    pub fn put(&mut self, t: TensorId, value: Tensor) {
        self.values[t.0] = Some(value);
    }

    pub fn get(&self, t: TensorId) -> Option<&Tensor> {
        self.values[t.0].as_ref()
    }

    /// Whether the node at `at` is the last one to read a tensor, and reads it once.
    pub fn is_last(&self, node: &Node, at: usize, t: TensorId) -> bool {
        let reads = node.inputs.iter().filter(|x| **x == t).count();
        reads == 1 && self.last[t.0] == Some(at)
    }

    /// A tensor to write to: itself if the node at `at` is its last reader, else a copy.
    pub fn own(&mut self, node: &Node, at: usize, t: TensorId) -> Option<Value> {
        let value = match self.is_last(node, at, t) {
            true => self.values[t.0].take(),
            false => self.values[t.0].clone(),
        };
        match value {
            Some(Tensor::F32(a)) => Some(a),
            _ => None,
        }
    }

    /// Takes in the result of a node, and drops what nobody reads after it.
    pub fn result(&mut self, node: &Node, at: usize, value: Value) {
        let unread = self.last[node.output.0] == Some(at);
        self.values[node.output.0] = (!unread).then_some(Tensor::F32(value));
        for t in &node.inputs {
            if self.last[t.0] == Some(at) {
                self.values[t.0] = None;
            }
        }
    }

    /// The tensors that are kept.
    pub fn into_kept(self) -> Vec<Option<Value>> {
        let pairs = self.values.into_iter().zip(self.last);
        let kept = pairs.map(|(value, last)| match value {
            Some(Tensor::F32(a)) if last.is_none() => Some(a),
            _ => None,
        });
        kept.collect()
    }
}
