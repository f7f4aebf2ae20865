//! What kept blocks cost.

use super::{AllocationError, Profile};
use crate::PruneLayer;
use crate::cost::CostTable;
use serde::{Deserialize, Serialize};

/// What a budget counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Costs {
    /// Blocks of the layers whose blocks may go.
    Blocks,
    /// Weights of all layers.
    Weights,
    /// Multiply-accumulates of all layers.
    Macs,
    /// Cycles of the whole network, by a table.
    Cycles(CostTable),
}

impl Costs {
    /// What is counted, in words.
    pub const fn unit(&self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Weights => "weights",
            Self::Macs => "MACs",
            Self::Cycles(_) => "cycles",
        }
    }

    /// What no choice of blocks changes and no layer has.
    pub const fn fixed(&self) -> f64 {
        match self {
            Self::Blocks | Self::Weights | Self::Macs => 0.0,
            Self::Cycles(table) => table.fixed_cycles,
        }
    }

    /// The curves of all layers.
    ///
    /// # Errors
    /// A layer that a table of cycles does not know.
    pub fn curves(
        &self,
        layers: &[PruneLayer],
        profiles: &[Profile],
    ) -> Result<Vec<Vec<f64>>, AllocationError> {
        let pairs = layers.iter().zip(profiles);
        pairs.map(|(l, p)| self.curve(l, p)).collect()
    }

    /// What a layer costs with its 0, 1, ... strongest groups: never falling.
    ///
    /// # Errors
    /// A layer that a table of cycles does not know.
    pub fn curve(
        &self,
        layer: &PruneLayer,
        profile: &Profile,
    ) -> Result<Vec<f64>, AllocationError> {
        let groups = layer.blocks.groups();
        let each = layer.blocks.mask_blocks() as u64;
        let sums = |factor: u64| {
            let mut sum = 0;
            let mut curve = vec![0.0];
            for n in &profile.size {
                sum += n * factor;
                curve.push(sum as f64);
            }
            curve
        };
        Ok(match self {
            Self::Blocks if layer.prunable() => {
                (0..=groups as u64).map(|k| (k * each) as f64).collect()
            }
            Self::Blocks => vec![0.0; groups + 1],
            Self::Weights => sums(1),
            Self::Macs => sums(layer.uses),
            Self::Cycles(table) => {
                // A weight that several layers share costs in each of them.
                let mut curve = vec![0.0; groups + 1];
                let mut found = false;
                for l in &table.layers {
                    if l.weight_name != layer.weight_name {
                        continue;
                    }
                    let want = groups as u64 * each;
                    if l.blocks != want {
                        return Err(AllocationError::OtherBlocks {
                            layer: layer.node.clone(),
                            want,
                            got: l.blocks,
                        });
                    }
                    found = true;
                    for (k, c) in curve.iter_mut().enumerate() {
                        *c += l.cycles(k as u64 * each);
                    }
                }
                if !found && layer.prunable() {
                    return Err(AllocationError::NoCycles {
                        layer: layer.node.clone(),
                        weight_name: layer.weight_name.clone(),
                    });
                }
                curve
            }
        })
    }
}
