//! What happens in the cycles between the engine's events: states of the units,
//! when bursts end, what fetch hands on. Nothing of it is kept or computed
//! where nobody listens.

use super::bus::NEVER;
use crate::tsim::dram::ReadCmd;
use crate::tsim::event::{Event, Module, UnitState};
use crate::tsim::sink::{Emit, Sink, Stopped};
use crate::tsim::vme::Client;
use std::collections::VecDeque;
use std::convert::Infallible;
use vta_program::isa::Unit;
use vta_program::timing::{Geometry, Rows, StoreBursts};

/// Bursts that are kept before those that nobody asks for are dropped.
const MANY: usize = 4096;

/// A read burst on the bus.
#[derive(Debug, Clone, Copy)]
struct Burst {
    client: Client,
    cmd: u64,
    first: u64,
    last: u64,
}

/// What fetch is at.
#[derive(Debug, Clone, Copy, Default)]
struct Fetching {
    /// All before this cycle is in the log.
    cursor: u64,
    /// The last beat of the batch that came last.
    last_beat: u64,
    /// An instruction that found no room, and since when.
    stuck: Option<(u64, Unit)>,
    done: bool,
}

/// Keeps what is to be emitted later.
#[derive(Debug, Clone, Default)]
pub struct EventLog {
    states: [Option<UnitState>; 4],
    /// In the order of the bus.
    bursts: VecDeque<Burst>,
    /// How many of their ends have been emitted.
    ended: usize,
    fetch: Fetching,
    /// What fetch does from now on, in order.
    ahead: VecDeque<(u64, Event)>,
    /// Last beat of the transfer of load and of compute, once it is known.
    pub last_beat: [Option<u64>; 2],
}

impl EventLog {
    /// Emits what has happened up to and with a cycle.
    pub fn flush<S: Sink>(&mut self, cycle: u64, sink: &mut S) -> Result<(), Stopped<S::Error>> {
        while let Some(b) = self.bursts.get(self.ended)
            && b.last <= cycle
        {
            let (client, cmd, first) = (b.client, b.cmd, b.first);
            sink.emit(b.last, Event::ReadEnd { client, cmd, first })?;
            self.ended += 1;
        }
        while let Some(&(at, event)) = self.ahead.front()
            && at <= cycle
        {
            sink.emit(at, event)?;
            self.ahead.pop_front();
        }
        Ok(())
    }

    /// A command goes out.
    pub fn read<S: Sink>(
        &mut self,
        (cycle, first): (u64, u64),
        client: Client,
        cmd: ReadCmd,
        sink: &mut S,
    ) -> Result<(), Stopped<S::Error>> {
        self.flush(cycle, sink)?;
        sink.emit(cycle, Event::ReadCmd { client, cmd })?;
        self.bursts.push_back(Burst {
            client,
            cmd: cycle,
            first,
            last: first + u64::from(cmd.len),
        });
        Ok(())
    }

    /// No state before this cycle will be asked for.
    pub fn forget(&mut self, before: u64) {
        if self.bursts.len() < MANY {
            return;
        }
        let old = self.bursts.partition_point(|b| b.last + 2 < before);
        let old = old.min(self.ended);
        self.bursts.drain(..old);
        self.ended -= old;
    }

    /// A unit is in a state from a cycle on.
    pub fn state<S: Sink>(
        &mut self,
        unit: Unit,
        cycle: u64,
        state: UnitState,
        sink: &mut S,
    ) -> Result<(), Stopped<S::Error>> {
        let module = Module::Unit(unit);
        let known = &mut self.states[module.index()];
        if *known != Some(state) {
            *known = Some(state);
            sink.emit(cycle, Event::State { module, state })?;
        }
        Ok(())
    }

    /// What a client's transfer waits for in cycles `from` to `to`: changes of
    /// state, in order. `last_beat` is its last one, if it is known.
    fn memory<E>(
        &self,
        client: Client,
        (from, to): (u64, u64),
        last_beat: Option<u64>,
        mut emit: impl FnMut(u64, UnitState) -> Result<(), E>,
    ) -> Result<(), E> {
        let done = last_beat.map_or(NEVER, |l| l + 2);
        let end = to.min(done - 1);
        let mut x = from;
        let mut i = self.bursts.partition_point(|b| b.last + 1 < from);
        while x <= end {
            let Some(b) = self.bursts.get(i) else {
                emit(x, UnitState::Arbitration)?;
                break;
            };
            if x <= b.first {
                // Nobody's data, up to this burst.
                let gap = b.first.min(end);
                let mut own = self.bursts.range(i..).filter(|b| b.client == client);
                let out = own.next().map_or(NEVER, |b| b.cmd + 1);
                if x < out {
                    emit(x, UnitState::Arbitration)?;
                }
                if out <= gap {
                    emit(x.max(out), UnitState::Latency)?;
                }
                x = gap + 1;
            }
            if x <= end {
                let state = if b.client == client {
                    UnitState::Beats
                } else {
                    UnitState::Arbitration
                };
                emit(x, state)?;
                x = x.max(b.last + 2);
            }
            i += 1;
        }
        if done <= to {
            emit(done.max(from), UnitState::Work)?;
        }
        Ok(())
    }

    /// States of a load of `client` that started in `start`, up to and with `to`.
    pub fn load<S: Sink>(
        &mut self,
        client: Client,
        start: u64,
        to: u64,
        sink: &mut S,
    ) -> Result<(), Stopped<S::Error>> {
        let Some(unit) = client.unit() else {
            return Ok(());
        };
        let module = Module::Unit(unit);
        let mut known = self.states[module.index()];
        let last = self.last_beat[unit as usize];
        self.memory(client, (start + 1, to), last, |cycle, state| {
            if known != Some(state) {
                known = Some(state);
                sink.emit(cycle, Event::State { module, state })?;
            }
            Ok(())
        })?;
        self.states[module.index()] = known;
        Ok(())
    }

    /// States and bursts of a store that started in `start`, up to and with `to`.
    pub fn store<S: Sink>(
        &mut self,
        (geo, rows): (Geometry, &Rows),
        start: u64,
        to: u64,
        sink: &mut S,
    ) -> Result<(), Stopped<S::Error>> {
        let mut all = StoreBursts::new(geo, rows, start);
        while all.command() <= to {
            self.state(Unit::Store, all.command(), UnitState::Latency, sink)?;
            let Some(burst) = all.next() else { break };
            let (first, last, beats) = (burst.first, burst.last, burst.beats);
            if first <= to {
                self.state(Unit::Store, first, UnitState::Beats, sink)?;
            }
            if last < to {
                self.state(Unit::Store, last + 1, UnitState::Latency, sink)?;
                sink.emit(last + 1, Event::WriteEnd { first, beats })?;
            }
        }
        Ok(())
    }

    /// States of a unit without an instruction under way, from the end of its
    /// last one up to `to`, which does not belong to them. `head`: since when
    /// one is at the head; `tokens`: whose it needs and since when each is there.
    pub fn idle<S: Sink>(
        &mut self,
        unit: Unit,
        (free, to): (u64, u64),
        head: Option<u64>,
        tokens: [Option<(Unit, u64)>; 2],
        sink: &mut S,
    ) -> Result<(), Stopped<S::Error>> {
        let since = head.unwrap_or(NEVER).min(to);
        if free < since {
            self.state(unit, free, UnitState::Insn, sink)?;
        }
        let mut x = since;
        for (from, there) in tokens.into_iter().flatten() {
            if x < there.min(to) {
                self.state(unit, x, UnitState::Token(from), sink)?;
                x = there;
            }
        }
        Ok(())
    }

    fn fetch_state(&mut self, cycle: u64, state: UnitState) {
        if self.states[0] != Some(state) {
            self.states[0] = Some(state);
            let module = Module::Fetch;
            self.ahead
                .push_back((cycle, Event::State { module, state }));
        }
    }

    /// The last beat of a batch.
    pub const fn arrived(&mut self, last_beat: u64) {
        self.fetch.last_beat = last_beat;
    }

    /// Up to `to`, which does not belong to it: fetch reads a batch from
    /// `begin` on, of which `last_beat` may be known, or moves instructions.
    fn fetch_gap(&mut self, to: u64, reads: Option<(u64, Option<u64>)>) {
        let mut x = self.fetch.cursor;
        if let Some((begin, last_beat)) = reads {
            if x < begin.min(to) {
                self.fetch_state(x, UnitState::Work);
            }
            x = x.max(begin);
            if x < to {
                let mut all = Vec::new();
                let Ok(()) = self.memory(Client::Fetch, (x, to - 1), last_beat, |cycle, state| {
                    all.push((cycle, state));
                    Ok::<_, Infallible>(())
                });
                all.into_iter().for_each(|(c, s)| self.fetch_state(c, s));
            }
        } else if x < to {
            self.fetch_state(x, UnitState::Work);
        }
        self.fetch.cursor = self.fetch.cursor.max(to);
    }

    /// An instruction has found no room in a cycle; it came in `there`.
    pub fn stuck(&mut self, there: u64, unit: Unit) {
        if self.fetch.stuck.is_none() {
            self.fetch.stuck = Some((there, unit));
        }
    }

    /// An instruction is handed on in a cycle; it came in `there`. If it is
    /// the first of its batch: when reading that began.
    pub fn dispatch(&mut self, insn: (Unit, u32), cycle: u64, there: u64, reads: Option<u64>) {
        let (unit, insn) = insn;
        let there = there.max(self.fetch.cursor);
        let last = self.fetch.last_beat;
        self.fetch_gap(there, reads.map(|begin| (begin, Some(last))));
        if there < cycle {
            self.fetch_state(there, UnitState::Queue(unit));
        }
        self.fetch_state(cycle, UnitState::Work);
        self.ahead
            .push_back((cycle, Event::Dispatch { unit, insn }));
        self.fetch.cursor = cycle + 1;
        self.fetch.stuck = None;
    }

    /// Fetch is done from a cycle on.
    pub fn fetch_done(&mut self, cycle: u64) {
        self.fetch_gap(cycle, None);
        self.fetch_state(cycle, UnitState::Done);
        self.fetch.done = true;
    }

    /// The end: what fetch was at up to and with a cycle. `reads` is when it
    /// began to read a batch of which nothing was handed on.
    pub fn finish<S: Sink>(
        &mut self,
        cycle: u64,
        reads: Option<(u64, bool)>,
        sink: &mut S,
    ) -> Result<(), Stopped<S::Error>> {
        if !self.fetch.done && self.fetch.cursor <= cycle {
            let last = self.fetch.last_beat;
            let reads = reads.map(|(begin, came)| (begin, came.then_some(last)));
            match self.fetch.stuck {
                Some((there, unit)) => {
                    let there = there.max(self.fetch.cursor);
                    self.fetch_gap(there.min(cycle + 1), reads);
                    if there <= cycle {
                        self.fetch_state(there, UnitState::Queue(unit));
                    }
                }
                None => self.fetch_gap(cycle + 1, reads),
            }
        }
        self.flush(cycle, sink)
    }
}
