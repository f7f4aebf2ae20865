//! How far a network is pruned, and by which rule.

use super::{Allocation, AllocationError, AllocationRule, Budget, Costs, Path, Profile};
use crate::PruneLayer;
use crate::cost::CostTable;
use serde::{Deserialize, Serialize};

/// Doublings of the second budget's weight that are tried before blocks are
/// weighed by it alone.
const DOUBLINGS: u32 = 12;
/// Halvings of the range in which the weight is then sought.
const HALVINGS: u32 = 16;

/// A rule, and one or two budgets that are met by it.
///
/// With two, blocks are weighed against `c1 + mu c2`, each cost as a fraction of
/// the dense network's: the multipliers of both conditions. `mu` is the least
/// at which the place where the first budget is met meets the second too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The order in which blocks leave.
    pub rule: AllocationRule,
    /// What the budget counts.
    pub costs: Costs,
    /// How far.
    pub budget: Budget,
    /// What blocks are weighed against, if not what the budget counts.
    pub weighed: Option<Costs>,
    /// A second budget.
    pub second: Option<(Costs, Budget)>,
    /// Fraction of its groups that each layer keeps at least.
    pub floor: f64,
}

impl Target {
    /// One budget, blocks weighed by what it counts, a floor of a tenth.
    pub const fn new(rule: AllocationRule, costs: Costs, budget: Budget) -> Self {
        Self {
            rule,
            costs,
            budget,
            weighed: None,
            second: None,
            floor: 0.1,
        }
    }

    /// The table of cycles, if a budget counts them.
    pub fn cycles(&self) -> Option<&CostTable> {
        let both = [Some(&self.costs), self.second.as_ref().map(|s| &s.0)];
        both.into_iter().flatten().find_map(|c| match c {
            Costs::Cycles(table) => Some(table),
            _ => None,
        })
    }

    /// The table and the limit of cycles, if a budget counts them.
    pub fn cycles_mut(&mut self) -> Option<(&mut CostTable, &mut Budget)> {
        let second = self.second.as_mut().map(|(c, b)| (c, b));
        let both = [Some((&mut self.costs, &mut self.budget)), second];
        both.into_iter().flatten().find_map(|(c, b)| match c {
            Costs::Cycles(table) => Some((table, b)),
            _ => None,
        })
    }

    /// Rule, budgets and floor in words, each by its name. Two that say the same
    /// allocate the same, but for tables of cycles.
    pub fn describe(&self, mut each: impl FnMut(&str, String)) {
        let words = |costs: &Costs, budget: &Budget| {
            let unit = costs.unit();
            match budget {
                Budget::AtMost(limit) => format!("{limit} {unit}"),
                Budget::Fraction(part) => format!("{part} of the {unit}"),
                Budget::End => "what is given for each layer".to_owned(),
            }
        };
        let Self {
            rule,
            costs,
            budget,
            weighed,
            second,
            floor,
        } = self;
        let rule = match rule {
            AllocationRule::Lamp => "by what blocks are worth".to_owned(),
            AllocationRule::Uniform => "uniform".to_owned(),
            AllocationRule::Given(rates) => format!("{rates:?}"),
        };
        each("sparsities of layers", rule);
        each("budget", words(costs, budget));
        if let Some((costs, budget)) = second {
            each("second budget", words(costs, budget));
        }
        let weighed = weighed.as_ref().unwrap_or(costs);
        each("unit to weigh by", weighed.unit().to_owned());
        each("floor", floor.to_string());
    }

    /// Whether another counts the same with the same rule. Tables of cycles
    /// may differ: they are corrected on the way.
    pub fn same(&self, other: &Self) -> bool {
        let fixed = |t: &Self| {
            let second = t.second.as_ref().map(|(c, b)| (c.unit(), *b));
            let weighed = t.weighed.as_ref().map(Costs::unit);
            (t.costs.unit(), t.budget, weighed, second, t.floor.to_bits())
        };
        fixed(self) == fixed(other) && self.rule == other.rule
    }

    /// How many groups each layer keeps at a point `tau` of the way, 0 to 1;
    /// the cost is in the units of the first budget.
    ///
    /// # Errors
    /// A budget that cannot be met, a table of another network.
    pub fn allocate(
        &self,
        layers: &[PruneLayer],
        profiles: &[Profile],
        tau: f64,
    ) -> Result<Allocation, AllocationError> {
        let weighed = self.weighed.as_ref().unwrap_or(&self.costs);
        let weighed = weighed.curves(layers, profiles)?;
        let path = |weights: &[Vec<f64>], costs: &Costs| {
            Path::sorted(layers, profiles, weights, costs, &self.rule, self.floor)
        };
        let Some((costs, budget)) = &self.second else {
            return path(&weighed, &self.costs)?.allocate(&self.budget, tau);
        };
        // Where each budget is met, on a path of these weights.
        let places = |weights: &[Vec<f64>]| -> Result<(Path, usize, usize), AllocationError> {
            let first = path(weights, &self.costs)?;
            let second = first.clone().priced(layers, profiles, costs)?;
            let a = first.place(self.budget.at(tau, &first))?;
            let b = second.place(budget.at(tau, &second))?;
            Ok((first, a, b))
        };
        let (first, a, b) = places(&weighed)?;
        if b <= a || self.rule != AllocationRule::Lamp {
            return Ok(first.kept(a.max(b)));
        }
        let by_second = costs.curves(layers, profiles)?;
        let sizes = (dense(&weighed), dense(&by_second));
        let mixed = |mu: f64| -> Vec<Vec<f64>> {
            let layer = |(a, b): (&Vec<f64>, &Vec<f64>)| {
                let pairs = a.iter().zip(b);
                pairs.map(|(a, b)| a / sizes.0 + mu * b / sizes.1).collect()
            };
            weighed.iter().zip(&by_second).map(layer).collect()
        };
        let (mut low, mut high) = (0.0, 1.0 / f64::from(1 << (DOUBLINGS / 2)));
        for _ in 0..DOUBLINGS {
            let (first, a, b) = places(&mixed(high))?;
            if b > a {
                (low, high) = (high, 2.0 * high);
                continue;
            }
            let mut best = first.kept(a);
            for _ in 0..HALVINGS {
                let middle = (low + high) / 2.0;
                let (first, a, b) = places(&mixed(middle))?;
                match b <= a {
                    true => (high, best) = (middle, first.kept(a)),
                    false => low = middle,
                }
            }
            return Ok(best);
        }
        // The second asks for more than the first, however blocks are weighed.
        let (first, a, b) = places(&by_second)?;
        Ok(first.kept(a.max(b)))
    }
}

/// What all layers cost with all groups.
fn dense(curves: &[Vec<f64>]) -> f64 {
    let sum: f64 = curves.iter().filter_map(|c| c.last()).sum();
    sum.max(f64::MIN_POSITIVE)
}
