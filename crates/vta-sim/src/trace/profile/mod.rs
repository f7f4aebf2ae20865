//! Where the cycles went: for each unit and each part of a program, how many
//! have which cause.
//!
//! A cycle of a unit belongs to the instruction that the unit is at: the one
//! that runs, else the one that it will run next. So causes of the parts sum
//! to those of the run, and for each unit the causes sum to the run's cycles.

mod cause;

pub use cause::{Cause, Kind};

use super::fetched::fetched;
use crate::tsim::{Client, Event, Module, Sink, Stop, UnitState};
use std::convert::Infallible;
use vta_program::isa::{Insn, Unit};

/// Names of the units, in the order of tables.
pub const MODULES: [&str; 4] = ["fetch", "load", "compute", "store"];
/// Index of compute in [`MODULES`].
pub const COMPUTE: usize = 2;
/// Name of what belongs to no symbol.
pub const OTHER: &str = "other";

/// Bursts and beats on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Bursts. A burst for several parts counts where it begins.
    pub bursts: u64,
    /// Bytes, of whole beats.
    pub bytes: u64,
}

/// Instructions of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KindUse {
    /// Those that ended.
    pub insns: u64,
    /// Cycles from leaving idle to leaving the queue.
    pub cycles: u64,
}

/// What happened for one part of a program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// Name of its symbols.
    pub name: String,
    /// Cycles by unit ([`MODULES`]) and by [`Cause`].
    pub causes: [[u64; Cause::COUNT]; 4],
    /// Instructions by [`Kind`].
    pub kinds: [KindUse; Kind::COUNT],
    /// Reads by client: fetch, uop, inp, wgt, acc.
    pub reads: [Traffic; 5],
    /// Writes.
    pub writes: Traffic,
    /// GEMM steps, resets not counted.
    pub gemm_steps: u64,
    /// GEMM steps that reset.
    pub reset_steps: u64,
    /// ALU steps.
    pub alu_steps: u64,
}

impl Part {
    /// Cycles that compute was at it. Over all parts they sum to the run's cycles.
    pub fn cycles(&self) -> u64 {
        self.causes[COMPUTE].iter().sum()
    }

    /// Cycles of a unit with a cause.
    pub const fn of(&self, unit: Unit, cause: Cause) -> u64 {
        self.causes[1 + unit as usize][cause as usize]
    }

    /// Bytes read and written.
    pub fn bytes(&self) -> u64 {
        self.bytes_read() + self.writes.bytes
    }

    /// Bytes read.
    pub fn bytes_read(&self) -> u64 {
        self.reads.iter().map(|t| t.bytes).sum()
    }

    /// Steps of GEMM, resets included, and of the ALU.
    pub const fn steps(&self) -> u64 {
        self.gemm_steps + self.reset_steps + self.alu_steps
    }

    /// Adds another part; the name stays.
    pub fn add(&mut self, other: &Self) {
        let causes = self.causes.iter_mut().flatten();
        causes
            .zip(other.causes.iter().flatten())
            .for_each(|(a, b)| *a += b);
        for (a, b) in self.kinds.iter_mut().zip(&other.kinds) {
            a.insns += b.insns;
            a.cycles += b.cycles;
        }
        for (a, b) in self.reads.iter_mut().zip(&other.reads) {
            a.bursts += b.bursts;
            a.bytes += b.bytes;
        }
        self.writes.bursts += other.writes.bursts;
        self.writes.bytes += other.writes.bytes;
        self.gemm_steps += other.gemm_steps;
        self.reset_steps += other.reset_steps;
        self.alu_steps += other.alu_steps;
    }
}

/// Where the cycles of a run went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// Cycles of the run.
    pub cycles: u64,
    /// Parts in the order of their first instruction; what is of no symbol last.
    pub parts: Vec<Part>,
}

impl Profile {
    /// The sum of all parts.
    pub fn total(&self) -> Part {
        let mut sum = Part {
            name: "total".into(),
            ..Part::default()
        };
        self.parts.iter().for_each(|p| sum.add(p));
        sum
    }

    /// Adds the profile of another launch; parts of one name become one.
    pub fn add(&mut self, other: &Self) {
        self.cycles += other.cycles;
        for theirs in &other.parts {
            match self.parts.iter_mut().find(|p| p.name == theirs.name) {
                Some(ours) => ours.add(theirs),
                None => self.parts.push(theirs.clone()),
            }
        }
        let is_other = |p: &Part| p.name == OTHER;
        if let Some(i) = self.parts.iter().position(is_other) {
            let other = self.parts.remove(i);
            self.parts.push(other);
        }
    }
}

/// A unit while it is watched.
#[derive(Debug, Clone, Copy)]
struct At {
    state: UnitState,
    /// All before this cycle is counted.
    since: u64,
    /// Position of its next instruction among its own; fetch: in the program.
    next: usize,
    /// What was counted last.
    last: (usize, Cause),
}

/// Watches a launch. Needs no cycles, so the run is about as fast as without.
#[derive(Debug, Clone)]
pub struct Profiler {
    insn_addr: u32,
    beat_bytes: u64,
    insns: Vec<Option<Insn>>,
    /// For each instruction its part.
    part_of: Vec<u32>,
    /// For each unit its instructions, in order.
    own: [Vec<u32>; 3],
    at: [At; 4],
    /// The instruction that each unit runs or ran last.
    runs: [u32; 3],
    parts: Vec<Part>,
}

impl Profiler {
    /// Watches a launch at `insn_addr` of these instructions (none: a word that
    /// nothing decodes). `symbols` are `(name, first, number)`; where they
    /// overlap, the later one counts.
    pub fn new<'a>(
        insn_addr: u32,
        beat_bytes: u32,
        insns: Vec<Option<Insn>>,
        symbols: impl IntoIterator<Item = (&'a str, u32, u32)>,
    ) -> Self {
        let named = |name: &str| Part {
            name: name.into(),
            ..Part::default()
        };
        let mut parts: Vec<Part> = Vec::new();
        let mut part_of = vec![u32::MAX; insns.len()];
        let mut numbers = std::collections::BTreeMap::new();
        for (name, first, count) in symbols {
            let part = *numbers.entry(name.to_owned()).or_insert_with(|| {
                parts.push(named(name));
                parts.len() as u32 - 1
            });
            let from = (first as usize).min(insns.len());
            let to = (from + count as usize).min(insns.len());
            part_of[from..to].fill(part);
        }
        let other = parts.iter().position(|p| p.name == OTHER);
        let other = other.unwrap_or_else(|| {
            parts.push(named(OTHER));
            parts.len() - 1
        });
        for part in &mut part_of {
            if *part == u32::MAX {
                *part = other as u32;
            }
        }
        let own = Unit::ALL.map(|u| {
            let of = |i: &Option<Insn>| i.is_some_and(|i| i.unit() == u);
            let all = (0..).zip(&insns).filter(|(_, i)| of(i));
            all.map(|(n, _)| n).collect()
        });
        Self {
            insn_addr,
            beat_bytes: beat_bytes.into(),
            insns,
            part_of,
            own,
            at: [At {
                state: UnitState::Insn,
                since: 0,
                next: 0,
                last: (other, Cause::Idle),
            }; 4],
            runs: [u32::MAX; 3],
            parts,
        }
    }

    /// The part of an instruction; the last one, `other`, if there is none.
    fn part(&self, insn: u64) -> usize {
        let part = usize::try_from(insn)
            .ok()
            .and_then(|i| self.part_of.get(i).copied());
        part.map_or(self.parts.len() - 1, |p| p as usize)
    }

    /// Counts a unit's cycles up to `until`, which is not counted.
    fn count(&mut self, slot: usize, until: u64) {
        let at = self.at[slot];
        let cycles = until.saturating_sub(at.since);
        if cycles == 0 {
            return;
        }
        let insn = match slot {
            0 => Some(at.next as u32).filter(|n| (*n as usize) < self.insns.len()),
            _ => self.own[slot - 1].get(at.next).copied(),
        };
        let mut cause = Cause::of(at.state);
        match (slot, insn, at.state) {
            (1.., None, UnitState::Insn) => cause = Cause::Idle,
            (1.., Some(_), UnitState::Done) => cause = Cause::Insn,
            _ => {}
        }
        let part = match (slot, insn) {
            (0, None) if cause == Cause::Idle => u64::MAX,
            // Fetch ends its last batch.
            (0, None) => (self.insns.len() as u64).wrapping_sub(1),
            (_, insn) => insn.map_or(u64::MAX, u64::from),
        };
        let part = self.part(part);
        self.parts[part].causes[slot][cause as usize] += cycles;
        self.at[slot].since = until;
        self.at[slot].last = (part, cause);
    }

    /// What was seen, of a run of so many cycles.
    pub fn finish(mut self, cycles: u64) -> Profile {
        for slot in 0..4 {
            self.count(slot, cycles);
            // The cycle of FINISH itself is not among the run's.
            let over = self.at[slot].since.saturating_sub(cycles);
            let (part, cause) = self.at[slot].last;
            self.parts[part].causes[slot][cause as usize] -= over;
        }
        Profile {
            cycles,
            parts: self.parts,
        }
    }

    fn end(&mut self, insn: u32, cycles: u64) {
        let part = self.part(insn.into());
        let part = &mut self.parts[part];
        let Some(Some(i)) = self.insns.get(insn as usize) else {
            return;
        };
        let kind = &mut part.kinds[Kind::of(i) as usize];
        kind.insns += 1;
        kind.cycles += cycles;
        match i {
            Insn::Gemm(g) if g.reset_reg => part.reset_steps += g.steps(),
            Insn::Gemm(g) => part.gemm_steps += g.steps(),
            Insn::Alu(a) => part.alu_steps += a.steps(),
            _ => {}
        }
    }

    fn read(&mut self, client: Client, addr: u32, bytes: u64) {
        let Some(unit) = client.unit() else {
            for (n, (insn, bytes)) in fetched(self.insn_addr, addr, bytes).enumerate() {
                let part = self.part(insn);
                let reads = &mut self.parts[part].reads[client as usize];
                reads.bursts += u64::from(n == 0);
                reads.bytes += bytes;
            }
            return;
        };
        let part = self.part(self.runs[unit as usize].into());
        let reads = &mut self.parts[part].reads[client as usize];
        reads.bursts += 1;
        reads.bytes += bytes;
    }
}

impl Sink for Profiler {
    const CYCLES: bool = false;
    type Error = Infallible;

    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop> {
        match event {
            Event::State { module, state } => {
                let slot = module.index();
                self.count(slot, cycle);
                self.at[slot].state = state;
            }
            Event::InsnStart { unit, insn } => self.runs[unit as usize] = insn,
            Event::InsnEnd {
                unit, insn, start, ..
            } => {
                let slot = Module::Unit(unit).index();
                self.count(slot, cycle + 1);
                self.at[slot].next += 1;
                self.end(insn, cycle - start + 1);
            }
            Event::Dispatch { insn, .. } => {
                self.count(0, cycle + 1);
                self.at[0].next = insn as usize + 1;
            }
            Event::ReadCmd { client, cmd } => {
                let bytes = (u64::from(cmd.len) + 1) * self.beat_bytes;
                self.read(client, cmd.addr, bytes);
            }
            Event::WriteBeat => {
                let part = self.part(self.runs[Unit::Store as usize].into());
                self.parts[part].writes.bytes += self.beat_bytes;
            }
            Event::WriteEnd { .. } => {
                let part = self.part(self.runs[Unit::Store as usize].into());
                self.parts[part].writes.bursts += 1;
            }
            _ => {}
        }
        Ok(())
    }
}
