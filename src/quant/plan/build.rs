//! Walks over a graph and plans a step for each node that no other took in.

use super::fuse::{Chain, Readers, channelwise, same_on_device};
use super::{Form, Kind, Layout, Linear, Plan, PlanTensor, Step, Weights, leaky};
use crate::graph::{Dense, Graph, Node, Op, TensorId, Window};
use crate::host::HostOp;
use crate::quant::error::QuantError;
use crate::quant::float::host_ops;
use crate::quant::shape::{Map, POINT};
use crate::sparse;
use ndarray::Axis;

/// Fewest channels for which a dense layer over a flattened map reads the map
/// as it lies; with fewer, a vector of the device would be mostly empty.
const CHANNELS_AS_THEY_LIE: usize = 8;

/// Plans a graph.
///
/// # Errors
/// A node that neither device nor host can do.
pub(crate) fn plan(graph: &Graph) -> Result<Plan<'_>, QuantError> {
    let nodes: Vec<&Node> = graph.nodes().collect();
    let tensors = graph.tensors().iter().enumerate();
    let tensors = tensors.map(|(i, info)| PlanTensor {
        name: info.name.clone(),
        dims: info.dims.clone(),
        like: TensorId(i),
        form: Form::Float,
    });
    let mut builder = Builder {
        readers: Readers::of(graph),
        wanted: wanted(graph, &nodes),
        taken: vec![false; nodes.len()],
        hoisted: vec![false; nodes.len()],
        steps: Vec::new(),
        first_conv: nodes.iter().position(|n| matches!(n.op, Op::Conv(_))),
        last_dense: nodes
            .iter()
            .rposition(|n| matches!(n.op, Op::Dense(_)))
            .or_else(|| nodes.iter().rposition(|n| matches!(n.op, Op::Conv(_)))),
        plan: Plan {
            graph,
            nodes,
            tensors: tensors.collect(),
            steps: Vec::new(),
        },
    };
    for i in 0..builder.plan.nodes.len() {
        if !builder.taken[i] {
            builder.node(i)?;
        }
    }
    let Builder {
        mut plan,
        mut steps,
        ..
    } = builder;
    // A fused step stands where its last node stood: all its operands are there by then.
    steps.sort_by_key(|(at, _)| *at);
    plan.steps = steps.into_iter().map(|(_, step)| step).collect();
    plan.sweep();
    Ok(plan)
}

/// The tensors that the device reads, at once or after elements were moved.
fn wanted(graph: &Graph, nodes: &[&Node]) -> Vec<bool> {
    let mut wanted = vec![false; graph.tensors().len()];
    for node in nodes.iter().rev() {
        let reads = match node.op {
            Op::Conv(_) | Op::Dense(_) => true,
            Op::Sigmoid | Op::Softmax { .. } | Op::Mul | Op::MatMul => false,
            _ => wanted[node.output.0],
        };
        if reads {
            node.inputs.iter().for_each(|t| wanted[t.0] = true);
        }
    }
    wanted
}

struct Builder<'g> {
    plan: Plan<'g>,
    readers: Readers,
    wanted: Vec<bool>,
    taken: Vec<bool>,
    /// Nodes whose limits a convolution before the max pool has.
    hoisted: Vec<bool>,
    /// Steps, with the index of their last node.
    steps: Vec<(usize, Step)>,
    first_conv: Option<usize>,
    last_dense: Option<usize>,
}

impl<'g> Builder<'g> {
    fn dims(&self, t: TensorId) -> &'g [usize] {
        &self.plan.graph.tensor(t).dims
    }

    fn int8(&self, t: TensorId) -> bool {
        self.plan.tensors[t.0].form == Form::Int8
    }

    fn node(&mut self, i: usize) -> Result<(), QuantError> {
        let node = self.plan.nodes[i];
        let &x = node.inputs.first().ok_or_else(|| QuantError::Operands {
            node: node.name.clone(),
        })?;
        let map = Map::of(self.dims(x)).filter(|m| m.c > 0 && m.plane() > 0);
        let device = self.int8(x) || self.wanted[node.output.0];
        let every = node.inputs.iter().all(|t| self.int8(*t));
        match (&node.op, map) {
            (Op::Conv(c), Some(_)) => {
                let (x, window) = self.padding(x, c.window);
                let linear = Linear {
                    weights: Weights::Conv(i),
                    fold: Vec::new(),
                    window,
                    groups: c.groups,
                    leaky: None,
                    clip: (f32::NEG_INFINITY, f32::INFINITY),
                    before: node.output,
                    weight_name: c.weight_name.clone(),
                    keep_dense: c.groups > 1 || self.edge(i),
                };
                self.linear(i, x, linear);
            }
            (Op::Conv(_), None) => return Err(self.unsupported(node, "batches and other ranks")),
            (Op::Dense(d), _) => self.dense(i, d, x)?,
            (Op::MaxPool(window), Some(_)) if device => self.max_pool(i, x, *window),
            (
                Op::AveragePool {
                    window,
                    count_include_pad,
                },
                Some(map),
            ) if device && (*count_include_pad || window.pads == [0; 4]) => {
                let (x, window) = self.padding(x, *window);
                self.mean(i, x, map.c, window);
            }
            (Op::ReduceMean { axes }, Some(map))
                if device && self.dims(x).len() == 4 && both(axes) =>
            {
                let kernel = [map.h, map.w];
                self.mean(i, x, map.c, Window { kernel, ..POINT });
            }
            (Op::Add, Some(map))
                if every && node.inputs.len() == 2 && self.dims(node.inputs[1]) == self.dims(x) =>
            {
                let mut linear = self.channels(i, map.c, POINT, (1., 0.));
                linear.before = x;
                let mut chain = Chain::new(linear, node, i, 1);
                chain.residual = Some(node.inputs[1]);
                self.chain(i, x, chain);
            }
            (op, Some(map)) if every && self.elementwise(op, x) => {
                // The operator follows an identity.
                let mut linear = self.channels(i, map.c, POINT, (1., 0.));
                linear.before = x;
                let mut chain = Chain::new(linear, node, i, 1);
                chain.end = x;
                let (plan, readers) = (&self.plan, &self.readers);
                chain.take(plan.graph, &plan.nodes, readers, node);
                chain.end = node.output;
                self.chain(i, x, chain);
            }
            (op, _) => self.on_host(i, op, every)?,
        }
        Ok(())
    }

    fn edge(&self, i: usize) -> bool {
        self.first_conv == Some(i) || self.last_dense == Some(i)
    }

    fn unsupported(&self, node: &Node, what: &str) -> QuantError {
        QuantError::Unsupported {
            node: node.name.clone(),
            op: node.op.name(),
            what: what.to_owned(),
        }
    }

    /// Whether an operator on one map can be a depthwise convolution.
    fn elementwise(&self, op: &Op, x: TensorId) -> bool {
        match op {
            Op::Relu | Op::Clip { .. } | Op::Scale { .. } => true,
            Op::LeakyRelu { alpha } => leaky::powers(*alpha).is_some(),
            Op::MulConst(c) | Op::AddConst(c) => channelwise(c, self.dims(x), 1).is_some(),
            _ => false,
        }
    }

    /// A tensor before zeros were padded to it, and a window that has them instead.
    fn padding(&self, mut x: TensorId, mut window: Window) -> (TensorId, Window) {
        while let Some(node) = self.plan.graph.producer(x)
            && let Op::Pad { pads, value } = &node.op
            && *value == 0.
            && let [(0, 0), (0, 0), (top, bottom), (left, right)] = pads[..]
        {
            for (pad, more) in window.pads.iter_mut().zip([top, left, bottom, right]) {
                *pad += more;
            }
            x = node.inputs[0];
        }
        (x, window)
    }

    /// A depthwise convolution with one value for each channel.
    fn channels(&self, i: usize, c: usize, window: Window, (w, b): (f32, f32)) -> Linear {
        Linear {
            weights: Weights::Channels(vec![w; c], vec![b; c]),
            fold: Vec::new(),
            window,
            groups: c,
            leaky: None,
            clip: (f32::NEG_INFINITY, f32::INFINITY),
            before: self.plan.nodes[i].output,
            weight_name: String::new(),
            keep_dense: true,
        }
    }

    fn mean(&mut self, i: usize, x: TensorId, c: usize, window: Window) {
        let n = (window.kernel[0] * window.kernel[1]) as f32;
        let linear = self.channels(i, c, window, (1. / n, 0.));
        self.linear(i, x, linear);
    }

    fn linear(&mut self, i: usize, x: TensorId, linear: Linear) {
        let chain = Chain::new(linear, self.plan.nodes[i], i, 1);
        self.chain(i, x, chain);
    }

    /// Extends a chain and plans its step.
    fn chain(&mut self, i: usize, x: TensorId, chain: Chain) {
        let chain = self.extend(chain);
        let mut inputs = vec![x];
        inputs.extend(chain.residual);
        self.plan.tensors[chain.end.0].form = Form::Int8;
        let step = Step {
            name: self.plan.nodes[i].name.clone(),
            source: chain.source.join("+"),
            kind: Kind::Linear(Box::new(chain.linear)),
            inputs,
            output: chain.end,
            why: String::new(),
        };
        self.steps.push((chain.last, step));
    }

    fn extend(&mut self, mut chain: Chain) -> Chain {
        let (plan, readers) = (&self.plan, &self.readers);
        chain.extend(plan.graph, &plan.nodes, readers, &self.taken);
        for n in &chain.absorbed {
            self.taken[*n] = true;
        }
        for n in &chain.hoisted {
            self.hoisted[*n] = true;
            // Values before the pool are limited too now.
            self.plan.tensors[chain.end.0].like = self.plan.nodes[*n].output;
        }
        chain
    }

    fn max_pool(&mut self, i: usize, x: TensorId, window: Window) {
        let node = self.plan.nodes[i];
        let (mut end, mut last) = (node.output, i);
        while let Some(next) = self.readers.only(end)
            && (self.hoisted[next] || same_on_device(self.plan.graph, self.plan.nodes[next]))
        {
            self.taken[next] = true;
            (end, last) = (self.plan.nodes[next].output, next);
        }
        self.plan.tensors[end.0].form = Form::Int8;
        let step = Step {
            name: node.name.clone(),
            source: node.op.name().to_owned(),
            kind: Kind::MaxPool(window),
            inputs: vec![x],
            output: end,
            why: String::new(),
        };
        self.steps.push((last, step));
    }

    fn dense(&mut self, i: usize, d: &Dense, x: TensorId) -> Result<(), QuantError> {
        let node = self.plan.nodes[i];
        let (out, inputs) = d.weight.dim();
        let (map, layout) = self.flattened(x, d);
        let [_, kh, kw] = layout.kernel(inputs);
        let kernel = [kh, kw];
        let linear = Linear {
            weights: Weights::Dense(i, layout),
            fold: Vec::new(),
            window: Window { kernel, ..POINT },
            groups: 1,
            leaky: None,
            clip: (f32::NEG_INFINITY, f32::INFINITY),
            before: node.output,
            weight_name: d.weight_name.clone(),
            keep_dense: self.edge(i),
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
            name: format!("{}.rows", node.name),
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
        let weight = d.weight.view().insert_axis(Axis(2)).insert_axis(Axis(3));
        let blocks = sparse::nonzero_blocks(weight);
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
            name: name.to_owned(),
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
            name,
            source: source.into(),
            kind: Kind::Move(op),
            inputs: vec![x],
            output,
            why: why.into(),
        };
        self.steps.push((at, step));
        output
    }

    fn on_host(&mut self, i: usize, op: &Op, every: bool) -> Result<(), QuantError> {
        let node = self.plan.nodes[i];
        let (x, y) = (self.dims(node.inputs[0]), self.dims(node.output));
        let moves = match op {
            Op::Concat { .. } => every && self.wanted[node.output.0],
            Op::Slice { .. }
            | Op::Reshape
            | Op::Transpose { .. }
            | Op::Resize { .. }
            | Op::Pad { .. } => every,
            _ => false,
        };
        let ops = host_ops(op, x, y);
        let mut ops = ops.ok_or_else(|| self.unsupported(node, "this window"))?;
        let kind = match ops.len() {
            1 if moves => Kind::Move(ops.remove(0)),
            _ => Kind::Float(ops),
        };
        self.plan.tensors[node.output.0].form = match kind {
            Kind::Move(_) => Form::Int8,
            _ => Form::Float,
        };
        let step = Step {
            name: node.name.clone(),
            source: op.name().to_owned(),
            kind,
            inputs: node.inputs.clone(),
            output: node.output,
            why: why(op, every).to_owned(),
        };
        self.steps.push((i, step));
        Ok(())
    }
}

fn both(axes: &[usize]) -> bool {
    matches!(axes, [2, 3] | [3, 2])
}

/// Why the host does it.
const fn why(op: &Op, int8: bool) -> &'static str {
    match op {
        Op::Softmax { .. } => "softmax needs exp",
        Op::Sigmoid => "sigmoid needs exp",
        Op::Mul => "no product of two tensors",
        Op::MatMul => "weights are constants on the device",
        Op::Concat { .. }
        | Op::Slice { .. }
        | Op::Reshape
        | Op::Transpose { .. }
        | Op::Resize { .. }
        | Op::Pad { .. } => "moves elements only",
        _ if !int8 => "its operand is float, and no device layer reads the result",
        Op::AveragePool { .. } => "padding must not count",
        Op::ReduceMean { .. } => "a mean over other axes than rows and columns",
        Op::LeakyRelu { .. } => "a slope outside 0 to 1",
        Op::Add => "its operands differ in dimensions, or are no maps",
        Op::AddConst(_) | Op::MulConst(_) => "the constant varies within a channel",
        _ => "its operand is no map",
    }
}
