//! What a run showed, as lines of text: state and cycles in one comparison.

use std::convert::Infallible;
use vta_program::isa::Unit;
use vta_program::mem::Dram;
use vta_sim::tsim::{Event, Outcome, Sink, Status, Stop};

/// Keeps every event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log(pub Vec<(u64, Event)>);

impl Sink for Log {
    type Error = Infallible;

    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop> {
        self.0.push((cycle, event));
        Ok(())
    }
}

/// A run with its events.
#[derive(Debug, Clone)]
pub struct Seen {
    /// How it ended.
    pub outcome: Outcome,
    /// DRAM afterwards.
    pub dram: Dram,
    /// What happened.
    pub log: Log,
}

impl Seen {
    pub(super) fn new(outcome: Outcome, dram: Dram, log: Log) -> Self {
        Self { outcome, dram, log }
    }

    /// The status and the cycle of the end.
    pub fn end(&self) -> String {
        let cycles = self.outcome.cycles;
        match &self.outcome.status {
            Status::Ok => format!("ok {cycles}"),
            Status::Stopped => format!("stopped {cycles}"),
            Status::Hang { reason, .. } => format!("hang {} {cycles}", reason.name()),
            Status::Assert { module, insn, .. } => match insn {
                Some(n) => format!("assert {module} insn {n} {cycles}"),
                None => format!("assert {module} {cycles}"),
            },
        }
    }

    /// Compares [`Self::rows`] with text, indented as in a test.
    #[track_caller]
    pub fn shows(&self, kinds: &str, expected: &str) {
        assert_eq!(self.rows(kinds), lines(expected));
    }

    /// Chosen rows in order, then the status. `kinds` names them:
    ///
    /// - `load`, `compute`, `store`: `load 3: 50..52`, instruction 3 of the
    ///   program left idle in cycle 50 and its queue in cycle 52;
    /// - `dispatch`: `dispatch load 3: 49`; `dispatch load 3..5: 49..51` when
    ///   one follows the other in each cycle;
    /// - `ar`: `ar inp tag 0: 52, 0x2000 + 16`, address and beats;
    /// - `r`: `r inp tag 0: 70..85`, first and last beat of a burst;
    /// - `aw`, `w`, `b`: write commands, beats, responses;
    /// - `token`: `compute to load: 33, post at 0`, the count before.
    pub fn rows(&self, kinds: &str) -> String {
        let wants = |k: &str| kinds.split(' ').any(|w| w == k);
        let mut rows: Vec<String> = Vec::new();
        let mut dispatches: Vec<Dispatches> = Vec::new();
        let mut owners = [""; 16];
        let mut first = [None; 16];
        let mut starts: Vec<(u32, usize)> = Vec::new();
        for &(cycle, event) in &self.log.0 {
            let row = match event {
                Event::InsnStart { unit, insn } if wants(unit.name()) => {
                    starts.push((insn, rows.len()));
                    format!("{unit} {insn}: {cycle}..")
                }
                Event::InsnEnd { unit, insn, .. } if wants(unit.name()) => {
                    let of = starts.iter().find(|s| s.0 == insn).expect("it started");
                    rows[of.1] += &cycle.to_string();
                    continue;
                }
                Event::Dispatch { unit, insn } if wants("dispatch") => {
                    let d = Dispatches::new(unit, insn, cycle);
                    if let Some(before) = dispatches.last_mut()
                        && before.row + 1 == rows.len()
                        && before.extend(d)
                    {
                        rows[before.row] = before.text();
                    } else {
                        let row = rows.len();
                        rows.push(d.text());
                        dispatches.push(Dispatches { row, ..d });
                    }
                    continue;
                }
                Event::ReadCmd { client, cmd } => {
                    owners[usize::from(cmd.id)] = client.name();
                    first[usize::from(cmd.id)] = None;
                    if !wants("ar") {
                        continue;
                    }
                    let (name, beats) = (client.name(), cmd.len + 1);
                    format!(
                        "ar {name} tag {}: {cycle}, {:#x} + {beats}",
                        cmd.id, cmd.addr
                    )
                }
                Event::ReadBeat(b) if wants("r") => {
                    let tag = usize::from(b.id);
                    let from = *first[tag].get_or_insert(cycle);
                    if !b.last {
                        continue;
                    }
                    format!("r {} tag {tag}: {from}..{cycle}", owners[tag])
                }
                Event::WriteCmd(c) if wants("aw") => {
                    format!("aw: {cycle}, {:#x} + {}", c.addr, c.len + 1)
                }
                Event::WriteBeat if wants("w") => match rows.last_mut() {
                    Some(row) if row.starts_with("w:") => {
                        *row += &format!(" {cycle}");
                        continue;
                    }
                    _ => format!("w: {cycle}"),
                },
                Event::WriteResp if wants("b") => format!("b: {cycle}"),
                Event::Post { from, to, count } if wants("token") => {
                    format!("{from} to {to}: {cycle}, post at {count}")
                }
                Event::Wait { from, to, count } if wants("token") => {
                    format!("{from} to {to}: {cycle}, wait at {count}")
                }
                _ => continue,
            };
            rows.push(row);
        }
        rows.push(self.end());
        rows.join("\n")
    }
}

/// Instructions handed to one queue in cycles that follow each other.
#[derive(Clone, Copy)]
struct Dispatches {
    unit: Unit,
    insns: (u32, u32),
    cycles: (u64, u64),
    row: usize,
}

impl Dispatches {
    fn new(unit: Unit, insn: u32, cycle: u64) -> Self {
        Self {
            unit,
            insns: (insn, insn),
            cycles: (cycle, cycle),
            row: 0,
        }
    }

    fn extend(&mut self, next: Self) -> bool {
        let follows = next.unit == self.unit
            && next.insns.0 == self.insns.1 + 1
            && next.cycles.0 == self.cycles.1 + 1;
        if follows {
            (self.insns.1, self.cycles.1) = (next.insns.1, next.cycles.1);
        }
        follows
    }

    fn text(&self) -> String {
        let range = |(a, b): (u64, u64)| match a == b {
            true => a.to_string(),
            false => format!("{a}..{b}"),
        };
        let insns = (u64::from(self.insns.0), u64::from(self.insns.1));
        let (insns, cycles) = (range(insns), range(self.cycles));
        format!("dispatch {} {insns}: {cycles}", self.unit)
    }
}

/// Text without the indentation that it has in a test.
pub fn lines(text: &str) -> String {
    let rows: Vec<&str> = text.trim().lines().map(str::trim).collect();
    rows.join("\n")
}
