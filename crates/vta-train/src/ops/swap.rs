//! From channels first to channels last, and back.

use super::memory::owning;
use super::primitive::{slice, whole};
use crate::backend::{Cpu, CpuGrad, Order};
use crate::kernels::last::{to_first, to_last};
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::FlexTensor;
use burn_tensor::{Tensor, TensorPrimitive};

/// A map in the order `to`, from one of these dimensions in the other order.
fn run(x: &FlexTensor, [n, a, b, c]: [usize; 4], to: Order) -> FlexTensor {
    match to {
        Order::Last => owning(to_last(slice(x), a, b * c), [n, b, c, a]),
        Order::First => owning(to_first(slice(x), c, a * b), [n, c, a, b]),
    }
}

/// Without gradients.
pub(crate) fn swap_plain(x: Tensor<Cpu, 4>, to: Order) -> Tensor<Cpu, 4> {
    let dims = x.dims();
    let x = whole(x.into_primitive().tensor());
    Tensor::from_primitive(TensorPrimitive::Float(run(&x, dims, to)))
}

#[derive(Debug)]
struct SwapBackward;

impl Backward<Cpu, 1> for SwapBackward {
    type State = ([usize; 4], Order);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = whole(grads.consume::<Cpu>(&ops.node));
        let [parent] = ops.parents;
        if let Some(node) = parent {
            let (dims, back) = ops.state;
            grads.register::<Cpu>(node.id, run(&dy, dims, back));
        }
    }
}

/// With gradients.
pub(crate) fn swap(x: Tensor<CpuGrad, 4>, to: Order) -> Tensor<CpuGrad, 4> {
    let dims = x.dims();
    let x = x.into_primitive().tensor();
    let y = run(&whole(x.primitive), dims, to);
    let [n, a, b, c] = dims;
    let back = match to {
        Order::Last => ([n, b, c, a], Order::First),
        Order::First => ([n, c, a, b], Order::Last),
    };
    let prep = SwapBackward.prepare::<NoCheckpointing>([x.node]);
    let y = match prep.compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish(back, y),
        OpsKind::UnTracked(prep) => prep.finish(y),
    };
    Tensor::from_primitive(TensorPrimitive::Float(y))
}
