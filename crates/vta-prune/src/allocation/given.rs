//! Sparsities of layers, written by hand.

use super::{AllocationError, AllocationRule};
use crate::PruneLayer;
use std::collections::BTreeMap;
use vta_tensor::printable::without_place;

/// Reads sparsities: a JSON object with, for layers by the name of the node or of
/// its weight, which fraction of its blocks is dropped.
///
/// # Errors
/// A text that is something else, a name that no layer has, a layer that stays
/// dense, a number that is no fraction.
pub fn read_sparsities(
    text: &str,
    layers: &[PruneLayer],
) -> Result<AllocationRule, AllocationError> {
    let sparsities: BTreeMap<String, f64> =
        serde_json::from_str(text).map_err(|e| AllocationError::Json {
            line: e.line(),
            column: e.column().max(1),
            what: without_place(&e.to_string(), e.line(), e.column()).into(),
        })?;
    let mut given = BTreeMap::new();
    for (name, rate) in sparsities {
        let layer = layers
            .iter()
            .find(|l| l.node == name || l.weight_name == name)
            .ok_or_else(|| AllocationError::Unknown {
                name: name.clone(),
                layers: layers.iter().map(|l| l.node.clone()).collect(),
            })?;
        if !(0.0..=1.0).contains(&rate) {
            return Err(AllocationError::Rate { name, rate });
        }
        if !layer.prunable() && rate > 0.0 {
            let why = layer.keep_dense.clone();
            return Err(AllocationError::StaysDense { name, why });
        }
        if given.insert(layer.weight_name.clone(), rate).is_some() {
            return Err(AllocationError::Twice { name });
        }
    }
    Ok(AllocationRule::Given(given))
}
