//! Who does what: the device what it can, the host the rest.

use crate::device::Scratchpads;
use crate::links::Links;
use crate::lowered::{DepthToSpace, LoweredPool, LoweredRearrange, LoweredResize, Upsampling};
use crate::map::{FMap, map_dims};
use crate::pool;
use crate::rearrange;
use crate::resize;
use vta_net::graph::Window;
use vta_net::quant::{QNet, QNode, QOp, QTensorId, QType};
use vta_program::config::HwConfig;
use vta_tensor::host::HostOp;

/// Where a node runs, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Placement {
    /// A convolution on the device.
    Conv,
    /// A largest-value pool on the device.
    Pool(Window),
    /// Upsampling on the device.
    Resize(Upsampling),
    /// Depth to space or a permutation of channels on the device.
    Rearrange(DepthToSpace),
    /// The host's.
    Host,
}

impl Placement {
    /// Whether the device does it.
    pub(crate) fn on_device(&self) -> bool {
        *self != Self::Host
    }
}

/// Maps of a node's operand and result, somewhere; none where there are none.
fn maps(net: &QNet, node: &QNode, block: u32) -> Option<(FMap, FMap)> {
    let map = |t: QTensorId| FMap::new(map_dims(&net.tensor(t).dims)?, block).ok();
    Some((map(*node.inputs.first()?)?, map(node.output)?))
}

/// Whether the device can do a pool.
pub(crate) fn pool_fits(net: &QNet, node: &QNode, w: &Window, c: &HwConfig) -> bool {
    let lowered = maps(net, node, c.block).and_then(|m| LoweredPool::new(w, m).ok());
    lowered.is_some_and(|l| pool::tile(&l, &Scratchpads::new(c)).is_some())
}

/// Whether the device can do an upsampling.
fn resize_fits(net: &QNet, node: &QNode, how: Upsampling, c: &HwConfig) -> bool {
    let lowered = maps(net, node, c.block).and_then(|m| LoweredResize::new(how, m).ok());
    lowered.is_some_and(|l| resize::tile(&l, &Scratchpads::new(c)).is_some())
}

/// Whether the device can do a depth to space.
fn rearrange_fits(net: &QNet, node: &QNode, of: &DepthToSpace, c: &HwConfig) -> bool {
    let lowered = |m| LoweredRearrange::new(of, m, c.block).ok();
    let lowered = maps(net, node, c.block).and_then(lowered);
    lowered.is_some_and(|l| rearrange::tile(&l, &Scratchpads::new(c)).is_some())
}

/// Where each node runs.
pub(crate) fn placements(net: &QNet, links: &Links, c: &HwConfig) -> Vec<Placement> {
    let int8 = |t: QTensorId| matches!(net.tensor(t).ty, QType::Int8 { .. });
    // Tables stand between layers: the device loads what they give anyway.
    let computed = |t: QTensorId| {
        links.made_by(net, t, |n| {
            let table = matches!(n.op, QOp::Host(HostOp::Table { .. }));
            table || matches!(n.op, QOp::Conv(_) | QOp::MaxPool(_))
        })
    };
    let placement = |node: &QNode| match &node.op {
        QOp::Conv(_) => Placement::Conv,
        QOp::MaxPool(w) => Placement::Pool(*w),
        QOp::Host(op) => {
            // What the device has at hand is not sent through the host.
            let near = || node.inputs.iter().all(|&t| int8(t) && computed(t));
            let how = Upsampling::of(op).filter(|how| near() && resize_fits(net, node, *how, c));
            if let Some(how) = how {
                return Placement::Resize(how);
            }
            let from = node
                .inputs
                .first()
                .and_then(|t| map_dims(&net.tensor(*t).dims));
            let of = from.and_then(|(_, h, w)| DepthToSpace::of(op, [h, w]));
            let of = of.filter(|of| near() && rearrange_fits(net, node, of, c));
            of.map_or(Placement::Host, Placement::Rearrange)
        }
    };
    net.nodes.iter().map(placement).collect()
}

/// For each convolution whose only reader is a pool: the pool.
pub(crate) fn pooled(net: &QNet, links: &Links, placements: &[Placement]) -> Vec<Option<usize>> {
    let pool_of = |node: &QNode| {
        let QOp::Conv(_) = node.op else { return None };
        let at = links.only_reader(node.output)?;
        // A residual is added to each value before the pool.
        let alone = node.inputs.len() == 1;
        (alone && matches!(placements[at], Placement::Pool(_))).then_some(at)
    };
    net.nodes.iter().map(pool_of).collect()
}
