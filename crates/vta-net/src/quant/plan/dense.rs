//! Dense layers: over a flattened map, over many rows, or as they are.

use super::build::Builder;
use super::fuse::Chain;
use super::{Form, Kind, Layout, Linear, PlanTensor, Step, Weights};
use crate::graph::{Dense, Node, Op, TensorId, Window};
use crate::quant::error::QuantError;
use vta_tensor::host::HostOp;

/// Fewest channels for which a dense layer over a flattened map reads the map
/// as it lies; with fewer, a vector of the device would be mostly empty.
const CHANNELS_AS_THEY_LIE: usize = 8;

impl Builder<'_> {
    pub fn dense(&mut self, i: usize, d: &Dense, x: TensorId) -> Result<(), QuantError> {
        let node = self.plan.nodes[i];
        let (out, inputs) = d.weight.dim();
        let (map, layout) = self.flattened(x, d);
        let [_, kh, kw] = layout.kernel(inputs);
        let kernel = [kh, kw];
        let linear = Linear {
            weights: Weights::Dense(i, layout),
            fold: Vec::new(),
            branches: Vec::new(),
            window: Window::whole(kernel),
            groups: 1,
            leaky: None,
            clip: (f32::NEG_INFINITY, f32::INFINITY),
            before: node.output,
            weight_name: d.weight_name.clone(),
            keep_dense: self.keep_dense(i),
        };
        let dims = self.dims(x);
        if *dims == [1, inputs] {
            self.linear(i, map, linear);
            return Ok(());
        }
        let rows: usize = dims.iter().rev().skip(1).product();
        if dims.last() != Some(&inputs) || rows == 0 {
            return Err(self.unsupported(node, "operands that do not fit"));
        }
        // Rows become pixels: [.., in] -> [1, in, 1, rows] -> [1, out, 1, rows] -> [.., out].
        let mut chain = Chain::new(linear, node, i, dims.len() - 1);
        chain.may_add = false;
        let chain = self.extend(chain);
        let (end, at) = (chain.end, chain.last);
        let rows_first = |n| vec![1, 1, rows, n];
        let why = "rows become pixels";
        let reshaped = self.moved(
            at,
            x,
            HostOp::Reshape {
                dims: rows_first(inputs),
            },
            rows_first(inputs),
            why,
        );
        let perm = vec![0, 3, 1, 2];
        let pixels = self.moved(
            at,
            reshaped,
            HostOp::Transpose { perm },
            vec![1, inputs, 1, rows],
            why,
        );
        let result = self.tensor(&format!("{}.pixels", node.name), vec![1, out, 1, rows], end);
        let step = Step {
            name: node.name.clone(),
            source: chain.source.join("+"),
            kind: Kind::Linear(Box::new(chain.linear)),
            inputs: vec![pixels],
            output: result,
            why: String::new(),
        };
        self.steps.push((at, step));
        let perm = vec![0, 2, 3, 1];
        let back = self.moved(at, result, HostOp::Transpose { perm }, rows_first(out), why);
        self.plan.tensors[end.0].form = Form::Int8;
        let step = Step {
            name: self.names.unique(format!("{}.rows", node.name)),
            source: "Reshape".into(),
            kind: Kind::Move(HostOp::Reshape {
                dims: self.dims(end).to_vec(),
            }),
            inputs: vec![back],
            output: end,
            why: why.into(),
        };
        self.steps.push((at, step));
        Ok(())
    }

    /// The map that a dense layer's input was flattened from, if it can be read as it lies.
    ///
    /// Not with zero blocks: 32 inputs of a flattened map are not 32 channels,
    /// so they could not be left out.
    fn flattened(&self, x: TensorId, d: &Dense) -> (TensorId, Layout) {
        let as_is = (x, Layout::Channels);
        let inputs = d.weight.ncols();
        let blocks = d.weight.blocks();
        if blocks.count_kept() < blocks.blocks() {
            return as_is;
        }
        let graph = self.plan.graph;
        let Some(flat) = graph.producer(x) else {
            return as_is;
        };
        if !matches!(flat.op, Op::Reshape) || *self.dims(x) != [1, inputs] {
            return as_is;
        }
        // A weight of two layers has one mask, so it keeps its form.
        let same = |n: &&&Node| matches!(&n.op, Op::Dense(o) if o.weight_name == d.weight_name);
        if self.plan.nodes.iter().filter(same).count() > 1 {
            return as_is;
        }
        let mut from = flat.inputs[0];
        let transposed = graph.producer(from).filter(|n| match &n.op {
            Op::Transpose { perm } => *perm == [0, 2, 3, 1],
            _ => false,
        });
        if let Some(node) = transposed {
            from = node.inputs[0];
        }
        let &[1, c, h, w] = self.dims(from) else {
            return as_is;
        };
        if h * w == 1 || c < CHANNELS_AS_THEY_LIE || !self.int8(from) {
            return as_is;
        }
        match transposed {
            Some(_) => (from, Layout::Hwc([c, h, w])),
            None => (from, Layout::Chw([c, h, w])),
        }
    }

    /// A tensor that the graph does not have.
    fn tensor(&mut self, name: &str, dims: Vec<usize>, like: TensorId) -> TensorId {
        self.plan.tensors.push(PlanTensor {
            name: self.tensor_names.unique(name.to_owned()),
            dims,
            like,
            form: Form::Int8,
        });
        TensorId(self.plan.tensors.len() - 1)
    }

    /// Elements of a tensor in other places, in a tensor of the plan's own.
    fn moved(
        &mut self,
        at: usize,
        x: TensorId,
        op: HostOp,
        dims: Vec<usize>,
        why: &str,
    ) -> TensorId {
        let (name, source) = match op {
            HostOp::Transpose { .. } => ("transposed", "Transpose"),
            _ => ("rows", "Reshape"),
        };
        let like = self.plan.tensors[x.0].like;
        let name = format!("{}.{name}", self.plan.tensors[x.0].name);
        let output = self.tensor(&name, dims, like);
        let step = Step {
            name: self.names.unique(name),
            source: source.into(),
            kind: Kind::Move(op),
            inputs: vec![x],
            output,
            why: why.into(),
        };
        self.steps.push((at, step));
        output
    }
}
