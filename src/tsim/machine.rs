//! The whole device and its memory: one clock for all units.

use super::compute::Compute;
use super::dram::ReadPort;
use super::event::{Event, Module, Sink, UnitState};
use super::fetch::{Fetch, Head};
use super::hang::{self, Wait, WaitFor};
use super::load::Load;
use super::outcome::{AssertCause, HangReason, Options, Outcome, RunError, Stats, Status};
use super::queue::{InsnQueue, Queued};
use super::store::Store;
use super::unit::{Stage, UnitOut};
use super::vme::{Client, Vme, WriteChannel};
use crate::config::HwConfig;
use crate::fsim::Core;
use crate::isa::{Illegal, Insn, MemoryType, Unit};
use crate::mem::Dram;
use std::collections::VecDeque;

/// An instruction word that fetch holds.
#[derive(Debug, Clone, Copy)]
struct Fetched {
    index: u32,
    memory_type: u8,
    insn: Result<Insn, Illegal>,
}

/// The four modules whose states are reported, in this order.
const MODULES: [Module; 4] = [
    Module::Fetch,
    Module::Unit(Unit::Load),
    Module::Unit(Unit::Compute),
    Module::Unit(Unit::Store),
];

struct Machine<'a> {
    dram: &'a mut Dram,
    insn_addr: u32,
    insn_count: u32,
    data: bool,
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
    core: Core,
    /// Cycle in which each unit's instruction left idle.
    started: [u64; 3],
    /// Cycle in which each unit's head came to the front.
    head_since: [u64; 3],
    /// Cycle of the last dispatch or arrival.
    fetch_since: u64,
    states: [Option<UnitState>; 4],
    acc_writes: u64,
    stats: Stats,
}

/// What ends a run.
enum End {
    Finish,
    Assert {
        module: &'static str,
        insn: Option<u32>,
        cause: AssertCause,
    },
}

/// Runs a launch from reset until FINISH, hang or assertion. `dram` is changed
/// as far as the program came; a store under way at FINISH is completed.
///
/// # Errors
/// The launch cannot start, or an instruction reaches outside the DRAM image.
pub fn run<S: Sink>(
    cfg: &HwConfig,
    dram: &mut Dram,
    insn_addr: u32,
    insn_count: u32,
    options: Options,
    sink: &mut S,
) -> Result<Outcome, RunError> {
    if insn_count == 0 {
        return Err(RunError::NoInsns);
    }
    if !insn_addr.is_multiple_of(8) {
        return Err(RunError::Misaligned(insn_addr));
    }
    if insn_addr == 0 {
        return Err(RunError::ZeroAddress);
    }
    let mut m = Machine::new(cfg, dram, insn_addr, insn_count, options.data);
    let status = loop {
        if S::ENABLED {
            m.report_states(sink);
        }
        let quiet = m.quiet();
        if quiet == u64::MAX {
            break m.hang(HangReason::Deadlock);
        }
        if quiet > 0 && options.jump {
            let n = quiet.min(options.max_cycles.saturating_sub(m.cycle));
            m.skip(n, sink);
        }
        if m.cycle > options.max_cycles {
            break m.hang(HangReason::MaxCycles);
        }
        let end = m.tick(sink)?;
        match end {
            None => m.cycle += 1,
            Some(End::Finish) => {
                m.drain()?;
                break Status::Ok;
            }
            Some(End::Assert {
                module,
                insn,
                cause,
            }) => {
                break Status::Assert {
                    module,
                    insn,
                    cause,
                };
            }
        }
    };
    Ok(Outcome {
        status,
        cycles: m.cycle,
        acc_writes: m.acc_writes,
        stats: m.stats,
    })
}

impl<'a> Machine<'a> {
    fn new(
        cfg: &HwConfig,
        dram: &'a mut Dram,
        insn_addr: u32,
        insn_count: u32,
        data: bool,
    ) -> Self {
        let queue = || InsnQueue::new(cfg.insn_queue_entries);
        let stats = Stats {
            beat_bytes: cfg.beat_bytes().into(),
            ..Stats::default()
        };
        Self {
            dram,
            insn_addr,
            insn_count,
            data,
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
            core: Core::new(cfg),
            started: [0; 3],
            head_since: [0; 3],
            fetch_since: 0,
            states: [None; 4],
            acc_writes: 0,
            stats,
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

    /// Cycles for which nothing but counters move; `u64::MAX`: for ever.
    fn quiet(&self) -> u64 {
        let port = self.port.quiet();
        if port == 0 || self.write.is_busy() {
            return 0;
        }
        let n = port.min(self.vme.quiet(self.port.beat()));
        if n == 0 {
            return 0;
        }
        let data = self.vme.data();
        let is = |c: Client| data == Some(c);
        let head = |u: Unit| self.queues[u as usize].head();
        let n = n.min(self.compute.quiet(
            head(Unit::Compute),
            [is(Client::Uop), is(Client::Acc)],
            [self.ready(Client::Uop), self.ready(Client::Acc)],
        ));
        if n == 0 {
            return 0;
        }
        let n = n.min(self.load.quiet(
            head(Unit::Load),
            [is(Client::Inp), is(Client::Wgt)],
            [self.ready(Client::Inp), self.ready(Client::Wgt)],
        ));
        if n == 0 {
            return 0;
        }
        let n = n.min(self.store.quiet(head(Unit::Store)));
        if n == 0 {
            return 0;
        }
        if self.asserts().is_some() {
            return 0;
        }
        let deq_ready = self.dispatch_to().is_some();
        n.min(
            self.fetch
                .quiet(is(Client::Fetch), self.ready(Client::Fetch), deq_ready),
        )
    }

    /// Jumps over `n` quiet cycles.
    fn skip<S: Sink>(&mut self, n: u64, sink: &mut S) {
        let data = self.vme.data();
        let is = |c: Client| data == Some(c);
        if let Some(client) = data {
            self.stats.read_beats[client as usize] += n;
        }
        if S::ENABLED
            && let Some(beat) = self.port.beat()
        {
            for i in 0..n {
                sink.event(self.cycle + i, Event::ReadBeat(beat));
            }
        }
        let head = self.queues[Unit::Compute as usize].head();
        self.compute
            .skip(n, head, [is(Client::Uop), is(Client::Acc)]);
        self.load.skip(n, [is(Client::Inp), is(Client::Wgt)]);
        self.port.skip(n);
        self.cycle += n;
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

    /// One clock edge.
    fn tick<S: Sink>(&mut self, sink: &mut S) -> Result<Option<End>, RunError> {
        let cycle = self.cycle;
        let data = self.vme.data();
        let is = |c: Client| data == Some(c);
        let (beat, ready) = (self.port.beat(), Client::ALL.map(|c| self.ready(c)));
        let ar = self.vme.ar(beat);
        let dispatch = self.dispatch_to();
        let mut end = self.asserts().map(|(insn, cause)| End::Assert {
            module: "core.fetch.fetch",
            insn: Some(insn),
            cause: AssertCause::Unknown(cause),
        });
        if let Some(client) = data {
            self.stats.read_beats[client as usize] += 1;
        }

        let (load, load_cmds) = self.load.tick(
            self.queues[Unit::Load as usize].head(),
            [is(Client::Inp), is(Client::Wgt)],
            [ready[Client::Inp as usize], ready[Client::Wgt as usize]],
        );
        let core = &self.core;
        let (compute, compute_cmds) = self.compute.tick(
            self.queues[Unit::Compute as usize].head(),
            [is(Client::Uop), is(Client::Acc)],
            [ready[Client::Uop as usize], ready[Client::Acc as usize]],
            |i| match i {
                Insn::Alu(a) => core.alu_hazard(a),
                _ => None,
            },
        );
        let (store, store_out) = self
            .store
            .tick(self.queues[Unit::Store as usize].head(), &self.write);
        let units = [load, compute.unit, store];
        for (unit, out) in Unit::ALL.into_iter().zip(units) {
            self.unit_events(unit, out, sink)?;
        }
        if compute.finish {
            end = Some(End::Finish);
        }
        if let Some(h) = compute.assert {
            end = Some(End::Assert {
                module: "core.compute.tensorAlu",
                insn: self.queues[Unit::Compute as usize].head().map(|q| q.index),
                cause: AssertCause::Bypass(h),
            });
        }

        let deq_ready = dispatch.is_some();
        let fetch = self
            .fetch
            .tick(is(Client::Fetch), ready[Client::Fetch as usize], deq_ready);
        let asserts = [
            (load_cmds[0].assert, "core.load.tensorLoad_0.tensorLoad"),
            (load_cmds[1].assert, "core.load.tensorLoad_1.tensorLoad"),
            (
                compute_cmds[0].assert,
                "core.compute.loadUop.loadUop.tensorLoad",
            ),
            (compute_cmds[1].assert, "core.compute.tensorAcc.tensorLoad"),
            (store_out.assert, "core.store.tensorStore.tensorStore"),
            (fetch.assert, "core.fetch.fetch"),
        ];
        if let Some((_, module)) = asserts.into_iter().find(|a| a.0) {
            end = Some(End::Assert {
                module,
                insn: None,
                cause: AssertCause::Beats,
            });
        }

        let written = self.write.tick(store_out.cmd, store_out.data);
        self.stats.write_beats += u64::from(written.w);
        if S::ENABLED {
            if let Some((client, cmd)) = ar {
                sink.event(cycle, Event::ReadCmd { client, cmd });
            }
            if let Some(b) = beat {
                sink.event(cycle, Event::ReadBeat(b));
            }
            if let Some(c) = written.aw {
                sink.event(cycle, Event::WriteCmd(c));
            }
            if written.w {
                sink.event(cycle, Event::WriteBeat);
            }
            if written.b {
                sink.event(cycle, Event::WriteResp);
            }
        }
        self.stats.write_bursts += u64::from(written.aw.is_some());
        if let Some((client, _)) = ar {
            self.stats.read_bursts[client as usize] += 1;
        }
        if fetch.dispatch
            && let Some((unit, queued)) = dispatch
        {
            self.fetched.pop_front();
            self.fetch_since = cycle + 1;
            let q = &mut self.queues[unit as usize];
            if q.is_empty() {
                self.head_since[unit as usize] = cycle + 1;
            }
            q.push(queued);
            if S::ENABLED {
                let insn = queued.index;
                sink.event(cycle, Event::Dispatch { unit, insn });
            }
        }
        self.tokens(&units, sink);
        if let Some(index) = fetch.arrived {
            self.fetch_since = cycle + 1;
            self.arrive(index)?;
        }
        self.vme.tick(
            beat,
            ar,
            [
                fetch.cmd,
                compute_cmds[0].cmd,
                load_cmds[0].cmd,
                load_cmds[1].cmd,
                compute_cmds[1].cmd,
            ],
        );
        self.port.tick(ar.map(|a| a.1));
        Ok(end)
    }

    /// Starts and ends of a unit's instruction; its data change when it ends.
    fn unit_events<S: Sink>(
        &mut self,
        unit: Unit,
        out: UnitOut,
        sink: &mut S,
    ) -> Result<(), RunError> {
        let u = unit as usize;
        if out.start {
            self.started[u] = self.cycle;
            if S::ENABLED
                && let Some(q) = self.queues[u].head()
            {
                let insn = q.index;
                sink.event(self.cycle, Event::InsnStart { unit, insn });
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
        let index = self.stats.units[u].insns as u32;
        self.stats.units[u].insns += 1;
        self.stats.units[u].busy_cycles += self.cycle - self.started[u] + 1;
        if S::ENABLED {
            let opcode = match q.insn {
                Insn::Load(_) => 0,
                Insn::Store(_) => 1,
                Insn::Gemm(_) => 2,
                Insn::Finish(_) => 3,
                Insn::Alu(_) => 4,
            };
            let event = Event::InsnEnd {
                unit,
                index,
                insn: q.index,
                start: self.started[u],
                opcode,
                memory_type: q.memory_type,
            };
            sink.event(self.cycle, event);
        }
        match &q.insn {
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
            _ => {}
        }
        self.exec(unit, &q)
    }

    fn exec(&mut self, unit: Unit, q: &Queued) -> Result<(), RunError> {
        let is_uop = matches!(&q.insn, Insn::Load(l) if l.memory_type == MemoryType::Uop);
        if !self.data && !is_uop {
            return Ok(());
        }
        let insn = q.index;
        let done = self.core.exec(&q.insn, self.dram);
        done.map_err(|cause| RunError::Transfer { unit, insn, cause })
    }

    /// Completes the store that was under way at FINISH.
    fn drain(&mut self) -> Result<(), RunError> {
        if self.store.stage == Stage::Exe
            && let Some(q) = self.queues[Unit::Store as usize].head().copied()
        {
            self.exec(Unit::Store, &q)?;
        }
        Ok(())
    }

    fn tokens<S: Sink>(&mut self, units: &[UnitOut; 3], sink: &mut S) {
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
            let count = sem.count();
            sem.tick(post, wait);
            if S::ENABLED && wait {
                sink.event(self.cycle, Event::Wait { from, to, count });
            }
            if S::ENABLED && post {
                sink.event(self.cycle, Event::Post { from, to, count });
            }
        }
    }

    fn arrive(&mut self, index: u32) -> Result<(), RunError> {
        let addr = u64::from(self.insn_addr) + 16 * u64::from(index);
        let word = self.dram.word128(addr);
        let word = word.map_err(|cause| RunError::Fetch { insn: index, cause })?;
        self.fetched.push_back(Fetched {
            index,
            memory_type: (word >> 7) as u8 & 7,
            insn: Insn::decode(word),
        });
        Ok(())
    }

    /// What a read client's unit waits for.
    fn memory(&self, client: Client) -> UnitState {
        match self.vme.data() {
            Some(c) if c == client => UnitState::Beats,
            Some(_) => UnitState::Arbitration,
            None if self.vme.is_in_flight(client) => UnitState::Latency,
            None => UnitState::Arbitration,
        }
    }

    fn state(&self, module: Module) -> UnitState {
        let client = |m: MemoryType| match m {
            MemoryType::Uop => Client::Uop,
            MemoryType::Wgt => Client::Wgt,
            MemoryType::Inp => Client::Inp,
            MemoryType::Acc => Client::Acc,
        };
        let memory = |m: MemoryType| self.memory(client(m));
        let head = |u: Unit| self.queues[u as usize].head();
        let state = match module {
            Module::Fetch => match self.fetch.head() {
                _ if self.fetch.is_done() => return UnitState::Done,
                _ if self.fetch.is_reading() => self.memory(Client::Fetch),
                Head::Insn(_) if self.dispatch_to().is_none() => match self.fetched.front() {
                    Some(Fetched { insn: Ok(i), .. }) => UnitState::Queue(i.unit()),
                    _ => UnitState::Work,
                },
                _ => UnitState::Work,
            },
            Module::Unit(Unit::Load) => self.load.state(head(Unit::Load), memory),
            Module::Unit(Unit::Compute) => self.compute.state(head(Unit::Compute), memory),
            Module::Unit(Unit::Store) => self.store.state(head(Unit::Store), &self.write),
        };
        match state {
            UnitState::Insn if self.fetch.is_done() => UnitState::Done,
            other => other,
        }
    }

    fn report_states<S: Sink>(&mut self, sink: &mut S) {
        for (i, module) in MODULES.into_iter().enumerate() {
            let state = self.state(module);
            if self.states[i] != Some(state) {
                self.states[i] = Some(state);
                sink.event(self.cycle, Event::State { module, state });
            }
        }
    }

    /// Every instruction of the program that decodes.
    fn program(&self) -> Vec<(u32, Insn)> {
        (0..self.insn_count)
            .map_while(|n| {
                let addr = u64::from(self.insn_addr) + 16 * u64::from(n);
                self.dram.word128(addr).ok().map(|w| (n, Insn::decode(w)))
            })
            .filter_map(|(n, i)| i.ok().map(|i| (n, i)))
            .collect()
    }

    fn hang(&self, reason: HangReason) -> Status {
        let program = self.program();
        let mut waits = Vec::new();
        for module in MODULES {
            let state = self.state(module);
            let Some(mut wait_for) = hang::wait_for(state) else {
                continue;
            };
            let (insn, since) = match module {
                Module::Fetch => (self.fetched.front().map(|f| f.index), self.fetch_since),
                Module::Unit(u) => {
                    let head = self.queues[u as usize].head();
                    let idle = matches!(state, UnitState::Token(_) | UnitState::Insn);
                    let since = if idle { self.head_since } else { self.started };
                    (head.map(|q| q.index), since[u as usize])
                }
            };
            if let (WaitFor::Token { from, pusher }, Some(n), Module::Unit(to)) =
                (&mut wait_for, insn, module)
            {
                *pusher = hang::pusher(&program, n, to, *from);
            }
            if module == Module::Fetch && matches!(self.fetched.front(), Some(f) if f.insn.is_err())
            {
                wait_for = WaitFor::Unknown;
            }
            waits.push(Wait {
                module,
                insn,
                since,
                wait_for,
                in_circle: false,
            });
        }
        if waits.is_empty() || waits.iter().all(|w| w.wait_for == WaitFor::Insn) {
            // Everything was executed and FINISH was not among it.
            waits.push(Wait {
                module: Module::Unit(Unit::Compute),
                insn: None,
                since: self.head_since[Unit::Compute as usize],
                wait_for: WaitFor::Insn,
                in_circle: false,
            });
        }
        hang::mark_circles(&mut waits);
        Status::Hang { reason, waits }
    }
}
