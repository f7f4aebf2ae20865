//! The whole device and its memory: one clock for all units.
//!
//! A part is ticked only in cycles in which more than its counters can move:
//! after each tick, and whenever a wire into it changes, it says for how many
//! cycles only its counters move, and sleeps until then. Its counters catch up
//! when it wakes. With [`Options::jump`] off every part ticks in every cycle; both
//! give the same run (a property test compares them).
//!
//! The clock edge, its wires and the counters are one file, because their order
//! within a cycle is the rule; what units wait for is in `diagnose`.

mod diagnose;
mod parts;

use self::parts::{PARTS, Part, Parts};
use super::compute::Compute;
use super::dram::{ReadBeat, ReadCmd, ReadPort};
use super::event::{Event, UnitState};
use super::event_driven::{self, Attempt};
use super::fetch::{Fetch, Head};
use super::ledger::{Ending, Ledger};
use super::load::Load;
use super::outcome::{AssertCause, Halt, HangReason, Options, Outcome, RunError, Status};
use super::queue::{InsnQueue, Queued};
use super::sink::{Emit, NoSink, Sink};
use super::store::Store;
use super::unit::{Stage, UnitOut};
use super::vme::{Client, Vme, VmeCmd, WriteChannel, WriteEvents};
use crate::fsim::LeavesDram;
use std::collections::VecDeque;
use vta_program::config::HwConfig;
use vta_program::isa::{Illegal, Insn, Unit, memory_type_bits};
use vta_program::mem::Dram;
use vta_program::program::Launch;

/// An instruction word that fetch holds.
#[derive(Debug, Clone, Copy)]
struct Fetched {
    index: u32,
    memory_type: u8,
    insn: Result<Insn, Illegal>,
}

struct Machine<'a> {
    jump: bool,
    /// First cycle in which each part must tick, if its inputs stay as they are.
    wake: [u64; PARTS],
    /// The cycle at whose start each part's counters are right.
    synced: [u64; PARTS],
    /// The client with data on its wires, as each part last saw it.
    seen: [Option<Client>; PARTS],
    ledger: Ledger<'a>,
    insn_addr: u32,
    insn_count: u32,
    cycle: u64,
    fetch: Fetch,
    fetched: VecDeque<Fetched>,
    queues: [InsnQueue; 3],
    load: Load,
    compute: Compute,
    store: Store,
    vme: Vme,
    port: ReadPort,
    write: WriteChannel,
    /// Cycle in which each unit's instruction left idle.
    started: [u64; 3],
    /// Cycle in which each unit's head came to the front.
    head_since: [u64; 3],
    /// Cycle of the last dispatch or arrival.
    fetch_since: u64,
    states: [Option<UnitState>; 4],
    /// By tag: whose burst is out and since when, where events are wanted.
    bursts: [(Client, u64, u16); 16],
    /// The cycle of the first beat of the write burst, and its beats.
    writes: (u64, u32),
}

/// Ticks between two questions whether to go on, and cycles.
const EVERY: u32 = 1 << 12;
const LONG: u64 = 1 << 22;

/// What ends a run.
enum End {
    Finish,
    Assert {
        module: &'static str,
        insn: Option<u32>,
        cause: AssertCause,
    },
}

/// Runs a launch from reset until FINISH, hang or assertion, or until the sink
/// ends it. `dram` is changed as far as the program came; a store under way at
/// FINISH is completed.
///
/// # Errors
/// The launch cannot start, an instruction reaches outside the DRAM image, or
/// the sink fails.
pub fn run<S: Sink>(
    cfg: &HwConfig,
    dram: &mut Dram,
    insn_addr: u32,
    insn_count: u32,
    options: Options,
    sink: &mut S,
) -> Result<Outcome, RunError<S::Error>> {
    if insn_count == 0 {
        return Err(RunError::NoInsns);
    }
    if !insn_addr.is_multiple_of(8) {
        return Err(RunError::Misaligned(insn_addr));
    }
    let launch = (insn_addr, insn_count);
    if options.jump && !S::CYCLES {
        match event_driven::run(cfg, dram, launch, options, sink)? {
            Attempt::Ended(outcome) => return Ok(*outcome),
            Attempt::Hangs => {
                // A diagnostic replay, to see who waits for what. DRAM is
                // final, and the sink has all events.
                let mut m = Machine::new(cfg, dram, launch, options);
                m.ledger.replay();
                let replayed = m.run(options, &mut NoSink);
                return replayed.map_err(|e| match e.into_sink() {
                    Err(RunError::LeavesDram(e)) => RunError::LeavesDram(e),
                    _ => unreachable!("the launch has started, and nobody listens"),
                });
            }
            Attempt::Unsuited => {}
        }
    }
    Machine::new(cfg, dram, launch, options).run(options, sink)
}

/// Runs a launch of a program, as [`run`] does.
///
/// # Errors
/// Those of [`run`].
pub fn run_launch<S: Sink>(
    cfg: &HwConfig,
    dram: &mut Dram,
    launch: &Launch,
    options: Options,
    sink: &mut S,
) -> Result<Outcome, RunError<S::Error>> {
    run(
        cfg,
        dram,
        launch.insn_addr,
        launch.insn_count,
        options,
        sink,
    )
}

impl<'a> Machine<'a> {
    /// Runs from reset to the end.
    fn run<S: Sink>(
        mut self,
        options: Options,
        sink: &mut S,
    ) -> Result<Outcome, RunError<S::Error>> {
        let status = match self.run_to_end(options, sink) {
            Ok(status) => status,
            Err(halt) => {
                self.cycle = halt.enough()?;
                Status::Stopped
            }
        };
        Ok(self.ledger.close(status, self.cycle))
    }

    /// Ticks until the run is over.
    fn run_to_end<S: Sink>(
        &mut self,
        options: Options,
        sink: &mut S,
    ) -> Result<Status, Halt<S::Error>> {
        let (mut ticks, mut asked) = (0u32, 0);
        loop {
            ticks = ticks.wrapping_add(1);
            // A long jump may have been the work of a long instruction.
            if ticks.is_multiple_of(EVERY) || self.cycle - asked > LONG {
                asked = self.cycle;
                sink.go_on(self.cycle)?;
            }
            if S::ENABLED {
                self.report_states(sink)?;
            }
            let next = self.next_wake();
            if next == u64::MAX {
                return Ok(self.hang(HangReason::Deadlock));
            }
            if next > self.cycle && options.jump {
                self.jump_to(next.min(options.max_cycles.saturating_add(1)), sink)?;
            }
            if self.cycle > options.max_cycles {
                return Ok(self.hang(HangReason::MaxCycles));
            }
            match self.tick(sink)? {
                None => self.cycle += 1,
                Some(End::Finish) => {
                    self.drain()?;
                    return Ok(Status::Ok);
                }
                Some(End::Assert {
                    module,
                    insn,
                    cause,
                }) => {
                    return Ok(Status::Assert {
                        module,
                        insn,
                        cause,
                    });
                }
            }
        }
    }

    fn new(
        cfg: &'a HwConfig,
        dram: &'a mut Dram,
        (insn_addr, insn_count): (u32, u32),
        options: Options,
    ) -> Self {
        let queue = || InsnQueue::new(cfg.insn_queue_entries);
        Self {
            jump: options.jump,
            wake: [0; PARTS],
            synced: [0; PARTS],
            seen: [None; PARTS],
            ledger: Ledger::new(cfg, dram, options.data),
            insn_addr,
            insn_count,
            cycle: 0,
            fetch: Fetch::new(cfg.beat_bytes(), cfg.mem_len_bits, insn_addr, insn_count),
            fetched: VecDeque::with_capacity(1 << cfg.mem_len_bits),
            queues: [queue(), queue(), queue()],
            load: Load::new(cfg),
            compute: Compute::new(cfg),
            store: Store::new(cfg),
            vme: Vme::new(),
            port: ReadPort::new(cfg.mem_delay),
            write: WriteChannel::default(),
            started: [0; 3],
            head_since: [0; 3],
            fetch_since: 0,
            states: [None; 4],
            bursts: [(Client::Fetch, 0, 0); 16],
            writes: (0, 0),
        }
    }

    fn ready(&self, c: Client) -> bool {
        self.vme.cmd_ready(c)
    }

    /// The queue of the instruction that fetch offers, if it has room.
    fn dispatch_to(&self) -> Option<(Unit, Queued)> {
        let Head::Insn(_) = self.fetch.head() else {
            return None;
        };
        let f = self.fetched.front()?;
        let insn = f.insn.ok()?;
        let queued = Queued {
            index: f.index,
            memory_type: f.memory_type,
            insn,
        };
        let unit = insn.unit();
        self.queues[unit as usize]
            .has_room()
            .then_some((unit, queued))
    }

    fn head(&self, u: Unit) -> Option<&Queued> {
        self.queues[u as usize].head()
    }

    /// The first cycle in which a part must tick; `u64::MAX`: never again.
    fn next_wake(&self) -> u64 {
        self.wake.iter().copied().min().unwrap_or(u64::MAX)
    }

    /// Goes to a later cycle; all parts sleep until then.
    fn jump_to<S: Sink>(&mut self, cycle: u64, sink: &mut S) -> Result<(), Halt<S::Error>> {
        if S::ENABLED
            && let Some(beat) = self.port.beat()
        {
            for c in self.cycle..cycle {
                sink.emit(c, Event::ReadBeat(beat))?;
            }
        }
        self.cycle = cycle;
        Ok(())
    }

    /// For how many cycles only the part's counters move from now on.
    fn idle_window(&self, p: Part) -> u64 {
        let data = self.vme.data();
        let is = |c: Client| data == Some(c);
        match p {
            Part::Fetch if self.asserts().is_some() => 0,
            Part::Fetch => self.fetch.idle_window(
                is(Client::Fetch),
                self.ready(Client::Fetch),
                self.dispatch_to().is_some(),
            ),
            Part::Load => self.load.idle_window(
                self.head(Unit::Load),
                [is(Client::Inp), is(Client::Wgt)],
                [self.ready(Client::Inp), self.ready(Client::Wgt)],
            ),
            Part::Compute => self.compute.idle_window(
                self.head(Unit::Compute),
                [is(Client::Uop), is(Client::Acc)],
                [self.ready(Client::Uop), self.ready(Client::Acc)],
            ),
            Part::Store if self.write.is_busy() => 0,
            Part::Store => self.store.idle_window(self.head(Unit::Store)),
            Part::Vme => self.vme.idle_window(self.port.beat()),
            Part::Port => self.port.idle_window(),
        }
    }

    /// Brings a part's counters to the start of `cycle`.
    #[inline]
    fn sync(&mut self, p: Part, cycle: u64) {
        let n = cycle.saturating_sub(self.synced[p as usize]);
        if n == 0 {
            return;
        }
        self.synced[p as usize] = cycle;
        let seen = self.seen[p as usize];
        let is = |c: Client| seen == Some(c);
        match p {
            Part::Load => self
                .load
                .fast_forward(n, [is(Client::Inp), is(Client::Wgt)]),
            Part::Compute => {
                let head = self.queues[Unit::Compute as usize].head();
                self.compute
                    .fast_forward(n, head, [is(Client::Uop), is(Client::Acc)]);
            }
            Part::Port => self.port.fast_forward(n),
            Part::Fetch | Part::Store | Part::Vme => {}
        }
    }

    /// The instruction at the head of fetch's queue, if fetch asserts on it.
    fn asserts(&self) -> Option<(u32, Illegal)> {
        let Head::Insn(_) = self.fetch.head() else {
            return None;
        };
        let f = self.fetched.front()?;
        let cause = f.insn.err()?;
        self.fetch.asserts_on_unknown().then_some((f.index, cause))
    }

    /// One clock edge of the parts that are awake.
    fn tick<S: Sink>(&mut self, sink: &mut S) -> Result<Option<End>, Halt<S::Error>> {
        let cycle = self.cycle;
        let mut awake = Parts::default();
        for p in Part::ALL {
            if !self.jump || self.wake[p as usize] <= cycle {
                awake.add(p);
                self.sync(p, cycle);
                self.synced[p as usize] = cycle + 1;
            }
        }
        // Parts whose inputs may be others in the next cycle.
        let mut dirty = awake;
        let data = self.vme.data();
        let is = |c: Client| data == Some(c);
        let beat = self.port.beat();
        let ar = if awake.has(Part::Vme) {
            self.vme.ar(beat)
        } else {
            None
        };
        let mut cmds = [None; 5];
        let mut end = None;
        let mut units = [UnitOut::default(); 3];
        let mut asserts = [(false, ""); 6];

        if awake.has(Part::Load) {
            let ready = [self.ready(Client::Inp), self.ready(Client::Wgt)];
            let head = self.queues[Unit::Load as usize].head();
            let (out, loads) = self
                .load
                .tick(head, [is(Client::Inp), is(Client::Wgt)], ready);
            units[Unit::Load as usize] = out;
            cmds[Client::Inp as usize] = loads[0].cmd;
            cmds[Client::Wgt as usize] = loads[1].cmd;
            asserts[0] = (loads[0].assert, "core.load.tensorLoad_0.tensorLoad");
            asserts[1] = (loads[1].assert, "core.load.tensorLoad_1.tensorLoad");
        }
        if awake.has(Part::Compute) {
            let ready = [self.ready(Client::Uop), self.ready(Client::Acc)];
            let head = self.queues[Unit::Compute as usize].head();
            let ledger = &self.ledger;
            let hazard = |i: &Insn| match i {
                Insn::Alu(a) => ledger.hazard(a),
                _ => None,
            };
            let data = [is(Client::Uop), is(Client::Acc)];
            let (out, loads) = self.compute.tick(head, data, ready, hazard);
            units[Unit::Compute as usize] = out.unit;
            cmds[Client::Uop as usize] = loads[0].cmd;
            cmds[Client::Acc as usize] = loads[1].cmd;
            asserts[2] = (loads[0].assert, "core.compute.loadUop.loadUop.tensorLoad");
            asserts[3] = (loads[1].assert, "core.compute.tensorAcc.tensorLoad");
            if out.finish {
                end = Some(End::Finish);
            }
            if let Some(h) = out.assert {
                end = Some(End::Assert {
                    module: "core.compute.tensorAlu",
                    insn: head.map(|q| q.index),
                    cause: AssertCause::Bypass(h),
                });
            }
        }
        let mut written = WriteEvents::default();
        if awake.has(Part::Store) {
            let head = self.queues[Unit::Store as usize].head();
            let (out, store) = self.store.tick(head, &self.write);
            units[Unit::Store as usize] = out;
            written = self.write.tick(store.cmd, store.data);
            asserts[4] = (store.assert, "core.store.tensorStore.tensorStore");
        }
        let (mut dispatch, mut arrived) = (None, None);
        if awake.has(Part::Fetch) {
            if let Some((insn, cause)) = self.asserts() {
                end = Some(End::Assert {
                    module: "core.fetch.fetch",
                    insn: Some(insn),
                    cause: AssertCause::Unknown(cause),
                });
            }
            // Room is what it was before the units took their heads out.
            let to = self.dispatch_to();
            let ready = self.ready(Client::Fetch);
            let out = self.fetch.tick(is(Client::Fetch), ready, to.is_some());
            cmds[Client::Fetch as usize] = out.cmd;
            asserts[5] = (out.assert, "core.fetch.fetch");
            dispatch = to.filter(|_| out.dispatch);
            arrived = out.arrived;
        }
        if let Some((_, module)) = asserts.into_iter().find(|a| a.0) {
            end = Some(End::Assert {
                module,
                insn: None,
                cause: AssertCause::Beats,
            });
        }

        for (unit, out) in Unit::ALL.into_iter().zip(units) {
            if out.start || out.done {
                self.unit_events(unit, out, sink)?;
                if out.done {
                    dirty.add(Part::Fetch);
                }
            }
        }
        if S::ENABLED {
            self.bus_events(ar, beat, written, sink)?;
        }
        self.ledger
            .wrote(written.w.into(), written.aw.is_some().into());
        if let Some((unit, queued)) = dispatch {
            self.fetched.pop_front();
            self.fetch_since = cycle + 1;
            let q = &mut self.queues[unit as usize];
            if q.is_empty() {
                self.head_since[unit as usize] = cycle + 1;
                dirty.add(Part::of_unit(unit));
            }
            q.push(queued);
            if S::ENABLED {
                let insn = queued.index;
                sink.emit(cycle, Event::Dispatch { unit, insn })?;
            }
        }
        self.tokens(&units, &mut dirty, sink)?;
        if let Some(index) = arrived {
            self.fetch_since = cycle + 1;
            self.arrive(index)?;
        }
        self.bus(awake, beat, ar, cmds, &mut dirty);
        for p in Part::ALL {
            if dirty.has(p) {
                self.sync(p, cycle + 1);
                self.seen[p as usize] = self.vme.data();
                self.wake[p as usize] = (cycle + 1).saturating_add(self.idle_window(p));
            }
        }
        Ok(end)
    }

    fn bus_events<S: Sink>(
        &mut self,
        ar: Option<(Client, ReadCmd)>,
        beat: Option<ReadBeat>,
        written: WriteEvents,
        sink: &mut S,
    ) -> Result<(), Halt<S::Error>> {
        let cycle = self.cycle;
        if let Some((client, cmd)) = ar {
            sink.emit(cycle, Event::ReadCmd { client, cmd })?;
        }
        if let Some(b) = beat {
            sink.emit(cycle, Event::ReadBeat(b))?;
            if b.last {
                let (client, cmd, len) = self.bursts[usize::from(b.id)];
                let first = cycle - u64::from(len);
                sink.emit(cycle, Event::ReadEnd { client, cmd, first })?;
            }
        }
        if let Some((client, cmd)) = ar {
            self.bursts[usize::from(cmd.id)] = (client, cycle, cmd.len);
        }
        if let Some(c) = written.aw {
            self.writes = (cycle + 1, u32::from(c.len) + 1);
            sink.emit(cycle, Event::WriteCmd(c))?;
        }
        if written.w {
            sink.emit(cycle, Event::WriteBeat)?;
        }
        if written.b {
            let (first, beats) = self.writes;
            sink.emit(cycle, Event::WriteResp)?;
            sink.emit(cycle, Event::WriteEnd { first, beats })?;
        }
        Ok(())
    }

    /// The clock edge of memory engine and memory.
    fn bus(
        &mut self,
        awake: Parts,
        beat: Option<ReadBeat>,
        ar: Option<(Client, ReadCmd)>,
        cmds: [Option<VmeCmd>; 5],
        dirty: &mut Parts,
    ) {
        let any = cmds.iter().any(Option::is_some);
        if awake.has(Part::Vme) || any {
            let before = self.vme.data();
            self.vme.tick(beat, ar, cmds);
            dirty.add(Part::Vme);
            let after = self.vme.data();
            if before != after {
                for c in [before, after].into_iter().flatten() {
                    dirty.add(Part::of_client(c));
                }
            }
            self.synced[Part::Vme as usize] = self.cycle + 1;
        }
        if let Some((client, cmd)) = ar {
            let stats = &mut self.ledger.stats;
            stats.read_bursts[client as usize] += 1;
            stats.read_beats[client as usize] += u64::from(cmd.len) + 1;
            dirty.add(Part::of_client(client));
        }
        if awake.has(Part::Port) || ar.is_some() {
            self.sync(Part::Port, self.cycle);
            self.port.tick(ar.map(|a| a.1));
            self.synced[Part::Port as usize] = self.cycle + 1;
            dirty.add(Part::Port);
            dirty.add(Part::Vme);
        }
    }

    /// Starts and ends of a unit's instruction; its data change when it ends.
    fn unit_events<S: Sink>(
        &mut self,
        unit: Unit,
        out: UnitOut,
        sink: &mut S,
    ) -> Result<(), Halt<S::Error>> {
        let u = unit as usize;
        if out.start {
            self.started[u] = self.cycle;
            self.ledger.waited(unit, self.cycle - self.head_since[u]);
            if S::ENABLED
                && let Some(q) = self.queues[u].head()
            {
                let insn = q.index;
                sink.emit(self.cycle, Event::InsnStart { unit, insn })?;
            }
        }
        if !out.done {
            return Ok(());
        }
        let Some(q) = self.queues[u].pop() else {
            unreachable!(
                "cycle {}: {unit} ended an instruction that it did not have",
                self.cycle
            );
        };
        self.head_since[u] = self.cycle + 1;
        let ending = Ending {
            unit,
            index: q.index,
            insn: &q.insn,
            memory_type: q.memory_type,
            started: self.started[u],
        };
        self.ledger.end(ending, self.cycle, sink)
    }

    /// Completes the store that was under way at FINISH.
    fn drain(&mut self) -> Result<(), LeavesDram> {
        if self.store.stage == Stage::Exe
            && let Some(q) = self.queues[Unit::Store as usize].head().copied()
        {
            self.ledger.exec(Unit::Store, q.index, &q.insn, &|| false)?;
        }
        Ok(())
    }

    fn tokens<S: Sink>(
        &mut self,
        units: &[UnitOut; 3],
        dirty: &mut Parts,
        sink: &mut S,
    ) -> Result<(), Halt<S::Error>> {
        let [load, compute, store] = units;
        let wires = [
            (Unit::Load, Unit::Compute, load.post_next, compute.wait_prev),
            (
                Unit::Store,
                Unit::Compute,
                store.post_prev,
                compute.wait_next,
            ),
            (Unit::Compute, Unit::Load, compute.post_prev, load.wait_next),
            (
                Unit::Compute,
                Unit::Store,
                compute.post_next,
                store.wait_prev,
            ),
        ];
        let sems = [
            &mut self.compute.sem_prev,
            &mut self.compute.sem_next,
            &mut self.load.sem,
            &mut self.store.sem,
        ];
        for ((from, to, post, wait), sem) in wires.into_iter().zip(sems) {
            if !post && !wait {
                continue;
            }
            dirty.add(Part::of_unit(to));
            let count = sem.count();
            sem.tick(post, wait);
            if S::ENABLED && wait {
                sink.emit(self.cycle, Event::Wait { from, to, count })?;
            }
            if S::ENABLED && post {
                sink.emit(self.cycle, Event::Post { from, to, count })?;
            }
        }
        Ok(())
    }

    fn arrive(&mut self, index: u32) -> Result<(), LeavesDram> {
        let addr = u64::from(self.insn_addr) + 16 * u64::from(index);
        let word = self.ledger.dram.word128(addr);
        let word = word.map_err(|cause| LeavesDram::new(index, cause))?;
        self.fetched.push_back(Fetched {
            index,
            memory_type: memory_type_bits(word),
            insn: Insn::decode(word),
        });
        Ok(())
    }
}
