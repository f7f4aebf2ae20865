//! The convolution.

use super::primitive::{slice, tensor, whole};
use crate::backend::{Cpu, CpuGrad};
use crate::kernels::conv::{Geometry, forward};
use crate::kernels::{input_gradient, plane_sums, weight_gradient};
use burn_autodiff::NodeId;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::FlexTensor;
use burn_tensor::{Tensor, TensorPrimitive};
use vta_net::graph::Window;

/// Sizes, checked: a graph is checked before, so a misfit is a mistake in the code.
pub(super) fn geometry(
    x: [usize; 4],
    weight: [usize; 4],
    window: &Window,
    groups: usize,
) -> Geometry {
    Geometry::new(x, weight, *window, groups)
        .unwrap_or_else(|| panic!("convolution of {x:?} by {weight:?} with {window:?}"))
}

fn run(g: &Geometry, x: &FlexTensor, weight: &FlexTensor, bias: Option<&FlexTensor>) -> FlexTensor {
    let y = forward(g, slice(x), slice(weight), bias.map(slice));
    tensor(y, [g.n, g.co, g.output[0], g.output[1]])
}

/// Without gradients.
pub(crate) fn conv_plain(
    x: Tensor<Cpu, 4>,
    weight: Tensor<Cpu, 4>,
    bias: Option<Tensor<Cpu, 1>>,
    window: &Window,
    groups: usize,
) -> Tensor<Cpu, 4> {
    let g = geometry(x.dims(), weight.dims(), window, groups);
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
}

/// Registers the gradients of `x` and `weight`, where they are wanted.
fn backward(
    state: &State,
    dy: &FlexTensor,
    [x, weight]: [Option<NodeId>; 2],
    grads: &mut Gradients,
) {
    let g = &state.geometry;
    if let Some(id) = x {
        let dx = input_gradient(g, slice(dy), slice(&state.weight));
        let dims = [g.n, g.ci, g.input[0], g.input[1]];
        grads.register::<Cpu>(id, tensor(dx, dims));
    }
    if let Some(id) = weight {
        let dw = weight_gradient(g, slice(&state.x), slice(dy));
        let [kh, kw] = g.window.kernel;
        grads.register::<Cpu>(id, tensor(dw, [g.co, g.ci / g.groups, kh, kw]));
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
            let g = &ops.state.geometry;
            let db = plane_sums(g.n, g.co, slice(&dy));
            grads.register::<Cpu>(id, tensor(db, [g.co]));
        }
        backward(&ops.state, &dy, [x, weight], grads);
    }
}

/// With gradients.
pub(crate) fn conv(
    x: Tensor<CpuGrad, 4>,
    weight: Tensor<CpuGrad, 4>,
    bias: Option<Tensor<CpuGrad, 1>>,
    window: &Window,
    groups: usize,
) -> Tensor<CpuGrad, 4> {
    let geometry = geometry(x.dims(), weight.dims(), window, groups);
    let (x, weight) = (
        x.into_primitive().tensor(),
        weight.into_primitive().tensor(),
    );
    let bias = bias.map(|b| b.into_primitive().tensor());
    let state = State {
        geometry,
        x: whole(x.primitive),
        weight: whole(weight.primitive),
    };
    let b = bias.as_ref().map(|b| whole(b.primitive.clone()));
    let y = run(&state.geometry, &state.x, &state.weight, b.as_ref());
    let y = match bias {
        Some(bias) => {
            let nodes = [x.node, weight.node, bias.node];
            match BiasedBackward
                .prepare::<NoCheckpointing>(nodes)
                .compute_bound()
                .stateful()
            {
                OpsKind::Tracked(prep) => prep.finish(state, y),
                OpsKind::UnTracked(prep) => prep.finish(y),
            }
        }
        None => match ConvBackward
            .prepare::<NoCheckpointing>([x.node, weight.node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish(state, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        },
    };
    Tensor::from_primitive(TensorPrimitive::Float(y))
}
