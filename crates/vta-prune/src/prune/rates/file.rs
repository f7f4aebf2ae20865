//! Rates written by hand.

use super::{RateError, Rates};
use crate::prune::PruneLayer;
use std::collections::BTreeMap;

/// Reads rates: a JSON object with, for layers by the name of the node or of
/// its weight, which part of its blocks is dropped.
///
/// # Errors
/// A text that is something else, a name that no layer has, a layer that stays
/// dense, a rate that is no fraction.
pub fn read_rates(text: &str, layers: &[PruneLayer]) -> Result<Rates, RateError> {
    let rates: BTreeMap<String, f64> = serde_json::from_str(text).map_err(|e| RateError::Json {
        line: e.line(),
        column: e.column(),
        what: e.to_string(),
    })?;
    let mut given = BTreeMap::new();
    for (name, rate) in rates {
        let layer = layers
            .iter()
            .find(|l| l.node == name || l.weight_name == name)
            .ok_or_else(|| RateError::Unknown {
                name: name.clone(),
                layers: layers.iter().map(|l| l.node.clone()).collect(),
            })?;
        if !(0.0..=1.0).contains(&rate) {
            return Err(RateError::Rate { name, rate });
        }
        if !layer.prunable() && rate > 0.0 {
            let why = layer.keep_dense.clone();
            return Err(RateError::StaysDense { name, why });
        }
        if given.insert(layer.weight_name.clone(), rate).is_some() {
            return Err(RateError::Twice { name });
        }
    }
    Ok(Rates::Given(given))
}
