//! Steps of the host: each is a node of the network, or lays a tensor out anew.

use super::tensors::{MadeUp, TensorIndex};
use super::walk::World;
use vta_net::quant::{QNet, QOp, QTensorId};
use vta_program::program::HostStep;
use vta_tensor::host::HostOp;

/// Whether a host operator is that of a node.
fn same_operator(op: &HostOp, node: &QOp) -> bool {
    match node {
        QOp::Host(of) => of == op,
        QOp::MaxPool(w) => matches!(op, HostOp::MaxPool(of) if of == w),
        QOp::Conv(_) => false,
    }
}

impl World<'_> {
    /// Follows a step of the host.
    pub(super) fn host(&mut self, step: &HostStep, net: &QNet) {
        let of = format!("host step {}", step.name);
        let made = self.tensors.named(&step.output.tensor);
        let node = made.and_then(|t| Some((t, self.tensors.get(t).node?)));
        let Some((t, n)) = node else {
            return self.made_up(step, &of, net);
        };
        let node = &net.nodes[n];
        if let (HostOp::Reshape { .. } | HostOp::Copy, [r]) = (&step.op, step.inputs.as_slice())
            && let Some(from) = self.tensors.named(&r.tensor)
            && matches!(self.tensors.get(from).made_up, Some(MadeUp::Same(of)) if of == t)
            && self.tensors.is_region_of(r, from)
            && self.tensors.is_region_of(&step.output, t)
        {
            if self.holds(r, from, &of) {
                self.write(&step.output, t, &of);
            }
            return;
        }
        if !same_operator(&step.op, &node.op) {
            return self.foreign(
                &of,
                format!("its operator is not that of node {}", node.name),
            );
        }
        if step.inputs.len() != node.inputs.len() {
            return self.foreign(
                &of,
                format!("its operands are not those of node {}", node.name),
            );
        }
        for (r, t) in step.inputs.iter().zip(&node.inputs) {
            let t = TensorIndex(t.0);
            if !self.tensors.is_region_of(r, t) {
                let what = format!("operand {} is not {}", r.tensor, self.tensors.get(t).name);
                return self.foreign(&of, what);
            }
            if !self.holds(r, t, &of) {
                return;
            }
        }
        if !self.tensors.is_region_of(&step.output, t) {
            return self.foreign(
                &of,
                format!("its result is not {}", self.tensors.get(t).name),
            );
        }
        self.write(&step.output, t, &of);
    }

    /// A step that is no node: it may copy a tensor, or lay out what a window meets.
    fn made_up(&mut self, step: &HostStep, of: &str, net: &QNet) {
        let source = step.inputs.first();
        let source = source.and_then(|r| Some((r, self.tensors.named(&r.tensor)?)));
        let Some((r, from)) = source.filter(|_| step.inputs.len() == 1) else {
            return self.foreign(of, "no node of the network makes its result");
        };
        if !self.tensors.is_region_of(r, from) {
            return self.foreign(of, format!("operand {} is not the network's", r.tensor));
        }
        if !self.holds(r, from, of) {
            return;
        }
        let out = &step.output;
        let t = match &step.op {
            HostOp::Copy => {
                self.tensors.add_name(&out.tensor, from);
                from
            }
            HostOp::Im2col(w) => self.tensors.add(out, MadeUp::Im2col(from, *w)),
            // What a node makes of the tensor, laid out.
            HostOp::Fused { ops } => {
                let [first, second] = ops.as_slice() else {
                    return self.foreign(of, "no node of the network makes its result");
                };
                let mut nodes = net.nodes.iter();
                let node = nodes.find(|n| {
                    let reads = n.inputs.as_slice() == [QTensorId(from.0)];
                    reads && same_operator(&first.op, &n.op)
                });
                match (node, &second.op) {
                    (Some(n), HostOp::Im2col(w)) if first.inputs == [0] && second.inputs == [1] => {
                        let of = TensorIndex(n.output.0);
                        self.tensors.add(out, MadeUp::Im2col(of, *w))
                    }
                    _ => return self.foreign(of, "no node of the network makes its result"),
                }
            }
            // A pool whose result the network has as a vector.
            HostOp::MaxPool(_) => {
                let size = |dims: &[usize]| dims.iter().product::<usize>();
                let mut nodes = net.nodes.iter();
                let node = nodes.find(|n| {
                    let same = size(&net.tensor(n.output).dims) == size(&out.dims);
                    let reads = n.inputs.first().is_some_and(|t| t.0 == from.0);
                    same && reads && same_operator(&step.op, &n.op)
                });
                match node {
                    Some(n) => {
                        let of = TensorIndex(n.output.0);
                        self.tensors.add(out, MadeUp::Same(of))
                    }
                    None => return self.foreign(of, "no node of the network makes its result"),
                }
            }
            _ => return self.foreign(of, "no node of the network makes its result"),
        };
        if !self.tensors.is_region_of(out, t) {
            return self.foreign(of, format!("its result is not made for {}", out.tensor));
        }
        self.write(out, t, of);
    }
}
