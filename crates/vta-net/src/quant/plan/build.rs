//! Walks over a graph and plans a step for each node that no other took in.

use super::fuse::{Chain, same_on_device};
use super::{Form, Kind, Linear, Plan, PlanTensor, Step, Weights, leaky};
use crate::graph::canonical::{Affine, Readers, map_padding};
use crate::graph::{Graph, Node, Op, TensorId, Window};
use crate::names::Names;
use crate::quant::error::QuantError;
use crate::quant::float::host_ops;
use crate::quant::shape::Map;
use crate::sparse::keep_dense;
use vta_tensor::host::{Function, HostOp};

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
        readers: Readers::of(
            graph.tensors().len(),
            nodes.iter().copied().enumerate(),
            &graph.outputs,
        ),
        wanted: wanted(graph, &nodes),
        taken: vec![false; nodes.len()],
        hoisted: vec![false; nodes.len()],
        steps: Vec::new(),
        keep_dense: keep_dense(graph),
        names: Names::new(nodes.iter().map(|n| &n.name)),
        tensor_names: Names::new(graph.tensors().iter().map(|t| &t.name)),
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
            Op::Softmax { .. } | Op::Mul | Op::MatMul => false,
            _ => wanted[node.output.0],
        };
        if reads {
            node.inputs.iter().for_each(|t| wanted[t.0] = true);
        }
    }
    wanted
}

pub(super) struct Builder<'g> {
    pub plan: Plan<'g>,
    readers: Readers,
    wanted: Vec<bool>,
    taken: Vec<bool>,
    /// Nodes whose limits a convolution before the max pool has.
    hoisted: Vec<bool>,
    /// Steps, with the index of their last node.
    pub steps: Vec<(usize, Step)>,
    /// Why each node stays dense; empty if it does not.
    keep_dense: Vec<&'static str>,
    /// Names of steps.
    pub names: Names,
    /// Names of tensors.
    pub tensor_names: Names,
}

impl<'g> Builder<'g> {
    pub fn dims(&self, t: TensorId) -> &'g [usize] {
        &self.plan.graph.tensor(t).dims
    }

    pub fn int8(&self, t: TensorId) -> bool {
        self.plan.tensors[t.0].form == Form::Int8
    }

    fn node(&mut self, i: usize) -> Result<(), QuantError> {
        let node = self.plan.nodes[i];
        if let (Op::Host(op), []) = (&node.op, &node.inputs[..]) {
            self.constant(i, op);
            return Ok(());
        }
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
                    branches: Vec::new(),
                    window,
                    groups: c.groups,
                    leaky: None,
                    clip: (f32::NEG_INFINITY, f32::INFINITY),
                    before: node.output,
                    weight_name: c.weight_name.clone(),
                    keep_dense: self.keep_dense(i),
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
                self.mean(i, x, map.c, Window::whole(kernel));
            }
            (Op::Add, Some(map))
                if every && node.inputs.len() == 2 && self.dims(node.inputs[1]) == self.dims(x) =>
            {
                let mut linear = self.channels(i, map.c, Window::POINT, (1., 0.));
                linear.before = x;
                let mut chain = Chain::new(linear, node, i, 1);
                chain.residual = Some(node.inputs[1]);
                self.chain(i, x, chain);
            }
            (op, Some(map)) if every && self.elementwise(op, x) => {
                // The operator follows an identity.
                let mut linear = self.channels(i, map.c, Window::POINT, (1., 0.));
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

    /// Whether blocks of zeros in the weight of a node are computed like all others.
    pub fn keep_dense(&self, i: usize) -> bool {
        !self.keep_dense[i].is_empty()
    }

    pub fn unsupported(&self, node: &Node, what: &str) -> QuantError {
        QuantError::Unsupported {
            node: node.name.clone(),
            op: node.op.name(),
            what: what.to_owned(),
        }
    }

    /// Whether an operator on one map can be a depthwise convolution.
    fn elementwise(&self, op: &Op, x: TensorId) -> bool {
        match op {
            Op::Relu | Op::Clip { .. } => true,
            Op::LeakyRelu { alpha } => leaky::powers(*alpha).is_some(),
            op => Affine::of(op, self.dims(x), 1).is_some(),
        }
    }

    /// A tensor before zeros were padded to it, and a window that has them instead.
    fn padding(&self, mut x: TensorId, mut window: Window) -> (TensorId, Window) {
        while let Some(node) = self.plan.graph.producer(x)
            && let Some((pads, value)) = map_padding(&node.op)
            && value == 0.
        {
            window = window.padded(pads);
            x = node.inputs[0];
        }
        (x, window)
    }

    /// A depthwise convolution with one value for each channel.
    fn channels(&self, i: usize, c: usize, window: Window, (w, b): (f32, f32)) -> Linear {
        Linear {
            weights: Weights::Channels(vec![w; c], vec![b; c]),
            fold: Vec::new(),
            branches: Vec::new(),
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

    pub fn linear(&mut self, i: usize, x: TensorId, linear: Linear) {
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

    pub fn extend(&mut self, mut chain: Chain) -> Chain {
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

    /// A tensor that is not computed.
    fn constant(&mut self, i: usize, op: &HostOp) {
        let node = self.plan.nodes[i];
        let step = Step {
            name: node.name.clone(),
            source: op.name().to_owned(),
            kind: Kind::Float(vec![op.clone()]),
            inputs: Vec::new(),
            output: node.output,
            why: "a constant".to_owned(),
        };
        self.steps.push((i, step));
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
            | Op::Pad { .. }
            | Op::Host(HostOp::Gather { .. } | HostOp::Rearrange { .. }) => every,
            // It rounds: not where the host can have it in single precision.
            Op::Host(HostOp::ResizeLinear { .. }) => every && self.wanted[node.output.0],
            _ => false,
        };
        let ops = host_ops(op, x, y);
        let mut ops = ops.ok_or_else(|| self.unsupported(node, "this window"))?;
        // The device makes the operand and reads the result: one step from int8 to int8.
        let functions = functions(op).filter(|_| every && self.wanted[node.output.0]);
        let kind = match functions {
            Some(functions) => Kind::Table(functions),
            None if moves && ops.len() == 1 => Kind::Move(ops.remove(0)),
            None => Kind::Float(ops),
        };
        self.plan.tensors[node.output.0].form = match kind {
            Kind::Move(_) | Kind::Table(_) => Form::Int8,
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

/// The functions of single elements that an operator is, if the device is not to do them.
fn functions(op: &Op) -> Option<Vec<Function>> {
    match op {
        Op::Elementwise(functions) => Some(functions.clone()),
        Op::Sigmoid => Some(vec![Function::Sigmoid]),
        Op::Clip { min, max } => Some(vec![Function::Clip {
            min: *min,
            max: *max,
        }]),
        Op::LeakyRelu { alpha } => Some(vec![Function::LeakyRelu { alpha: *alpha }]),
        _ => None,
    }
}

fn both(axes: &[usize]) -> bool {
    matches!(axes, [2, 3] | [3, 2])
}

/// Why the host does it.
const fn why(op: &Op, int8: bool) -> &'static str {
    match op {
        Op::Softmax { .. } => "softmax needs exp",
        Op::Sigmoid | Op::Elementwise(_) => "a function of single elements",
        Op::Mul => "no product of two tensors",
        Op::MatMul => "weights are constants on the device",
        Op::Concat { .. }
        | Op::Slice { .. }
        | Op::Reshape
        | Op::Transpose { .. }
        | Op::Resize { .. }
        | Op::Pad { .. }
        | Op::Host(HostOp::Gather { .. } | HostOp::Rearrange { .. }) => "moves elements only",
        Op::Host(_) => "the host alone does it",
        _ if !int8 => "its operand is float, and no device layer reads the result",
        Op::AveragePool { .. } => "padding must not count",
        Op::ReduceMean { .. } => "a mean over other axes than rows and columns",
        Op::LeakyRelu { .. } => "a slope outside 0 to 1",
        Op::Add => "its operands differ in dimensions, or are no maps",
        Op::AddConst(_) | Op::MulConst(_) => "the constant varies within a channel",
        _ => "its operand is no map",
    }
}
