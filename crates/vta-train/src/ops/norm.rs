//! Batch normalisation, a second operand and ReLU in one.

use super::memory::owning;
use super::primitive::{slice, take, tensor, whole};
use crate::backend::{Cpu, CpuGrad, Normed, Order};
use crate::kernels::last;
use crate::kernels::norm::{self, Planes, Scaling, Statistics};
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::FlexTensor;
use burn_tensor::{Tensor, TensorPrimitive};

/// What the backward pass needs.
#[derive(Debug, Clone)]
struct State {
    dims: [usize; 4],
    order: Order,
    x: FlexTensor,
    gamma: FlexTensor,
    scaling: Scaling,
    /// The result, where ReLU cut it.
    y: Option<FlexTensor>,
    residual: bool,
}

fn planes([n, a, b, c]: [usize; 4], order: Order) -> Planes {
    let (channels, pixels) = match order {
        Order::First => (a, b * c),
        Order::Last => (c, a * b),
    };
    Planes {
        n,
        channels,
        pixels,
    }
}

/// The result, what it saw, and what the backward pass needs.
fn run(
    (dims, order): ([usize; 4], Order),
    x: FlexTensor,
    (gamma, beta): (FlexTensor, &FlexTensor),
    residual: Option<&FlexTensor>,
    relu: bool,
    eps: f32,
) -> (FlexTensor, Statistics, State) {
    let p = planes(dims, order);
    let statistics = match order {
        Order::First => norm::statistics(p, slice(&x)),
        Order::Last => last::statistics(p, slice(&x)),
    };
    let scaling = Scaling::new(&statistics, eps);
    let affine = (slice(&gamma), slice(beta));
    let r = residual.map(slice);
    let y = match order {
        Order::First => tensor(norm::forward(p, slice(&x), &scaling, affine, r, relu), dims),
        Order::Last => owning(
            last::norm_forward(p, slice(&x), &scaling, affine, r, relu),
            dims,
        ),
    };
    let state = State {
        dims,
        order,
        x,
        gamma,
        scaling,
        y: relu.then(|| y.clone()),
        residual: residual.is_some(),
    };
    (y, statistics, state)
}

/// Gradients of `x`, `gamma` and `beta`, and of the second operand.
type Gradients4 = ([FlexTensor; 3], Option<FlexTensor>);

fn backward(state: &State, dy: FlexTensor) -> Gradients4 {
    let (dims, gamma) = (state.dims, slice(&state.gamma));
    let y = state.y.as_ref().map(slice);
    let p = planes(dims, state.order);
    let row = |v: Vec<f32>| {
        let n = v.len();
        tensor(v, [n])
    };
    match state.order {
        Order::First => {
            let values = (slice(&state.x), y, take(dy));
            let g = norm::backward(p, values, &state.scaling, gamma, state.residual);
            let residual = g.residual.map(|r| tensor(r, dims));
            ([tensor(g.x, dims), row(g.gamma), row(g.beta)], residual)
        }
        Order::Last => {
            let mut dy = whole(dy);
            let values = (slice(&state.x), y, dy.storage_mut());
            let g = last::norm_backward(p, values, &state.scaling, gamma, state.residual);
            let (x, residual) = match g.x {
                Some(x) => (owning(x, dims), Some(dy)),
                None => (dy, None),
            };
            ([x, row(g.gamma), row(g.beta)], residual)
        }
    }
}

/// Without gradients.
pub(crate) fn norm_plain(
    x: Tensor<Cpu, 4>,
    (gamma, beta): (Tensor<Cpu, 1>, Tensor<Cpu, 1>),
    residual: Option<Tensor<Cpu, 4>>,
    (relu, order): (bool, Order),
    eps: f32,
) -> Normed<Cpu> {
    let dims = x.dims();
    let of = |t: TensorPrimitive<Cpu>| whole(t.tensor());
    let gamma = of(gamma.into_primitive());
    let beta = of(beta.into_primitive());
    let r = residual.map(|r| of(r.into_primitive()));
    let x = of(x.into_primitive());
    let (y, statistics, _) = run((dims, order), x, (gamma, &beta), r.as_ref(), relu, eps);
    Normed {
        y: Tensor::from_primitive(TensorPrimitive::Float(y)),
        mean: statistics.mean,
        var: statistics.var,
    }
}

#[derive(Debug)]
struct NormBackward;

impl Backward<Cpu, 3> for NormBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (all, _) = backward(&ops.state, grads.consume::<Cpu>(&ops.node));
        for (parent, gradient) in ops.parents.iter().zip(all) {
            if let Some(node) = parent {
                grads.register::<Cpu>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct ResidualBackward;

impl Backward<Cpu, 4> for ResidualBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (all, residual) = backward(&ops.state, grads.consume::<Cpu>(&ops.node));
        for (parent, gradient) in ops.parents.iter().zip(all.into_iter().chain(residual)) {
            if let Some(node) = parent {
                grads.register::<Cpu>(node.id, gradient);
            }
        }
    }
}

/// With gradients.
pub(crate) fn norm(
    x: Tensor<CpuGrad, 4>,
    (gamma, beta): (Tensor<CpuGrad, 1>, Tensor<CpuGrad, 1>),
    residual: Option<Tensor<CpuGrad, 4>>,
    (relu, order): (bool, Order),
    eps: f32,
) -> Normed<CpuGrad> {
    let dims = x.dims();
    let x = x.into_primitive().tensor();
    let gamma = gamma.into_primitive().tensor();
    let beta = beta.into_primitive().tensor();
    let residual = residual.map(|r| r.into_primitive().tensor());
    let r = residual.as_ref().map(|r| whole(r.primitive.clone()));
    let affine = (whole(gamma.primitive), &whole(beta.primitive));
    let (y, statistics, state) = run(
        (dims, order),
        whole(x.primitive),
        affine,
        r.as_ref(),
        relu,
        eps,
    );
    let y = match residual {
        Some(residual) => {
            let nodes = [x.node, gamma.node, beta.node, residual.node];
            let prep = ResidualBackward.prepare::<NoCheckpointing>(nodes);
            match prep.compute_bound().stateful() {
                OpsKind::Tracked(prep) => prep.finish(state, y),
                OpsKind::UnTracked(prep) => prep.finish(y),
            }
        }
        None => {
            let prep = NormBackward.prepare::<NoCheckpointing>([x.node, gamma.node, beta.node]);
            match prep.compute_bound().stateful() {
                OpsKind::Tracked(prep) => prep.finish(state, y),
                OpsKind::UnTracked(prep) => prep.finish(y),
            }
        }
    };
    Normed {
        y: Tensor::from_primitive(TensorPrimitive::Float(y)),
        mean: statistics.mean,
        var: statistics.var,
    }
}
