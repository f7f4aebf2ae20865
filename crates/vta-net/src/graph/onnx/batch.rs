//! Networks with a fixed batch: that of one element says all where nothing works
//! across the elements.

use super::error::{Fault, Problem, Res};
use crate::graph::{Graph, HostOp, Node, Op};

/// Refuses what works across the elements of a batch.
pub(super) fn check(graph: &Graph) -> Res<()> {
    for node in graph.nodes() {
        let leading = |dims: &[usize]| dims.len() > 1 && dims[0] == 1;
        let tensor = graph.tensor(node.output);
        let constant = node.inputs.is_empty();
        if !constant && (across(node) || !leading(&tensor.dims)) {
            let text = format!("works across the {} elements of the batch", graph.batch);
            return Err(Fault::at(&tensor.name, Problem::Form(text)));
        }
    }
    Ok(())
}

fn across(node: &Node) -> bool {
    match &node.op {
        Op::Softmax { axis } | Op::Concat { axis } | Op::Slice { axis, .. } => *axis == 0,
        Op::ReduceMean { axes } => axes.contains(&0),
        Op::Transpose { perm } => perm.first() != Some(&0),
        Op::Pad { pads, .. } => pads.first() != Some(&(0, 0)),
        Op::Host(op) => match op {
            HostOp::Gather { axis, .. }
            | HostOp::Interpolate { axis, .. }
            | HostOp::ArgMax { axis, .. }
            | HostOp::TopK { axis, .. }
            | HostOp::LogSoftmax { axis } => *axis == 0,
            HostOp::Normalize { axes, .. } | HostOp::Reduce { axes, .. } => axes.contains(&0),
            HostOp::Rearrange { split, perm, .. } => {
                split.first() != Some(&1) || perm.first() != Some(&0)
            }
            HostOp::ResizeLinear { .. }
            | HostOp::Lrn { .. }
            | HostOp::Where
            | HostOp::Pairwise { .. } => false,
            _ => true,
        },
        _ => false,
    }
}
