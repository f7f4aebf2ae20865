//! The event-driven engine: from what one unit hands to another to the next
//! such event, not from cycle to cycle.
//!
//! Whatever passes between units takes at least a cycle: a token or an
//! instruction given in one cycle can be taken in the next. So events are
//! handled in the order of their cycles, those of one cycle in any order, and
//! between them everything follows from counts: a GEMM ends after its steps, a
//! store after its bursts, the beats of a command are known when it goes out.
//!
//! Only launches of the usual kind are run so (`plan`); the others, and those
//! that do not end in time, are ticked. Both ways give the same, by property.

mod bus;
mod event_log;
mod fetch;
mod plan;
mod token;
mod unit;

use self::bus::{Bus, NEVER};
use self::event_log::EventLog;
use self::fetch::Fetch;
use self::plan::{OUT, Plan, index};
use self::token::Tokens;
use self::unit::{Phase, UnitQueue};
use super::event::{Event, UnitState};
use super::ledger::{Ending, Ledger};
use super::outcome::{AssertCause, Halt, Options, Outcome, RunError, Status};
use super::sink::{Emit, Sink, Stopped};
use super::vme::Client;
use vta_program::config::HwConfig;
use vta_program::isa::{Insn, Load, Unit};
use vta_program::mem::Dram;
use vta_program::timing::{self, Bursts, Padding, Rows, store, store_until};

/// Cycles that are never simulated: far more than any run, far from wrapping.
const LONGEST: u64 = u64::MAX / 4;

/// Semaphores: from load and from store to compute, from compute to load and to store.
const TAKER: [Unit; 4] = [Unit::Compute, Unit::Compute, Unit::Load, Unit::Store];

/// Who gives their tokens.
const GIVER: [Unit; 4] = [Unit::Load, Unit::Store, Unit::Compute, Unit::Compute];

/// Masks of the semaphores that an instruction takes from and gives to.
fn tokens(insn: &Insn) -> (u8, u8) {
    let d = insn.deps();
    let bits = |a: bool, i: u8, b: bool, j: u8| (u8::from(a) << i) | (u8::from(b) << j);
    match insn.unit() {
        Unit::Load => (
            bits(d.pop_next, 2, false, 0),
            bits(d.push_next, 0, false, 0),
        ),
        Unit::Compute => (
            bits(d.pop_prev, 0, d.pop_next, 1),
            bits(d.push_prev, 2, d.push_next, 3),
        ),
        Unit::Store => (
            bits(d.pop_prev, 3, false, 0),
            bits(d.push_prev, 1, false, 0),
        ),
    }
}

/// Events between two questions whether to go on, and cycles.
const EVERY: u32 = 1 << 10;
const LONG: u64 = 1 << 22;

/// How a run ended.
enum Ended {
    Finish,
    Assert(Status),
}

/// A run under way.
struct Engine<'a, S> {
    cfg: &'a HwConfig,
    plan: &'a Plan,
    sink: &'a mut S,
    ledger: Ledger<'a>,
    bus: Bus,
    fetch: Fetch<'a>,
    /// When fetch looks for room again.
    fetch_at: u64,
    /// The unit whose full queue fetch waits for.
    fetch_waits: Option<usize>,
    units: [UnitQueue; 3],
    tokens: [Tokens; 4],
    /// Nothing after this cycle counts.
    limit: u64,
    ended: Option<Ended>,
    /// What happens between the engine's events, where somebody listens.
    log: EventLog,
}

/// Runs a launch from event to event, if it can be.
///
/// # Errors
/// An instruction reaches outside the DRAM image, or the sink fails.
pub(super) fn run<S: Sink>(
    cfg: &HwConfig,
    dram: &mut Dram,
    (insn_addr, insn_count): (u32, u32),
    options: Options,
    sink: &mut S,
) -> Result<Attempt, RunError<S::Error>> {
    let Some(plan) = Plan::new(cfg, dram, insn_addr, insn_count) else {
        return Ok(Attempt::Unsuited);
    };
    let mut bus = Bus::new(cfg.mem_delay);
    let fetch = Fetch::new(cfg, insn_addr, insn_count, &mut bus);
    let room = cfg.insn_queue_entries;
    let mut engine = Engine {
        cfg,
        plan: &plan,
        sink,
        ledger: Ledger::new(cfg, dram, options.data),
        bus,
        fetch,
        fetch_at: NEVER,
        fetch_waits: None,
        units: std::array::from_fn(|_| UnitQueue::new(room.min(insn_count))),
        tokens: [Tokens::default(); 4],
        limit: options.max_cycles.min(LONGEST),
        ended: None,
        log: EventLog::default(),
    };
    let (status, cycles) = match engine.run_to_end() {
        Ok(None) => return Ok(Attempt::Hangs),
        Ok(Some(status)) => (status, engine.limit),
        Err(halt) => (Status::Stopped, halt.enough()?),
    };
    let mut ledger = engine.ledger;
    ledger.stats.read_bursts = engine.bus.bursts;
    ledger.stats.read_beats = engine.bus.beats;
    Ok(Attempt::Ended(Box::new(ledger.close(status, cycles))))
}

/// What came of it.
pub(super) enum Attempt {
    /// The run.
    Ended(Box<Outcome>),
    /// It does not end in time. DRAM is as it leaves it.
    Hangs,
    /// Not a launch that this engine runs.
    Unsuited,
}

impl<S: Sink> Engine<'_, S> {
    /// Runs to the end; none if there is none in time.
    fn run_to_end(&mut self) -> Result<Option<Status>, Halt<S::Error>> {
        self.events()?;
        self.finish()
    }

    /// Handles all events up to the limit.
    fn events(&mut self) -> Result<(), Halt<S::Error>> {
        let (mut seen, mut asked) = (0u32, 0);
        loop {
            seen = seen.wrapping_add(1);
            // Of one cycle: load, compute, store, as their data change.
            let [load, compute, store] = [0, 1, 2].map(|u| self.units[u].next);
            let (mut u, mut cycle) = (0, load);
            if compute < cycle {
                (u, cycle) = (1, compute);
            }
            if store < cycle {
                (u, cycle) = (2, store);
            }
            let fetch = self.fetch_at < cycle;
            if fetch {
                cycle = self.fetch_at;
            }
            let until = cycle.min(self.limit);
            // A long way to the next event may have been a long instruction.
            if seen.is_multiple_of(EVERY) || until.saturating_sub(asked) > LONG {
                asked = until;
                self.sink.go_on(until)?;
            }
            if self.bus.due() <= until {
                self.commands(until)?;
                continue;
            }
            if cycle > self.limit {
                return Ok(());
            }
            if fetch {
                self.fetch_at = NEVER;
                self.hand_on(cycle)?;
                continue;
            }
            match self.units[u].phase {
                Phase::Starts => self.start(u, cycle)?,
                Phase::Runs => self.end(u, cycle)?,
                Phase::Asserts(hazard) => {
                    let insn = self.units[u].head().map(|h| h.0);
                    self.units[u].next = NEVER;
                    self.limit = cycle;
                    self.ended = Some(Ended::Assert(Status::Assert {
                        module: "core.compute.tensorAlu",
                        insn,
                        cause: AssertCause::Bypass(hazard),
                    }));
                }
                Phase::Waits => unreachable!("a unit that waits has no event"),
            }
        }
    }

    /// Read commands up to and with a cycle, or to the end of a transfer.
    fn commands(&mut self, until: u64) -> Result<(), Halt<S::Error>> {
        let (sink, log) = (&mut *self.sink, &mut self.log);
        let mut emitted = Ok(());
        let seen = |cycles, client, cmd| {
            if emitted.is_ok() {
                emitted = log.read(cycles, client, cmd, sink);
            }
        };
        let done = match S::BETWEEN {
            true => self.bus.advance::<true>(until, seen),
            false => self.bus.advance::<false>(until, seen),
        };
        emitted?;
        let Some(done) = done else {
            return Ok(());
        };
        if done.client == 0 {
            self.fetch.arrived(done.last_beat);
            if S::BETWEEN {
                self.log.arrived(done.last_beat);
            }
            // Whatever is handed on now is handed on later than `until`.
            self.hand_on(0)?;
        } else {
            let unit = if matches!(done.client, 2 | 3) { 0 } else { 1 };
            self.units[unit].next = done.written;
            if S::BETWEEN {
                self.log.last_beat[unit] = Some(done.last_beat);
            }
        }
        Ok(())
    }

    /// Instructions go from fetch to their queues, as long as there is room.
    fn hand_on(&mut self, now: u64) -> Result<(), Halt<S::Error>> {
        let (plan, units, log) = (self.plan, &mut self.units, &mut self.log);
        let room = self.cfg.insn_queue_entries as usize;
        let mut fresh = [false; 3];
        let mut handed = None;
        let (first, reads) = self.fetch.reads();
        let stuck = self.fetch.hand_on(&mut self.bus, |insn, cycle, there| {
            let unit = plan.ops[insn as usize].unit;
            let u = unit as usize;
            if units[u].count_in(cycle) >= room {
                if S::BETWEEN {
                    log.stuck(there, unit);
                }
                return false;
            }
            if S::BETWEEN {
                let reads = (insn == first).then_some(reads);
                log.dispatch((unit, insn), cycle, there, reads);
                handed = Some(cycle);
            }
            fresh[u] |= units[u].push(insn, cycle + 1);
            true
        });
        if S::BETWEEN
            && let Some(done) = handed.and_then(|cycle| self.fetch.done(cycle))
        {
            self.log.fetch_done(done);
        }
        if let Some((insn, cycle)) = stuck {
            let u = plan.ops[insn as usize].unit as usize;
            if cycle > now {
                self.fetch_at = cycle;
            } else if units[u].count() < room {
                // An entry leaves in this very cycle.
                self.fetch.not_before(now + 1);
                self.fetch_at = now + 1;
            } else {
                self.fetch_waits = Some(u);
            }
        }
        for (u, _) in fresh.into_iter().enumerate().filter(|f| f.1) {
            self.schedule(u, now)?;
        }
        Ok(())
    }

    /// When the head of an idle unit starts, if that is known.
    fn schedule(&mut self, u: usize, now: u64) -> Result<(), Halt<S::Error>> {
        if self.units[u].phase != Phase::Waits || self.ended.is_some() && u == 1 {
            return Ok(());
        }
        let Some((insn, since)) = self.units[u].head() else {
            return Ok(());
        };
        let mut cycle = since;
        let mut room = true;
        let takes = self.plan.ops[insn as usize].takes;
        for (i, t) in self.tokens.iter().enumerate() {
            if takes >> i & 1 != 0 {
                let Some(from) = t.from() else {
                    return Ok(());
                };
                cycle = cycle.max(from);
                room &= t.has_room();
            }
        }
        // The token is taken before its time. That matters only to a
        // semaphore that could be full before the start.
        if !S::BETWEEN && room && cycle <= now + 2 {
            self.start(u, cycle)?;
        } else {
            self.units[u].phase = Phase::Starts;
            self.units[u].next = cycle;
        }
        Ok(())
    }

    /// The head of a unit starts in this cycle.
    fn start(&mut self, u: usize, cycle: u64) -> Result<(), Halt<S::Error>> {
        let Some((index_, since)) = self.units[u].head() else {
            unreachable!("cycle {cycle}: nothing to start")
        };
        let op = &self.plan.ops[index_ as usize];
        if S::BETWEEN {
            self.emit_start(u, index_, cycle)?;
        }
        for (i, t) in self.tokens.iter_mut().enumerate() {
            if op.takes >> i & 1 != 0 {
                t.wait(cycle);
            }
        }
        let unit = &mut self.units[u];
        unit.started = cycle;
        unit.waited = cycle - since;
        unit.phase = Phase::Runs;
        unit.next = cycle + 1;
        match &op.insn {
            i if i.is_sync() => {}
            Insn::Load(l) => {
                unit.next = NEVER;
                self.start_load(l, cycle);
            }
            Insn::Gemm(g) => unit.next = cycle + timing::gemm(g.steps()) - 1,
            Insn::Alu(a) => {
                let hazard = self.ledger.hazard(a);
                let unit = &mut self.units[u];
                unit.next = cycle + timing::alu(a.steps(), a.use_imm) - 1;
                if let Some(h) = hazard {
                    unit.next = cycle + timing::alu_assert(h.step, a.use_imm);
                    unit.phase = Phase::Asserts(h);
                }
            }
            Insn::Store(s) => {
                let geo = self.plan.geo[OUT];
                unit.next = cycle + store(geo, &Rows::of_store(geo, s)).cycles - 1;
            }
            Insn::Finish(_) => {}
        }
        Ok(())
    }

    fn start_load(&mut self, l: &Load, start: u64) {
        let geo = self.plan.geo[index(l.memory_type)];
        let client = 1 + index(l.memory_type);
        let rows = Rows::of_load(geo, l);
        // Each row above costs a cycle before the first command.
        let ready = start + timing::COMMAND + u64::from(l.y_pad_0);
        self.bus.begin(client, Bursts::new(geo, &rows), ready);
        let lag = timing::written_after(geo);
        self.bus.writes(client, lag, Padding::new(l), start + lag);
    }

    /// The head of a unit ends in this cycle.
    fn end(&mut self, u: usize, cycle: u64) -> Result<(), Halt<S::Error>> {
        let Some((index_, _)) = self.units[u].pop(cycle) else {
            unreachable!("cycle {cycle}: nothing to end")
        };
        let op = &self.plan.ops[index_ as usize];
        let unit = Unit::ALL[u];
        let started = self.units[u].started;
        self.ledger.waited(unit, self.units[u].waited);
        if S::BETWEEN {
            self.emit_run(u, index_, cycle)?;
        }
        self.units[u].phase = Phase::Waits;
        self.units[u].next = NEVER;
        match &op.insn {
            Insn::Store(s) if s.x_size != 0 => {
                let geo = self.plan.geo[OUT];
                let done = store(geo, &Rows::of_store(geo, s));
                self.wrote(done.beats, done.bursts, cycle)?;
            }
            Insn::Finish(_) => {
                self.limit = cycle;
                self.ended = Some(Ended::Finish);
            }
            _ => {}
        }
        let ending = Ending {
            unit,
            index: index_,
            insn: &op.insn,
            memory_type: op.memory_type,
            started,
        };
        self.ledger.end(ending, cycle, self.sink)?;
        for (i, taker) in TAKER.into_iter().enumerate() {
            if op.gives >> i & 1 != 0 {
                if S::BETWEEN {
                    let (from, count) = (GIVER[i], self.tokens[i].count());
                    let event = Event::Post {
                        from,
                        to: taker,
                        count,
                    };
                    self.sink.emit(cycle, event)?;
                }
                self.tokens[i].post(cycle);
                self.schedule(taker as usize, cycle)?;
            }
        }
        if self.fetch_waits == Some(u) {
            self.fetch_waits = None;
            self.fetch.not_before(cycle + 1);
            self.hand_on(cycle)?;
        }
        self.schedule(u, cycle)
    }

    /// What a store has had on the bus.
    fn wrote(&mut self, beats: u64, bursts: u64, cycle: u64) -> Result<(), Stopped<S::Error>> {
        self.ledger.wrote(beats, bursts);
        if S::BETWEEN {
            for _ in 0..beats {
                self.sink.emit(cycle, Event::WriteBeat)?;
            }
        }
        Ok(())
    }

    /// The head of a unit starts: what the unit waited for until now.
    fn emit_start(&mut self, u: usize, insn: u32, cycle: u64) -> Result<(), Stopped<S::Error>> {
        let unit = Unit::ALL[u];
        self.log.flush(cycle, self.sink)?;
        self.emit_idle(u, cycle)?;
        self.log.state(unit, cycle, UnitState::Work, self.sink)?;
        self.sink.emit(cycle, Event::InsnStart { unit, insn })?;
        let takes = self.plan.ops[insn as usize].takes;
        for (i, t) in self.tokens.iter().enumerate() {
            if takes >> i & 1 != 0 {
                let (from, count) = (GIVER[i], t.count());
                let to = unit;
                self.sink.emit(cycle, Event::Wait { from, to, count })?;
            }
        }
        if u < 2 {
            self.log.last_beat[u] = None;
        }
        Ok(())
    }

    /// What an idle unit waits for, up to a cycle.
    fn emit_idle(&mut self, u: usize, to: u64) -> Result<(), Stopped<S::Error>> {
        let head = self.units[u].head();
        let takes = head.map_or(0, |h| self.plan.ops[h.0 as usize].takes);
        let mut tokens = [None; 2];
        for (i, t) in self.tokens.iter().enumerate() {
            if takes >> i & 1 != 0 {
                let there = (GIVER[i], t.since().unwrap_or(NEVER));
                tokens[usize::from(tokens[0].is_some())] = Some(there);
            }
        }
        let free = self.units[u].free();
        let since = head.map(|h| h.1);
        self.log
            .idle(Unit::ALL[u], (free, to), since, tokens, self.sink)
    }

    /// What a unit with an instruction under way waited for, up to and with a cycle.
    fn emit_run(&mut self, u: usize, insn: u32, cycle: u64) -> Result<(), Stopped<S::Error>> {
        self.log.flush(cycle, self.sink)?;
        let (start, sink) = (self.units[u].started, &mut *self.sink);
        match &self.plan.ops[insn as usize].insn {
            i if i.is_sync() => {}
            Insn::Load(l) => {
                let client = Client::ALL[1 + index(l.memory_type)];
                self.log.load(client, start, cycle, sink)?;
            }
            Insn::Store(s) => {
                let geo = self.plan.geo[OUT];
                let rows = Rows::of_store(geo, s);
                self.log.store((geo, &rows), start, cycle, sink)?;
            }
            _ => {}
        }
        // Units that run, and fetch, may still ask for what came before.
        let oldest = self.units.iter().filter(|u| u.runs()).map(|u| u.started);
        let oldest = oldest.min().unwrap_or(cycle);
        self.log.forget(oldest.min(self.fetch.reads().1));
        Ok(())
    }

    /// What everybody was at in the last cycle.
    fn emit_last(&mut self, cycle: u64) -> Result<(), Stopped<S::Error>> {
        for u in 0..3 {
            let unit = &self.units[u];
            match unit.head() {
                Some((insn, _)) if unit.runs() => self.emit_run(u, insn, cycle)?,
                _ => self.emit_idle(u, cycle + 1)?,
            }
        }
        let reads = self.fetch.under_way();
        self.log.finish(cycle, reads, self.sink)
    }

    /// Counts what was under way at the end.
    fn finish(&mut self) -> Result<Option<Status>, Halt<S::Error>> {
        let cycle = self.limit;
        let finished = matches!(self.ended, Some(Ended::Finish));
        if S::BETWEEN {
            self.emit_last(cycle)?;
        }
        for u in 0..3 {
            let unit = &self.units[u];
            if !unit.runs() || unit.started > cycle {
                continue;
            }
            self.ledger.waited(Unit::ALL[u], unit.waited);
            let started = unit.started;
            if let Some((insn, _)) = unit.head()
                && let i = &self.plan.ops[insn as usize].insn
                && let Insn::Store(s) = i
                && s.x_size != 0
            {
                let geo = self.plan.geo[OUT];
                let rows = Rows::of_store(geo, s);
                let (beats, bursts) = store_until(geo, &rows, started, cycle);
                self.wrote(beats, bursts, cycle)?;
                if finished {
                    // A store under way at FINISH is completed.
                    self.ledger.exec(Unit::Store, insn, i, &|| false)?;
                }
            }
        }
        Ok(match self.ended.take() {
            None => None,
            Some(Ended::Finish) => Some(Status::Ok),
            Some(Ended::Assert(status)) => Some(status),
        })
    }
}
