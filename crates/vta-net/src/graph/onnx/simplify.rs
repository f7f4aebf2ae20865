//! From the graph builder to the graph: what follows a convolution or a dense layer is
//! folded into it, layout changes that cancel go, and so does what nobody reads.

mod functions;
mod normalise;
mod ranges;
mod sink;
mod slices;

use super::error::{Fault, Problem, Res};
use super::graph_builder::GraphBuilder;
use super::import::finite;
use crate::graph::canonical::{Affine, Readers, map_padding};
use crate::graph::{Conv, Dense, Graph, Node, Op, TensorId, Window};

/// Name and operator of a node, for messages.
type Place = Option<(String, String)>;

/// How often movers may meet: a residual needs two rounds.
const ROUNDS: usize = 3;

/// Nodes while they are merged.
struct Pass {
    builder: GraphBuilder,
    /// For each tensor the one that stands for it.
    stands_for: Vec<TensorId>,
    /// For each tensor the node that computes it.
    producer: Vec<Option<usize>>,
    /// Who reads each tensor, as far as nodes are not gone.
    readers: Readers,
    gone: Vec<bool>,
}

/// Builds the graph; `place` names the node when one has become wrong.
pub(super) fn finish(builder: GraphBuilder, name: &str, place: &mut Place) -> Res<Graph> {
    let n = builder.tensors.len();
    let mut pass = Pass {
        stands_for: (0..n).map(TensorId).collect(),
        producer: vec![None; n],
        readers: Readers::of(n, std::iter::empty(), &[]),
        gone: vec![false; builder.nodes.len()],
        builder,
    };
    pass.layouts();
    pass.drop_unread();
    pass.merge_functions();
    pass.drop_unread();
    pass.merge_normalisations();
    pass.drop_neutral();
    // Movers that met go, and limits that met are one; then others can meet.
    for _ in 0..ROUNDS {
        pass.sink();
        pass.layouts();
        pass.drop_unread();
        pass.drop_neutral();
    }
    pass.join_slices();
    pass.fold_affine();
    // Each round takes the last of paddings in a row.
    while pass.fold_pads() {
        pass.drop_unread();
    }
    pass.drop_unread();
    pass.check(place)?;
    Ok(pass.graph(name))
}

impl Pass {
    /// The node that computes a tensor.
    fn made_by(&self, t: TensorId) -> Option<&Node> {
        self.producer[t.0].map(|p| &self.builder.nodes[p])
    }

    fn dims(&self, t: TensorId) -> &[usize] {
        self.builder.dims(t)
    }

    /// Lets a node read what stands for its operands.
    fn read_what_stands(&mut self, i: usize) {
        for t in &mut self.builder.nodes[i].inputs {
            *t = self.stands_for[t.0];
        }
    }

    /// Transposes and reshapes that follow each other become one or none.
    fn layouts(&mut self) {
        for i in 0..self.builder.nodes.len() {
            if self.gone[i] {
                continue;
            }
            self.read_what_stands(i);
            self.layout(i);
            self.producer[self.builder.nodes[i].output.0] = Some(i);
        }
        for t in &mut self.builder.outputs {
            *t = self.stands_for[t.0];
        }
    }

    fn layout(&mut self, i: usize) {
        let node = &self.builder.nodes[i];
        let (Op::Transpose { .. } | Op::Reshape) = node.op else {
            return;
        };
        let (mut from, output) = (node.inputs[0], node.output);
        let mut op = node.op.clone();
        if let Op::Transpose { perm } = &op {
            let mut perm = perm.clone();
            if let Some(Node {
                op: Op::Transpose { perm: first },
                inputs,
                ..
            }) = self.made_by(from)
            {
                perm = perm.iter().map(|p| first[*p]).collect();
                from = inputs[0];
            }
            // Where only ones change places the elements stay in order.
            let dims = self.dims(from);
            let moved = perm.iter().filter(|p| dims[**p] != 1);
            op = if moved.is_sorted() {
                Op::Reshape
            } else {
                Op::Transpose { perm }
            };
        }
        if op == Op::Reshape {
            if let Some(Node {
                op: Op::Reshape,
                inputs,
                ..
            }) = self.made_by(from)
            {
                from = inputs[0];
            }
            if self.dims(from) == self.dims(output) && self.takes_the_place(from, output) {
                self.stands_for[output.0] = from;
            }
        }
        let node = &mut self.builder.nodes[i];
        node.op = op;
        node.inputs[0] = from;
    }

    /// Whether a tensor can be had instead of another with the same elements. Where
    /// that is an output of the network it gets its name, unless it has one that
    /// matters.
    fn takes_the_place(&mut self, from: TensorId, of: TensorId) -> bool {
        let builder = &mut self.builder;
        if !builder.outputs.contains(&of) {
            return true;
        }
        let mut outputs = builder.outputs.iter();
        let named = outputs.any(|t| self.stands_for[t.0] == from);
        if named || builder.inputs.contains(&from) {
            return false;
        }
        let name = builder.tensors[of.0].name.clone();
        builder.tensors[from.0].name = name;
        true
    }

    /// Drops nodes that nobody reads, and looks who reads what is left.
    fn drop_unread(&mut self) {
        let mut read = vec![false; self.builder.tensors.len()];
        for t in &self.builder.outputs {
            read[t.0] = true;
        }
        for (node, gone) in self.builder.nodes.iter().zip(&mut self.gone).rev() {
            *gone |= !read[node.output.0];
            if !*gone {
                node.inputs.iter().for_each(|t| read[t.0] = true);
            }
        }
        let nodes = self.builder.nodes.iter().enumerate();
        let left = nodes.filter(|(i, _)| !self.gone[*i]);
        self.readers = Readers::of(read.len(), left, &self.builder.outputs);
    }

    /// Factors and sums for each channel go into the weights before them.
    fn fold_affine(&mut self) {
        for i in 0..self.builder.nodes.len() {
            if self.gone[i] {
                continue;
            }
            let node = &self.builder.nodes[i];
            let (Some(input), output) = (node.inputs.first().copied(), node.output) else {
                continue;
            };
            if self.readers.only(input) != Some(i) || self.dims(input) != self.dims(output) {
                continue;
            }
            let Some(p) = self.producer[input.0] else {
                continue;
            };
            let (before, rest) = self.builder.nodes.split_at_mut(i);
            if fold(
                &mut before[p].op,
                &rest[0].op,
                &self.builder.tensors[output.0].dims,
            ) {
                before[p].output = output;
                self.producer[output.0] = Some(p);
                self.gone[i] = true;
            }
        }
    }

    /// Padding with zeros goes into the window behind it, where it means the same.
    /// Whether there was one.
    fn fold_pads(&mut self) -> bool {
        let mut folded = false;
        for i in 0..self.builder.nodes.len() {
            let node = &self.builder.nodes[i];
            if self.gone[i]
                || !matches!(
                    node.op,
                    Op::Conv(_) | Op::MaxPool(_) | Op::AveragePool { .. }
                )
            {
                continue;
            }
            let input = node.inputs[0];
            let Some(p) = self.producer[input.0].filter(|_| self.readers.only(input) == Some(i))
            else {
                continue;
            };
            let Some((pads, value)) = map_padding(&self.builder.nodes[p].op) else {
                continue;
            };
            let [top, left, bottom, right] = pads;
            let from = self.builder.nodes[p].inputs[0];
            let positive = self.never_negative(from);
            let small = |w: &Window| top.max(bottom) < w.kernel[0] && left.max(right) < w.kernel[1];
            let window = match &mut self.builder.nodes[i].op {
                Op::Conv(c) if value == 0.0 => &mut c.window,
                Op::MaxPool(w) => {
                    // Zeros never win over values that are not negative, if each window has one.
                    let plain = w.dilation == [1; 2] && w.pads == [0; 4];
                    let lowest = value == f32::NEG_INFINITY || (value == 0.0 && positive);
                    if !(small(w) && plain && lowest) {
                        continue;
                    }
                    w
                }
                Op::AveragePool {
                    window,
                    count_include_pad,
                } if value == 0.0
                    && small(window)
                    && window.dilation == [1; 2]
                    && window.pads == [0; 4] =>
                {
                    *count_include_pad = true;
                    window
                }
                _ => continue,
            };
            *window = window.padded(pads);
            self.builder.nodes[i].inputs[0] = from;
            self.gone[p] = true;
            folded = true;
        }
        folded
    }

    /// Whether all values of a tensor are known to be at least zero.
    fn never_negative(&self, mut t: TensorId) -> bool {
        // Through operators that only choose or average; the chain is as long as the network at most.
        while let Some(node) = self.made_by(t) {
            match &node.op {
                Op::Relu | Op::Sigmoid | Op::Softmax { .. } => return true,
                Op::Clip { min, .. } => return *min >= 0.0,
                Op::MaxPool(_)
                | Op::AveragePool { .. }
                | Op::Reshape
                | Op::Transpose { .. }
                | Op::Slice { .. }
                | Op::Resize { .. } => t = node.inputs[0],
                _ => return false,
            }
        }
        false
    }

    /// All numbers must be finite after folding, too.
    fn check(&self, place: &mut Place) -> Res<()> {
        for (node, gone) in self.builder.nodes.iter().zip(&self.gone) {
            if *gone {
                continue;
            }
            *place = Some((node.name.clone(), node.op.name().to_owned()));
            match &node.op {
                Op::Conv(c) => {
                    finite(&c.weight_name, &c.weight)?;
                    finite(&c.weight_name, &c.bias)?;
                }
                Op::Dense(d) => {
                    finite(&d.weight_name, &d.weight)?;
                    finite(&d.weight_name, &d.bias)?;
                }
                Op::Scale { scale, shift } => {
                    finite(&self.builder.tensors[node.inputs[0].0].name, scale)?;
                    finite(&self.builder.tensors[node.inputs[0].0].name, shift)?;
                }
                Op::AddConst(c) | Op::MulConst(c) => finite(&c.name, &c.values)?,
                Op::Pad { value, .. } if !value.is_finite() => {
                    let text = format!("padding with {value} is only supported before MaxPool");
                    let input = &self.builder.tensors[node.inputs[0].0].name;
                    return Err(Fault::at(input, Problem::Form(text)));
                }
                _ => {}
            }
        }
        *place = None;
        Ok(())
    }

    fn graph(self, name: &str) -> Graph {
        let mut graph = Graph::new(name);
        let mut ids = vec![None; self.builder.tensors.len()];
        for t in &self.builder.inputs {
            let info = &self.builder.tensors[t.0];
            let id = graph.add_tensor(&info.name, &info.dims);
            graph.inputs.push(id);
            ids[t.0] = Some(id);
        }
        for (mut node, gone) in self.builder.nodes.into_iter().zip(self.gone) {
            if gone {
                continue;
            }
            let info = &self.builder.tensors[node.output.0];
            let output = graph.add_tensor(&info.name, &info.dims);
            ids[node.output.0] = Some(output);
            node.output = output;
            // Operands come first: they have their ids.
            node.inputs = node.inputs.iter().filter_map(|t| ids[t.0]).collect();
            graph.add_node(node);
        }
        graph.outputs = self
            .builder
            .outputs
            .iter()
            .filter_map(|t| ids[t.0])
            .collect();
        graph
    }
}

/// Merges an affine operator into the layer before it; whether that is possible.
fn fold(layer: &mut Op, op: &Op, dims: &[usize]) -> bool {
    let axis = match layer {
        Op::Conv(_) => 1,
        _ => dims.len().saturating_sub(1),
    };
    match (layer, Affine::of(op, dims, axis)) {
        (Op::Conv(Conv { weight, bias, .. }), Some(affine)) => {
            weight.update(|w| affine.fold(w, bias))
        }
        (Op::Dense(Dense { weight, bias, .. }), Some(affine)) => {
            weight.update(|w| affine.fold(w, bias))
        }
        _ => return false,
    }
    true
}
