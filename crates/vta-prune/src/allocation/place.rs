//! Where the budgets of a target lead on the path of its rule.

use super::{Allocation, AllocationError, AllocationRule, Budget, Costs, Path, Profile, Target};
use crate::PruneLayer;

/// Doublings of the second budget's weight that are tried before blocks are
/// weighed by it alone.
const DOUBLINGS: u32 = 12;
/// Halvings of the range in which the weight is then sought.
const HALVINGS: u32 = 16;

/// Counts the cycles of a network whose layers keep so many of their strongest groups.
pub type CountGroups<'a, E> = &'a mut dyn FnMut(&[usize]) -> Result<u64, E>;

/// A place on a path.
#[derive(Debug, Clone)]
pub struct Place {
    path: Path,
    gone: usize,
}

impl Place {
    /// How many groups each layer keeps there.
    pub fn allocation(&self) -> Allocation {
        self.path.kept(self.gone)
    }

    /// The groups that are gone there, the last that left first: layer, and rank in it.
    pub fn left(&self) -> Vec<(usize, usize)> {
        self.path.left(self.gone)
    }
}

/// One of two budgets.
type Of<'a> = (&'a Costs, &'a Budget);

/// Looks for the place at which all budgets of a target are met.
pub struct Places<'a, 'c, E> {
    target: &'a Target,
    layers: &'a [PruneLayer],
    profiles: &'a [Profile],
    tau: f64,
    /// What counts cycles instead of a table.
    count: Option<CountGroups<'c, E>>,
}

impl<'a, 'c, E: From<AllocationError>> Places<'a, 'c, E> {
    /// For a point `tau` of the way.
    pub const fn new(
        target: &'a Target,
        (layers, profiles): (&'a [PruneLayer], &'a [Profile]),
        tau: f64,
        count: Option<CountGroups<'c, E>>,
    ) -> Self {
        Self {
            target,
            layers,
            profiles,
            tau,
            count,
        }
    }

    /// The place.
    pub fn find(&mut self) -> Result<Place, E> {
        let target = self.target;
        let one = (&target.costs, &target.budget);
        let weighed = target.weighed.as_ref().unwrap_or(&target.costs);
        let weighed = weighed.curves(self.layers, self.profiles)?;
        let path = self.path(&weighed)?;
        let gone = self.first(one, &path, 0)?;
        let Some((costs, budget)) = &target.second else {
            return Ok(Place { path, gone });
        };
        let two = (costs, budget);
        if self.meets(two, &path, gone)? {
            return Ok(Place { path, gone });
        }
        if target.rule != AllocationRule::Lamp {
            return self.both([one, two], path, gone);
        }
        let by_second = costs.curves(self.layers, self.profiles)?;
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
            let Some(mut best) = self.meets_both([one, two], &mixed(high))? else {
                (low, high) = (high, 2.0 * high);
                continue;
            };
            for _ in 0..HALVINGS {
                let middle = (low + high) / 2.0;
                match self.meets_both([one, two], &mixed(middle))? {
                    Some(place) => (high, best) = (middle, place),
                    None => low = middle,
                }
            }
            return Ok(best);
        }
        // The second asks for more than the first, however blocks are weighed.
        let path = self.path(&by_second)?;
        self.both([one, two], path, 0)
    }

    /// The place where the first budget is met with these weights, if it meets the second.
    fn meets_both(
        &mut self,
        [one, two]: [Of<'_>; 2],
        weights: &[Vec<f64>],
    ) -> Result<Option<Place>, E> {
        let path = self.path(weights)?;
        let gone = self.first(one, &path, 0)?;
        let met = self.meets(two, &path, gone)?;
        Ok(met.then_some(Place { path, gone }))
    }

    /// A place from `gone` on where both are met.
    fn both(&mut self, [one, two]: [Of<'_>; 2], path: Path, mut gone: usize) -> Result<Place, E> {
        loop {
            let first = self.first(one, &path, gone)?;
            gone = self.first(two, &path, first)?;
            if gone == first {
                return Ok(Place { path, gone });
            }
        }
    }

    /// The path of these weights, with what the first budget counts.
    fn path(&self, weights: &[Vec<f64>]) -> Result<Path, AllocationError> {
        let Target {
            costs, rule, floor, ..
        } = self.target;
        Path::sorted(self.layers, self.profiles, weights, costs, rule, *floor)
    }

    /// The first place from `from` on that meets a budget.
    fn first(&mut self, of: Of<'_>, path: &Path, from: usize) -> Result<usize, E> {
        let path = self.priced(of.0, path)?;
        let limit = self.limit(of, &path)?;
        let within = |gone| Ok::<_, E>(self.cost(of.0, &path, gone)? <= limit);
        let found = path.first(from, limit, within)?;
        match found {
            Some(gone) => Ok(gone),
            None => {
                let least = self.cost(of.0, &path, path.length())?;
                Err(path.too_little(limit, least).into())
            }
        }
    }

    /// Whether a place meets a budget.
    fn meets(&mut self, of: Of<'_>, path: &Path, gone: usize) -> Result<bool, E> {
        let path = self.priced(of.0, path)?;
        let limit = self.limit(of, &path)?;
        Ok(self.cost(of.0, &path, gone)? <= limit)
    }

    fn priced(&self, costs: &Costs, path: &Path) -> Result<Path, AllocationError> {
        match *costs == self.target.costs {
            true => Ok(path.clone()),
            false => path.clone().priced(self.layers, self.profiles, costs),
        }
    }

    /// What a budget allows at this point of the way.
    fn limit(&mut self, (costs, budget): Of<'_>, path: &Path) -> Result<f64, E> {
        let dense = self.cost(costs, path, 0)?;
        let least = match budget {
            Budget::End => self.cost(costs, path, path.length())?,
            Budget::AtMost(_) | Budget::Fraction(_) => 0.0,
        };
        Ok(budget.between(self.tau, dense, least))
    }

    /// Cycles with so many groups of each layer; none where a table counts them.
    pub fn count(&mut self, kept: &[usize]) -> Result<Option<u64>, E> {
        self.count.as_mut().map(|count| count(kept)).transpose()
    }

    /// What is to pay at a place.
    fn cost(&mut self, costs: &Costs, path: &Path, gone: usize) -> Result<f64, E> {
        let counted = match costs {
            Costs::Cycles(_) => self.count(&path.kept(gone).kept)?,
            Costs::Blocks | Costs::Weights | Costs::Macs => None,
        };
        Ok(counted.map_or_else(|| path.cost(gone), |cycles| cycles as f64))
    }

    /// What the budget of cycles allows, and what the other one leaves at a place.
    pub fn room(&mut self, place: &Place) -> Result<Room, E> {
        let target = self.target;
        let second = target
            .second
            .as_ref()
            .map(|(costs, budget)| (costs, budget));
        let mut room = Room::default();
        for of in [Some((&target.costs, &target.budget)), second]
            .into_iter()
            .flatten()
        {
            let path = self.priced(of.0, &place.path)?;
            let limit = self.limit(of, &path)?;
            match of.0 {
                Costs::Cycles(_) => room.cycles = limit as u64,
                other => {
                    room.other = Some(Other {
                        left: limit - path.cost(place.gone),
                        curves: other.curves(self.layers, self.profiles)?,
                    });
                }
            }
        }
        Ok(room)
    }
}

/// What budgets leave at a place.
#[derive(Debug, Clone, Default)]
pub struct Room {
    /// Cycles that the network may take.
    pub cycles: u64,
    /// What another budget leaves.
    pub other: Option<Other>,
}

/// What a budget leaves that does not count cycles.
#[derive(Debug, Clone)]
pub struct Other {
    left: f64,
    /// For each layer what it costs with its 0, 1, ... strongest groups.
    curves: Vec<Vec<f64>>,
}

impl Other {
    /// Whether there is room for the group of a layer that has this rank.
    pub fn has_room(&self, (layer, rank): (usize, usize)) -> bool {
        self.cost(layer, rank) <= self.left
    }

    /// The group is back; what it costs.
    pub fn take(&mut self, (layer, rank): (usize, usize)) -> f64 {
        let cost = self.cost(layer, rank);
        self.left -= cost;
        cost
    }

    /// These units are sums over groups, so a group's own is the step of the curve.
    fn cost(&self, layer: usize, rank: usize) -> f64 {
        let curve = &self.curves[layer];
        curve[rank + 1] - curve[rank]
    }
}

/// What all layers cost with all groups.
fn dense(curves: &[Vec<f64>]) -> f64 {
    let sum: f64 = curves.iter().filter_map(|c| c.last()).sum();
    sum.max(f64::MIN_POSITIVE)
}
