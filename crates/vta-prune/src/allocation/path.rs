//! The order in which blocks leave a network.

use super::{AllocationError, AllocationRule, Budget, Costs, Profile};
use crate::PruneLayer;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vta_net::sparse::kept_at;

/// How many groups each layer keeps.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Allocation {
    /// For each layer, in order.
    pub kept: Vec<usize>,
    /// What the network then costs.
    pub cost: f64,
}

impl Allocation {
    /// Kept blocks by weight, as a cost table counts them.
    pub fn blocks(&self, layers: &[PruneLayer]) -> BTreeMap<String, u64> {
        let each = layers.iter().zip(&self.kept);
        each.map(|(l, k)| (l.weight_name.clone(), (k * l.blocks.mask_blocks()) as u64))
            .collect()
    }
}

/// Blocks of a network in the order in which they leave it, and what is left to pay.
#[derive(Debug, Clone)]
pub struct Path {
    /// Groups of each layer.
    full: Vec<usize>,
    /// The layer whose weakest group leaves next.
    leaves: Vec<usize>,
    /// Cost before the first leaves, after it, ...: never rising.
    costs: Vec<f64>,
    unit: &'static str,
}

impl Path {
    /// The path of a rule. `floor` is the fraction of its groups that each layer
    /// keeps at least (and at least one); given sparsities go to where they say,
    /// but not below one group.
    ///
    /// # Errors
    /// A layer that a table of cycles does not know.
    pub fn new(
        layers: &[PruneLayer],
        profiles: &[Profile],
        costs: &Costs,
        rule: &AllocationRule,
        floor: f64,
    ) -> Result<Self, AllocationError> {
        Self::ordered(layers, profiles, costs, costs, rule, floor)
    }

    /// As [`Path::new`], but a block's worth is weighed against what it costs
    /// in `weighed`, and the budget counts `costs`: so a given number of
    /// blocks can be kept where they need few multiply-accumulates.
    ///
    /// # Errors
    /// As [`Path::new`].
    pub fn ordered(
        layers: &[PruneLayer],
        profiles: &[Profile],
        weighed: &Costs,
        costs: &Costs,
        rule: &AllocationRule,
        floor: f64,
    ) -> Result<Self, AllocationError> {
        let weights = weighed.curves(layers, profiles)?;
        Self::sorted(layers, profiles, &weights, costs, rule, floor)
    }

    /// As [`Path::ordered`], with what blocks are weighed against as curves:
    /// for each layer its cost with its 0, 1, ... strongest groups.
    pub(super) fn sorted(
        layers: &[PruneLayer],
        profiles: &[Profile],
        weights: &[Vec<f64>],
        costs: &Costs,
        rule: &AllocationRule,
        floor: f64,
    ) -> Result<Self, AllocationError> {
        // When each group leaves: (key, layer, rank); smaller keys first.
        let mut order: Vec<(f64, usize, usize)> = Vec::new();
        for (at, (layer, profile)) in layers.iter().zip(profiles).enumerate() {
            if !layer.prunable() {
                continue;
            }
            let n = layer.blocks.groups();
            let least = ((floor * n as f64).ceil() as usize).max(1).min(n);
            let (least, keys) = match rule {
                AllocationRule::Lamp => (least, thresholds(&profile.energy, &weights[at], least)),
                AllocationRule::Uniform => (least, even(n, least, n)),
                AllocationRule::Given(given) => {
                    let dropped = given.get(&layer.weight_name).copied().unwrap_or(0.0);
                    let least = kept_at(1.0 - dropped, n).max(1).min(n);
                    (least, even(n, least, n - least))
                }
            };
            order.extend(
                keys.into_iter()
                    .zip(least..)
                    .map(|(key, rank)| (key, at, rank)),
            );
        }
        order.sort_by(|a, b| {
            let rank = b.2.cmp(&a.2);
            a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(rank)
        });
        let path = Self {
            full: layers.iter().map(|l| l.blocks.groups()).collect(),
            leaves: order.into_iter().map(|o| o.1).collect(),
            costs: Vec::new(),
            unit: "",
        };
        path.priced(layers, profiles, costs)
    }

    /// The same order with other costs.
    ///
    /// # Errors
    /// A layer that a table of cycles does not know.
    pub(super) fn priced(
        mut self,
        layers: &[PruneLayer],
        profiles: &[Profile],
        costs: &Costs,
    ) -> Result<Self, AllocationError> {
        let curves = costs.curves(layers, profiles)?;
        let mut kept = self.full.clone();
        // Added anew each time and in one order: so rounding cannot make it rise.
        let total = |kept: &[usize]| {
            let layers = curves.iter().zip(kept).map(|(c, k)| c[*k]);
            layers.fold(costs.fixed(), |sum, c| sum + c)
        };
        self.costs = vec![total(&kept)];
        for &layer in &self.leaves {
            kept[layer] -= 1;
            self.costs.push(total(&kept));
        }
        self.unit = costs.unit();
        Ok(self)
    }

    /// What the whole network costs.
    pub fn dense_cost(&self) -> f64 {
        self.costs.first().copied().unwrap_or(0.0)
    }

    /// What it costs at the end of the path.
    pub fn least_cost(&self) -> f64 {
        self.costs.last().copied().unwrap_or(0.0)
    }

    /// The first place on the path that costs no more than `cost`.
    ///
    /// # Errors
    /// No place does.
    pub fn at_most(&self, cost: f64) -> Result<Allocation, AllocationError> {
        let within = |gone: usize| Ok(self.costs[gone] <= cost);
        match self.first(0, cost, within)? {
            Some(gone) => Ok(self.kept(gone)),
            None => Err(self.too_little(cost, self.least_cost())),
        }
    }

    /// The first place from `from` on that is within a budget of `cost`: exactly the first
    /// where costs never rise, else one whose place before is not within it. `within` has
    /// the last word on what is given.
    pub(super) fn first<E: From<AllocationError>>(
        &self,
        from: usize,
        cost: f64,
        mut within: impl FnMut(usize) -> Result<bool, E>,
    ) -> Result<Option<usize>, E> {
        if !cost.is_finite() || cost < 0.0 {
            return Err(AllocationError::Budget(cost).into());
        }
        if within(from)? {
            return Ok(Some(from));
        }
        // Where costs never rise this is the bisection of the threshold.
        let (mut low, mut high) = (from + 1, self.costs.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match within(middle)? {
                true => high = middle,
                false => low = middle + 1,
            }
        }
        Ok(Some(low).filter(|gone| *gone < self.costs.len()))
    }

    /// No place on the path is within a budget.
    pub(super) const fn too_little(&self, budget: f64, least: f64) -> AllocationError {
        let unit = self.unit;
        AllocationError::Least {
            budget,
            least,
            unit,
        }
    }

    /// What it costs when so many groups have left.
    pub(super) fn cost(&self, gone: usize) -> f64 {
        self.costs[gone]
    }

    /// How many groups leave on it.
    pub(super) fn length(&self) -> usize {
        self.leaves.len()
    }

    /// What is kept when so many groups have left.
    pub(super) fn kept(&self, gone: usize) -> Allocation {
        let mut kept = self.full.clone();
        for &layer in &self.leaves[..gone] {
            kept[layer] -= 1;
        }
        Allocation {
            kept,
            cost: self.costs[gone],
        }
    }

    /// The groups that have left by then, the last first: their layers, and their ranks there.
    pub(super) fn left(&self, gone: usize) -> Vec<(usize, usize)> {
        let mut kept = self.kept(gone).kept;
        let back = self.leaves[..gone].iter().rev();
        back.map(|&layer| {
            kept[layer] += 1;
            (layer, kept[layer] - 1)
        })
        .collect()
    }

    /// Where a budget leads.
    ///
    /// # Errors
    /// It cannot be met.
    pub fn allocate(&self, budget: &Budget, tau: f64) -> Result<Allocation, AllocationError> {
        self.at_most(budget.at(tau, self))
    }
}

/// When groups leave that leave at even distances: for those from `least` on,
/// by rank, a number from 0 to 1 (for the uniform rule `1 - d` with `d` the
/// density at which rounding drops it).
fn even(groups: usize, least: usize, distances: usize) -> Vec<f64> {
    let key = |rank: usize| (groups as f64 - rank as f64 - 0.5) / distances.max(1) as f64;
    (least..groups).map(key).collect()
}

/// Block-LAMP: for each group from rank `least` on, the largest lambda at which
/// the layer still keeps it.
///
/// At lambda a layer keeps the `k` groups for which `V(k) - lambda * C(k)` is
/// largest; `V` sums the scores `s` of the groups, `C` is what they cost. Where
/// each costs `c`, that is: keep those with `s > lambda * c`. Where the cost has
/// plateaus, groups that only together save something leave together: only
/// corners of the upper hull of `(C, V)` are ever the largest, so all groups
/// between two corners have the slope between them.
fn thresholds(energy: &[f64], cost: &[f64], least: usize) -> Vec<f64> {
    let (mut sum, mut value) = (0.0, vec![0.0]);
    for e in energy {
        sum += e;
        let score = if sum > 0.0 { e / sum } else { 0.0 };
        value.push(value[value.len() - 1] + score);
    }
    let slope = |a: usize, b: usize| {
        let saved = cost[b] - cost[a];
        match saved > 0.0 {
            true => (value[b] - value[a]) / saved,
            // What costs nothing stays.
            false => f64::INFINITY,
        }
    };
    let mut corners = vec![least];
    for k in least + 1..=energy.len() {
        while let [.., a, b] = corners[..] {
            if slope(a, b) > slope(b, k) {
                break;
            }
            corners.pop();
        }
        corners.push(k);
    }
    let mut lambdas = Vec::with_capacity(energy.len() - least);
    for two in corners.windows(2) {
        let lambda = slope(two[0], two[1]);
        lambdas.resize(lambdas.len() + two[1] - two[0], lambda);
    }
    lambdas
}
