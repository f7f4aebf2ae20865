//! Masks go from the graph's weights to the integer network's.

use super::net::{QNet, QOp};
use super::plan::{Kind, Layout, Linear, Plan, Weights};
use crate::graph::Op;
use crate::weight::BlockMask;

/// Gives each convolution of the integer network the mask of its weight in the
/// graph. Where none was applied, blocks that are all zeros after quantisation
/// are dropped, but in layers that stay dense.
pub(super) fn carry(plan: &Plan<'_>, net: &mut QNet) {
    // Each such step is one convolution, in order.
    let steps = plan.steps.iter().filter_map(|s| match &s.kind {
        Kind::Linear(linear) => Some(linear),
        _ => None,
    });
    let convs = net.nodes.iter_mut().filter_map(|n| match &mut n.op {
        QOp::Conv(conv) => Some(conv),
        _ => None,
    });
    for (linear, conv) in steps.zip(convs) {
        debug_assert_eq!(linear.weight_name, conv.weight_name);
        match applied(plan, linear) {
            Some(mask) => {
                let applied = conv.weight.apply(mask);
                debug_assert_eq!(applied, Ok(()), "{}", linear.weight_name);
            }
            None if linear.keep_dense => {}
            None => conv.weight.detect(),
        }
    }
}

/// The mask that was applied to a step's weight, as the convolution has it.
fn applied(plan: &Plan<'_>, linear: &Linear) -> Option<BlockMask> {
    let node = match &linear.weights {
        Weights::Conv(i) | Weights::Dense(i, Layout::Channels) => *i,
        // A matrix with dropped blocks keeps its form (`plan::dense`): nothing is dropped here.
        Weights::Dense(..) | Weights::Channels(..) => return None,
    };
    match &plan.nodes[node].op {
        Op::Conv(c) => c.weight.mask().cloned(),
        Op::Dense(d) => d.weight.mask().cloned(),
        _ => None,
    }
}
