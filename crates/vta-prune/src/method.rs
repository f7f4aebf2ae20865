//! Recipes of pruning, their switches and lengths.

use serde::{Deserialize, Serialize};

/// How the network loses its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipe {
    /// It does not: trained on with all blocks.
    Dense,
    /// The weakest go at the start, the rest is trained on.
    OneShot,
    /// As YOLObile: a penalty pulls to the projection, in rounds of growing
    /// `rho`; then the network is cut and trained on with its masks, on a
    /// learning rate that starts anew.
    TwoStage,
    /// Masks, budget and penalty grow together in one run on one learning rate.
    OneStage,
}

/// A recipe and its switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// The recipe.
    pub recipe: Recipe,
    /// Self-distillation: the network of the last mask update teaches.
    pub temporal: bool,
    /// The dense network teaches.
    pub spatial: bool,
    /// A sparsity of each layer by what its blocks are worth; else uniform or given.
    pub adaptive: bool,
    /// Channels are put in order before blocks are cut.
    pub permutation: bool,
    /// The last part is trained with quantised values.
    pub quantisation: bool,
}

impl Method {
    /// A recipe without anything else.
    pub const fn plain(recipe: Recipe) -> Self {
        Self {
            recipe,
            temporal: false,
            spatial: false,
            adaptive: false,
            permutation: false,
            quantisation: false,
        }
    }

    /// One stage with the parts that help: `docs/decisions/0054-defaults-of-the-method.md`.
    pub const fn recommended() -> Self {
        Self {
            temporal: false,
            permutation: false,
            ..Self::full()
        }
    }

    /// One stage with all switches on.
    pub const fn full() -> Self {
        Self {
            recipe: Recipe::OneStage,
            temporal: true,
            spatial: true,
            adaptive: true,
            permutation: true,
            quantisation: true,
        }
    }
}

/// Lengths of the phases, as fractions of all steps, and the penalty's range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Steps before anything is dropped.
    pub warm_up: f64,
    /// Steps in which blocks go, of the one-stage recipe.
    pub sparsify: f64,
    /// How masks fade in over them: what is left of the rest is `(1 - progress)^fade`.
    pub fade: f64,
    /// Fraction of these, at their end, in which counts of blocks stay.
    pub settled: f64,
    /// Steps with a penalty, of the two-stage recipe.
    pub first_stage: f64,
    /// Rounds of the first stage: as many values of `rho`.
    pub rounds: u32,
    /// Steps with quantised values, at the end.
    pub quantised: f64,
    /// What the learning rate is multiplied with in them.
    #[serde(alias = "quantised_pace")]
    pub quantised_rate_factor: f64,
    /// Steps over which teachers come in.
    pub ramp: f64,
    /// First and last `rho`.
    pub rho: [f64; 2],
    /// Mask updates in an epoch, of the one-stage recipe.
    pub updates_per_epoch: u32,
    /// Mask updates of the one-stage recipe at least, however short the run:
    /// with fewer, many blocks go at once.
    pub least_updates: u32,
    /// Mask updates in an epoch, of the two-stage recipe.
    pub first_stage_updates_per_epoch: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            warm_up: 0.0,
            sparsify: 0.3,
            fade: 3.0,
            settled: 0.2,
            first_stage: 0.4,
            rounds: 4,
            quantised: 0.1,
            quantised_rate_factor: 0.1,
            ramp: 0.1,
            rho: [1e-4, 1e-1],
            updates_per_epoch: 4,
            least_updates: 6,
            first_stage_updates_per_epoch: 1,
        }
    }
}
