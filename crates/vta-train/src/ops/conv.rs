//! The convolution.

use super::conv_last;
use super::primitive::{slice, tensor, whole};
use crate::backend::{Cpu, CpuGrad};
use crate::kernels::conv::{Geometry, forward};
use crate::kernels::last::{Blocks, channel_sums};
use crate::kernels::{input_gradient, plane_sums, weight_gradient};
use burn_autodiff::NodeId;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::FlexTensor;
use burn_tensor::{Tensor, TensorPrimitive};
use vta_net::graph::Window;

/// Where the maps of a convolution have their channels, and what only such ones know.
#[derive(Debug, Clone)]
pub(crate) enum Maps {
    /// `[n, channels, height, width]`.
    First {
        /// Groups of channels.
        groups: usize,
    },
    /// `[n, height, width, channels]`.
    Last {
        /// Blocks of the weight whose gradients are wanted; all if none are named.
        taken: Option<Blocks>,
    },
}

/// Sizes, checked: a graph is checked before, so a misfit is a mistake in the code.
fn geometry(x: [usize; 4], weight: [usize; 4], window: &Window, maps: &Maps) -> Geometry {
    let (x, groups) = match (maps, x) {
        (Maps::First { groups }, x) => (x, *groups),
        (Maps::Last { .. }, [n, h, w, ci]) => ([n, ci, h, w], 1),
    };
    Geometry::new(x, weight, *window, groups)
        .unwrap_or_else(|| panic!("convolution of {x:?} by {weight:?} with {window:?}"))
}

fn run(
    (g, maps): (&Geometry, &Maps),
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: Option<&FlexTensor>,
) -> FlexTensor {
    let (x, weight, bias) = (slice(x), slice(weight), bias.map(slice));
    match maps {
        Maps::First { .. } => {
            let y = forward(g, x, weight, bias);
            tensor(y, [g.n, g.co, g.output[0], g.output[1]])
        }
        Maps::Last { .. } => conv_last::run(g, x, weight, bias),
    }
}

/// Without gradients.
pub(crate) fn conv_plain(
    x: Tensor<Cpu, 4>,
    weight: Tensor<Cpu, 4>,
    bias: Option<Tensor<Cpu, 1>>,
    window: &Window,
    maps: &Maps,
) -> Tensor<Cpu, 4> {
    let g = geometry(x.dims(), weight.dims(), window, maps);
    let of = |t: TensorPrimitive<Cpu>| whole(t.tensor());
    let (x, weight) = (of(x.into_primitive()), of(weight.into_primitive()));
    let bias = bias.map(|b| of(b.into_primitive()));
    let y = run((&g, maps), &x, &weight, bias.as_ref());
    Tensor::from_primitive(TensorPrimitive::Float(y))
}

/// What the backward pass needs.
#[derive(Debug, Clone)]
struct State {
    geometry: Geometry,
    maps: Maps,
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
    let dy = slice(dy);
    if let Some(id) = x {
        let weight = slice(&state.weight);
        let dx = match &state.maps {
            Maps::First { .. } => {
                let dims = [g.n, g.ci, g.input[0], g.input[1]];
                tensor(input_gradient(g, dy, weight), dims)
            }
            Maps::Last { .. } => conv_last::input_gradient(g, dy, weight),
        };
        grads.register::<Cpu>(id, dx);
    }
    if let Some(id) = weight {
        let x = slice(&state.x);
        let dw = match &state.maps {
            Maps::First { .. } => weight_gradient(g, x, dy),
            Maps::Last { taken } => conv_last::weight_gradient(g, x, dy, taken.as_ref()),
        };
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
            let db = match &ops.state.maps {
                Maps::First { .. } => plane_sums(g.n, g.co, slice(&dy)),
                Maps::Last { .. } => channel_sums(g.co, slice(&dy)),
            };
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
    maps: Maps,
) -> Tensor<CpuGrad, 4> {
    let geometry = geometry(x.dims(), weight.dims(), window, &maps);
    let x = x.into_primitive().tensor();
    let weight = weight.into_primitive().tensor();
    let bias = bias.map(|b| b.into_primitive().tensor());
    let state = State {
        geometry,
        maps,
        x: whole(x.primitive),
        weight: whole(weight.primitive),
    };
    let b = bias.as_ref().map(|b| whole(b.primitive.clone()));
    let form = (&state.geometry, &state.maps);
    let y = run(form, &state.x, &state.weight, b.as_ref());
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
