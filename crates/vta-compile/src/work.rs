//! Who does what: the device what it can, the host the rest.

use super::device::Pads;
use super::job::{FMap, PoolJob, PoolWindow, ResizeJob};
use super::place::map_dims;
use super::{pool, resize};
use vta_net::graph::Window;
use vta_net::quant::{QNet, QNode, QOp, QTensorId, QType};
use vta_program::config::HwConfig;
use vta_tensor::host::HostOp;

/// What a node is, for the compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// A convolution on the device.
    Conv,
    /// A largest-value pool on the device.
    Pool(Window),
    /// Upsampling on the device.
    Resize([usize; 2]),
    /// The host's.
    Host,
}

impl Work {
    /// Whether the device does it.
    pub(super) fn on_device(self) -> bool {
        self != Self::Host
    }
}

/// The map of a tensor, somewhere.
fn map(net: &QNet, t: QTensorId, block: u32) -> Option<FMap> {
    let (c, h, w) = map_dims(&net.tensor(t).dims)?;
    Some(FMap {
        buffer: 0,
        block: 0,
        base: 0,
        blocks: (c as u32).div_ceil(block),
        h: h as u32,
        w: w as u32,
    })
}

/// Maps of a node's operand and result.
fn maps(net: &QNet, node: &QNode, block: u32) -> Option<(FMap, FMap)> {
    let input = map(net, *node.inputs.first()?, block)?;
    Some((input, map(net, node.output, block)?))
}

/// A pool's window.
pub(super) fn pool_window(w: &Window) -> PoolWindow {
    PoolWindow {
        kernel: w.kernel.map(|x| x as u32),
        stride: w.stride.map(|x| x as u32),
        dilation: w.dilation.map(|x| x as u32),
        pads: [w.pads[0] as u32, w.pads[1] as u32],
    }
}

/// The pool of a node.
pub(super) fn pool_job(w: &Window, (input, output): (FMap, FMap)) -> PoolJob {
    PoolJob {
        input,
        output,
        window: pool_window(w),
    }
}

/// The upsampling of a node.
pub(super) fn resize_job(factor: [usize; 2], (input, output): (FMap, FMap)) -> ResizeJob {
    ResizeJob {
        input,
        output,
        factor: factor.map(|x| x as u32),
    }
}

/// Whether the device can do a pool.
pub(super) fn pool_fits(net: &QNet, node: &QNode, w: &Window, c: &HwConfig) -> bool {
    let job = maps(net, node, c.block).map(|m| pool_job(w, m));
    job.is_some_and(|j| pool::tile(&j, &Pads::new(c)).is_some())
}

/// What each node is.
pub(super) fn works(net: &QNet, c: &HwConfig) -> Vec<Work> {
    let int8 = |t: QTensorId| matches!(net.tensor(t).ty, QType::Int8 { .. });
    let computed = |t: QTensorId| {
        let by = net.nodes.iter().find(|n| n.output == t);
        by.is_some_and(|n| matches!(n.op, QOp::Conv(_) | QOp::MaxPool(_)))
    };
    let work = |node: &QNode| match &node.op {
        QOp::Conv(_) => Work::Conv,
        QOp::MaxPool(w) => Work::Pool(*w),
        // What the device has at hand is not sent through the host.
        QOp::Host(HostOp::Resize { factor }) => {
            let job = maps(net, node, c.block).map(|m| resize_job(*factor, m));
            let fits = job.is_some_and(|j| resize::tile(&j, &Pads::new(c)).is_some());
            let near = node.inputs.iter().all(|&t| int8(t) && computed(t));
            if fits && near {
                Work::Resize(*factor)
            } else {
                Work::Host
            }
        }
        QOp::Host(_) => Work::Host,
    };
    net.nodes.iter().map(work).collect()
}

/// For each convolution whose only reader is a pool: the pool.
pub(super) fn pooled(net: &QNet, works: &[Work]) -> Vec<Option<usize>> {
    let pool_of = |node: &QNode| {
        let QOp::Conv(_) = node.op else { return None };
        let mut readers = net.nodes.iter().enumerate();
        let mut readers = readers
            .by_ref()
            .filter(|(_, n)| n.inputs.contains(&node.output));
        let (at, _) = readers.next()?;
        let only = readers.next().is_none() && !net.outputs.contains(&node.output);
        // A residual is added to each value before the pool.
        let alone = node.inputs.len() == 1;
        (only && alone && matches!(works[at], Work::Pool(_))).then_some(at)
    };
    net.nodes.iter().map(pool_of).collect()
}
