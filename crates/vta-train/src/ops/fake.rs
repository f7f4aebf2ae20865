//! Rounding to a grid, with gradients straight through.

use super::primitive::{slice, take, tensor, whole};
use crate::backend::{Cpu, CpuGrad};
use crate::kernels::fake::{Grid, gradient, round};
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::FlexTensor;
use burn_tensor::{Tensor, TensorPrimitive};

/// Without gradients.
pub(crate) fn fake_plain(x: Tensor<Cpu, 1>, grids: &[Grid]) -> Tensor<Cpu, 1> {
    let x = whole(x.into_primitive().tensor());
    let y = round(slice(&x), grids);
    let n = y.len();
    Tensor::from_primitive(TensorPrimitive::Float(tensor(y, [n])))
}

#[derive(Debug)]
struct FakeBackward;

impl Backward<Cpu, 1> for FakeBackward {
    type State = (FlexTensor, Vec<Grid>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = take(grads.consume::<Cpu>(&ops.node));
        let [parent] = ops.parents;
        if let Some(node) = parent {
            let (x, grids) = &ops.state;
            let n = dy.len();
            let dx = gradient(slice(x), dy, grids);
            grads.register::<Cpu>(node.id, tensor(dx, [n]));
        }
    }
}

/// With gradients.
pub(crate) fn fake(x: Tensor<CpuGrad, 1>, grids: &[Grid]) -> Tensor<CpuGrad, 1> {
    let x = x.into_primitive().tensor();
    let values = whole(x.primitive);
    let y = round(slice(&values), grids);
    let n = y.len();
    let y = tensor(y, [n]);
    let prep = FakeBackward.prepare::<NoCheckpointing>([x.node]);
    let y = match prep.compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish((values, grids.to_vec()), y),
        OpsKind::UnTracked(prep) => prep.finish(y),
    };
    Tensor::from_primitive(TensorPrimitive::Float(y))
}
