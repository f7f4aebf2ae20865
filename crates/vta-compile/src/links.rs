//! Who makes each tensor of a network, and who reads it: looked up once, so that
//! compiling takes time in proportion to the nodes.

use vta_net::quant::{QNet, QNode, QTensorId};

/// Makers and readers of tensors, by tensor.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    maker: Vec<Option<usize>>,
    readers: Vec<Vec<usize>>,
    is_output: Vec<bool>,
    is_input: Vec<bool>,
}

impl Links {
    /// Those of a network.
    pub(crate) fn new(net: &QNet) -> Self {
        let n = net.tensors.len();
        let mut links = Self {
            maker: vec![None; n],
            readers: vec![Vec::new(); n],
            is_output: vec![false; n],
            is_input: vec![false; n],
        };
        for (at, node) in net.nodes.iter().enumerate() {
            links.maker[node.output.0].get_or_insert(at);
            for t in &node.inputs {
                links.readers[t.0].push(at);
            }
        }
        net.outputs.iter().for_each(|t| links.is_output[t.0] = true);
        net.inputs.iter().for_each(|t| links.is_input[t.0] = true);
        links
    }

    /// The node that makes a tensor.
    pub(crate) fn maker(&self, t: QTensorId) -> Option<usize> {
        self.maker[t.0]
    }

    /// Whether a tensor is made by a node for which `f` holds.
    pub(crate) fn made_by(&self, net: &QNet, t: QTensorId, f: impl Fn(&QNode) -> bool) -> bool {
        self.maker(t).is_some_and(|n| f(&net.nodes[n]))
    }

    /// The nodes that read a tensor, in order; one that reads it twice is there twice.
    pub(crate) fn readers(&self, t: QTensorId) -> &[usize] {
        &self.readers[t.0]
    }

    /// The node that alone reads a tensor, if nobody outside wants it.
    pub(crate) fn only_reader(&self, t: QTensorId) -> Option<usize> {
        let readers = self.readers(t);
        let first = *readers.first()?;
        let alone = readers.iter().all(|r| *r == first) && !self.is_output[t.0];
        alone.then_some(first)
    }

    /// Whether a tensor is an input of the network.
    pub(crate) fn is_input(&self, t: QTensorId) -> bool {
        self.is_input[t.0]
    }
}
