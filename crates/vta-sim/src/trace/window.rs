//! What happens in some cycles of a run, slice by slice.

use super::profile::{Cause, Kind};
use crate::tsim::{Client, Event, Module, Sink, Stop, UnitState};
use std::convert::Infallible;
use vta_program::isa::{Insn, Unit};

/// Tracks of a window: the four units, then read clients, then writes.
pub const TRACKS: [&str; 10] = [
    "fetch",
    "load",
    "compute",
    "store",
    "read fetch",
    "read uop",
    "read inp",
    "read wgt",
    "read acc",
    "write",
];

/// Something that lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Slice {
    /// Index in [`TRACKS`].
    pub track: usize,
    /// First cycle.
    pub from: u64,
    /// First cycle after it.
    pub to: u64,
    /// The kind of instruction, the cause of waiting, or `beats`.
    pub what: &'static str,
    /// The instruction, if it is one.
    pub insn: Option<u32>,
}

/// Keeps what overlaps a range of cycles.
#[derive(Debug, Clone)]
pub struct Window {
    from: u64,
    to: u64,
    kinds: Vec<Option<Kind>>,
    states: [(UnitState, u64); 4],
    slices: Vec<Slice>,
    most: usize,
}

impl Window {
    /// Watches cycles `from` to `to` of a launch of these instructions, and
    /// keeps at most `most` slices.
    pub fn new((from, to): (u64, u64), insns: &[Option<Insn>], most: usize) -> Self {
        Self {
            from,
            to,
            kinds: insns.iter().map(|i| i.as_ref().map(Kind::of)).collect(),
            states: [(UnitState::Insn, 0); 4],
            slices: Vec::new(),
            most,
        }
    }

    /// The slices, by track and then by cycle.
    pub fn finish(mut self) -> Vec<Slice> {
        for slot in 0..4 {
            self.state_ends(slot, self.to);
        }
        self.slices.sort_by_key(|s| (s.track, s.from, s.to));
        self.slices
    }

    fn add(&mut self, track: usize, (from, to): (u64, u64), what: &'static str, insn: Option<u32>) {
        if from < to && from < self.to && to > self.from && self.slices.len() < self.most {
            self.slices.push(Slice {
                track,
                from: from.max(self.from),
                to: to.min(self.to),
                what,
                insn,
            });
        }
    }

    fn state_ends(&mut self, slot: usize, cycle: u64) {
        let (state, since) = self.states[slot];
        let what = match state {
            UnitState::Work if slot == 0 => "hands on",
            UnitState::Work | UnitState::Done | UnitState::Insn => return,
            other => Cause::of(other).name(),
        };
        self.add(slot, (since, cycle), what, None);
    }
}

impl Sink for Window {
    const CYCLES: bool = false;
    type Error = Infallible;

    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop> {
        match event {
            Event::State { module, state } => {
                let slot = module.index();
                self.state_ends(slot, cycle);
                self.states[slot] = (state, cycle);
            }
            Event::InsnEnd {
                unit, insn, start, ..
            } => {
                let kind = self.kinds.get(insn as usize).copied().flatten();
                let what = kind.map_or("unknown", Kind::name);
                let track = Module::Unit(unit).index();
                self.add(track, (start, cycle + 1), what, Some(insn));
            }
            Event::ReadEnd { client, first, .. } => {
                self.add(4 + client as usize, (first, cycle + 1), "beats", None);
            }
            Event::WriteEnd { first, .. } => {
                self.add(TRACKS.len() - 1, (first, cycle), "beats", None);
            }
            _ => {}
        }
        Ok(())
    }
}

/// When compute hands results to store: the cycles in which it ends an
/// instruction that pushes to store, of some range of instructions.
#[derive(Debug, Clone, Default)]
pub struct Tiles {
    /// Instructions that push to store.
    pushes: Vec<bool>,
    /// Cycles and instructions.
    pub ends: Vec<(u64, u32)>,
}

impl Tiles {
    /// Watches a launch of these instructions.
    pub fn new(insns: &[Option<Insn>]) -> Self {
        let pushes =
            |i: &Option<Insn>| i.is_some_and(|i| i.unit() == Unit::Compute && i.deps().push_next);
        Self {
            pushes: insns.iter().map(pushes).collect(),
            ends: Vec::new(),
        }
    }
}

impl Sink for Tiles {
    const CYCLES: bool = false;
    type Error = Infallible;

    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop> {
        if let Event::InsnEnd {
            unit: Unit::Compute,
            insn,
            ..
        } = event
            && self.pushes.get(insn as usize) == Some(&true)
        {
            self.ends.push((cycle, insn));
        }
        Ok(())
    }
}

const _: () = assert!(TRACKS.len() == 4 + Client::ALL.len() + 1);
