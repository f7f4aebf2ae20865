//! Cycles of each layer as a function of its kept blocks: all that pruning may
//! know about the hardware.
//!
//! The command line fills a table by simulating; whoever decides about blocks
//! reads it. Between simulated points it is linear.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vta_tensor::printable::without_place;

/// The `format` of every table.
const FORMAT: &str = "vta-cost";

/// The version that is written and read.
const VERSION: u32 = 1;

/// Most cycles of a point and of all that is fixed: more than any counter holds.
/// Sums of them stay finite.
const MOST_CYCLES: f64 = u64::MAX as f64;

/// Kept blocks and cycles of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point(
    /// Kept blocks.
    pub u64,
    /// Cycles.
    pub f64,
);

/// What a layer costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerCost {
    /// Name of the layer.
    pub name: String,
    /// Name of its weight: the key of its mask.
    pub weight_name: String,
    /// Blocks that it has.
    pub blocks: u64,
    /// Simulated points, by kept blocks, cycles not falling.
    pub points: Vec<Point>,
}

/// What a network costs on a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostTable {
    format: String,
    version: u32,
    /// The network.
    pub model: String,
    /// The configuration.
    pub config: String,
    /// Cycles of all that no mask changes.
    pub fixed_cycles: f64,
    /// Layers with masks, in order.
    pub layers: Vec<LayerCost>,
}

/// A table that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CostError {
    /// Not the JSON of a table.
    #[error("line {line}, column {column}: {what}")]
    Json {
        /// 1-based line.
        line: usize,
        /// 1-based column.
        column: usize,
        /// What was expected.
        what: String,
    },
    /// Something else, or another version.
    #[error("format {format:?} version {version}, not {FORMAT:?} version {VERSION}")]
    Format {
        /// Its format.
        format: String,
        /// Its version.
        version: u32,
    },
    /// A layer without points, out of order, or with a number that makes no sense.
    #[error(
        "layer {layer}: points must be there, in order of blocks, with cycles from 0 to 2^64 that do not fall"
    )]
    Points {
        /// The layer.
        layer: String,
    },
    /// A number of fixed cycles that makes no sense.
    #[error("fixed_cycles is {cycles}, not from 0 to 2^64")]
    Fixed {
        /// It.
        cycles: f64,
    },
}

impl LayerCost {
    /// A layer with its simulated points, in any order. More blocks never cost
    /// less: a schedule for fewer can be had by taking the one for more.
    pub fn new(
        name: impl Into<String>,
        weight_name: impl Into<String>,
        blocks: u64,
        mut points: Vec<Point>,
    ) -> Self {
        points.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        points.dedup_by_key(|p| p.0);
        let mut least = f64::INFINITY;
        for p in points.iter_mut().rev() {
            least = least.min(p.1);
            p.1 = least;
        }
        Self {
            name: name.into(),
            weight_name: weight_name.into(),
            blocks,
            points,
        }
    }

    /// Cycles with `kept` blocks: linear between points, constant outside.
    pub fn cycles(&self, kept: u64) -> f64 {
        let at = self.points.partition_point(|p| p.0 < kept);
        match (self.points.get(at.wrapping_sub(1)), self.points.get(at)) {
            (Some(a), Some(b)) => {
                let share = (kept - a.0) as f64 / (b.0 - a.0) as f64;
                a.1 + share * (b.1 - a.1)
            }
            (None, Some(p)) | (Some(p), None) => p.1,
            (None, None) => 0.0,
        }
    }

    fn is_sound(&self) -> bool {
        let in_order = self.points.windows(2).all(|w| w[0].0 < w[1].0);
        let rising = self.points.windows(2).all(|w| w[0].1 <= w[1].1);
        let bounded = self.points.iter().all(|p| is_cycles(p.1));
        !self.points.is_empty() && in_order && rising && bounded
    }
}

/// Whether a number can be one of cycles.
fn is_cycles(n: f64) -> bool {
    (0.0..=MOST_CYCLES).contains(&n)
}

impl CostTable {
    /// A table.
    pub fn new(
        model: impl Into<String>,
        config: impl Into<String>,
        fixed_cycles: f64,
        layers: Vec<LayerCost>,
    ) -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            model: model.into(),
            config: config.into(),
            fixed_cycles,
            layers,
        }
    }

    /// Cycles of the network with these kept blocks, by weight; a layer that
    /// is not there keeps all.
    pub fn total(&self, kept: &BTreeMap<String, u64>) -> f64 {
        let layers = self.layers.iter();
        let cycles = layers.map(|l| l.cycles(*kept.get(&l.weight_name).unwrap_or(&l.blocks)));
        self.fixed_cycles + cycles.sum::<f64>()
    }

    /// Cycles of each weight with these kept blocks, over all layers that share it.
    pub fn by_weight(&self, kept: &BTreeMap<String, u64>) -> BTreeMap<String, f64> {
        let mut all = BTreeMap::new();
        for l in &self.layers {
            let cycles = l.cycles(*kept.get(&l.weight_name).unwrap_or(&l.blocks));
            *all.entry(l.weight_name.clone()).or_default() += cycles;
        }
        all
    }

    /// The table as JSON text.
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        text + "\n"
    }

    /// Reads JSON text.
    ///
    /// # Errors
    /// Text that is no table, a layer whose points make no sense.
    pub fn from_json(text: &str) -> Result<Self, CostError> {
        let table: Self = serde_json::from_str(text).map_err(|e| CostError::Json {
            line: e.line(),
            column: e.column().max(1),
            what: without_place(&e.to_string(), e.line(), e.column()).into(),
        })?;
        if table.format != FORMAT || table.version != VERSION {
            return Err(CostError::Format {
                format: table.format,
                version: table.version,
            });
        }
        if !is_cycles(table.fixed_cycles) {
            return Err(CostError::Fixed {
                cycles: table.fixed_cycles,
            });
        }
        match table.unsound() {
            Some(l) => Err(CostError::Points {
                layer: l.name.clone(),
            }),
            None => Ok(table),
        }
    }

    /// The first layer without points, out of order, or with a number that makes no sense.
    pub(crate) fn unsound(&self) -> Option<&LayerCost> {
        self.layers.iter().find(|l| !l.is_sound())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> CostTable {
        let points = vec![Point(8, 800.0), Point(0, 100.0), Point(4, 300.0)];
        let layer = LayerCost::new("conv", "conv.weight", 8, points);
        CostTable::new("net", "de10", 50.0, vec![layer])
    }

    #[test]
    fn linear_between_points_and_constant_outside() {
        let l = &table().layers[0];
        let at = |k| l.cycles(k);
        assert_eq!(
            [at(0), at(2), at(4), at(6), at(8), at(9)],
            [100.0, 200.0, 300.0, 550.0, 800.0, 800.0]
        );
    }

    #[test]
    fn more_blocks_never_cost_less() {
        let l = LayerCost::new(
            "a",
            "a",
            3,
            vec![Point(1, 90.0), Point(2, 80.0), Point(3, 100.0)],
        );
        assert_eq!(l.cycles(1), 80.0);
        let l = LayerCost::new("a", "a", 3, vec![Point(2, 80.0), Point(2, 70.0)]);
        assert_eq!(l.points, [Point(2, 70.0)]);
    }

    #[test]
    fn text_survives_and_is_checked() {
        let t = table();
        assert_eq!(
            CostTable::from_json(&t.to_json()).expect("it is a table"),
            t
        );
        for (from, to) in [("vta-cost", "other"), ("100.0", "-1.0"), ("{", "[")] {
            assert!(
                CostTable::from_json(&t.to_json().replacen(from, to, 1)).is_err(),
                "{from}"
            );
        }
        // Numbers that are no cycles, and cycles that fall.
        for (from, to) in [
            ("50.0", "-1.0"),
            ("50.0", "1e20"),
            ("800.0", "1e308"),
            ("800.0", "299.0"),
        ] {
            assert!(
                CostTable::from_json(&t.to_json().replacen(from, to, 1)).is_err(),
                "{from} {to}"
            );
        }
        let mut empty = t;
        empty.layers[0].points.clear();
        assert!(CostTable::from_json(&empty.to_json()).is_err());
    }
}
