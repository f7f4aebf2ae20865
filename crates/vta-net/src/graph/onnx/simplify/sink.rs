//! What moves elements comes after what works on single ones: then limits and
//! factors stand behind the layer that takes them in, and layout changes meet the
//! ones that undo them.

use super::Pass;
use crate::graph::{Constant, HostOp, Node, Op, TensorId, Window};

/// A function of single elements, whatever their place.
const fn single(op: &Op) -> bool {
    matches!(
        op,
        Op::Relu | Op::Clip { .. } | Op::LeakyRelu { .. } | Op::Sigmoid | Op::Elementwise(_)
    )
}

/// A layer that takes in limits behind it.
const fn takes_limits(op: &Op) -> bool {
    matches!(
        op,
        Op::Conv(_)
            | Op::Dense(_)
            | Op::Add
            | Op::AddConst(_)
            | Op::MulConst(_)
            | Op::Scale { .. }
            | Op::LeakyRelu { .. }
            | Op::AveragePool { .. }
            | Op::Relu
            | Op::Clip { .. }
    )
}

impl Pass {
    /// Lets movers sink. Tensors keep their order.
    pub(super) fn sink(&mut self) {
        let mut i = 0;
        while i < self.builder.nodes.len() {
            if !self.gone[i] {
                self.pool(i);
                self.sink_below(i);
                i += self.spread(i);
            }
            i += 1;
        }
        self.drop_unread();
    }

    /// The mover whose result this node alone reads.
    fn mover(&self, t: TensorId, reader: usize) -> Option<usize> {
        let p = self.producer[t.0].filter(|p| !self.gone[*p])?;
        self.alone(t, reader).then_some(p)
    }

    /// Moves a node in front of the movers of its operand.
    fn sink_below(&mut self, mut i: usize) {
        while let Some(next) = self.swap(i).or_else(|| self.join(i)) {
            i = next;
        }
    }

    /// Swaps a node of one operand with the mover before it; where the node is then.
    fn swap(&mut self, i: usize) -> Option<usize> {
        let [t] = self.builder.nodes[i].inputs[..] else {
            return None;
        };
        let p = self.mover(t, i)?;
        let [u] = self.builder.nodes[p].inputs[..] else {
            return None;
        };
        let op = self.before(
            &self.builder.nodes[i].op,
            &self.builder.nodes[p].op,
            u,
            t,
            p,
        )?;
        let dims = self.dims(u).to_vec();
        self.builder.tensors[t.0].dims = dims;
        self.swap_names(p, i);
        let mover = std::mem::replace(&mut self.builder.nodes[p].op, op);
        self.builder.nodes[i].op = mover;
        Some(p)
    }

    /// Operators that change places take their names along; the first comes before the second.
    fn swap_names(&mut self, first: usize, second: usize) {
        let (head, tail) = self.builder.nodes.split_at_mut(second);
        std::mem::swap(&mut head[first].name, &mut tail[0].name);
    }

    /// A mean over a line that is a map of one row is a pool of the map.
    fn pool(&mut self, i: usize) {
        let node = &self.builder.nodes[i];
        let (Op::ReduceMean { axes }, [t]) = (&node.op, &node.inputs[..]) else {
            return;
        };
        let (t, lines) = (*t, axes[..] == [2]);
        let Some(p) = self.mover(t, i).filter(|_| lines) else {
            return;
        };
        let reshape = &self.builder.nodes[p];
        let u = reshape.inputs[0];
        let ([1, c, 1, w], [1, channels, width]) = (self.dims(u), self.dims(t)) else {
            return;
        };
        let (c, w) = (*c, *w);
        if reshape.op != Op::Reshape || (c, w) != (*channels, *width) {
            return;
        }
        self.builder.tensors[t.0].dims = vec![1, c, 1, 1];
        self.swap_names(p, i);
        self.builder.nodes[p].op = Op::AveragePool {
            window: Window::whole([1, w]),
            count_include_pad: false,
        };
        self.builder.nodes[i].op = Op::Reshape;
    }

    /// A node's operator in front of a mover from `u` to `t`; none where that is another thing.
    fn before(&self, op: &Op, mover: &Op, u: TensorId, t: TensorId, p: usize) -> Option<Op> {
        let layout = matches!(mover, Op::Reshape | Op::Transpose { .. });
        let limits = matches!(op, Op::Relu | Op::Clip { .. });
        match op {
            op if layout && single(op) => Some(op.clone()),
            Op::AddConst(c) if layout => Some(Op::AddConst(self.moved(c, mover, u, t)?)),
            Op::MulConst(c) if layout => Some(Op::MulConst(self.moved(c, mover, u, t)?)),
            Op::Scale { .. } if *mover == Op::Reshape => {
                let (from, to) = (self.dims(u), self.dims(t));
                (survives(to, 1, from) == Some(1)).then(|| op.clone())
            }
            op if limits => {
                let moves = match mover {
                    Op::Slice { .. }
                    | Op::Resize { .. }
                    | Op::MaxPool(_)
                    | Op::Host(HostOp::Gather { .. } | HostOp::Rearrange { .. }) => true,
                    Op::Pad { value, .. } => match op {
                        Op::Clip { min, max } => (*min..=*max).contains(value),
                        _ => *value >= 0.0,
                    },
                    _ => false,
                };
                let behind = self.made_by(u).is_some_and(|n| takes_limits(&n.op));
                (moves && behind && self.alone(u, p)).then(|| op.clone())
            }
            _ => None,
        }
    }

    /// A constant that is broadcast to `t`, for `u` before a mover.
    fn moved(&self, c: &Constant, mover: &Op, u: TensorId, t: TensorId) -> Option<Constant> {
        let (from, to) = (self.dims(u), self.dims(t));
        let shape = c.values.shape();
        if shape.len() > to.len() {
            return None;
        }
        let aligned = [vec![1; to.len() - shape.len()], shape.to_vec()].concat();
        let values = if c.values.len() == 1 {
            c.values.clone().into_shape_with_order(vec![]).ok()?
        } else {
            match mover {
                Op::Transpose { perm } => {
                    let mut back = vec![0; perm.len()];
                    perm.iter().enumerate().for_each(|(i, p)| back[*p] = i);
                    let values = c.values.clone().into_shape_with_order(aligned).ok()?;
                    values.permuted_axes(back).as_standard_layout().into_owned()
                }
                _ => {
                    let mut longer = (0..to.len()).filter(|i| aligned[*i] != 1);
                    let (Some(axis), None) = (longer.next(), longer.next()) else {
                        return None;
                    };
                    if aligned[axis] != to[axis] {
                        return None;
                    }
                    let mut dims = vec![1; from.len()];
                    dims[survives(to, axis, from)?] = to[axis];
                    c.values.clone().into_shape_with_order(dims).ok()?
                }
            }
        };
        Some(Constant {
            name: c.name.clone(),
            values,
        })
    }

    /// A sum or product of two tensors that were moved in the same way; where it is then.
    fn join(&mut self, i: usize) -> Option<usize> {
        let node = &self.builder.nodes[i];
        let (Op::Add | Op::Mul, [a, b]) = (&node.op, &node.inputs[..]) else {
            return None;
        };
        let (a, b) = (*a, *b);
        let (p, q) = (self.mover(a, i)?, self.mover(b, i)?);
        let (first, second) = (&self.builder.nodes[p], &self.builder.nodes[q]);
        let layout = matches!(first.op, Op::Reshape | Op::Transpose { .. });
        let ([u], [v]) = (&first.inputs[..], &second.inputs[..]) else {
            return None;
        };
        let (u, v) = (*u, *v);
        let same = self.dims(u) == self.dims(v) && self.dims(a) == self.dims(b);
        if p == q || !layout || first.op != second.op || !same {
            return None;
        }
        // The later of the two becomes the sum, the earlier goes.
        let (at, t, gone) = if p > q { (p, a, q) } else { (q, b, p) };
        let dims = self.dims(u).to_vec();
        self.builder.tensors[t.0].dims = dims;
        self.swap_names(at, i);
        let op = self.builder.nodes[i].op.clone();
        let mover = std::mem::replace(&mut self.builder.nodes[at].op, op);
        self.builder.nodes[at].inputs = vec![u, v];
        self.builder.nodes[i].op = mover;
        self.builder.nodes[i].inputs = vec![t];
        self.gone[gone] = true;
        self.recount();
        Some(at)
    }

    /// Limits behind a concatenation are put behind each of its parts, where a layer
    /// takes them in; how many nodes came before this one.
    fn spread(&mut self, i: usize) -> usize {
        let node = &self.builder.nodes[i];
        let ([t], true) = (
            &node.inputs[..],
            matches!(node.op, Op::Relu | Op::Clip { .. }),
        ) else {
            return 0;
        };
        let t = *t;
        let Some(p) = self.mover(t, i) else { return 0 };
        let joined = &self.builder.nodes[p];
        let fits = |u: &TensorId| {
            self.alone(*u, p) && self.made_by(*u).is_some_and(|n| takes_limits(&n.op))
        };
        if !matches!(joined.op, Op::Concat { .. }) || !joined.inputs.iter().all(fits) {
            return 0;
        }
        let (op, name, output) = (node.op.clone(), node.name.clone(), node.output);
        let mut parts: Vec<(TensorId, TensorId)> = Vec::new();
        let mut added = Vec::new();
        for u in joined.inputs.clone() {
            if parts.iter().any(|(from, _)| *from == u) {
                continue;
            }
            let dims = self.dims(u).to_vec();
            let fresh = self
                .builder
                .tensor_names
                .fresh(&self.builder.tensors[u.0].name.clone());
            let limited = self.builder.add_tensor(fresh, dims);
            self.stands_for.push(limited);
            self.producer.push(None);
            parts.push((u, limited));
            added.push(Node {
                name: self.builder.node_names.fresh(&name),
                op: op.clone(),
                inputs: vec![u],
                output: limited,
            });
        }
        let count = added.len();
        let joined = &mut self.builder.nodes[p];
        for u in &mut joined.inputs {
            if let Some((_, to)) = parts.iter().find(|(from, _)| from == u) {
                *u = *to;
            }
        }
        // The concatenation makes the result; the node behind it goes.
        joined.output = output;
        self.gone[i] = true;
        self.builder.nodes.splice(p..p, added);
        self.gone.splice(p..p, vec![false; count]);
        self.recount();
        count
    }

    /// Looks anew who makes and who reads each tensor.
    fn recount(&mut self) {
        self.producer.iter_mut().for_each(|p| *p = None);
        for (i, node) in self.builder.nodes.iter().enumerate() {
            if !self.gone[i] {
                self.producer[node.output.0] = Some(i);
            }
        }
        self.drop_unread();
    }
}

/// The axis of `from` that is an axis of `to`, where one is reshaped to the other.
fn survives(to: &[usize], axis: usize, from: &[usize]) -> Option<usize> {
    let before: usize = to.get(..axis)?.iter().product();
    let size = *to.get(axis)?;
    let mut product = 1;
    for (i, d) in from.iter().enumerate() {
        if product == before && *d == size {
            return Some(i);
        }
        product *= d;
    }
    None
}
