//! A run as a timeline for Perfetto (<https://ui.perfetto.dev>), written while
//! the run goes on. A cycle is a nanosecond there.
//!
//! Tracks: layers as compute is at them; fetch and the units, with a slice for
//! each instruction, what it waits for inside, and what the unit waits for
//! between instructions; bursts of each read client and of writes; depths of
//! queues and numbers of tokens. An arrow goes from where a token is given to
//! the instruction that takes it.

pub mod proto;
mod writer;

use self::writer::Writer;
use super::profile::{Cause, Kind};
use crate::tsim::{Client, Event, Module, Sink, Stop, UnitState};
use std::collections::VecDeque;
use std::io::{self, Write};
use vta_program::isa::{Insn, Unit};

/// Most tokens that a semaphore holds.
const MOST_TOKENS: usize = 255;

/// Directions of tokens: giver, taker.
const TOKENS: [(Unit, Unit); 4] = [
    (Unit::Load, Unit::Compute),
    (Unit::Compute, Unit::Load),
    (Unit::Compute, Unit::Store),
    (Unit::Store, Unit::Compute),
];

/// One unit's track while it is written.
#[derive(Debug, Clone, Default)]
struct Track {
    uuid: u64,
    /// A slice of waiting is open.
    waits: bool,
    /// The slice of an instruction is open.
    runs: bool,
    /// A slice inside it is open.
    inner: bool,
    /// An instruction that starts: cycle, number, and flows that end there.
    starts: Option<(u64, u32, Vec<u64>)>,
    /// One that ends: cycle, and flows that begin there.
    ends: Option<(u64, Vec<(u64, Unit)>)>,
}

/// A launch that is watched.
#[derive(Debug, Default)]
struct Launch {
    kinds: Vec<Option<Kind>>,
    /// For each instruction, the number of its name in `names`.
    part_of: Vec<u32>,
    names: Vec<String>,
    /// The part that compute is at: its number, its first cycle, and the first
    /// cycle after its last instruction.
    part: Option<(u32, u64, u64)>,
    /// Tokens that are there, as flows, oldest first.
    tokens: [VecDeque<(u64, u64)>; 4],
    depth: [i64; 3],
}

/// Writes a timeline. An error of the writer ends the run.
#[derive(Debug)]
pub struct Timeline<W> {
    to: Writer<W>,
    /// Cycles of the launches before.
    offset: u64,
    layers: u64,
    /// Fetch, load, compute, store.
    units: [Track; 4],
    queues: [u64; 3],
    tokens: [u64; 4],
    reads: [u64; 5],
    writes: u64,
    flows: u64,
    /// Names of bursts by their beats; 0: none yet.
    bursts: Vec<u64>,
    launch: Launch,
}

impl<W: Write> Timeline<W> {
    /// Begins a timeline of a program of this name.
    pub fn new(to: W, name: &str) -> Self {
        let mut to = Writer::new(to, name);
        let layers = to.track("layers", None);
        let units = ["fetch", "load", "compute", "store"].map(|n| Track {
            uuid: to.track(n, None),
            ..Track::default()
        });
        let reads = Client::ALL.map(|c| to.track(&format!("reads of {}", c.name()), None));
        let writes = to.track("writes", None);
        let queues = Unit::ALL.map(|u| to.track(&format!("queue of {u}"), Some("instructions")));
        let tokens = TOKENS.map(|(a, b)| to.track(&format!("tokens {a} to {b}"), Some("tokens")));
        Self {
            to,
            offset: 0,
            layers,
            units,
            queues,
            tokens,
            reads,
            writes,
            flows: 0,
            bursts: Vec::new(),
            launch: Launch::default(),
        }
    }

    /// Begins a launch of these instructions (none: nothing decodes the word);
    /// `symbols` are `(name, first, number)`.
    pub fn launch<'a>(
        &mut self,
        insns: &[Option<Insn>],
        symbols: impl IntoIterator<Item = (&'a str, u32, u32)>,
    ) {
        let mut launch = Launch {
            kinds: insns.iter().map(|i| i.as_ref().map(Kind::of)).collect(),
            part_of: vec![u32::MAX; insns.len()],
            ..Launch::default()
        };
        for (n, (name, first, count)) in symbols.into_iter().enumerate() {
            let from = (first as usize).min(insns.len());
            let to = (from + count as usize).min(insns.len());
            launch.part_of[from..to].fill(n as u32);
            launch.names.push(name.to_owned());
        }
        self.launch = launch;
    }

    /// Ends a launch of so many cycles.
    pub fn launch_end(&mut self, cycles: u64) {
        for slot in 0..4 {
            self.flush(slot, Some(cycles));
            self.close(slot, cycles);
            let t = &mut self.units[slot];
            if t.runs {
                t.runs = false;
                self.to.end(t.uuid, self.offset + cycles);
            }
        }
        if let Some((part, from, _)) = self.launch.part.take() {
            self.layer(part, from, cycles);
        }
        self.offset += cycles;
        // FINISH leaves its queue in the cycle that is not counted.
        let zero = self.offset + 1;
        for track in self.queues.iter().chain(&self.tokens) {
            self.to.counter(*track, zero, 0);
        }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(self) -> io::Result<W> {
        self.to.finish()
    }

    /// Bytes written.
    pub const fn bytes(&self) -> u64 {
        self.to.bytes()
    }

    /// Closes what a unit waits for, inside or between instructions.
    fn close(&mut self, slot: usize, cycle: u64) {
        let t = &mut self.units[slot];
        if t.inner || t.waits {
            (t.inner, t.waits) = (false, false);
            self.to.end(t.uuid, self.offset + cycle);
        }
    }

    /// Writes the start or the end that waited for its tokens. At the end of
    /// the run, `limit`, an instruction does not last longer.
    fn flush(&mut self, slot: usize, limit: Option<u64>) {
        let limit = limit.unwrap_or(u64::MAX);
        if let Some((cycle, insn, flows)) = self.units[slot].starts.take() {
            self.close(slot, cycle);
            let kind = self.launch.kinds.get(insn as usize).copied().flatten();
            let name = self.to.fixed(kind.map_or("unknown", Kind::name));
            let uuid = self.units[slot].uuid;
            let at = self.offset + cycle.min(limit);
            self.to.begin(uuid, at, name, Some(insn), &flows);
            self.units[slot].runs = true;
        }
        if let Some((cycle, flows)) = self.units[slot].ends.take() {
            self.close(slot, (cycle + 1).min(limit));
            let uuid = self.units[slot].uuid;
            for (flow, to) in flows {
                let name = self.to.fixed(match to {
                    Unit::Load => "token for load",
                    Unit::Compute => "token for compute",
                    Unit::Store => "token for store",
                });
                self.to
                    .instant(uuid, self.offset + (cycle + 1).min(limit), name, flow);
            }
            self.to.end(uuid, self.offset + (cycle + 1).min(limit));
            self.units[slot].runs = false;
        }
    }

    fn state(&mut self, slot: usize, cycle: u64, state: UnitState) {
        self.flush(slot, None);
        self.close(slot, cycle);
        let name = match state {
            UnitState::Work if slot == 0 => "hands on",
            UnitState::Work | UnitState::Done => return,
            UnitState::Insn => "no instruction",
            other => Cause::of(other).words(),
        };
        let t = &mut self.units[slot];
        match t.runs {
            true => t.inner = true,
            false => t.waits = true,
        }
        let uuid = t.uuid;
        let name = self.to.fixed(name);
        self.to.begin(uuid, self.offset + cycle, name, None, &[]);
    }

    fn layer(&mut self, part: u32, from: u64, to: u64) {
        if from >= to {
            return;
        }
        let name = self.launch.names.get(part as usize);
        let name = self.to.name(name.map_or("other", String::as_str));
        self.to
            .begin(self.layers, self.offset + from, name, None, &[]);
        self.to.end(self.layers, self.offset + to);
    }

    /// An instruction of compute ends: its part goes on up to there.
    fn part(&mut self, insn: u32, end: u64) {
        let part = self.launch.part_of.get(insn as usize).copied();
        let part = part.unwrap_or(u32::MAX);
        let (was, from, to) = self.launch.part.unwrap_or((part, 0, 0));
        let same = was == part
            || self.launch.names.get(was as usize) == self.launch.names.get(part as usize);
        if same {
            self.launch.part = Some((part, from, end));
        } else {
            self.layer(was, from, to);
            self.launch.part = Some((part, to, end));
        }
    }

    fn depth(&mut self, unit: Unit, cycle: u64, by: i64) {
        let depth = &mut self.launch.depth[unit as usize];
        *depth += by;
        let value = *depth;
        self.to
            .counter(self.queues[unit as usize], self.offset + cycle, value);
    }

    fn post(&mut self, from: Unit, to: Unit, cycle: u64) {
        let Some(d) = TOKENS.iter().position(|t| *t == (from, to)) else {
            return;
        };
        let all = &mut self.launch.tokens[d];
        // One that came in an earlier cycle when all places were taken was dropped.
        if all.len() > MOST_TOKENS && all.back().is_some_and(|t| t.0 < cycle) {
            all.pop_back();
        }
        self.flows += 1;
        let flow = self.flows;
        all.push_back((cycle, flow));
        let value = all.len().min(MOST_TOKENS) as i64;
        self.to
            .counter(self.tokens[d], self.offset + cycle + 1, value);
        if let Some((_, flows)) = &mut self.units[1 + from as usize].ends {
            flows.push((flow, to));
        }
    }

    fn wait(&mut self, from: Unit, to: Unit, cycle: u64) {
        let Some(d) = TOKENS.iter().position(|t| *t == (from, to)) else {
            return;
        };
        let all = &mut self.launch.tokens[d];
        if all.len() > MOST_TOKENS && all.back().is_some_and(|t| t.0 < cycle) {
            all.pop_back();
        }
        let flow = all.pop_front();
        let value = all.len().min(MOST_TOKENS) as i64;
        self.to
            .counter(self.tokens[d], self.offset + cycle + 1, value);
        if let (Some((_, flow)), Some((.., flows))) =
            (flow, &mut self.units[1 + to as usize].starts)
        {
            flows.push(flow);
        }
    }

    fn burst(&mut self, track: u64, first: u64, after: u64) {
        let beats = (after - first) as usize;
        if self.bursts.len() <= beats {
            self.bursts.resize(beats + 1, 0);
        }
        if self.bursts[beats] == 0 {
            let s = if beats == 1 { "" } else { "s" };
            self.bursts[beats] = self.to.name(&format!("{beats} beat{s}"));
        }
        let name = self.bursts[beats];
        self.to.begin(track, self.offset + first, name, None, &[]);
        self.to.end(track, self.offset + after);
    }
}

impl<W: Write> Sink for Timeline<W> {
    const CYCLES: bool = false;
    type Error = io::Error;

    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop<io::Error>> {
        match event {
            Event::State { module, state } => self.state(module.index(), cycle, state),
            Event::InsnStart { unit, insn } => {
                let slot = Module::Unit(unit).index();
                // Arrows begin before they end, in the file too.
                for other in 1..4 {
                    let over = |e: &(u64, Vec<(u64, Unit)>)| e.0 < cycle;
                    if other == slot || self.units[other].ends.as_ref().is_some_and(over) {
                        self.flush(other, None);
                    }
                }
                self.units[slot].starts = Some((cycle, insn, Vec::new()));
            }
            Event::InsnEnd { unit, insn, .. } => {
                let slot = Module::Unit(unit).index();
                self.flush(slot, None);
                self.units[slot].ends = Some((cycle, Vec::new()));
                self.depth(unit, cycle + 1, -1);
                if unit == Unit::Compute {
                    self.part(insn, cycle + 1);
                }
            }
            Event::Dispatch { unit, .. } => self.depth(unit, cycle + 1, 1),
            Event::Post { from, to, .. } => self.post(from, to, cycle),
            Event::Wait { from, to, .. } => self.wait(from, to, cycle),
            Event::ReadEnd { client, first, .. } => {
                self.burst(self.reads[client as usize], first, cycle + 1);
            }
            Event::WriteEnd { first, .. } => self.burst(self.writes, first, cycle),
            _ => {}
        }
        Ok(self.to.write_out()?)
    }
}
