//! From the draft to the graph: what follows a convolution or a dense layer is
//! folded into it, layout changes that cancel go, and so does what nobody reads.

use super::draft::Draft;
use super::error::{Fault, Problem, Res};
use super::import::finite;
use crate::graph::{Conv, Dense, Graph, Node, Op, TensorId, Window};
use ndarray::{Array1, ArrayD, Axis, IxDyn};

/// Name and operator of a node, for messages.
type Place = Option<(String, String)>;

/// Nodes while they are merged.
struct Pass {
    draft: Draft,
    /// For each tensor the one that stands for it.
    stands_for: Vec<TensorId>,
    /// For each tensor the node that computes it.
    producer: Vec<Option<usize>>,
    /// How often each tensor is read, as an output of the network included.
    uses: Vec<usize>,
    gone: Vec<bool>,
}

/// Builds the graph; `place` names the node when one has become wrong.
pub(super) fn finish(draft: Draft, name: &str, place: &mut Place) -> Res<Graph> {
    let n = draft.tensors.len();
    let mut pass = Pass {
        stands_for: (0..n).map(TensorId).collect(),
        producer: vec![None; n],
        uses: vec![0; n],
        gone: vec![false; draft.nodes.len()],
        draft,
    };
    pass.layouts();
    pass.drop_unread();
    pass.fold_affine();
    pass.fold_pads();
    pass.drop_unread();
    pass.check(place)?;
    Ok(pass.graph(name))
}

impl Pass {
    /// The node that computes a tensor.
    fn made_by(&self, t: TensorId) -> Option<&Node> {
        self.producer[t.0].map(|p| &self.draft.nodes[p])
    }

    fn dims(&self, t: TensorId) -> &[usize] {
        self.draft.dims(t)
    }

    /// Transposes and reshapes that follow each other become one or none.
    fn layouts(&mut self) {
        for i in 0..self.draft.nodes.len() {
            for k in 0..self.draft.nodes[i].inputs.len() {
                let t = self.draft.nodes[i].inputs[k];
                self.draft.nodes[i].inputs[k] = self.stands_for[t.0];
            }
            self.layout(i);
            self.producer[self.draft.nodes[i].output.0] = Some(i);
        }
        for t in &mut self.draft.outputs {
            *t = self.stands_for[t.0];
        }
    }

    fn layout(&mut self, i: usize) {
        let node = &self.draft.nodes[i];
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
            let named = self.draft.outputs.contains(&output);
            if self.dims(from) == self.dims(output) && !named {
                self.stands_for[output.0] = from;
            }
        }
        let node = &mut self.draft.nodes[i];
        node.op = op;
        node.inputs[0] = from;
    }

    /// Counts readers, and drops nodes without any.
    fn drop_unread(&mut self) {
        self.uses.fill(0);
        for t in &self.draft.outputs {
            self.uses[t.0] += 1;
        }
        for (i, node) in self.draft.nodes.iter().enumerate().rev() {
            if self.gone[i] {
                continue;
            }
            if self.uses[node.output.0] == 0 {
                self.gone[i] = true;
                continue;
            }
            for t in &node.inputs {
                self.uses[t.0] += 1;
            }
        }
    }

    /// Factors and sums for each channel go into the weights before them.
    fn fold_affine(&mut self) {
        for i in 0..self.draft.nodes.len() {
            if self.gone[i] {
                continue;
            }
            let node = &self.draft.nodes[i];
            let affine = matches!(
                node.op,
                Op::Scale { .. } | Op::MulConst(_) | Op::AddConst(_)
            );
            let (Some(input), output) = (node.inputs.first().copied(), node.output) else {
                continue;
            };
            if !affine || self.uses[input.0] != 1 || self.dims(input) != self.dims(output) {
                continue;
            }
            let Some(p) = self.producer[input.0] else {
                continue;
            };
            let (before, rest) = self.draft.nodes.split_at_mut(i);
            if apply(
                &mut before[p].op,
                &rest[0].op,
                &self.draft.tensors[output.0].dims,
            ) {
                before[p].output = output;
                self.producer[output.0] = Some(p);
                self.gone[i] = true;
            }
        }
    }

    /// Padding with zeros goes into the window behind it, where it means the same.
    fn fold_pads(&mut self) {
        for i in 0..self.draft.nodes.len() {
            let node = &self.draft.nodes[i];
            if self.gone[i]
                || !matches!(
                    node.op,
                    Op::Conv(_) | Op::MaxPool(_) | Op::AveragePool { .. }
                )
            {
                continue;
            }
            let input = node.inputs[0];
            let Some(p) = self.producer[input.0].filter(|_| self.uses[input.0] == 1) else {
                continue;
            };
            let Op::Pad { pads, value } = &self.draft.nodes[p].op else {
                continue;
            };
            let [(0, 0), (0, 0), (top, bottom), (left, right)] = pads[..] else {
                continue;
            };
            let (value, from) = (*value, self.draft.nodes[p].inputs[0]);
            let positive = self.never_negative(from);
            let small = |w: &Window| top.max(bottom) < w.kernel[0] && left.max(right) < w.kernel[1];
            let window = match &mut self.draft.nodes[i].op {
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
            for (sum, more) in window.pads.iter_mut().zip([top, left, bottom, right]) {
                *sum += more;
            }
            self.draft.nodes[i].inputs[0] = from;
            self.gone[p] = true;
        }
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
        for (node, gone) in self.draft.nodes.iter().zip(&self.gone) {
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
                    finite(&self.draft.tensors[node.inputs[0].0].name, scale)?;
                    finite(&self.draft.tensors[node.inputs[0].0].name, shift)?;
                }
                Op::AddConst(c) | Op::MulConst(c) => finite(&c.name, &c.values)?,
                Op::Pad { value, .. } if !value.is_finite() => {
                    let text = format!("padding with {value} is only supported before MaxPool");
                    let input = &self.draft.tensors[node.inputs[0].0].name;
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
        let mut ids = vec![None; self.draft.tensors.len()];
        for t in &self.draft.inputs {
            let info = &self.draft.tensors[t.0];
            let id = graph.add_tensor(&info.name, &info.dims);
            graph.inputs.push(id);
            ids[t.0] = Some(id);
        }
        for (mut node, gone) in self.draft.nodes.into_iter().zip(self.gone) {
            if gone {
                continue;
            }
            let info = &self.draft.tensors[node.output.0];
            let output = graph.add_tensor(&info.name, &info.dims);
            ids[node.output.0] = Some(output);
            node.output = output;
            // Operands come first: they have their ids.
            node.inputs = node.inputs.iter().filter_map(|t| ids[t.0]).collect();
            graph.add_node(node);
        }
        graph.outputs = self.draft.outputs.iter().filter_map(|t| ids[t.0]).collect();
        graph
    }
}

/// Merges an affine operator into the layer before it; whether that is possible.
fn apply(layer: &mut Op, affine: &Op, dims: &[usize]) -> bool {
    let (at, channels) = match layer {
        Op::Conv(c) => (1, c.bias.len()),
        Op::Dense(d) => (dims.len() - 1, d.bias.len()),
        _ => return false,
    };
    let (scale, shift) = match affine {
        Op::Scale { scale, shift } if at == 1 => (Some(scale.clone()), Some(shift.clone())),
        Op::MulConst(c) => (per_channel(&c.values, dims.len(), at, channels), None),
        Op::AddConst(c) => (None, per_channel(&c.values, dims.len(), at, channels)),
        _ => return false,
    };
    if scale.is_none() && shift.is_none() {
        return false;
    }
    match layer {
        Op::Conv(Conv { weight, bias, .. }) => {
            if let Some(s) = &scale {
                for (mut w, s) in weight.axis_iter_mut(Axis(0)).zip(s) {
                    w.mapv_inplace(|w| w * s);
                }
            }
            affine_bias(bias, scale.as_ref(), shift.as_ref());
        }
        Op::Dense(Dense { weight, bias, .. }) => {
            if let Some(s) = &scale {
                for (mut w, s) in weight.axis_iter_mut(Axis(0)).zip(s) {
                    w.mapv_inplace(|w| w * s);
                }
            }
            affine_bias(bias, scale.as_ref(), shift.as_ref());
        }
        _ => return false,
    }
    true
}

fn affine_bias(bias: &mut Array1<f32>, scale: Option<&Array1<f32>>, shift: Option<&Array1<f32>>) {
    if let Some(s) = scale {
        *bias *= s;
    }
    if let Some(s) = shift {
        *bias += s;
    }
}

/// The values of a constant for each channel, if it depends on nothing else.
fn per_channel(c: &ArrayD<f32>, rank: usize, at: usize, channels: usize) -> Option<Array1<f32>> {
    let missing = rank.checked_sub(c.ndim())?;
    let other = (0..c.ndim()).any(|i| i + missing != at && c.shape()[i] != 1);
    if other {
        return None;
    }
    let flat: Vec<f32> = c.iter().copied().collect();
    match flat.len() {
        1 => Some(Array1::from_elem(channels, flat[0])),
        n if n == channels => ArrayD::from_shape_vec(IxDyn(&[n]), flat)
            .ok()?
            .into_dimensionality()
            .ok(),
        _ => None,
    }
}
