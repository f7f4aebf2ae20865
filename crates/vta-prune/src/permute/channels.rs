//! Which channels of which tensors are one and the same.

use std::collections::BTreeMap;
use vta_net::graph::{Conv, Graph, Node, Op, TensorId};

/// The channels of a tensor: its dimension, and for each position which channel it is.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub dim: usize,
    pub ids: Vec<usize>,
    /// Whether a channel has several positions because a map was flattened.
    pub flat: bool,
}

/// All channels of a network, joined where they must be moved together.
#[derive(Debug)]
pub(super) struct Channels {
    parent: Vec<usize>,
    /// Channels that must stay where they are.
    pinned: Vec<bool>,
    /// What else two channels must share to change places: groups of convolutions.
    pub tags: Vec<(usize, [usize; 2])>,
    /// By tensor.
    pub axes: Vec<Option<Axis>>,
}

impl Channels {
    /// Follows the channels through a network.
    pub fn of(graph: &Graph) -> Self {
        let mut all = Self {
            parent: Vec::new(),
            pinned: Vec::new(),
            tags: Vec::new(),
            axes: vec![None; graph.tensors().len()],
        };
        for t in &graph.inputs {
            all.axes[t.0] = all.fixed(&graph.tensor(*t).dims);
        }
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for name in graph.nodes().filter_map(|n| initializer(&n.op)) {
            *times.entry(name).or_default() += 1;
        }
        for (at, node) in graph.nodes().enumerate() {
            // Values that several nodes share stay as they are.
            let shared = initializer(&node.op).is_some_and(|n| times.get(n) != Some(&1));
            let axis = if shared {
                None
            } else {
                all.node(graph, at, node)
            };
            all.axes[node.output.0] = axis.or_else(|| {
                node.inputs.iter().for_each(|t| all.pin(*t));
                all.fixed(&graph.tensor(node.output).dims)
            });
        }
        for t in &graph.outputs {
            all.pin(*t);
        }
        all
    }

    /// The channel that stands for all that are joined with one.
    pub fn root(&self, mut id: usize) -> usize {
        while self.parent[id] != id {
            id = self.parent[id];
        }
        id
    }

    pub fn is_pinned(&self, root: usize) -> bool {
        self.pinned[root]
    }

    fn fresh(&mut self, n: usize, pinned: bool) -> Vec<usize> {
        let from = self.parent.len();
        self.parent.extend(from..from + n);
        self.pinned.resize(from + n, pinned);
        (from..from + n).collect()
    }

    /// Channels that stay where they are, for a tensor of which nothing is known.
    fn fixed(&mut self, dims: &[usize]) -> Option<Axis> {
        let dim = 1.min(dims.len().checked_sub(1)?);
        let ids = self.fresh(dims[dim], true);
        let flat = false;
        Some(Axis { dim, ids, flat })
    }

    fn pin(&mut self, t: TensorId) {
        if let Some(axis) = self.axes[t.0].clone() {
            self.pin_all(&axis.ids);
        }
    }

    fn pin_all(&mut self, ids: &[usize]) {
        for id in ids {
            let root = self.root(*id);
            self.pinned[root] = true;
        }
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        let (first, second) = (a.min(b), a.max(b));
        self.parent[second] = first;
        self.pinned[first] |= self.pinned[second];
    }

    fn axis(&self, t: TensorId) -> Option<&Axis> {
        self.axes[t.0].as_ref()
    }

    /// The channels of a node's result; none where they cannot be followed.
    fn node(&mut self, graph: &Graph, at: usize, node: &Node) -> Option<Axis> {
        let x = node.inputs.first()?;
        let axis = self.axis(*x)?.clone();
        let from = graph.tensor(*x).dims.as_slice();
        let to = graph.tensor(node.output).dims.as_slice();
        match &node.op {
            Op::Conv(c) => self.conv(at, c, &axis),
            Op::Dense(d) => {
                let last = from.len() - 1;
                if axis.dim != last {
                    return None;
                }
                let ids = self.fresh(d.bias.len(), false);
                Some(Axis {
                    dim: last,
                    ids,
                    flat: false,
                })
            }
            Op::Relu
            | Op::Clip { .. }
            | Op::LeakyRelu { .. }
            | Op::Sigmoid
            | Op::Elementwise(_)
            | Op::Softmax { .. } => Some(axis),
            Op::MaxPool(_) | Op::AveragePool { .. } | Op::Resize { .. } | Op::Scale { .. } => {
                (axis.dim == 1).then_some(axis)
            }
            Op::AddConst(_) | Op::MulConst(_) => (from == to).then_some(axis),
            Op::Add | Op::Mul => self.both(graph, node, axis, to),
            Op::Concat { axis: along } => self.concat(node, *along, axis),
            Op::Slice {
                axis: along,
                start,
                step,
            } => {
                if *along != axis.dim {
                    return Some(axis);
                }
                let ids = axis.ids.iter().skip(*start).step_by(*step).take(to[*along]);
                let ids = ids.copied().collect();
                (!axis.flat).then_some(Axis { ids, ..axis })
            }
            Op::Transpose { perm } => {
                let dim = perm.iter().position(|p| *p == axis.dim)?;
                Some(Axis { dim, ..axis })
            }
            Op::Pad { pads, .. } => (pads.get(axis.dim) == Some(&(0, 0))).then_some(axis),
            Op::ReduceMean { axes } => {
                if axes.contains(&axis.dim) {
                    // The mean does not depend on an order.
                    return self.fixed(to);
                }
                let before = axes.iter().filter(|a| **a < axis.dim).count();
                let dim = axis.dim - if from.len() == to.len() { 0 } else { before };
                Some(Axis { dim, ..axis })
            }
            Op::Reshape => reshaped(axis, from, to),
            Op::MatMul | Op::Host(_) => None,
        }
    }

    fn conv(&mut self, at: usize, c: &Conv, axis: &Axis) -> Option<Axis> {
        if axis.dim != 1 {
            return None;
        }
        let (co, ci, ..) = c.weight.dim();
        if c.groups > 1 && ci == 1 && co == c.groups {
            return Some(axis.clone());
        }
        let ids = self.fresh(co, false);
        if c.groups > 1 {
            // Channels change places within a group only.
            for (i, id) in axis.ids.iter().enumerate() {
                self.tags.push((*id, [2 * at, i / ci]));
            }
            for (o, id) in ids.iter().enumerate() {
                self.tags.push((*id, [2 * at + 1, o / (co / c.groups)]));
            }
        }
        Some(Axis {
            dim: 1,
            ids,
            flat: false,
        })
    }

    /// A sum or product of two tensors: channels at the same place are joined.
    fn both(&mut self, graph: &Graph, node: &Node, a: Axis, to: &[usize]) -> Option<Axis> {
        let b = self.axis(*node.inputs.get(1)?)?.clone();
        let ranks = [node.inputs[0], node.inputs[1]].map(|t| graph.tensor(t).dims.len());
        if a.dim != b.dim || ranks != [to.len(); 2] || a.flat != b.flat {
            return None;
        }
        match (a.ids.len(), b.ids.len()) {
            (m, n) if m == n => {
                for (a, b) in a.ids.iter().zip(&b.ids) {
                    self.join(*a, *b);
                }
                Some(a)
            }
            // One channel is broadcast over the others, and has no place to go.
            (1, _) => Some(b),
            (_, 1) => Some(a),
            _ => None,
        }
    }

    fn concat(&mut self, node: &Node, along: usize, first: Axis) -> Option<Axis> {
        let axes: Option<Vec<Axis>> = node.inputs.iter().map(|t| self.axis(*t).cloned()).collect();
        let axes = axes?;
        if axes
            .iter()
            .any(|a| a.dim != first.dim || a.flat != first.flat)
        {
            return None;
        }
        if along == first.dim {
            let ids = axes.iter().flat_map(|a| a.ids.iter().copied()).collect();
            return (!first.flat).then_some(Axis { ids, ..first });
        }
        for other in &axes[1..] {
            for (a, b) in first.ids.iter().zip(&other.ids) {
                self.join(*a, *b);
            }
        }
        Some(first)
    }
}

/// The name of a node's weights or constant.
fn initializer(op: &Op) -> Option<&str> {
    match op {
        Op::Conv(c) => Some(&c.weight_name),
        Op::Dense(d) => Some(&d.weight_name),
        Op::AddConst(c) | Op::MulConst(c) => Some(&c.name),
        _ => None,
    }
}

/// Channels after a reshape: the same dimension with others cut or merged
/// around it, or merged with dimensions after it (and before it).
fn reshaped(axis: Axis, from: &[usize], to: &[usize]) -> Option<Axis> {
    let channels = from[axis.dim];
    let before: usize = from[..axis.dim].iter().product();
    let after: usize = from[axis.dim + 1..].iter().product();
    // The same dimension somewhere else.
    let mut lead = 1;
    for (dim, n) in to.iter().enumerate() {
        if lead == before && *n == channels {
            return Some(Axis { dim, ..axis });
        }
        lead *= n;
    }
    // All in one dimension: for each position, which channel it was.
    let all = before * channels * after;
    let dim = to.iter().position(|n| *n == all)?;
    if axis.flat || all == 0 {
        return None;
    }
    let ids = (0..all).map(|i| axis.ids[i / after % channels]).collect();
    Some(Axis {
        dim,
        ids,
        flat: all > channels,
    })
}
