//! How many blocks each layer keeps under a budget.
//!
//! Every rule is an order in which blocks leave the network, from all to the
//! floors ([`Path`]); a budget is a place on it. So the budget is met to one
//! block, and a smaller budget never keeps more in any layer. Two budgets at
//! once choose among such orders ([`Target`]).

mod costs;
mod error;
mod given;
mod path;
mod place;
mod profile;
mod target;

pub use costs::Costs;
pub use error::AllocationError;
pub use given::read_sparsities;
pub use path::{Allocation, Path};
pub(super) use place::{CountGroups, Places, Room};
pub(super) use profile::check;
pub use profile::{Profile, Profiles, Smoothing};
pub use target::Target;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A rule for the order in which blocks leave.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AllocationRule {
    /// Block-LAMP: those first whose energy is least for what they cost.
    #[default]
    Lamp,
    /// The same share of every layer.
    Uniform,
    /// Shares written by hand: what each layer drops in the end, by the name
    /// of its weight. Layers that are not named keep all.
    Given(BTreeMap<String, f64>),
}

/// How far down the path to go.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// At most this much of what [`Costs`] counts.
    AtMost(f64),
    /// At most this fraction of what [`Costs`] counts of the dense network.
    Fraction(f64),
    /// To its end: for given sparsities.
    End,
}

impl Budget {
    /// What the network may cost at a point `tau` of the way, 0 to 1: from the
    /// dense cost to the budget, fast at first, `(1 - tau)^3` of the way left.
    pub fn at(&self, tau: f64, path: &Path) -> f64 {
        self.between(tau, path.dense_cost(), path.least_cost())
    }

    /// The same between these costs: of the dense network, and of the least that is left.
    fn between(&self, tau: f64, dense: f64, least: f64) -> f64 {
        let end = match self {
            Self::AtMost(cost) => cost.min(dense),
            Self::Fraction(fraction) => fraction * dense,
            Self::End => least,
        };
        let left = 1.0 - tau.clamp(0.0, 1.0);
        // At the ends exactly one or the other, whatever rounding does.
        match left {
            0.0 => end,
            1.0 => dense,
            _ => end + (dense - end) * left * left * left,
        }
    }
}
