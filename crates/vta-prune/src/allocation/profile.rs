//! What allocation knows of a layer's weights: energies by rank.

use crate::{Blocks, PruneError, PruneLayer};
use serde::{Deserialize, Serialize};

/// Energies and sizes of a layer's groups, the strongest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Profile {
    /// Sum of squares.
    pub energy: Vec<f64>,
    /// Elements.
    pub size: Vec<u64>,
}

/// A profile of each layer.
pub type Profiles = Vec<Profile>;

impl Profile {
    /// The profile of a weight.
    ///
    /// # Panics
    /// `w` has another number of elements.
    pub fn of(blocks: &Blocks, w: &[f32]) -> Self {
        let energies = blocks.energies(w);
        let sizes = blocks.sizes();
        let order = blocks.order(&energies);
        Self {
            energy: order.iter().map(|u| energies[*u]).collect(),
            size: order.iter().map(|u| sizes[*u]).collect(),
        }
    }

    /// The profiles of all layers.
    ///
    /// # Errors
    /// Another number of layers or weights, a weight that is not finite.
    pub fn all(layers: &[PruneLayer], weights: &[&[f32]]) -> Result<Profiles, PruneError> {
        check(layers, weights)?;
        let pairs = layers.iter().zip(weights);
        Ok(pairs.map(|(l, w)| Self::of(&l.blocks, w)).collect())
    }
}

/// Checks that weights are the layers' and finite.
///
/// # Errors
/// The first that is not.
pub(crate) fn check(layers: &[PruneLayer], weights: &[&[f32]]) -> Result<(), PruneError> {
    if layers.len() != weights.len() {
        let (want, got) = (layers.len(), weights.len());
        return Err(PruneError::Layers { want, got });
    }
    for (l, w) in layers.iter().zip(weights) {
        if w.len() != l.blocks.len() {
            return Err(PruneError::Weights {
                layer: l.node.clone(),
                want: l.blocks.len(),
                got: w.len(),
            });
        }
        if let Some(index) = w.iter().position(|x| !x.is_finite()) {
            return Err(PruneError::NotFinite {
                layer: l.node.clone(),
                index,
                value: w[index].to_string(),
            });
        }
    }
    Ok(())
}

/// Profiles as a moving mean over updates, so that a layer's count does not
/// jump with the last steps of training.
///
/// Smoothing acts on what decides, not on counts: these still meet the budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Smoothing {
    /// Fraction of the mean that stays at an update; 0 forgets at once.
    keep: f64,
    /// For each layer, shares of its energy by rank; empty before the first update.
    shares: Vec<Vec<f64>>,
}

impl Smoothing {
    /// Nothing seen yet.
    pub fn new(keep: f64) -> Self {
        Self {
            keep,
            shares: Vec::new(),
        }
    }

    /// Takes profiles in, and gives their mean.
    pub fn update(&mut self, mut profiles: Profiles) -> Profiles {
        for p in &mut profiles {
            let sum: f64 = p.energy.iter().sum();
            if sum > 0.0 {
                p.energy.iter_mut().for_each(|e| *e /= sum);
            }
        }
        if self.shares.len() == profiles.len() {
            for (p, old) in profiles.iter_mut().zip(&self.shares) {
                for (e, old) in p.energy.iter_mut().zip(old) {
                    *e = self.keep * old + (1.0 - self.keep) * *e;
                }
            }
        }
        self.shares = profiles.iter().map(|p| p.energy.clone()).collect();
        profiles
    }
}
