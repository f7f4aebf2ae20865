//! Token inference: which dependencies become tokens.
//!
//! Each unit works in order. An operation says which operations of other units
//! must have ended before it starts; what the order of the units and earlier
//! tokens already imply costs nothing, the rest becomes a token. Between load
//! and store a token goes through compute.

use crate::deps::{Deps, OpId, join};
use crate::fit::DoesNotFit;
use vta_program::isa::{Deps as Flags, Unit};

const LOAD: usize = Unit::Load as usize;
const COMPUTE: usize = Unit::Compute as usize;
const STORE: usize = Unit::Store as usize;

/// What is known of an operation.
#[derive(Debug, Clone, Copy)]
struct Order {
    unit: Unit,
    /// Position among the operations of its unit.
    at: usize,
    /// For each unit, how many of its operations have ended when this one starts.
    known: [usize; 3],
}

/// The order that tokens keep.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tokens {
    ops: Vec<Order>,
    /// Each unit's operations.
    queues: [Vec<OpId>; 3],
    /// From the end of one operation to the start of another, of units that are neighbours.
    tokens: Vec<(OpId, OpId)>,
    /// For each pair of units, by the one that gives: the positions of the
    /// operations that take its tokens, in order.
    taken: [[Vec<usize>; 3]; 3],
}

/// Tokens that a semaphore holds at most: it has 8 bits, and drops what is more
/// (core/Semaphore.scala).
const MOST: usize = 255;

/// Tokens from which on the giver waits until half of them are surely taken.
const MANY: usize = 224;

/// Whether so many tokens may not be taken yet: the last ones, when those that take
/// them are known to be over up to a position. `taken` is in order.
fn are_open(taken: &[usize], known: usize, many: usize) -> bool {
    let first = taken.len().checked_sub(many);
    first.is_some_and(|first| taken[first] >= known)
}

/// A point to go back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    ops: usize,
    queues: [usize; 3],
    tokens: usize,
    taken: [[usize; 3]; 3],
}

/// How a dependency between load and store goes through compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Through {
    /// This operation of compute waits for it anyway.
    Op(OpId),
    /// Compute needs an empty operation that waits for this.
    Sync(Deps),
}

impl Tokens {
    /// The point that was reached.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            ops: self.ops.len(),
            queues: [LOAD, COMPUTE, STORE].map(|u| self.queues[u].len()),
            tokens: self.tokens.len(),
            taken: [0, 1, 2].map(|from| [0, 1, 2].map(|to| self.taken[from][to].len())),
        }
    }

    /// Goes back to a point.
    pub(crate) fn rollback(&mut self, m: &Mark) {
        self.ops.truncate(m.ops);
        for (q, n) in self.queues.iter_mut().zip(m.queues) {
            q.truncate(n);
        }
        self.tokens.truncate(m.tokens);
        for (taken, n) in self.taken.iter_mut().flatten().zip(m.taken.as_flattened()) {
            taken.truncate(*n);
        }
    }

    /// Takes the dependency of a unit's next operation on a unit that is no
    /// neighbour out of `deps`, and says how it goes through compute. None
    /// where there is none, or the order implies it.
    pub(crate) fn through(&self, unit: Unit, deps: &mut Deps) -> Option<Through> {
        let far = match unit {
            Unit::Load => STORE,
            Unit::Store => LOAD,
            Unit::Compute => return None,
        };
        let d = deps[far].take()?;
        let at = self.ops[d.index()].at;
        let known = self.last(unit).map_or(0, |o| o.known[far]);
        if known > at {
            return None;
        }
        // The first operation of compute that starts after `d` has ended.
        let queue = &self.queues[COMPUTE];
        let n = queue.partition_point(|op| self.ops[op.index()].known[far] <= at);
        Some(match queue.get(n) {
            Some(&op) => Through::Op(op),
            None => {
                let mut deps = Deps::default();
                deps[far] = Some(d);
                Through::Sync(deps)
            }
        })
    }

    fn last(&self, unit: Unit) -> Option<&Order> {
        let last = self.queues[unit as usize].last()?;
        Some(&self.ops[last.index()])
    }

    /// Adds an operation that starts after those of `deps` have ended, all of
    /// its own unit or of neighbours. Gives it, and what it waits for with a token.
    ///
    /// # Errors
    /// More operations than can be counted, or more tokens than a semaphore holds.
    pub(crate) fn push(&mut self, unit: Unit, deps: &Deps) -> Result<(OpId, Deps), DoesNotFit> {
        let this = OpId::new(self.ops.len())?;
        let at = self.queues[unit as usize].len();
        let mut all = *deps;
        join(&mut all, &self.room_for_tokens(unit, deps));
        let mut known = self.last(unit).map_or([0; 3], |o| o.known);
        known[unit as usize] = at;
        let mut waits = Deps::default();
        for (other, dep) in all.iter().enumerate() {
            let Some(d) = *dep else { continue };
            let before = self.ops[d.index()];
            if other == unit as usize || known[other] > before.at {
                continue;
            }
            self.tokens.push((d, this));
            let taken = &mut self.taken[other][unit as usize];
            if are_open(taken, before.known[unit as usize], MOST) {
                return Err(DoesNotFit::Tokens);
            }
            taken.push(at);
            waits[other] = Some(d);
            for (k, n) in known.iter_mut().zip(before.known) {
                *k = (*k).max(n);
            }
            known[other] = known[other].max(before.at + 1);
        }
        self.ops.push(Order { unit, at, known });
        self.queues[unit as usize].push(this);
        Ok((this, waits))
    }

    /// What a unit's next operation has to wait for so that the tokens that the
    /// unit gives find room.
    fn room_for_tokens(&self, unit: Unit, deps: &Deps) -> Deps {
        let mut more = Deps::default();
        let known = self.last(unit).map_or([0; 3], |o| o.known);
        for (to, taken) in self.taken[unit as usize].iter().enumerate() {
            let waited = deps[to].map_or(0, |d| self.ops[d.index()].at + 1);
            if are_open(taken, known[to].max(waited), MANY) {
                let half = taken[taken.len() - MANY / 2];
                more[to] = self.queues[to].get(half).copied();
            }
        }
        more
    }

    /// The last operation of a unit.
    pub(crate) fn last_of(&self, unit: Unit) -> Option<OpId> {
        self.queues[unit as usize].last().copied()
    }

    /// The flags of each operation.
    pub(crate) fn flags(&self) -> Vec<Flags> {
        let mut flags = vec![Flags::default(); self.ops.len()];
        for &(from, to) in &self.tokens {
            let forward = self.ops[from.index()].unit < self.ops[to.index()].unit;
            if forward {
                flags[from.index()].push_next = true;
                flags[to.index()].pop_prev = true;
            } else {
                flags[from.index()].push_prev = true;
                flags[to.index()].pop_next = true;
            }
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(unit: Unit, op: OpId) -> Deps {
        let mut deps = Deps::default();
        deps[unit as usize] = Some(op);
        deps
    }

    #[test]
    fn what_the_order_implies_costs_nothing() {
        let mut t = Tokens::default();
        let (load, _) = t.push(Unit::Load, &Deps::default()).expect("room");
        let (_, waits) = t.push(Unit::Compute, &on(Unit::Load, load)).expect("room");
        assert_eq!(waits, on(Unit::Load, load));
        // The unit works in order: the second waits with the first.
        let (gemm, waits) = t.push(Unit::Compute, &on(Unit::Load, load)).expect("room");
        assert_eq!(waits, Deps::default());
        let (store, _) = t.push(Unit::Store, &on(Unit::Compute, gemm)).expect("room");
        let flags = t.flags();
        assert!(flags[load.index()].push_next && flags[1].pop_prev);
        assert!(flags[gemm.index()].push_next && !flags[gemm.index()].pop_prev);
        assert!(flags[store.index()].pop_prev && !flags[store.index()].push_prev);
    }

    /// A unit that runs far ahead waits until its tokens are taken.
    #[test]
    fn no_more_tokens_are_given_than_a_semaphore_holds() {
        let mut t = Tokens::default();
        for _ in 0..1000 {
            let (load, _) = t.push(Unit::Load, &Deps::default()).expect("room");
            t.push(Unit::Compute, &on(Unit::Load, load)).expect("room");
        }
        let waits = t.flags().iter().filter(|f| f.pop_next).count();
        assert_eq!(waits, (1000 - MANY) / (MANY / 2) + 1);
        // Nobody took one when all of them were given.
        let mut t = Tokens::default();
        let loads: Vec<OpId> = (0..300)
            .map(|_| t.push(Unit::Load, &Deps::default()).expect("room").0)
            .collect();
        let taken = loads
            .iter()
            .map(|l| t.push(Unit::Compute, &on(Unit::Load, *l)));
        let taken: Vec<_> = taken.collect();
        assert_eq!(taken.iter().filter(|t| t.is_ok()).count(), MOST);
        assert_eq!(taken[MOST], Err(DoesNotFit::Tokens));
    }

    #[test]
    fn between_load_and_store_a_token_goes_through_compute() {
        let mut t = Tokens::default();
        let (store, _) = t.push(Unit::Store, &Deps::default()).expect("room");
        let mut deps = on(Unit::Store, store);
        // Nothing of compute waits for the store yet.
        let sync = t.through(Unit::Load, &mut deps);
        assert_eq!(sync, Some(Through::Sync(on(Unit::Store, store))));
        assert_eq!(deps, Deps::default());
        let (alu, _) = t
            .push(Unit::Compute, &on(Unit::Store, store))
            .expect("room");
        let mut deps = on(Unit::Store, store);
        assert_eq!(t.through(Unit::Load, &mut deps), Some(Through::Op(alu)));
        t.push(Unit::Load, &on(Unit::Compute, alu)).expect("room");
        // The next load knows.
        assert_eq!(t.through(Unit::Load, &mut on(Unit::Store, store)), None);
    }
}
