//! Batch normalisation, a second operand and ReLU in one.

use super::primitive::{slice, take, tensor, whole};
use crate::backend::{Cpu, CpuGrad, Normed};
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
    x: FlexTensor,
    gamma: FlexTensor,
    scaling: Scaling,
    /// The result, where ReLU cut it.
    y: Option<FlexTensor>,
    residual: bool,
}

fn planes([n, channels, h, w]: [usize; 4]) -> Planes {
    Planes {
        n,
        channels,
        pixels: h * w,
    }
}

/// The result, what it saw, and what the backward pass needs.
fn run(
    dims: [usize; 4],
    x: FlexTensor,
    (gamma, beta): (FlexTensor, &FlexTensor),
    residual: Option<&FlexTensor>,
    relu: bool,
    eps: f32,
) -> (FlexTensor, Statistics, State) {
    let p = planes(dims);
    let statistics = norm::statistics(p, slice(&x));
    let scaling = Scaling::new(&statistics, eps);
    let affine = (slice(&gamma), slice(beta));
    let y = norm::forward(p, slice(&x), &scaling, affine, residual.map(slice), relu);
    let y = tensor(y, dims);
    let state = State {
        dims,
        x,
        gamma,
        scaling,
        y: relu.then(|| y.clone()),
        residual: residual.is_some(),
    };
    (y, statistics, state)
}

fn backward(state: &State, dy: FlexTensor) -> norm::Gradients {
    let y = state.y.as_ref().map(slice);
    norm::backward(
        planes(state.dims),
        (slice(&state.x), y, take(dy)),
        &state.scaling,
        slice(&state.gamma),
        state.residual,
    )
}

/// Without gradients.
pub(crate) fn norm_plain(
    x: Tensor<Cpu, 4>,
    (gamma, beta): (Tensor<Cpu, 1>, Tensor<Cpu, 1>),
    residual: Option<Tensor<Cpu, 4>>,
    relu: bool,
    eps: f32,
) -> Normed<Cpu> {
    let dims = x.dims();
    let of = |t: TensorPrimitive<Cpu>| whole(t.tensor());
    let gamma = of(gamma.into_primitive());
    let beta = of(beta.into_primitive());
    let r = residual.map(|r| of(r.into_primitive()));
    let x = of(x.into_primitive());
    let (y, statistics, _) = run(dims, x, (gamma, &beta), r.as_ref(), relu, eps);
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
        let [x, gamma, beta] = ops.parents.map(|p| p.map(|node| node.id));
        let g = backward(&ops.state, grads.consume::<Cpu>(&ops.node));
        let dims = ops.state.dims;
        if let Some(id) = x {
            grads.register::<Cpu>(id, tensor(g.x, dims));
        }
        for (id, g) in [(gamma, g.gamma), (beta, g.beta)] {
            if let Some(id) = id {
                grads.register::<Cpu>(id, tensor(g, [dims[1]]));
            }
        }
    }
}

#[derive(Debug)]
struct ResidualBackward;

impl Backward<Cpu, 4> for ResidualBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x, gamma, beta, residual] = ops.parents.map(|p| p.map(|node| node.id));
        let g = backward(&ops.state, grads.consume::<Cpu>(&ops.node));
        let dims = ops.state.dims;
        if let (Some(id), Some(g)) = (residual, g.residual) {
            grads.register::<Cpu>(id, tensor(g, dims));
        }
        if let Some(id) = x {
            grads.register::<Cpu>(id, tensor(g.x, dims));
        }
        for (id, g) in [(gamma, g.gamma), (beta, g.beta)] {
            if let Some(id) = id {
                grads.register::<Cpu>(id, tensor(g, [dims[1]]));
            }
        }
    }
}

/// With gradients.
pub(crate) fn norm(
    x: Tensor<CpuGrad, 4>,
    (gamma, beta): (Tensor<CpuGrad, 1>, Tensor<CpuGrad, 1>),
    residual: Option<Tensor<CpuGrad, 4>>,
    relu: bool,
    eps: f32,
) -> Normed<CpuGrad> {
    let dims = x.dims();
    let x = x.into_primitive().tensor();
    let gamma = gamma.into_primitive().tensor();
    let beta = beta.into_primitive().tensor();
    let residual = residual.map(|r| r.into_primitive().tensor());
    let r = residual.as_ref().map(|r| whole(r.primitive.clone()));
    let affine = (whole(gamma.primitive), &whole(beta.primitive));
    let (y, statistics, state) = run(dims, whole(x.primitive), affine, r.as_ref(), relu, eps);
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
