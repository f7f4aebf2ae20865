//! The convolution of maps with channels last.

use super::conv::geometry;
use super::memory::owning;
use super::primitive::{slice, tensor, whole};
use crate::backend::{Cpu, CpuGrad};
use crate::kernels::conv::Geometry;
use crate::kernels::{self, last};
use burn_autodiff::NodeId;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::FlexTensor;
use burn_tensor::{Tensor, TensorPrimitive};
use last::{Blocks, to_first, to_last};
use vta_net::graph::Window;

/// Sizes, from `x [n, h, w, ci]`.
fn sizes([n, h, w, ci]: [usize; 4], weight: [usize; 4], window: &Window) -> Geometry {
    geometry([n, ci, h, w], weight, window, 1)
}

fn run(g: &Geometry, x: &FlexTensor, weight: &FlexTensor, bias: Option<&FlexTensor>) -> FlexTensor {
    let (x, weight, bias) = (slice(x), slice(weight), bias.map(slice));
    let y = match last::fits(g) {
        true => last::forward(g, x, weight, bias),
        false => {
            let x = to_first(x, g.ci, g.in_plane());
            let y = kernels::conv::forward(g, &x, weight, bias);
            to_last(&y, g.co, g.out_plane())
        }
    };
    owning(y, [g.n, g.output[0], g.output[1], g.co])
}

/// Without gradients.
pub(crate) fn conv_last_plain(
    x: Tensor<Cpu, 4>,
    weight: Tensor<Cpu, 4>,
    bias: Option<Tensor<Cpu, 1>>,
    window: &Window,
    _taken: Option<Blocks>,
) -> Tensor<Cpu, 4> {
    let g = sizes(x.dims(), weight.dims(), window);
    let of = |t: TensorPrimitive<Cpu>| whole(t.tensor());
    let (x, weight) = (of(x.into_primitive()), of(weight.into_primitive()));
    let bias = bias.map(|b| of(b.into_primitive()));
    Tensor::from_primitive(TensorPrimitive::Float(run(&g, &x, &weight, bias.as_ref())))
}

/// What the backward pass needs.
#[derive(Debug, Clone)]
struct State {
    geometry: Geometry,
    x: FlexTensor,
    weight: FlexTensor,
    taken: Option<Blocks>,
}

/// Registers the gradients of `x` and `weight`, where they are wanted.
fn backward(
    state: &State,
    dy: &FlexTensor,
    [x, weight]: [Option<NodeId>; 2],
    grads: &mut Gradients,
) {
    let g = &state.geometry;
    let [kh, kw] = g.window.kernel;
    let dims = [g.co, g.ci, kh, kw];
    if let Some(id) = x {
        let (dy, weight) = (slice(dy), slice(&state.weight));
        let dx = match last::fits_input_gradient(g) {
            true => last::input_gradient(g, dy, weight),
            false => {
                let dy = to_first(dy, g.co, g.out_plane());
                let dx = kernels::input_gradient(g, &dy, weight);
                to_last(&dx, g.ci, g.in_plane())
            }
        };
        grads.register::<Cpu>(id, owning(dx, [g.n, g.input[0], g.input[1], g.ci]));
    }
    if let Some(id) = weight {
        let (x, dy) = (slice(&state.x), slice(dy));
        let dw = match last::fits(g) {
            true => {
                let all = || Blocks::all(dims);
                let taken = state.taken.clone().unwrap_or_else(all);
                last::weight_gradient(g, x, dy, &taken)
            }
            false => {
                let x = to_first(x, g.ci, g.in_plane());
                let dy = to_first(dy, g.co, g.out_plane());
                kernels::weight_gradient(g, &x, &dy)
            }
        };
        grads.register::<Cpu>(id, tensor(dw, dims));
    }
}

#[derive(Debug)]
struct ConvBackward;

impl Backward<Cpu, 2> for ConvBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = whole(grads.consume::<Cpu>(&ops.node));
        let ids = ops.parents.map(|p| p.map(|node| node.id));
        backward(&ops.state, &dy, ids, grads);
    }
}

#[derive(Debug)]
struct BiasedBackward;

impl Backward<Cpu, 3> for BiasedBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = whole(grads.consume::<Cpu>(&ops.node));
        let [x, weight, bias] = ops.parents.map(|p| p.map(|node| node.id));
        if let Some(id) = bias {
            let co = ops.state.geometry.co;
            let db = last::channel_sums(co, slice(&dy));
            grads.register::<Cpu>(id, tensor(db, [co]));
        }
        backward(&ops.state, &dy, [x, weight], grads);
    }
}

/// With gradients.
pub(crate) fn conv_last(
    x: Tensor<CpuGrad, 4>,
    weight: Tensor<CpuGrad, 4>,
    bias: Option<Tensor<CpuGrad, 1>>,
    window: &Window,
    taken: Option<Blocks>,
) -> Tensor<CpuGrad, 4> {
    let geometry = sizes(x.dims(), weight.dims(), window);
    let x = x.into_primitive().tensor();
    let weight = weight.into_primitive().tensor();
    let bias = bias.map(|b| b.into_primitive().tensor());
    let state = State {
        geometry,
        x: whole(x.primitive),
        weight: whole(weight.primitive),
        taken,
    };
    let b = bias.as_ref().map(|b| whole(b.primitive.clone()));
    let y = run(&state.geometry, &state.x, &state.weight, b.as_ref());
    let y = match bias {
        Some(bias) => {
            let nodes = [x.node, weight.node, bias.node];
            let prep = BiasedBackward.prepare::<NoCheckpointing>(nodes);
            match prep.compute_bound().stateful() {
                OpsKind::Tracked(prep) => prep.finish(state, y),
                OpsKind::UnTracked(prep) => prep.finish(y),
            }
        }
        None => {
            let prep = ConvBackward.prepare::<NoCheckpointing>([x.node, weight.node]);
            match prep.compute_bound().stateful() {
                OpsKind::Tracked(prep) => prep.finish(state, y),
                OpsKind::UnTracked(prep) => prep.finish(y),
            }
        }
    };
    Tensor::from_primitive(TensorPrimitive::Float(y))
}
