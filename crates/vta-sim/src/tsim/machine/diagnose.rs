//! What each unit does or waits for, and why a run cannot go on.

use super::{Fetched, Machine};
use crate::tsim::event::{Event, Module, UnitState};
use crate::tsim::fetch::Head;
use crate::tsim::hang::{self, Wait, WaitFor};
use crate::tsim::outcome::{Halt, HangReason, Status};
use crate::tsim::sink::{Emit, Sink};
use crate::tsim::vme::Client;
use vta_program::isa::{Insn, MemoryType, Unit};

/// The four modules whose states are reported, in this order.
const MODULES: [Module; 4] = [
    Module::Fetch,
    Module::Unit(Unit::Load),
    Module::Unit(Unit::Compute),
    Module::Unit(Unit::Store),
];

impl Machine<'_> {
    /// What a read client's unit waits for; `commanded`: it has no command to
    /// give any more.
    fn memory(&self, client: Client, commanded: bool) -> UnitState {
        let out = !self.vme.cmd_ready(client) || self.vme.is_in_flight(client);
        match self.vme.data() {
            Some(c) if c == client => UnitState::Beats,
            _ if commanded && !out => UnitState::Work,
            Some(_) => UnitState::Arbitration,
            None if self.vme.is_in_flight(client) => UnitState::Latency,
            None => UnitState::Arbitration,
        }
    }

    fn state(&self, module: Module) -> UnitState {
        let memory = |m: MemoryType, commanded| self.memory(Client::of(m), commanded);
        let head = |u: Unit| self.queues[u as usize].head();
        let state = match module {
            Module::Fetch => match self.fetch.head() {
                _ if self.fetch.is_done() => return UnitState::Done,
                Head::Insn(_) if self.dispatch_to().is_none() => match self.fetched.front() {
                    Some(Fetched { insn: Ok(i), .. }) => UnitState::Queue(i.unit()),
                    _ => UnitState::Work,
                },
                Head::Insn(_) => UnitState::Work,
                Head::Nothing if self.fetch.is_reading() => {
                    self.memory(Client::Fetch, self.fetch.all_commanded())
                }
                Head::Nothing => UnitState::Work,
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

    pub(super) fn report_states<S: Sink>(&mut self, sink: &mut S) -> Result<(), Halt<S::Error>> {
        for (i, module) in MODULES.into_iter().enumerate() {
            let state = self.state(module);
            if self.states[i] != Some(state) {
                self.states[i] = Some(state);
                sink.emit(self.cycle, Event::State { module, state })?;
            }
        }
        Ok(())
    }

    /// Every instruction of the program that decodes.
    fn program(&self) -> Vec<(u32, Insn)> {
        (0..self.insn_count)
            .map_while(|n| {
                let addr = u64::from(self.insn_addr) + 16 * u64::from(n);
                self.ledger
                    .dram
                    .word128(addr)
                    .ok()
                    .map(|w| (n, Insn::decode(w)))
            })
            .filter_map(|(n, i)| i.ok().map(|i| (n, i)))
            .collect()
    }

    /// Who waits for what, in a run that does not go on.
    pub(super) fn hang(&self, reason: HangReason) -> Status {
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
                let sem = match (to, *from) {
                    (Unit::Load, _) => self.load.sem,
                    (Unit::Store, _) => self.store.sem,
                    (Unit::Compute, Unit::Load) => self.compute.sem_prev,
                    (Unit::Compute, _) => self.compute.sem_next,
                };
                *pusher = hang::pusher(&program, n, to, *from, sem.dropped());
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
