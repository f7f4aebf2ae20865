//! What follows a convolution and goes into it.

use super::Linear;
use super::leaky;
use crate::graph::canonical::{Affine, Readers};
use crate::graph::{Graph, Node, Op, TensorId};
use crate::quant::shape::Map;

/// A convolution with what was put into it so far.
pub(super) struct Chain {
    pub linear: Linear,
    pub residual: Option<TensorId>,
    /// Where the result is.
    pub end: TensorId,
    /// Index of the last node.
    pub last: usize,
    /// Operators' names.
    pub source: Vec<&'static str>,
    /// The nodes behind the first.
    pub absorbed: Vec<usize>,
    /// Limits behind a max pool that were taken in: the largest of limited
    /// values is the limited largest value.
    pub hoisted: Vec<usize>,
    /// The dimension of the result that counts its channels.
    pub axis: usize,
    /// Whether a second operand can have the result's form.
    pub may_add: bool,
    clipped: bool,
}

impl Chain {
    pub fn new(linear: Linear, node: &Node, index: usize, axis: usize) -> Self {
        Self {
            linear,
            residual: None,
            end: node.output,
            last: index,
            source: vec![node.op.name()],
            absorbed: Vec::new(),
            hoisted: Vec::new(),
            axis,
            may_add: true,
            clipped: false,
        }
    }

    /// Takes in the nodes that follow, as long as each is the only reader of the one before.
    pub fn extend(&mut self, graph: &Graph, nodes: &[&Node], readers: &Readers, taken: &[bool]) {
        while let Some(next) = readers.only(self.end).filter(|n| !taken[*n]) {
            let node = nodes[next];
            if matches!(node.op, Op::MaxPool(_)) {
                self.hoist(nodes, readers, node);
                return;
            }
            if !self.take(graph, nodes, readers, node) {
                return;
            }
            if !same_on_device(graph, node) {
                self.source.push(node.op.name());
            }
            self.end = node.output;
            self.last = next;
            self.absorbed.push(next);
        }
    }

    fn hoist(&mut self, nodes: &[&Node], readers: &Readers, pool: &Node) {
        let mut end = pool.output;
        while let Some(next) = readers.only(end) {
            match nodes[next].op {
                Op::Relu => self.limit(0., f32::INFINITY),
                Op::Clip { min, max } => self.limit(min, max),
                _ => return,
            }
            self.source.push(nodes[next].op.name());
            self.hoisted.push(next);
            end = nodes[next].output;
        }
    }

    /// Whether a node could be taken in, and was.
    pub fn take(&mut self, graph: &Graph, nodes: &[&Node], readers: &Readers, node: &Node) -> bool {
        let dims = &graph.tensor(self.end).dims;
        if self.axis >= dims.len() {
            return false;
        }
        // Only sums so far: a channel's factor and summand are part of its weights.
        let linear = self.residual.is_none() && self.linear.leaky.is_none() && !self.clipped;
        let fold = Affine::of(&node.op, dims, self.axis);
        match &node.op {
            _ if fold.is_some() && linear => {
                self.linear.fold.extend(fold);
                self.linear.before = node.output;
            }
            Op::LeakyRelu { alpha } if linear => match leaky::powers(*alpha) {
                Some(powers) if powers.is_empty() => self.limit(0., f32::INFINITY),
                Some(powers) => self.linear.leaky = Some(powers),
                None => return false,
            },
            Op::Add if self.residual.is_none() && !self.clipped && self.may_add => {
                let other = node.inputs.iter().find(|t| **t != self.end);
                let Some(&other) = other else { return false };
                let fits = graph.tensor(other).dims == *dims
                    && Map::of(dims).is_some()
                    && (!self.linear.weight_name.is_empty()
                        || !ends_weights(graph, nodes, readers, other));
                if !fits {
                    return false;
                }
                self.residual = Some(other);
            }
            Op::Relu => self.limit(0., f32::INFINITY),
            Op::Clip { min, max } => self.limit(*min, *max),
            _ => return self.axis == 1 && same_on_device(graph, node),
        }
        true
    }

    fn limit(&mut self, min: f32, max: f32) {
        // As ONNX: the upper bound wins where the two cross.
        let within = |x: f32| x.max(min).min(max);
        let (low, high) = self.linear.clip;
        self.linear.clip = (within(low), within(high));
        self.clipped = true;
    }
}

/// Whether a node's result has the bytes of its operand on the device: `[1, c, 1, 1]`
/// and `[1, c]`, or a pool over single values.
pub(super) fn same_on_device(graph: &Graph, node: &Node) -> bool {
    let [x] = node.inputs[..] else { return false };
    let (from, to) = (&graph.tensor(x).dims, &graph.tensor(node.output).dims);
    let nothing = match &node.op {
        Op::Reshape => true,
        Op::MaxPool(w) | Op::AveragePool { window: w, .. } => {
            w.kernel == [1, 1] && w.stride == [1, 1] && w.pads == [0; 4]
        }
        _ => false,
    };
    nothing && Map::of(from).is_some() && Map::of(from) == Map::of(to)
}

/// Whether a tensor is a convolution's or dense layer's and has one reader, so that
/// the sum had better go there.
fn ends_weights(graph: &Graph, nodes: &[&Node], readers: &Readers, t: TensorId) -> bool {
    let producer = graph.producer(t);
    let weights = producer.is_some_and(|n| matches!(n.op, Op::Conv(_) | Op::Dense(_)));
    weights
        && readers
            .only(t)
            .is_some_and(|n| matches!(nodes[n].op, Op::Add))
}
