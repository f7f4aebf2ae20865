//! Masks as the integer network sees them.

use super::error::QuantError;
use super::plan::{Kind, Layout, Weights, plan};
use crate::graph::{Graph, Op};
use crate::sparse::{BLOCK, BlockMask, Masks};

/// The masks as the integer network's convolutions have them.
///
/// Most are as they were. Where a dense layer over a flattened map became a
/// convolution over the map, a block of the convolution is kept if it has an
/// element of a kept block of the matrix.
///
/// # Errors
/// An operator that nobody does.
pub fn conv_masks(graph: &Graph, masks: &Masks) -> Result<Masks, QuantError> {
    let mut out = masks.clone();
    for step in plan(graph)?.steps {
        let Kind::Linear(linear) = step.kind else {
            continue;
        };
        let Weights::Dense(i, layout) = linear.weights else {
            continue;
        };
        let Some(mask) = masks.get(&linear.weight_name) else {
            continue;
        };
        let Some(node) = graph.nodes().nth(i) else {
            continue;
        };
        let Op::Dense(d) = &node.op else { continue };
        if layout != Layout::Channels {
            let mask = rearranged(mask, layout, d.weight.dim());
            out.insert(linear.weight_name, mask);
        }
    }
    Ok(out)
}

fn rearranged(mask: &BlockMask, layout: Layout, (outputs, inputs): (usize, usize)) -> BlockMask {
    let [c, h, w] = layout.kernel(inputs);
    let mut kept = BlockMask::full(BlockMask::dims_for([outputs, c, h, w]));
    kept.kept.fill(false);
    for row in 0..outputs.div_ceil(BLOCK) {
        for c in 0..c {
            for y in 0..h {
                for x in 0..w {
                    let column = layout.column([c, y, x]);
                    if mask.get([row, column / BLOCK, 0, 0]) {
                        kept.set([row, c / BLOCK, y, x], true);
                    }
                }
            }
        }
    }
    kept
}
