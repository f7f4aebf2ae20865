//! The read side, a burst at a time.
//!
//! Beats come in the order of commands and without a gap inside a burst, so
//! when a command goes out, the cycles of its beats are known. What is left to
//! decide is when the next command goes out, and whose it is.

use super::rows::{Bursts, Padding};
use crate::tsim::dram::ReadCmd;
use crate::tsim::vme::Client;

/// Never.
pub const NEVER: u64 = u64::MAX;

/// One client's transfer.
#[derive(Debug, Clone, Copy)]
struct Transfer {
    bursts: Bursts,
    /// Cycles from a beat on the bus to the cycle in which it is written.
    lag: u64,
    pad: Padding,
    /// The cycle up to which padding has been followed.
    padded: u64,
}

/// A transfer whose last command is out.
#[derive(Debug, Clone, Copy)]
pub struct Commanded {
    /// Whose it is.
    pub client: usize,
    /// The cycle of its last beat.
    pub last_beat: u64,
    /// The first cycle in which everything is written, padding included.
    pub written: u64,
}

/// Memory engine and memory.
#[derive(Debug, Clone)]
pub struct Bus {
    /// From which cycle on a client's command is in the engine.
    ready: [u64; 5],
    transfers: [Transfer; 5],
    /// The first cycle in which a command may go out.
    next_ar: u64,
    /// Last beats of the bursts that are out, in a ring.
    lasts: [u64; 16],
    first: usize,
    out: usize,
    delay: u64,
    /// When the memory took the last command, and may take the next.
    taken: u64,
    free: u64,
    /// Free tags, and those of the bursts that are out, where events are wanted.
    available: u16,
    ids: [u8; 16],
    /// Bursts and beats by client.
    pub bursts: [u64; 5],
    /// Beats by client.
    pub beats: [u64; 5],
}

impl Bus {
    /// After reset.
    pub const fn new(delay: u32) -> Self {
        let idle = Transfer {
            bursts: Bursts::NONE,
            lag: 0,
            pad: Padding::NONE,
            padded: 0,
        };
        Self {
            ready: [NEVER; 5],
            transfers: [idle; 5],
            next_ar: 0,
            lasts: [0; 16],
            first: 0,
            out: 0,
            delay: delay as u64,
            taken: 0,
            free: 0,
            available: u16::MAX,
            ids: [0; 16],
            bursts: [0; 5],
            beats: [0; 5],
        }
    }

    /// A client begins a transfer; its first command is in the engine in `ready`.
    pub fn begin(&mut self, client: usize, bursts: Bursts, ready: u64) {
        self.ready[client] = ready;
        self.transfers[client].bursts = bursts;
        self.transfers[client].pad = Padding::NONE;
        self.transfers[client].lag = 0;
    }

    /// The transfer that has begun is a load that writes `lag` cycles after
    /// the bus and pads from cycle `from` on.
    pub fn writes(&mut self, client: usize, lag: u64, pad: Padding, from: u64) {
        let t = &mut self.transfers[client];
        (t.lag, t.pad, t.padded) = (lag, pad, from);
    }

    /// A cycle before which no command goes out.
    pub fn next_command(&self) -> u64 {
        let r = &self.ready;
        let first = r[0].min(r[1]).min(r[2]).min(r[3].min(r[4]));
        first.max(self.next_ar)
    }

    /// Sends commands up to and with cycle `until`, or until the last one of a
    /// transfer. `seen` is told of each.
    pub fn advance(
        &mut self,
        until: u64,
        mut seen: impl FnMut(u64, Client, ReadCmd),
        ids: bool,
    ) -> Option<Commanded> {
        loop {
            let mut cycle = self.next_command();
            if cycle > until {
                return None;
            }
            // None goes out with a last beat, nor while no tag is free.
            while self.out > 0 {
                let last = self.lasts[self.first];
                if last < cycle {
                    if ids {
                        self.available |= 1 << self.ids[self.first];
                    }
                    self.first = (self.first + 1) & 15;
                    self.out -= 1;
                } else if last == cycle {
                    cycle += 1;
                } else if self.out == 16 {
                    cycle = last + 1;
                } else {
                    break;
                }
            }
            self.next_ar = cycle;
            if cycle > until {
                return None;
            }
            let Some(client) = self.ready.iter().position(|r| *r <= cycle) else {
                return None;
            };
            let t = &mut self.transfers[client];
            let addr = t.bursts.addr;
            let beats = t.bursts.next();
            let n = u64::from(beats);
            // The memory's counter starts anew when its queue was empty.
            let mut taken = self.free;
            if cycle > self.taken {
                taken = taken.max(cycle + 1 + self.delay);
            }
            let last = taken + n;
            (self.taken, self.free) = (taken, last);
            let at = (self.first + self.out) & 15;
            self.lasts[at] = last;
            self.out += 1;
            self.next_ar = cycle + 1;
            self.bursts[client] += 1;
            self.beats[client] += n;
            if ids {
                let id = self.available.trailing_zeros() as u8;
                self.available &= self.available - 1;
                self.ids[at] = id;
                let len = (beats - 1) as u16;
                seen(cycle, Client::ALL[client], ReadCmd { addr, len, id });
            }
            if !t.pad.is_done() {
                let from = taken + 1 + t.lag;
                t.pad.gap(from.saturating_sub(t.padded));
                t.pad.beats(n);
                t.padded = from + n;
            }
            if t.bursts.is_done() {
                self.ready[client] = NEVER;
                return Some(Commanded {
                    client,
                    last_beat: last,
                    written: last + t.lag + 1 + t.pad.left(),
                });
            }
            self.ready[client] = cycle + 2;
        }
    }
}
