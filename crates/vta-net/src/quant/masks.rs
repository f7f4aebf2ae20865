//! Masks go from the graph's weights to the integer network's.

use super::error::QuantError;
use super::net::{QNet, QOp};
use super::plan::{Kind, Layout, Linear, Plan, Weights, plan};
use crate::graph::{Graph, Op};
use crate::weight::BlockMask;
use std::collections::BTreeSet;

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

/// Weights of which a mask changes more than which blocks of one convolution are there:
/// dense layers that read a flattened map, and branches that can become one convolution.
/// With a mask they keep their form.
///
/// # Errors
/// An operator that nobody does.
pub fn reshaped_by_masks(graph: &Graph) -> Result<BTreeSet<String>, QuantError> {
    let mut plan = plan(graph)?;
    plan.merge(|_, _, _| true);
    let mut names = BTreeSet::new();
    for step in &plan.steps {
        let Kind::Linear(linear) = &step.kind else {
            continue;
        };
        let branches = linear.branches.iter().map(|branch| &branch.weights);
        for weights in branches.chain([&linear.weights]) {
            let (node, reshaped) = match weights {
                Weights::Conv(node) => (*node, false),
                Weights::Dense(node, layout) => (*node, *layout != Layout::Channels),
                Weights::Channels(..) => continue,
            };
            if !reshaped && linear.branches.is_empty() {
                continue;
            }
            names.extend(match &plan.nodes[node].op {
                Op::Conv(c) => Some(c.weight_name.clone()),
                Op::Dense(d) => Some(d.weight_name.clone()),
                _ => None,
            });
        }
    }
    Ok(names)
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
