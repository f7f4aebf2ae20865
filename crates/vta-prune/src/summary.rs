//! What masks leave of a network, as numbers.

use super::PruneLayer;
use serde::Serialize;
use vta_net::sparse::Masks;

/// What is left of one layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerSummary {
    /// Name of the node.
    pub node: String,
    /// Name of the weight.
    pub weight_name: String,
    /// Why it stays dense; empty if its blocks may go.
    pub keep_dense: String,
    /// 32x32 blocks.
    pub blocks: u64,
    /// Those that are kept.
    pub kept: u64,
    /// Weights.
    pub weights: u64,
    /// Those in kept blocks.
    pub kept_weights: u64,
    /// Multiply-accumulates.
    pub macs: u64,
    /// Those of kept blocks.
    pub kept_macs: u64,
    /// Fraction of the weight's energy (sum of squares) that is in kept blocks.
    pub kept_energy: f64,
}

/// What is left of a network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// By layer, in order.
    pub layers: Vec<LayerSummary>,
    /// Fraction of the blocks of layers whose blocks may go, that is dropped.
    pub block_sparsity: f64,
    /// Weights of all layers.
    pub weights: u64,
    /// Those in kept blocks.
    pub kept_weights: u64,
    /// Multiply-accumulates of all layers.
    pub macs: u64,
    /// Those of kept blocks.
    pub kept_macs: u64,
}

/// Counts what masks leave; layers without a mask keep all.
///
/// # Panics
/// Weights or masks of other layers.
pub fn summary(layers: &[PruneLayer], weights: &[&[f32]], masks: &Masks) -> Summary {
    let one = |(l, w): (&PruneLayer, &&[f32])| {
        // By block of the mask, also where groups are whole kernels.
        let blocks = super::Blocks::new(l.blocks.weight(), false, super::Ranking::Energy);
        let (sizes, energies) = (blocks.sizes(), blocks.energies(w));
        let mask = masks.get(&l.weight_name);
        let is_kept = |i: &usize| mask.is_none_or(|m| m.kept[*i]);
        let kept: Vec<usize> = (0..blocks.groups()).filter(is_kept).collect();
        let kept_weights: u64 = kept.iter().map(|i| sizes[*i]).sum();
        let (all, of_kept): (f64, f64) = (
            energies.iter().sum(),
            kept.iter().map(|i| energies[*i]).sum(),
        );
        LayerSummary {
            node: l.node.clone(),
            weight_name: l.weight_name.clone(),
            keep_dense: l.keep_dense.clone(),
            blocks: blocks.groups() as u64,
            kept: kept.len() as u64,
            weights: blocks.len() as u64,
            kept_weights,
            macs: l.macs(),
            kept_macs: kept_weights * l.uses,
            kept_energy: if all > 0.0 { of_kept / all } else { 1.0 },
        }
    };
    let layers: Vec<LayerSummary> = layers.iter().zip(weights).map(one).collect();
    let sum = |f: &dyn Fn(&LayerSummary) -> u64| layers.iter().map(f).sum::<u64>();
    let of_prunable = |n: u64, l: &LayerSummary| if l.keep_dense.is_empty() { n } else { 0 };
    let blocks = sum(&|l| of_prunable(l.blocks, l));
    let kept = sum(&|l| of_prunable(l.kept, l));
    Summary {
        block_sparsity: 1.0 - kept as f64 / blocks.max(1) as f64,
        weights: sum(&|l| l.weights),
        kept_weights: sum(&|l| l.kept_weights),
        macs: sum(&|l| l.macs),
        kept_macs: sum(&|l| l.kept_macs),
        layers,
    }
}
