//! Fetch, a batch at a time: when instructions come in and are handed on.

use super::bus::Bus;
use super::rows::Bursts;
use crate::config::HwConfig;
use crate::tsim::gen_vme_cmd::{Geometry, Rows};
use crate::tsim::vme::Client;

/// Instructions on their way to the queues.
#[derive(Debug, Clone)]
pub struct Fetch {
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
    geo: Geometry,
}

impl Fetch {
    /// At launch.
    pub fn new(cfg: &HwConfig, addr: u32, count: u32, bus: &mut Bus) -> Self {
        let beat = cfg.beat_bytes();
        let longest = 1u32 << cfg.mem_len_bits;
        let elements = if beat == 8 {
            longest
        } else {
            (longest * (beat / 8)).min(2 * longest)
        };
        let mut f = Self {
            wide: beat != 8,
            addr,
            count,
            batch: elements / 2,
            asked: 0,
            come: 0,
            piped: 0,
            next: 0,
            from: 0,
            moved: [0; 2],
            handed: [0; 2],
            room_from: 0,
            geo: Geometry {
                elem_log: 3,
                beat_log: beat.trailing_zeros(),
                len_bits: cfg.mem_len_bits,
            },
        };
        f.ask(bus, 2);
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
        self.asked += n;
        let bursts = if self.wide {
            let rows = Rows {
                addr,
                x_size: (2 * n) as u16,
                y_size: 1,
                ..Rows::default()
            };
            Bursts::new(self.geo, &rows)
        } else {
            Bursts::one(addr, 2 * n, self.geo.beat_log)
        };
        bus.begin(Client::Fetch as usize, bursts, ready);
    }

    /// The last beat of a batch.
    pub const fn arrived(&mut self, last_beat: u64) {
        self.come = self.asked;
        self.from = last_beat + if self.wide { 4 } else { 2 };
    }

    /// Nothing can be handed on before this cycle.
    pub const fn not_before(&mut self, cycle: u64) {
        self.room_from = cycle;
    }

    /// Hands on what can be: `push` is told each instruction with its cycle and
    /// says whether its queue has room then. Returns the cycle in which one has
    /// found no room, with the instruction.
    pub fn hand_on(
        &mut self,
        bus: &mut Bus,
        push: impl FnMut(u32, u64) -> bool,
    ) -> Option<(u32, u64)> {
        match self.wide {
            true => self.hand_on_wide(bus, push),
            false => self.hand_on_narrow(bus, push),
        }
    }

    fn hand_on_narrow(
        &mut self,
        bus: &mut Bus,
        mut push: impl FnMut(u32, u64) -> bool,
    ) -> Option<(u32, u64)> {
        if self.next == self.come {
            return None;
        }
        self.from = self.from.max(self.room_from);
        while self.next < self.come {
            if !push(self.next, self.from) {
                return Some((self.next, self.from));
            }
            self.next += 1;
            self.from += 1;
        }
        // `from` sees the empty queue; then a command is offered.
        self.ask(bus, self.from + 2);
        None
    }

    fn hand_on_wide(
        &mut self,
        bus: &mut Bus,
        mut push: impl FnMut(u32, u64) -> bool,
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
                    self.ask(bus, cycle + 4);
                }
                moved = true;
            }
            if self.next < self.piped {
                let mut cycle = self.room_from.max(self.moved[at(self.next)] + 1);
                if self.next >= 1 {
                    cycle = cycle.max(self.handed[at(self.next + 1)] + 1);
                }
                if push(self.next, cycle) {
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
