//! Which layers of a network can have masks.

use super::{BlockMask, MaskError, Masks};
use crate::graph::{Graph, Op};
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

/// The layers of a network that can have masks, in order.
///
/// Depthwise convolutions, the first convolution and the last dense layer are
/// among them, and say that they stay dense.
pub fn layers(graph: &Graph) -> Vec<MaskLayer> {
    let mut layers: Vec<MaskLayer> = Vec::new();
    for node in graph.nodes() {
        let (weight_name, weight, dense_layer, depthwise) = match &node.op {
            Op::Conv(c) => {
                let (co, ci, kh, kw) = c.weight.dim();
                let depthwise = c.groups > 1 && ci == 1;
                (&c.weight_name, [co, ci, kh, kw], false, depthwise)
            }
            Op::Dense(d) => {
                let (out, inputs) = d.weight.dim();
                (&d.weight_name, [out, inputs, 1, 1], true, false)
            }
            _ => continue,
        };
        layers.push(MaskLayer {
            node: node.name.clone(),
            weight_name: weight_name.clone(),
            weight,
            dense_layer,
            depthwise,
            keep_dense: if depthwise { "depthwise" } else { "" },
        });
    }
    if let Some(first) = layers.iter_mut().find(|l| !l.dense_layer) {
        first.keep_dense = "first convolution";
    }
    if let Some(last) = layers.iter_mut().rfind(|l| l.dense_layer) {
        last.keep_dense = "last dense layer";
    }
    layers
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
