//! The queue of a unit, and what the unit is at.

use super::bus::NEVER;
use crate::fsim::Hazard;
use std::collections::VecDeque;

/// What a unit is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its head, if there is one, waits for tokens.
    Waits,
    /// Its head will start.
    Starts,
    /// Its head runs.
    Runs,
    /// Its head runs into an assertion.
    Asserts(Hazard),
}

/// One unit.
#[derive(Debug, Clone)]
pub struct UnitQueue {
    /// Instructions with the first cycle in which each is there.
    entries: VecDeque<(u32, u64)>,
    /// What it is at.
    pub phase: Phase,
    /// Cycle of the next event, if it is known.
    pub next: u64,
    /// Cycle in which the head left idle.
    pub started: u64,
    /// Cycles for which the head waited for tokens.
    pub waited: u64,
    /// The first cycle after the last end.
    free: u64,
}

impl UnitQueue {
    /// An empty queue; at most `most` instructions will be in it.
    pub fn new(most: u32) -> Self {
        Self {
            entries: VecDeque::with_capacity(most as usize),
            phase: Phase::Waits,
            next: NEVER,
            started: 0,
            waited: 0,
            free: 0,
        }
    }

    /// The instruction at the head, and since when it is.
    #[inline]
    pub fn head(&self) -> Option<(u32, u64)> {
        self.entries
            .front()
            .map(|(i, at)| (*i, (*at).max(self.free)))
    }

    /// Whether its head is under way.
    #[inline]
    pub const fn runs(&self) -> bool {
        matches!(self.phase, Phase::Runs | Phase::Asserts(_))
    }

    /// The first cycle after the last end.
    pub const fn free(&self) -> u64 {
        self.free
    }

    /// Entries in a cycle, as its enqueue side sees them: one that leaves in
    /// this cycle is still there.
    #[inline]
    pub fn count_in(&self, cycle: u64) -> usize {
        self.entries.len() + usize::from(self.free == cycle + 1)
    }

    /// Entries.
    #[inline]
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// Puts an instruction in that is there from a cycle on; says whether it
    /// is the head.
    #[inline]
    pub fn push(&mut self, insn: u32, from: u64) -> bool {
        self.entries.push_back((insn, from));
        self.entries.len() == 1
    }

    /// Takes the head out at the end of a cycle.
    #[inline]
    pub fn pop(&mut self, cycle: u64) -> Option<(u32, u64)> {
        self.free = cycle + 1;
        self.entries.pop_front()
    }
}
