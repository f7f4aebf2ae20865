//! What happens for ranges of instructions: when compute is done with each,
//! and its bytes on the bus.

use super::fetched::fetched;
use crate::tsim::{Client, Event, Sink, Stop};
use std::convert::Infallible;
use vta_program::isa::Unit;

const NONE: u32 = u32::MAX;

/// What happened for one range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RangeUse {
    /// Cycle in which its last compute instruction left the queue; none without one.
    pub end: Option<u64>,
    /// Bytes read for it: what its instructions load, and they themselves.
    pub bytes_read: u64,
    /// Bytes that its instructions store.
    pub bytes_written: u64,
}

/// Watches ranges of a launch's instructions; with `BYTES` false only when they end,
/// which takes a fraction of the time.
#[derive(Debug, Clone)]
pub struct Ranges<const BYTES: bool = true> {
    insn_addr: u32,
    beat_bytes: u64,
    /// For each instruction its range, or `NONE`.
    range_of: Vec<u32>,
    /// The instruction that load, compute and store are at.
    at: [u32; 3],
    /// Each range, then what belongs to none.
    uses: Vec<RangeUse>,
}

impl Ranges {
    /// As [`Ranges::watch`], bytes included.
    pub fn new(
        launch: (u32, u32),
        beat_bytes: u32,
        ranges: impl IntoIterator<Item = (u32, u32)>,
    ) -> Self {
        Self::watch(launch, beat_bytes, ranges)
    }
}

impl<const BYTES: bool> Ranges<BYTES> {
    /// Watches ranges `(first instruction, number)` of a launch of
    /// `insn_count` instructions; where ranges overlap, the later one counts.
    pub fn watch(
        (insn_addr, insn_count): (u32, u32),
        beat_bytes: u32,
        ranges: impl IntoIterator<Item = (u32, u32)>,
    ) -> Self {
        let ranges: Vec<(u32, u32)> = ranges.into_iter().collect();
        let last = ranges.iter().map(|r| r.0.saturating_add(r.1)).max();
        let mut range_of = vec![NONE; last.unwrap_or(0).min(insn_count) as usize];
        for (n, &(first, count)) in ranges.iter().enumerate() {
            let from = (first as usize).min(range_of.len());
            let to = (from + count as usize).min(range_of.len());
            range_of[from..to].fill(n as u32);
        }
        Self {
            insn_addr,
            beat_bytes: beat_bytes.into(),
            range_of,
            at: [NONE; 3],
            uses: vec![RangeUse::default(); ranges.len() + 1],
        }
    }

    /// Each range in order, and at the end what belongs to none.
    pub fn into_uses(self) -> Vec<RangeUse> {
        self.uses
    }

    fn range(&mut self, insn: u64) -> &mut RangeUse {
        let range = usize::try_from(insn)
            .ok()
            .and_then(|i| self.range_of.get(i));
        let rest = self.uses.len() - 1;
        let range = range.map_or(rest, |r| (*r as usize).min(rest));
        &mut self.uses[range]
    }

    fn at(&mut self, unit: Unit) -> &mut RangeUse {
        self.range(self.at[unit as usize].into())
    }

    fn read(&mut self, client: Client, addr: u32, bytes: u64) {
        if let Some(unit) = client.unit() {
            self.at(unit).bytes_read += bytes;
            return;
        }
        for (insn, bytes) in fetched(self.insn_addr, addr, bytes) {
            self.range(insn).bytes_read += bytes;
        }
    }
}

impl<const BYTES: bool> Sink for Ranges<BYTES> {
    const CYCLES: bool = false;
    const BETWEEN: bool = BYTES;
    type Error = Infallible;

    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop> {
        match event {
            Event::InsnEnd {
                unit: Unit::Compute,
                insn,
                ..
            } => self.range(insn.into()).end = Some(cycle),
            _ if !BYTES => {}
            Event::InsnStart { unit, insn } => self.at[unit as usize] = insn,
            Event::ReadCmd { client, cmd } => {
                let bytes = (u64::from(cmd.len) + 1) * self.beat_bytes;
                self.read(client, cmd.addr, bytes);
            }
            Event::WriteBeat => self.at(Unit::Store).bytes_written += self.beat_bytes,
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsim::ReadCmd;

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
    fn only_compute_ends_a_range_and_the_last_counts() {
        let mut ranges = Ranges::new((64, 6), 8, [(0, 2), (2, 1), (3, 100)]);
        for (cycle, unit, insn) in [
            (5, Unit::Compute, 0),
            (6, Unit::Load, 1),
            (9, Unit::Compute, 1),
            (10, Unit::Store, 2),
            (11, Unit::Compute, 4),
            (12, Unit::Compute, 5),
        ] {
            ranges.event(cycle, end(unit, insn)).expect("it goes on");
        }
        let ends: Vec<_> = ranges.into_uses().iter().map(|u| u.end).collect();
        assert_eq!(ends, [Some(9), None, Some(12), None]);
    }

    #[test]
    fn bytes_go_to_the_instruction_that_asked() {
        let mut ranges = Ranges::new((64, 6), 8, [(0, 2), (2, 1)]);
        let read = |client, addr, beats: u16| Event::ReadCmd {
            client,
            cmd: ReadCmd {
                addr,
                len: beats - 1,
                id: 0,
            },
        };
        // Instructions 0 to 3: two of the first range, one of the second, one of none.
        ranges
            .event(0, read(Client::Fetch, 64, 8))
            .expect("it goes on");
        for (unit, insn) in [(Unit::Load, 1), (Unit::Compute, 2), (Unit::Store, 5)] {
            ranges
                .event(1, Event::InsnStart { unit, insn })
                .expect("it goes on");
        }
        ranges
            .event(2, read(Client::Wgt, 4096, 4))
            .expect("it goes on");
        ranges
            .event(3, read(Client::Uop, 4096, 1))
            .expect("it goes on");
        ranges.event(4, Event::WriteBeat).expect("it goes on");
        let uses = ranges.into_uses();
        let bytes: Vec<_> = uses
            .iter()
            .map(|u| (u.bytes_read, u.bytes_written))
            .collect();
        assert_eq!(bytes, [(32 + 32, 0), (16 + 8, 0), (16, 8)]);
    }
}
