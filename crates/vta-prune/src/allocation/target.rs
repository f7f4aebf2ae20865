//! How far a network is pruned, and by which rule.

use super::place::Places;
use super::{Allocation, AllocationError, AllocationRule, Budget, Costs, Profile};
use crate::PruneLayer;
use crate::cost::CostTable;
use serde::{Deserialize, Serialize};

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

    /// Whether another counts the same with the same rule; tables of cycles may differ.
    pub fn same(&self, other: &Self) -> bool {
        let fixed = |t: &Self| {
            let second = t.second.as_ref().map(|(c, b)| (c.unit(), *b));
            let weighed = t.weighed.as_ref().map(Costs::unit);
            (t.costs.unit(), t.budget, weighed, second, t.floor.to_bits())
        };
        fixed(self) == fixed(other) && self.rule == other.rule
    }

    /// How many groups each layer keeps at a point `tau` of the way, 0 to 1;
    /// the cost is in the units of the first budget. Cycles are those of the table.
    ///
    /// # Errors
    /// A budget that cannot be met, a table of another network.
    pub fn allocate(
        &self,
        layers: &[PruneLayer],
        profiles: &[Profile],
        tau: f64,
    ) -> Result<Allocation, AllocationError> {
        Ok(Places::new(self, (layers, profiles), tau, None)
            .find()?
            .allocation())
    }

    /// Whether a budget counts cycles.
    pub fn counts_cycles(&self) -> bool {
        self.cycles().is_some()
    }
}
