//! Which layers of a network can have masks.

use super::{BlockMask, MaskError, Masks};
use crate::graph::{Graph, Node, Op};
use vta_tensor::spelling::nearest;

/// A layer whose weights come in 32x32 blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskLayer {
    /// Name of the node.
    pub node: String,
    /// Name of the weight's initializer: the key of its mask.
    pub weight_name: String,
    /// Dimensions of the weight, `[co, ci / groups, kh, kw]`; a dense layer is `[out, in, 1, 1]`.
    pub weight: [usize; 4],
    /// Whether it is a dense layer: its mask may have two dimensions.
    pub dense_layer: bool,
    /// Whether it is a depthwise convolution.
    pub depthwise: bool,
    /// Why it stays dense unless a mask file names it; empty if it does not.
    pub keep_dense: &'static str,
}

impl MaskLayer {
    /// Dimensions of its mask.
    pub fn mask_dims(&self) -> [usize; 4] {
        BlockMask::dims_for(self.weight)
    }
}

/// For each node of a network, in order, why it stays dense unless a mask file
/// names it; empty if it does not, or has no weight.
///
/// The one rule: depthwise convolutions, the first convolution and the last dense layer.
pub fn keep_dense(graph: &Graph) -> Vec<&'static str> {
    let ops: Vec<&Op> = graph.nodes().map(|n| &n.op).collect();
    let mut why = vec![""; ops.len()];
    for (why, op) in why.iter_mut().zip(&ops) {
        if matches!(op, Op::Conv(c) if c.is_depthwise()) {
            *why = "depthwise";
        }
    }
    if let Some(first) = ops.iter().position(|op| matches!(op, Op::Conv(_))) {
        why[first] = "first convolution";
    }
    if let Some(last) = ops.iter().rposition(|op| matches!(op, Op::Dense(_))) {
        why[last] = "last dense layer";
    }
    why
}

/// The layers of a network that can have masks, in order.
///
/// Those that stay dense ([`keep_dense`]) are among them, and say so.
pub fn layers(graph: &Graph) -> Vec<MaskLayer> {
    let layer = |(node, keep_dense): (&Node, &'static str)| {
        let (weight_name, weight, dense_layer, depthwise) = match &node.op {
            Op::Conv(c) => {
                let (co, ci, kh, kw) = c.weight.dim();
                (&c.weight_name, [co, ci, kh, kw], false, c.is_depthwise())
            }
            Op::Dense(d) => {
                let (out, inputs) = d.weight.dim();
                (&d.weight_name, [out, inputs, 1, 1], true, false)
            }
            _ => return None,
        };
        Some(MaskLayer {
            node: node.name.clone(),
            weight_name: weight_name.clone(),
            weight,
            dense_layer,
            depthwise,
            keep_dense,
        })
    };
    let all = graph.nodes().zip(keep_dense(graph));
    all.filter_map(layer).collect()
}

/// Checks that masks belong to layers: names and dimensions.
///
/// # Errors
/// The first mask, by name, that does not.
pub fn check(masks: &Masks, layers: &[MaskLayer]) -> Result<(), MaskError> {
    for (key, mask) in masks {
        let layer = find(key, layers)?;
        if mask.dims != layer.mask_dims() {
            return Err(shape_error(key, &mask.dims, layer));
        }
    }
    Ok(())
}

/// The layer that a key names.
pub(super) fn find<'a>(key: &str, layers: &'a [MaskLayer]) -> Result<&'a MaskLayer, MaskError> {
    let found = layers.iter().find(|l| l.weight_name == key);
    found.ok_or_else(|| {
        let weights: Vec<String> = layers.iter().map(|l| l.weight_name.clone()).collect();
        MaskError::Unknown {
            key: key.into(),
            nearest: nearest(key, weights.iter().map(String::as_str)).map(Into::into),
            weights,
        }
    })
}

pub(super) fn shape_error(key: &str, found: &[usize], layer: &MaskLayer) -> MaskError {
    let rank = if layer.dense_layer { 2 } else { 4 };
    MaskError::Shape {
        key: key.into(),
        found: found.to_vec(),
        weight: layer.weight[..rank].to_vec(),
        expected: layer.mask_dims()[..rank].to_vec(),
    }
}
