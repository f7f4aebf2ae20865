//! Ways to a network with fewer cycles.

use std::fmt;
use std::str::FromStr;
use vta_prune::{AllocationRule, Method as Training, Recipe};

/// A way to a network with fewer cycles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// Blocks go at once by magnitude; how many of each layer follows from what they are worth.
    Magnitude,
    /// The same part of each layer goes at once.
    Uniform,
    /// A cut, then training on.
    OneShot,
    /// Rounds of a growing penalty, a cut, training on.
    TwoStage,
    /// Masks and weights together while the network is trained.
    OneStage,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Magnitude,
        Self::Uniform,
        Self::OneShot,
        Self::TwoStage,
        Self::OneStage,
    ];

    /// Its name: `one-stage`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Magnitude => "magnitude",
            Self::Uniform => "uniform",
            Self::OneShot => "one-shot",
            Self::TwoStage => "two-stage",
            Self::OneStage => "one-stage",
        }
    }

    /// How it trains, if it does.
    pub const fn training(self) -> Option<Training> {
        match self {
            Self::Magnitude | Self::Uniform => None,
            Self::OneShot => Some(Training::plain(Recipe::OneShot)),
            Self::TwoStage => Some(Training::plain(Recipe::TwoStage)),
            Self::OneStage => Some(Training::recommended()),
        }
    }

    /// How many blocks leave each layer.
    pub(super) fn rule(self) -> AllocationRule {
        let adaptive = self
            .training()
            .map_or(self == Self::Magnitude, |m| m.adaptive);
        match adaptive {
            true => AllocationRule::Lamp,
            false => AllocationRule::Uniform,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|m| m.name() == text);
        let names = || Self::ALL.map(Self::name).join(", ");
        found.ok_or_else(|| format!("no method; there are {}", names()))
    }
}
