//! Who accessed a place last, and whether that is ordered before the next access.

use super::names::Conflict;
use super::tokens::Order;
use std::collections::BTreeSet;
use vta_program::isa::Unit;

const NOBODY: u32 = u32::MAX;

/// The last accesses of one place.
#[derive(Debug, Clone, Copy)]
struct Last {
    writer: u32,
    /// Since then, of each unit.
    readers: [u32; 3],
}

/// Last accesses of a number of places.
#[derive(Debug)]
pub(super) struct Places(Vec<Last>);

/// Two accesses that no token orders: the earlier one, and how they conflict.
pub(super) type Unordered = (u32, Conflict);

/// The order, and the pairs of instructions of different units that needed it.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    order: &'a Order,
    units: Vec<Unit>,
    needed: BTreeSet<(u32, u32)>,
    last: (u32, u32),
}

impl<'a> Judge<'a> {
    pub fn new(order: &'a Order, units: Vec<Unit>) -> Self {
        Self {
            order,
            units,
            needed: BTreeSet::new(),
            last: (NOBODY, NOBODY),
        }
    }

    /// Pairs of instructions whose order was needed, and is given.
    pub fn proven(&self) -> u64 {
        self.needed.len() as u64
    }

    fn ordered(&mut self, first: u32, second: u32) -> bool {
        if first == NOBODY {
            return true;
        }
        if self.units[first as usize] == self.units[second as usize] {
            return true;
        }
        if self.last == (first, second) {
            return true;
        }
        let ordered = self.order.before(first, second);
        if ordered {
            self.last = (first, second);
            self.needed.insert(self.last);
        }
        ordered
    }
}

impl Places {
    pub fn new(count: usize) -> Self {
        let last = Last {
            writer: NOBODY,
            readers: [NOBODY; 3],
        };
        Self(vec![last; count])
    }

    /// An instruction reads a place.
    #[inline]
    pub fn read(&mut self, judge: &mut Judge<'_>, insn: u32, at: usize) -> Option<Unordered> {
        let unit = judge.units[insn as usize];
        let last = &mut self.0[at];
        last.readers[unit as usize] = insn;
        if judge.ordered(last.writer, insn) {
            return None;
        }
        Some((last.writer, Conflict::ReadAfterWrite))
    }

    /// An instruction writes a place.
    #[inline]
    pub fn write(&mut self, judge: &mut Judge<'_>, insn: u32, at: usize) -> Option<Unordered> {
        let before = self.0[at];
        self.0[at] = Last {
            writer: insn,
            readers: [NOBODY; 3],
        };
        for reader in before.readers {
            if !judge.ordered(reader, insn) {
                return Some((reader, Conflict::WriteAfterRead));
            }
        }
        if judge.ordered(before.writer, insn) {
            return None;
        }
        Some((before.writer, Conflict::WriteAfterWrite))
    }
}
