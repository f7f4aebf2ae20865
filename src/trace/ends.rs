//! When compute is done with ranges of instructions.

use crate::isa::Unit;
use crate::tsim::{Event, Sink};

/// For each range of instructions of a launch, the cycle in which its last
/// compute instruction left the queue.
#[derive(Debug, Clone)]
pub struct Ends {
    /// For each instruction its range, or `NONE`.
    range_of: Vec<u32>,
    ends: Vec<Option<u64>>,
}

const NONE: u32 = u32::MAX;

impl Ends {
    /// Watches ranges `(first instruction, number)` of a launch of `insns`
    /// instructions; where ranges overlap, the later one counts.
    pub fn new(insns: u32, ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let ranges: Vec<(u32, u32)> = ranges.into_iter().collect();
        let last = ranges.iter().map(|r| r.0.saturating_add(r.1)).max();
        let mut range_of = vec![NONE; last.unwrap_or(0).min(insns) as usize];
        let mut n = 0;
        for (first, count) in ranges {
            let from = (first as usize).min(range_of.len());
            let to = (from + count as usize).min(range_of.len());
            range_of[from..to].fill(n);
            n += 1;
        }
        Self {
            range_of,
            ends: vec![None; n as usize],
        }
    }

    /// The cycle of each range; none for a range without a compute instruction.
    pub fn into_ends(self) -> Vec<Option<u64>> {
        self.ends
    }
}

impl Sink for Ends {
    fn event(&mut self, cycle: u64, event: Event) {
        let Event::InsnEnd {
            unit: Unit::Compute,
            insn,
            ..
        } = event
        else {
            return;
        };
        let range = self.range_of.get(insn as usize).copied().unwrap_or(NONE);
        if let Some(end) = self.ends.get_mut(range as usize) {
            *end = Some(cycle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(unit: Unit, insn: u32) -> Event {
        Event::InsnEnd {
            unit,
            index: 0,
            insn,
            start: 0,
            opcode: 0,
            memory_type: 0,
        }
    }

    #[test]
    fn only_compute_counts_and_the_last_wins() {
        let mut ends = Ends::new(6, [(0, 2), (2, 1), (3, 100)]);
        for (cycle, unit, insn) in [
            (5, Unit::Compute, 0),
            (6, Unit::Load, 1),
            (9, Unit::Compute, 1),
            (10, Unit::Store, 2),
            (11, Unit::Compute, 4),
            (12, Unit::Compute, 5),
            (13, Unit::Compute, 6),
        ] {
            ends.event(cycle, end(unit, insn));
        }
        assert_eq!(ends.into_ends(), [Some(9), None, Some(12)]);
    }
}
