//! Masks become a part of their weights.

use super::{BlockMask, MaskError, Masks, layers};
use crate::graph::{Graph, Op};
use crate::weight::{MaskDims, Weight, WeightDim};
use std::collections::{BTreeMap, BTreeSet};

/// Applies masks to a network's weights: what they drop is zero from here on,
/// and they go with the weights through quantiser and compiler. A mask that
/// keeps all says nothing, and weights without a mask stay as they are: blocks
/// of zeros are found there after quantisation.
///
/// ```
/// use vta_net::quant::{Calibration, QOp, QuantOptions, quantise};
/// use vta_net::{graph::zoo, sparse};
///
/// let mut graph = zoo::build("lenet5", 1).expect("a network of the zoo");
/// // Or from a file: `sparse::read(&bytes, &sparse::layers(&graph))`.
/// let masks = sparse::random(0.25, 1, &sparse::layers(&graph))?;
/// sparse::apply(&mut graph, &masks)?;
///
/// let calibration = Calibration::noise(&graph, 1, 1)?;
/// let net = quantise(&graph, &calibration, &QuantOptions::default())?;
/// for node in &net.nodes {
///     if let QOp::Conv(conv) = &node.op
///         && let Some(mask) = conv.weight.mask()
///     {
///         println!("{}: {} of {} blocks", node.name, mask.count_kept(), mask.blocks());
///         assert_eq!(Some(mask), masks.get(&conv.weight_name));
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A mask that no layer has, or of other dimensions; then nothing is applied.
pub fn apply(graph: &mut Graph, masks: &Masks) -> Result<(), MaskError> {
    super::check(masks, &layers(graph))?;
    let ways = ways(graph);
    for node in graph.nodes_mut() {
        match &mut node.op {
            Op::Conv(c) => one(&c.weight_name, &mut c.weight, masks, false)?,
            Op::Dense(d) => {
                let turned = ways.get(&d.weight_name) != Some(&d.transposed);
                one(&d.weight_name, &mut d.weight, masks, turned)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the first dense layer that has a weight has it transposed. A mask is that
/// of the first layer; one that has the same weight the other way round has the mask
/// the other way round.
fn ways(graph: &Graph) -> BTreeMap<String, bool> {
    let mut ways = BTreeMap::new();
    for node in graph.nodes() {
        if let Op::Dense(d) = &node.op {
            ways.entry(d.weight_name.clone()).or_insert(d.transposed);
        }
    }
    ways
}

/// The dense layers, by node, that have their weight the other way round than the first
/// layer with it: their mask is the transposed one.
pub fn turned(graph: &Graph) -> BTreeSet<String> {
    let ways = ways(graph);
    let nodes = graph.nodes().filter(|node| match &node.op {
        Op::Dense(d) => ways.get(&d.weight_name) != Some(&d.transposed),
        _ => false,
    });
    nodes.map(|node| node.name.clone()).collect()
}

fn one<D: WeightDim>(
    name: &str,
    weight: &mut Weight<f32, D>,
    masks: &Masks,
    turned: bool,
) -> Result<(), MaskError> {
    let drops = |m: &&BlockMask| m.count_kept() < m.blocks();
    let Some(mask) = masks.get(name).filter(drops) else {
        return Ok(());
    };
    let applied = weight.apply(match turned {
        true => mask.transposed(),
        false => mask.clone(),
    });
    // Layers of one name can still differ in dimensions.
    applied.map_err(|MaskDims { found, expected }| MaskError::Shape {
        key: name.into(),
        found: found.to_vec(),
        weight: weight.shape().to_vec(),
        expected: expected.to_vec(),
    })
}

/// The masks that were applied to a network's weights, to be written to a file.
pub fn masks(graph: &Graph) -> Masks {
    let applied = graph.nodes().filter_map(|node| {
        let (name, mask) = match &node.op {
            Op::Conv(c) => (&c.weight_name, c.weight.mask()),
            Op::Dense(d) => (&d.weight_name, d.weight.mask()),
            _ => return None,
        };
        Some((name.clone(), mask?.clone()))
    });
    let mut all = Masks::new();
    for (name, mask) in applied {
        // The first layer's, as in a file.
        all.entry(name).or_insert(mask);
    }
    all
}
