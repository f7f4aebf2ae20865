//! How many groups go, by exact counts of cycles.

use super::returns::{Returns, returns};
use super::{Kept, Ranks};
use crate::allocation::{Allocation, AllocationError, CountGroups, Places, Profile, Target};
use crate::{Costs, PruneLayer};
use std::collections::BTreeMap;
use vta_net::sparse::Masks;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The layers.
    pub layers: &'a [PruneLayer],
    /// The rule and its budgets, one of which counts cycles.
    pub target: &'a Target,
    /// Energies by rank, which decide where groups leave.
    pub profiles: &'a [Profile],
    /// Which groups have these ranks.
    pub ranks: &'a Ranks,
    /// The point of the way from the dense network to the budget, 0 to 1.
    pub tau: f64,
    /// Whether groups come back where there is room ([`Returns`]).
    pub returns: bool,
}

/// What meets a budget of cycles.
#[derive(Debug, Clone, PartialEq)]
pub struct Met {
    /// How many groups each layer keeps.
    pub allocation: Allocation,
    /// Which.
    pub kept: Kept,
    /// Cycles that the network may take at this point of the way.
    pub limit: u64,
    /// Cycles that it takes, as counted.
    pub cycles: u64,
    /// How often cycles were asked for.
    pub questions: u64,
    /// What came back and what did not, where that was wanted.
    pub returns: Option<Returns>,
}

/// Drops groups until a network is within its budgets. The rule says in which order they
/// leave; `count`, which says exactly what a network with masks takes, says how many:
/// some twenty questions. Then, if it is wanted, all that still fits comes back.
///
/// # Errors
/// A budget that cannot be met, a table of another network; what `count` says.
pub fn meet<E: From<AllocationError>>(
    request: &Request<'_>,
    mut count: impl FnMut(&Masks) -> Result<u64, E>,
) -> Result<Met, E> {
    let Request {
        layers,
        target,
        profiles,
        ranks,
        ..
    } = *request;
    let mut questions = 0;
    let mut ask = |masks: &Masks| {
        questions += 1;
        count(masks)
    };
    let (allocation, cycles, left, room) = {
        let mut known: BTreeMap<Vec<usize>, u64> = BTreeMap::new();
        let mut of_groups = |counts: &[usize]| match known.get(counts) {
            Some(cycles) => Ok(*cycles),
            None => {
                let cycles = ask(&ranks.kept(counts).masks(layers))?;
                known.insert(counts.to_vec(), cycles);
                Ok(cycles)
            }
        };
        let (place, room) = {
            let count: CountGroups<'_, E> = &mut of_groups;
            let mut places = Places::new(target, (layers, profiles), request.tau, Some(count));
            let place = places.find()?;
            let room = places.room(&place)?;
            (place, room)
        };
        let allocation = place.allocation();
        let cycles = of_groups(&allocation.kept)?;
        (allocation, cycles, place.left(), room)
    };
    let mut met = Met {
        kept: ranks.kept(&allocation.kept),
        allocation,
        limit: room.cycles,
        cycles,
        questions: 0,
        returns: None,
    };
    if request.returns {
        met.returns = Some(returns(request, &mut met, (left, room), &mut ask)?);
        met.allocation.kept = met.kept.counts();
    }
    if let Costs::Cycles(_) = target.costs {
        met.allocation.cost = met.cycles as f64;
    }
    met.questions = questions;
    Ok(met)
}
