//! A run by leaps: from what one unit tells another to the next such event,
//! not from cycle to cycle.
//!
//! Whatever passes between units takes at least a cycle: a token or an
//! instruction given in one cycle can be taken in the next. So events are
//! handled in the order of their cycles, those of one cycle in any order, and
//! between them everything follows from counts: a GEMM ends after its steps, a
//! store after its bursts, the beats of a command are known when it goes out.
//!
//! Only launches of the usual kind are run so (`plan`); the others, and those
//! that do not end in time, are ticked. Both ways give the same (properties
//! `jump` and `leaps`).

mod bus;
mod fetch;
mod plan;
mod tell;
mod token;
mod unit;

use self::bus::{Bus, NEVER};
use self::fetch::Fetch;
use self::plan::{OUT, Plan, index};
use self::tell::Tell;
use self::token::Tokens;
use self::unit::{Phase, UnitQueue};
use super::event::{Event, Sink, UnitState};
use super::outcome::{AssertCause, Options, Outcome, RunError, Stats, Status};
use super::vme::Client;
use crate::fsim::{Core, LeavesDram};
use vta_program::config::HwConfig;
use vta_program::isa::{Insn, Load, MemoryType, Unit};
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

/// How a run ended.
enum Ended {
    Finish,
    Assert(Status),
}

/// A run under way.
struct Leap<'a, S> {
    cfg: &'a HwConfig,
    plan: &'a Plan,
    dram: &'a mut Dram,
    sink: &'a mut S,
    insn_addr: u32,
    data: bool,
    /// Made when the first instruction needs it.
    core: Option<Core>,
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
    acc_writes: u64,
    stats: Stats,
    /// What is told of cycles, where somebody listens.
    tell: Tell,
}

/// Runs a launch by leaps, if it can be.
///
/// # Errors
/// An instruction reaches outside the DRAM image.
pub(super) fn run<S: Sink>(
    cfg: &HwConfig,
    dram: &mut Dram,
    (insn_addr, insn_count): (u32, u32),
    options: Options,
    sink: &mut S,
) -> Result<Leapt, RunError> {
    let Some(plan) = Plan::new(cfg, dram, insn_addr, insn_count) else {
        return Ok(Leapt::Cannot);
    };
    let mut bus = Bus::new(cfg.mem_delay);
    let fetch = Fetch::new(cfg, insn_addr, insn_count, &mut bus);
    let room = cfg.insn_queue_entries;
    let mut leap = Leap {
        cfg,
        plan: &plan,
        dram,
        sink,
        insn_addr,
        data: options.data,
        core: None,
        bus,
        fetch,
        fetch_at: NEVER,
        fetch_waits: None,
        units: std::array::from_fn(|_| UnitQueue::new(room.min(insn_count))),
        tokens: [Tokens::default(); 4],
        limit: options.max_cycles.min(LONGEST),
        ended: None,
        acc_writes: 0,
        stats: Stats {
            beat_bytes: cfg.beat_bytes().into(),
            ..Stats::default()
        },
        tell: Tell::default(),
    };
    leap.events()?;
    leap.finish()
}

/// What came of it.
pub(super) enum Leapt {
    /// The run.
    Ended(Box<Outcome>),
    /// It does not end in time. DRAM is as it leaves it.
    Hangs,
    /// Not a launch to be leapt over.
    Cannot,
}

impl<S: Sink> Leap<'_, S> {
    /// Handles all events up to the limit.
    fn events(&mut self) -> Result<(), RunError> {
        loop {
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
            if self.bus.due() <= until {
                self.commands(until);
                continue;
            }
            if cycle > self.limit {
                return Ok(());
            }
            if fetch {
                self.fetch_at = NEVER;
                self.hand_on(cycle);
                continue;
            }
            match self.units[u].phase {
                Phase::Starts => self.start(u, cycle),
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
    fn commands(&mut self, until: u64) {
        let (sink, tell) = (&mut *self.sink, &mut self.tell);
        let seen = |cycles, client, cmd| tell.read(cycles, client, cmd, sink);
        let done = match S::ENABLED {
            true => self.bus.advance::<true>(until, seen),
            false => self.bus.advance::<false>(until, seen),
        };
        let Some(done) = done else {
            return;
        };
        if done.client == 0 {
            self.fetch.arrived(done.last_beat);
            if S::ENABLED {
                self.tell.arrived(done.last_beat);
            }
            // Whatever is handed on now is handed on later than `until`.
            self.hand_on(0);
        } else {
            let unit = if matches!(done.client, 2 | 3) { 0 } else { 1 };
            self.units[unit].next = done.written;
            if S::ENABLED {
                self.tell.last_beat[unit] = Some(done.last_beat);
            }
        }
    }

    /// Instructions go from fetch to their queues, as long as there is room.
    fn hand_on(&mut self, now: u64) {
        let (plan, units, tell) = (self.plan, &mut self.units, &mut self.tell);
        let room = self.cfg.insn_queue_entries as usize;
        let mut fresh = [false; 3];
        let mut handed = None;
        let (first, reads) = self.fetch.reads();
        let stuck = self.fetch.hand_on(&mut self.bus, |insn, cycle, there| {
            let unit = plan.ops[insn as usize].unit;
            let u = unit as usize;
            if units[u].count_in(cycle) >= room {
                if S::ENABLED {
                    tell.stuck(there, unit);
                }
                return false;
            }
            if S::ENABLED {
                let reads = (insn == first).then_some(reads);
                tell.dispatch((unit, insn), cycle, there, reads);
                handed = Some(cycle);
            }
            fresh[u] |= units[u].push(insn, cycle + 1);
            true
        });
        if S::ENABLED
            && let Some(done) = handed.and_then(|cycle| self.fetch.done(cycle))
        {
            self.tell.fetch_done(done);
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
            self.schedule(u, now);
        }
    }

    /// When the head of an idle unit starts, if that is known.
    fn schedule(&mut self, u: usize, now: u64) {
        if self.units[u].phase != Phase::Waits || self.ended.is_some() && u == 1 {
            return;
        }
        let Some((insn, since)) = self.units[u].head() else {
            return;
        };
        let mut cycle = since;
        let mut room = true;
        let takes = self.plan.ops[insn as usize].takes;
        for (i, t) in self.tokens.iter().enumerate() {
            if takes >> i & 1 != 0 {
                let Some(from) = t.from() else {
                    return;
                };
                cycle = cycle.max(from);
                room &= t.has_room();
            }
        }
        // The token is taken before its time. That matters only to a
        // semaphore that could be full before the start.
        if !S::ENABLED && room && cycle <= now + 2 {
            self.start(u, cycle);
        } else {
            self.units[u].phase = Phase::Starts;
            self.units[u].next = cycle;
        }
    }

    /// The head of a unit starts in this cycle.
    fn start(&mut self, u: usize, cycle: u64) {
        let Some((index_, since)) = self.units[u].head() else {
            unreachable!("cycle {cycle}: nothing to start")
        };
        let op = &self.plan.ops[index_ as usize];
        if S::ENABLED {
            self.tell_start(u, index_, cycle);
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
                let hazard = self.core().alu_hazard(a);
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
    fn end(&mut self, u: usize, cycle: u64) -> Result<(), RunError> {
        let Some((index_, _)) = self.units[u].pop(cycle) else {
            unreachable!("cycle {cycle}: nothing to end")
        };
        let op = &self.plan.ops[index_ as usize];
        let unit = Unit::ALL[u];
        let started = self.units[u].started;
        let stats = &mut self.stats.units[u];
        let before = stats.insns as u32;
        stats.insns += 1;
        stats.busy_cycles += cycle - started + 1;
        stats.token_cycles += self.units[u].waited;
        if S::ENABLED {
            self.tell_run(u, index_, cycle);
            self.tell_end(unit, before, index_, cycle);
        }
        self.units[u].phase = Phase::Waits;
        self.units[u].next = NEVER;
        match &op.insn {
            Insn::Gemm(g) => {
                self.acc_writes += g.steps();
                match g.reset_reg {
                    true => self.stats.reset_steps += g.steps(),
                    false => self.stats.gemm_steps += g.steps(),
                }
            }
            Insn::Alu(a) => {
                self.acc_writes += a.steps();
                self.stats.alu_steps += a.steps();
            }
            Insn::Store(s) if s.x_size != 0 => {
                let geo = self.plan.geo[OUT];
                let done = store(geo, &Rows::of_store(geo, s));
                self.wrote(done.beats, done.bursts, cycle);
            }
            Insn::Finish(_) => {
                self.limit = cycle;
                self.ended = Some(Ended::Finish);
            }
            _ => {}
        }
        self.exec(unit, index_)?;
        for (i, taker) in TAKER.into_iter().enumerate() {
            if op.gives >> i & 1 != 0 {
                if S::ENABLED {
                    let (from, count) = (GIVER[i], self.tokens[i].count());
                    let event = Event::Post {
                        from,
                        to: taker,
                        count,
                    };
                    self.sink.event(cycle, event);
                }
                self.tokens[i].post(cycle);
                self.schedule(taker as usize, cycle);
            }
        }
        if self.fetch_waits == Some(u) {
            self.fetch_waits = None;
            self.fetch.not_before(cycle + 1);
            self.hand_on(cycle);
        }
        self.schedule(u, cycle);
        Ok(())
    }

    /// What a store has had on the bus.
    fn wrote(&mut self, beats: u64, bursts: u64, cycle: u64) {
        self.stats.write_beats += beats;
        self.stats.write_bursts += bursts;
        if S::ENABLED {
            for _ in 0..beats {
                self.sink.event(cycle, Event::WriteBeat);
            }
        }
    }

    /// The head of a unit starts: what the unit waited for until now.
    fn tell_start(&mut self, u: usize, insn: u32, cycle: u64) {
        let unit = Unit::ALL[u];
        self.tell.flush(cycle, self.sink);
        self.tell_idle(u, cycle);
        self.tell.state(unit, cycle, UnitState::Work, self.sink);
        self.sink.event(cycle, Event::InsnStart { unit, insn });
        let takes = self.plan.ops[insn as usize].takes;
        for (i, t) in self.tokens.iter().enumerate() {
            if takes >> i & 1 != 0 {
                let (from, count) = (GIVER[i], t.count());
                let to = unit;
                self.sink.event(cycle, Event::Wait { from, to, count });
            }
        }
        if u < 2 {
            self.tell.last_beat[u] = None;
        }
    }

    /// What an idle unit waits for, up to a cycle.
    fn tell_idle(&mut self, u: usize, to: u64) {
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
        self.tell
            .idle(Unit::ALL[u], (free, to), since, tokens, self.sink);
    }

    /// What a unit with an instruction under way waited for, up to and with a cycle.
    fn tell_run(&mut self, u: usize, insn: u32, cycle: u64) {
        self.tell.flush(cycle, self.sink);
        let (start, sink) = (self.units[u].started, &mut *self.sink);
        match &self.plan.ops[insn as usize].insn {
            i if i.is_sync() => {}
            Insn::Load(l) => {
                let client = Client::ALL[1 + index(l.memory_type)];
                self.tell.load(client, start, cycle, sink);
            }
            Insn::Store(s) => {
                let geo = self.plan.geo[OUT];
                let rows = Rows::of_store(geo, s);
                self.tell.store((geo, &rows), start, cycle, sink);
            }
            _ => {}
        }
        // Units that run, and fetch, may still ask for what came before.
        let oldest = self.units.iter().filter(|u| u.runs()).map(|u| u.started);
        let oldest = oldest.min().unwrap_or(cycle);
        self.tell.forget(oldest.min(self.fetch.reads().1));
    }

    #[cold]
    fn tell_end(&mut self, unit: Unit, index: u32, insn: u32, cycle: u64) {
        let word = self
            .dram
            .word128(u64::from(self.insn_addr) + 16 * u64::from(insn))
            .unwrap_or_default();
        let event = Event::InsnEnd {
            unit,
            index,
            insn,
            start: self.units[unit as usize].started,
            opcode: word as u8 & 7,
            memory_type: (word >> 7) as u8 & 7,
        };
        self.sink.event(cycle, event);
    }

    /// The core; without data it only needs micro-ops and their widths.
    fn core(&mut self) -> &mut Core {
        let (cfg, data) = (self.cfg, self.data);
        self.core.get_or_insert_with(|| match data {
            true => Core::new(cfg),
            false => Core::new(&HwConfig {
                block: 4,
                wgt_depth: 2,
                out_depth: 2,
                ..cfg.clone()
            }),
        })
    }

    fn exec(&mut self, unit: Unit, insn: u32) -> Result<(), RunError> {
        let plan = self.plan;
        let i = &plan.ops[insn as usize].insn;
        let is_uop = matches!(i, Insn::Load(l) if l.memory_type == MemoryType::Uop);
        let nothing = i.is_sync() || matches!(i, Insn::Finish(_));
        if nothing || !(self.data || is_uop) {
            return Ok(());
        }
        self.core();
        let Some(core) = &mut self.core else {
            unreachable!("it was made")
        };
        let done = core.exec(i, self.dram);
        done.map_err(|cause| LeavesDram::by(unit, insn, cause).into())
    }

    /// What everybody was at in the last cycle.
    fn tell_last(&mut self, cycle: u64) {
        for u in 0..3 {
            let unit = &self.units[u];
            match unit.head() {
                Some((insn, _)) if unit.runs() => self.tell_run(u, insn, cycle),
                _ => self.tell_idle(u, cycle + 1),
            }
        }
        let reads = self.fetch.under_way();
        self.tell.finish(cycle, reads, self.sink);
    }

    /// Counts what was under way at the end.
    fn finish(mut self) -> Result<Leapt, RunError> {
        let cycle = self.limit;
        let finished = matches!(self.ended, Some(Ended::Finish));
        if S::ENABLED {
            self.tell_last(cycle);
        }
        for u in 0..3 {
            let unit = &self.units[u];
            if !unit.runs() || unit.started > cycle {
                continue;
            }
            self.stats.units[u].token_cycles += unit.waited;
            let started = unit.started;
            if let Some((insn, _)) = unit.head()
                && let Insn::Store(s) = &self.plan.ops[insn as usize].insn
                && s.x_size != 0
            {
                let geo = self.plan.geo[OUT];
                let (beats, bursts) = store_until(geo, &Rows::of_store(geo, s), started, cycle);
                self.wrote(beats, bursts, cycle);
                if finished {
                    // A store under way at FINISH is completed.
                    self.exec(Unit::Store, insn)?;
                }
            }
        }
        self.stats.read_bursts = self.bus.bursts;
        self.stats.read_beats = self.bus.beats;
        let status = match self.ended {
            None => return Ok(Leapt::Hangs),
            Some(Ended::Finish) => Status::Ok,
            Some(Ended::Assert(status)) => status,
        };
        Ok(Leapt::Ended(Box::new(Outcome {
            status,
            cycles: cycle,
            acc_writes: self.acc_writes,
            stats: self.stats,
        })))
    }
}
