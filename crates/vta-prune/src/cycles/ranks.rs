//! Groups of each layer by strength, and which are kept.

use crate::PruneLayer;
use serde::{Deserialize, Serialize};
use vta_net::sparse::Masks;

/// For each layer its groups, the strongest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranks {
    order: Vec<Vec<usize>>,
    /// Groups that may be kept, where not all may.
    among: Option<Kept>,
}

impl Ranks {
    /// By the energies of these weights.
    ///
    /// # Panics
    /// Weights of other layers.
    pub fn of(layers: &[PruneLayer], weights: &[&[f32]]) -> Self {
        let each = layers.iter().zip(weights);
        Self {
            order: each
                .map(|(l, w)| l.blocks.order(&l.blocks.energies(w)))
                .collect(),
            among: None,
        }
    }

    /// Only groups that are kept by these masks can be kept.
    pub fn among(mut self, layers: &[PruneLayer], masks: &Masks) -> Self {
        let layer = |l: &PruneLayer| {
            let (mask, each) = (masks.get(&l.weight_name), l.blocks.mask_blocks());
            let kept = |group: usize| mask.is_none_or(|m| m.kept[group * each]);
            (0..l.blocks.groups()).map(kept).collect()
        };
        self.among = Some(Kept(layers.iter().map(layer).collect()));
        self
    }

    /// Whether the group of this layer and rank can be kept.
    pub(super) fn may_keep(&self, at: (usize, usize)) -> bool {
        let among = self.among.as_ref();
        among.is_none_or(|kept| kept.0[at.0][self.group(at)])
    }

    /// The group of a layer that has this rank.
    pub(super) fn group(&self, (layer, rank): (usize, usize)) -> usize {
        self.order[layer][rank]
    }

    /// So many of the strongest groups of each layer, those of them that can be kept.
    pub fn kept(&self, counts: &[usize]) -> Kept {
        let layer = |(layer, count): (usize, &usize)| {
            let mut kept = vec![false; self.order[layer].len()];
            let ranks = (0..*count).map(|rank| (layer, rank));
            for at in ranks.filter(|at| self.may_keep(*at)) {
                kept[self.group(at)] = true;
            }
            kept
        };
        Kept(counts.iter().enumerate().map(layer).collect())
    }
}

/// For each layer which of its groups are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept(Vec<Vec<bool>>);

impl Kept {
    /// Those of a layer.
    pub fn layer(&self, layer: usize) -> &[bool] {
        &self.0[layer]
    }

    /// Keeps a group of a layer.
    pub(super) fn set(&mut self, layer: usize, group: usize) {
        self.0[layer][group] = true;
    }

    /// How many groups each layer keeps.
    pub fn counts(&self) -> Vec<usize> {
        let count = |kept: &Vec<bool>| kept.iter().filter(|k| **k).count();
        self.0.iter().map(count).collect()
    }

    /// The masks of the layers whose blocks may go.
    pub fn masks(&self, layers: &[PruneLayer]) -> Masks {
        let each = layers.iter().zip(&self.0);
        each.filter(|(l, _)| l.prunable())
            .map(|(l, kept)| (l.weight_name.clone(), l.blocks.mask(kept)))
            .collect()
    }
}
