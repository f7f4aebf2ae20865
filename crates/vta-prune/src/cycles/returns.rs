//! Which dropped groups come back because there is room for them.

use super::meet::{Met, Request};
use crate::allocation::{AllocationRule, Room};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vta_net::sparse::Masks;

/// Questions about groups that could come back, at most. A network with some hundred
/// dropped groups has all of them asked for in the end. Of a larger one the best of each
/// kind are, then the second, and so on: what is left out is like those that were refused.
pub const MOST_QUESTIONS: u64 = 1000;

/// What came back, and what did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returns {
    /// Groups that came back.
    pub back: u64,
    /// Groups that are dropped, and that rule and other budgets would let come back.
    pub dropped: u64,
    /// Those of them that were asked for with the masks as they are: with any of them the
    /// network would pass the limit.
    pub asked: u64,
    /// The cheapest of these.
    pub cheapest: Option<Cheapest>,
}

/// A group that would pass the limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cheapest {
    /// The node of its layer.
    pub layer: String,
    /// The group in the layer.
    pub group: usize,
    /// Cycles that the network would take more.
    pub cycles: u64,
}

/// Groups that cost much the same: of one layer, of one size, at one kernel position.
type Kind = (usize, [usize; 3]);

/// Goes through the groups that left, the last first (those that are worth most for
/// what they cost), and takes back each one with which the network is still within its
/// limit. Then asks for those that were left out, until none fits.
pub(super) fn returns<E>(
    request: &Request<'_>,
    met: &mut Met,
    (left, room): (Vec<(usize, usize)>, Room),
    count: &mut impl FnMut(&Masks) -> Result<u64, E>,
) -> Result<Returns, E> {
    let mut search = Search {
        request,
        met,
        room,
        // These rules say how many blocks each layer has: they come back in their order.
        in_order: request.target.rule != AllocationRule::Lamp,
        refused: BTreeMap::new(),
        hopeless: BTreeMap::new(),
        left,
        back: 0,
        questions: 0,
        count,
    };
    search.by_worth()?;
    search.whatever_fits()?;
    Ok(search.found())
}

struct Search<'a, F> {
    request: &'a Request<'a>,
    met: &'a mut Met,
    room: Room,
    in_order: bool,
    /// Groups that are gone, by layer and rank, in the order in which they may come back.
    left: Vec<(usize, usize)>,
    /// Those of them that do not fit with the masks as they are, and cycles with them.
    refused: BTreeMap<(usize, usize), u64>,
    /// Kinds of which one did not fit, when so many cycles were free.
    hopeless: BTreeMap<Kind, u64>,
    back: u64,
    questions: u64,
    count: &'a mut F,
}

impl<F> Search<'_, F> {
    fn kind(&self, at: (usize, usize)) -> Kind {
        let group = self.request.ranks.group(at);
        (at.0, self.request.layers[at.0].blocks.kind(group))
    }

    fn free(&self) -> u64 {
        self.room.cycles.saturating_sub(self.met.cycles)
    }

    /// Whether rule and other budgets let a group come back.
    fn may_return(&self, at: (usize, usize)) -> bool {
        let next = !self.in_order || self.left.first() == Some(&at);
        let next = next && self.request.ranks.may_keep(at);
        next && self.room.other.as_ref().is_none_or(|o| o.has_room(at))
    }

    fn may_ask(&self) -> bool {
        self.questions < MOST_QUESTIONS
    }

    fn found(self) -> Returns {
        let dropped = self.left.iter().filter(|at| self.may_return(**at));
        let dropped = dropped.count() as u64;
        let cheapest = self.refused.iter().min_by_key(|(_, cycles)| **cycles);
        let cheapest = cheapest.map(|(at, cycles)| Cheapest {
            layer: self.request.layers[at.0].node.clone(),
            group: self.request.ranks.group(*at),
            cycles: cycles.saturating_sub(self.met.cycles),
        });
        Returns {
            back: self.back,
            dropped,
            asked: self.refused.len() as u64,
            cheapest,
        }
    }
}

impl<E, F: FnMut(&Masks) -> Result<u64, E>> Search<'_, F> {
    /// One time through all of them. A kind of which one was refused has no other asked
    /// for while no more cycles are free.
    fn by_worth(&mut self) -> Result<(), E> {
        for at in self.left.clone() {
            let kind = self.kind(at);
            let hopeless = self.hopeless.get(&kind);
            if hopeless.is_some_and(|free| self.free() <= *free) || !self.may_return(at) {
                continue;
            }
            if !self.may_ask() {
                break;
            }
            if !self.take_back(at)? {
                self.hopeless.insert(kind, self.free());
            }
        }
        Ok(())
    }

    /// Groups of a kind are not quite alike, and who came back can make others cheaper.
    /// So they are asked for in turn, a layer after the other, until none fits with the
    /// masks as they are.
    fn whatever_fits(&mut self) -> Result<(), E> {
        let mut last = (0, (0, 0));
        'again: loop {
            let mut open = self.open();
            // Goes on behind the last one: those before it were asked for a moment ago.
            let seen = open.partition_point(|at| *at <= last);
            open.rotate_left(seen);
            for next in open {
                if !self.may_ask() {
                    return Ok(());
                }
                last = next;
                if self.take_back(next.1)? {
                    continue 'again;
                }
            }
            return Ok(());
        }
    }

    /// Groups that are to be asked for, in order: the best of each kind, the second of each.
    fn open(&self) -> Vec<(usize, (usize, usize))> {
        let may = self.left.iter().filter(|at| self.may_return(**at));
        let mut seen: BTreeMap<Kind, usize> = BTreeMap::new();
        let mut open = Vec::new();
        for at in may {
            let nth = seen.entry(self.kind(*at)).or_default();
            *nth += 1;
            if !self.refused.contains_key(at) {
                open.push((*nth, *at));
            }
        }
        open.sort_unstable();
        open
    }

    /// Takes a group back if it fits, and says whether it does.
    fn take_back(&mut self, at: (usize, usize)) -> Result<bool, E> {
        let group = self.request.ranks.group(at);
        let mut kept = self.met.kept.clone();
        kept.set(at.0, group);
        self.questions += 1;
        let cycles = (self.count)(&kept.masks(self.request.layers))?;
        if cycles > self.room.cycles {
            self.refused.insert(at, cycles);
            return Ok(false);
        }
        if let Some(other) = &mut self.room.other {
            self.met.allocation.cost += other.take(at);
        }
        self.met.kept = kept;
        self.met.cycles = cycles;
        self.left.retain(|l| *l != at);
        self.refused.clear();
        self.back += 1;
        Ok(true)
    }
}
