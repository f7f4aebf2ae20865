//! What can be pruned in a network.

use super::{Blocks, PruneError, Ranking};
use serde::{Deserialize, Serialize};
use vta_net::graph::{Graph, Op};
use vta_net::sparse;

/// Which layers stay dense.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dense {
    /// The first convolution and the last dense layer.
    #[default]
    Ends,
    /// Those with these names, of the node or of its weight.
    Named(Vec<String>),
}

/// A weight of a network, and whether its blocks may go.
///
/// A weight that several layers share is there once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PruneLayer {
    /// Name of the first node that has the weight.
    pub node: String,
    /// Name of the weight's initializer: the key of its mask.
    pub weight_name: String,
    /// Its blocks.
    pub blocks: Blocks,
    /// How often each weight is multiplied: pixels of the output, or rows of a
    /// dense layer's input, over all layers that share it.
    pub uses: u64,
    /// Whether it is the matrix of a dense layer.
    pub dense_layer: bool,
    /// Why it stays dense; empty if its blocks may go.
    pub keep_dense: String,
}

impl PruneLayer {
    /// Whether its blocks may go.
    pub fn prunable(&self) -> bool {
        self.keep_dense.is_empty()
    }

    /// Multiply-accumulates with all blocks.
    pub fn macs(&self) -> u64 {
        self.blocks.len() as u64 * self.uses
    }
}

/// The weights of a network in order. Depthwise convolutions always stay dense.
///
/// # Errors
/// A name in `dense` that no layer has.
pub fn layers(
    graph: &Graph,
    dense: &Dense,
    whole_kernel: bool,
    ranking: Ranking,
) -> Result<Vec<PruneLayer>, PruneError> {
    let mut all: Vec<PruneLayer> = Vec::new();
    for layer in sparse::layers(graph) {
        let Some(node) = graph.nodes().find(|n| n.name == layer.node) else {
            continue;
        };
        let keep = match dense {
            _ if layer.depthwise => "depthwise",
            Dense::Ends => layer.keep_dense,
            Dense::Named(names) => {
                let named = |n: &String| *n == layer.node || *n == layer.weight_name;
                if names.iter().any(named) { "named" } else { "" }
            }
        };
        let uses = graph.weight_uses(node);
        if let Some(shared) = all.iter_mut().find(|l| l.weight_name == layer.weight_name) {
            shared.uses += uses;
            if !keep.is_empty() {
                shared.keep_dense = keep.into();
            }
            continue;
        }
        all.push(PruneLayer {
            blocks: Blocks::new(layer.weight, whole_kernel, ranking),
            node: layer.node,
            weight_name: layer.weight_name,
            uses,
            dense_layer: layer.dense_layer,
            keep_dense: keep.into(),
        });
    }
    if let Dense::Named(names) = dense {
        let known = |n: &String| all.iter().any(|l| l.node == *n || l.weight_name == *n);
        if let Some(unknown) = names.iter().find(|n| !known(n)) {
            return Err(PruneError::UnknownLayer {
                name: unknown.clone(),
                layers: all.iter().map(|l| l.node.clone()).collect(),
            });
        }
    }
    Ok(all)
}

/// A weight's values, row by row; none if the network has no such weight.
pub fn weight(graph: &Graph, name: &str) -> Option<Vec<f32>> {
    graph.nodes().find_map(|n| match &n.op {
        Op::Conv(c) if c.weight_name == name => Some(c.weight.iter().copied().collect()),
        Op::Dense(d) if d.weight_name == name => Some(d.weight.iter().copied().collect()),
        _ => None,
    })
}
