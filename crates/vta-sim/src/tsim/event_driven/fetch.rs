//! Fetch, a batch at a time: when instructions come in and are handed on.

use super::bus::Bus;
use crate::tsim::vme::Client;
use vta_program::config::HwConfig;
use vta_program::timing::fetch::{self, handed_on_after, next_command_after};

/// Instructions on their way to the queues.
#[derive(Debug, Clone)]
pub struct Fetch<'a> {
    cfg: &'a HwConfig,
    wide: bool,
    addr: u32,
    count: u32,
    /// Most instructions of a batch.
    batch: u32,
    /// Instructions asked for.
    asked: u32,
    /// Instructions that have come in: all before this one can be handed on.
    come: u32,
    /// Wide: instructions moved to the two-entry pipe.
    piped: u32,
    /// The next to be handed on.
    next: u32,
    /// The first cycle in which it can be, or the next one can move to the pipe.
    from: u64,
    /// Wide: cycles in which the last two were moved and handed on.
    moved: [u64; 2],
    handed: [u64; 2],
    /// The queue of the next has had no room before this cycle.
    room_from: u64,
    /// The batch asked for last: its first instruction, and when reading it begins.
    reads: (u32, u64),
    /// When the first of the batch that came last could be handed on.
    came: u64,
}

impl<'a> Fetch<'a> {
    /// At launch.
    pub fn new(cfg: &'a HwConfig, addr: u32, count: u32, bus: &mut Bus) -> Self {
        let mut f = Self {
            cfg,
            wide: fetch::is_wide(cfg),
            addr,
            count,
            batch: fetch::batch(cfg),
            asked: 0,
            come: 0,
            piped: 0,
            next: 0,
            from: 0,
            moved: [0; 2],
            handed: [0; 2],
            room_from: 0,
            reads: (0, 1),
            came: 0,
        };
        f.ask(bus, fetch::FIRST_COMMAND);
        f
    }

    /// Asks for the next batch, if there is one; `ready`: its command is in
    /// the engine.
    fn ask(&mut self, bus: &mut Bus, ready: u64) {
        let n = self.batch.min(self.count - self.asked);
        if n == 0 {
            return;
        }
        let addr = self.addr + 16 * self.asked;
        // A wide fetch takes a cycle to start its generator, but at launch.
        let starts = u64::from(self.wide && self.asked > 0);
        self.reads = (self.asked, ready - 1 - starts);
        self.asked += n;
        let bursts = fetch::bursts(self.cfg, addr, n);
        bus.begin(Client::Fetch as usize, bursts, ready);
    }

    /// The last beat of a batch.
    pub const fn arrived(&mut self, last_beat: u64) {
        self.come = self.asked;
        self.from = last_beat + handed_on_after(self.wide);
        self.came = self.from;
    }

    /// The batch asked for last: its first instruction, and when reading it begins.
    pub const fn reads(&self) -> (u32, u64) {
        self.reads
    }

    /// When reading the batch began of which nothing was handed on, and whether
    /// it has come.
    pub fn under_way(&self) -> Option<(u64, bool)> {
        let (first, begin) = self.reads;
        (self.next == first).then_some((begin, self.come == self.asked))
    }

    /// When fetch is done after the last was handed on in a cycle; none if
    /// there are more.
    pub fn done(&self, handed: u64) -> Option<u64> {
        if self.next < self.count {
            return None;
        }
        let last = self.moved[(self.count as usize + 1) & 1];
        Some(match self.wide {
            true => (last + 2).max(handed + 1),
            false => handed + 2,
        })
    }

    /// Nothing can be handed on before this cycle.
    pub const fn not_before(&mut self, cycle: u64) {
        self.room_from = cycle;
    }

    /// Hands on what can be: `push` gets each instruction with its cycle and
    /// the one in which it came, and says whether its queue has room then.
    /// Returns the cycle in which one has found no room, with the instruction.
    pub fn hand_on(
        &mut self,
        bus: &mut Bus,
        push: impl FnMut(u32, u64, u64) -> bool,
    ) -> Option<(u32, u64)> {
        match self.wide {
            true => self.hand_on_wide(bus, push),
            false => self.hand_on_narrow(bus, push),
        }
    }

    fn hand_on_narrow(
        &mut self,
        bus: &mut Bus,
        mut push: impl FnMut(u32, u64, u64) -> bool,
    ) -> Option<(u32, u64)> {
        if self.next == self.come {
            return None;
        }
        self.from = self.from.max(self.room_from);
        while self.next < self.come {
            if !push(self.next, self.from, self.came) {
                return Some((self.next, self.from));
            }
            self.next += 1;
            self.from += 1;
        }
        // `from` sees the empty queue; then a command is offered.
        self.ask(bus, self.from + next_command_after(false));
        None
    }

    fn hand_on_wide(
        &mut self,
        bus: &mut Bus,
        mut push: impl FnMut(u32, u64, u64) -> bool,
    ) -> Option<(u32, u64)> {
        let at = |n: u32| n as usize & 1;
        loop {
            let mut moved = false;
            let in_pipe = self.piped - self.next;
            if self.piped < self.come && in_pipe < 2 {
                // The entry two before has left the pipe.
                let mut cycle = self.from;
                if self.piped >= 2 {
                    cycle = cycle.max(self.handed[at(self.piped)] + 1);
                }
                self.moved[at(self.piped)] = cycle;
                self.from = cycle + 1;
                self.piped += 1;
                if self.piped == self.come {
                    self.ask(bus, cycle + next_command_after(true));
                }
                moved = true;
            }
            if self.next < self.piped {
                let mut cycle = self.room_from.max(self.moved[at(self.next)] + 1);
                if self.next >= 1 {
                    cycle = cycle.max(self.handed[at(self.next + 1)] + 1);
                }
                if push(self.next, cycle, self.moved[at(self.next)] + 1) {
                    self.handed[at(self.next)] = cycle;
                    self.next += 1;
                    moved = true;
                } else if !moved {
                    return Some((self.next, cycle));
                }
            }
            if !moved {
                return None;
            }
        }
    }
}
