//! Masks of a graph's weights: applied to them, and seen by the integer network.

use super::error::QuantError;
use super::plan::{Kind, Layout, Weights, plan};
use crate::graph::{Graph, Op};
use crate::sparse::{BLOCK, BlockMask, Masks};
use std::collections::BTreeSet;

/// A mask that fits no weight.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MaskError {
    /// A key that is no weight of the network.
    #[error("mask `{weight}`: no convolution or dense layer has a weight of this name")]
    Unknown {
        /// The key.
        weight: String,
    },
    /// Dimensions that do not fit the weight's.
    #[error(
        "mask `{weight}` is {found:?}, the weight {dims:?} of node `{node}` has blocks {expected:?}"
    )]
    Dims {
        /// The key.
        weight: String,
        /// Node that has the weight.
        node: String,
        /// Dimensions of the weight: `[co, ci / groups, kh, kw]`, or `[out, in, 1, 1]`.
        dims: [usize; 4],
        /// Dimensions of a mask that fits.
        expected: [usize; 4],
        /// Dimensions of the mask.
        found: [usize; 4],
    },
}

/// Weight of a node that a mask can be for: its name and `[co, ci / groups, kh, kw]`.
///
/// A dense layer's is `[out, in, 1, 1]`, whichever way the file has it.
fn weight(op: &Op) -> Option<(&str, [usize; 4])> {
    match op {
        Op::Conv(c) => Some((&c.weight_name, c.weight.dim().into())),
        Op::Dense(d) => {
            let (out, inputs) = d.weight.dim();
            Some((&d.weight_name, [out, inputs, 1, 1]))
        }
        _ => None,
    }
}

/// Checks that every mask is for a weight and has its blocks.
///
/// # Errors
/// A mask that fits no weight.
pub fn check_masks(graph: &Graph, masks: &Masks) -> Result<(), MaskError> {
    let mut unknown: BTreeSet<&str> = masks.keys().map(String::as_str).collect();
    for node in graph.nodes() {
        let Some((name, dims)) = weight(&node.op) else {
            continue;
        };
        let Some(mask) = masks.get(name) else {
            continue;
        };
        unknown.remove(name);
        let expected = BlockMask::dims_for(dims);
        if mask.dims != expected || mask.kept.len() != expected.iter().product::<usize>() {
            return Err(MaskError::Dims {
                weight: name.to_owned(),
                node: node.name.clone(),
                dims,
                expected,
                found: mask.dims,
            });
        }
    }
    match unknown.first() {
        Some(weight) => Err(MaskError::Unknown {
            weight: (*weight).to_owned(),
        }),
        None => Ok(()),
    }
}

/// Zeroes the weights of blocks that masks drop.
///
/// A mask of a convolution `[co, ci / groups, kh, kw]` has
/// `[ceil(co / 32), ceil(ci / groups / 32), kh, kw]` blocks. One of a dense
/// layer has `[ceil(out / 32), ceil(in / 32), 1, 1]`, also where the file
/// stores its matrix as `[in, out]`.
///
/// # Errors
/// A mask that fits no weight; the graph is unchanged then.
pub fn apply_masks(graph: &mut Graph, masks: &Masks) -> Result<(), MaskError> {
    check_masks(graph, masks)?;
    for node in graph.nodes_mut() {
        let Some(mask) = weight(&node.op).and_then(|(name, _)| masks.get(name)) else {
            continue;
        };
        match &mut node.op {
            Op::Conv(c) => {
                for ((o, i, y, x), w) in c.weight.indexed_iter_mut() {
                    if !mask.get([o / BLOCK, i / BLOCK, y, x]) {
                        *w = 0.;
                    }
                }
            }
            Op::Dense(d) => {
                for ((o, i), w) in d.weight.indexed_iter_mut() {
                    if !mask.get([o / BLOCK, i / BLOCK, 0, 0]) {
                        *w = 0.;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A layer of the integer network that masks can be for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maskable {
    /// Name of the node.
    pub node: String,
    /// Name of the weight's initializer, the key of its mask.
    pub weight: String,
    /// Dimensions of the mask of the graph's weight.
    pub blocks: [usize; 4],
    /// Whether masks of random density leave the layer alone.
    pub keep_dense: bool,
}

/// The layers that masks can be for, in the order of execution.
///
/// # Errors
/// An operator that nobody does.
pub fn maskable(graph: &Graph) -> Result<Vec<Maskable>, QuantError> {
    let plan = plan(graph)?;
    let layers = plan.steps.iter().filter_map(|step| {
        let Kind::Linear(linear) = &step.kind else {
            return None;
        };
        let (Weights::Conv(i) | Weights::Dense(i, _)) = linear.weights else {
            return None;
        };
        let (name, dims) = weight(&plan.nodes[i].op)?;
        (!name.is_empty()).then(|| Maskable {
            node: step.name.clone(),
            weight: name.to_owned(),
            blocks: BlockMask::dims_for(dims),
            keep_dense: linear.keep_dense,
        })
    });
    Ok(layers.collect())
}

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
