//! The read side, a burst at a time.
//!
//! Beats come in the order of commands and without a gap inside a burst, so
//! when a command goes out, the cycles of its beats are known. What is left to
//! decide is when the next command goes out, and whose it is.

use crate::tsim::dram::ReadCmd;
use crate::tsim::vme::Client;
use vta_program::timing::memory::{Memory, TAGS, after};
use vta_program::timing::{Bursts, Padding};

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
    lasts: [u64; TAGS],
    head: usize,
    tail: usize,
    memory: Memory,
    /// Free tags, and those of the bursts that are out, where events are wanted.
    available: u16,
    /// No command goes out before this cycle.
    due: u64,
    ids: [u8; TAGS],
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
            lasts: [0; TAGS],
            head: 0,
            tail: 0,
            memory: Memory::new(delay),
            available: u16::MAX,
            due: NEVER,
            ids: [0; TAGS],
            bursts: [0; 5],
            beats: [0; 5],
        }
    }

    /// A client begins a transfer; its first command is in the engine in `ready`.
    pub fn begin(&mut self, client: usize, bursts: Bursts, ready: u64) {
        self.ready[client] = ready;
        self.due = self.due.min(ready.max(self.next_ar));
        let t = &mut self.transfers[client];
        t.bursts = bursts;
        (t.lag, t.pad) = (0, Padding::NONE);
    }

    /// The transfer that has begun is a load that writes `lag` cycles after
    /// the bus and pads from cycle `from` on.
    pub const fn writes(&mut self, client: usize, lag: u64, pad: Padding, from: u64) {
        let t = &mut self.transfers[client];
        (t.lag, t.pad, t.padded) = (lag, pad, from);
    }

    /// A cycle before which no command goes out.
    pub const fn due(&self) -> u64 {
        self.due
    }

    /// Sends commands up to and with cycle `until`, or until the last one of a
    /// transfer. `seen` gets each, with its cycle and that of its first beat, if
    /// `LOG`.
    pub fn advance<const LOG: bool>(
        &mut self,
        until: u64,
        mut seen: impl FnMut((u64, u64), Client, ReadCmd),
    ) -> Option<Commanded> {
        let done = loop {
            // Who has a command first, and when somebody else has one too.
            let (mut client, mut first, mut second) = (0, NEVER, NEVER);
            for (i, &r) in self.ready.iter().enumerate() {
                if r < first {
                    (client, second, first) = (i, first, r);
                } else {
                    second = second.min(r);
                }
            }
            let mut cycle = first.max(self.next_ar);
            if cycle > until {
                self.due = cycle;
                return None;
            }
            let mut alone = second - 1;
            if alone < cycle {
                // Several wait: the lowest-numbered one goes.
                cycle = self.allowed::<LOG>(cycle);
                self.next_ar = cycle;
                if cycle > until {
                    self.due = cycle;
                    return None;
                }
                let waits = |r: &u64| *r <= cycle;
                client = self.ready.iter().position(waits).unwrap_or(client);
                alone = cycle;
            }
            let until = until.min(alone);
            let done = match self.transfers[client].pad.is_done() {
                true => self.stream::<LOG, false>(client, until, &mut seen),
                false => self.stream::<LOG, true>(client, until, &mut seen),
            };
            if done.is_some() {
                break done;
            }
        };
        let r = &self.ready;
        let first = r[0].min(r[1]).min(r[2].min(r[3])).min(r[4]);
        self.due = first.max(self.next_ar);
        done
    }

    /// The first cycle from this one on in which a command may go out.
    fn allowed<const LOG: bool>(&mut self, cycle: u64) -> u64 {
        let mut cycle = cycle;
        while self.head != self.tail {
            let last = self.lasts[self.head % TAGS];
            if last > cycle && self.tail - self.head < TAGS {
                break;
            }
            cycle = after(last, cycle);
            if LOG {
                self.available |= 1 << self.ids[self.head % TAGS];
            }
            self.head += 1;
        }
        cycle
    }

    /// Sends commands of one client up to and with cycle `until`: nobody else
    /// has one until then. With `PADS` it follows the padding and stops when
    /// that is done.
    #[inline(always)]
    fn stream<const LOG: bool, const PADS: bool>(
        &mut self,
        client: usize,
        until: u64,
        seen: &mut impl FnMut((u64, u64), Client, ReadCmd),
    ) -> Option<Commanded> {
        let t = &mut self.transfers[client];
        let lasts = &mut self.lasts;
        let (mut head, mut tail) = (self.head, self.tail);
        let (mut left, mut limit) = (t.bursts.left, t.bursts.limit);
        let (max, mut memory) = (t.bursts.max, self.memory);
        let (mut ready, mut next_ar) = (self.ready[client], self.next_ar);
        let mut beats = 0;
        let mut done = None;
        let mut cycle = ready.max(next_ar);
        while cycle <= until {
            let out = tail - head;
            if !LOG && !PADS && out == TAGS && limit == max && left > max {
                let most = (left - 1) / max;
                let n = steady(lasts, tail, &memory, max, (cycle, until), most);
                if n > 0 {
                    let last = memory.read_more(n, max);
                    (head, tail) = (head + n as usize, tail + n as usize);
                    let mut l = last;
                    for k in 1..=TAGS {
                        lasts[(tail - k) % TAGS] = l;
                        l -= u64::from(max);
                    }
                    // The last command went out after the beat at `l`.
                    (next_ar, ready) = (l + 2, l + 3);
                    cycle = ready;
                    left -= n * max;
                    beats += u64::from(n * max);
                    continue;
                }
            }
            let mut oldest = lasts[head % TAGS];
            if out > 0 && (oldest <= cycle || out == TAGS) {
                loop {
                    cycle = after(oldest, cycle);
                    if LOG {
                        self.available |= 1 << self.ids[head % TAGS];
                    }
                    head += 1;
                    oldest = lasts[head % TAGS];
                    if head == tail || oldest > cycle {
                        break;
                    }
                }
                if cycle > until {
                    next_ar = cycle;
                    break;
                }
            }
            (next_ar, ready) = (cycle + 1, cycle + 2);
            let n = left.min(limit);
            left -= n;
            limit = max;
            let (first, last) = memory.read(cycle, n);
            lasts[tail % TAGS] = last;
            beats += u64::from(n);
            if LOG {
                let id = self.available.trailing_zeros() as u8;
                self.available &= self.available - 1;
                self.ids[tail % TAGS] = id;
                let (addr, len) = (t.bursts.addr(n, left), (n - 1) as u16);
                seen(
                    (cycle, first),
                    Client::ALL[client],
                    ReadCmd { addr, len, id },
                );
            }
            tail += 1;
            cycle = ready;
            if PADS {
                let from = first + t.lag;
                t.pad.gap(from.saturating_sub(t.padded));
                t.pad.beats(n.into());
                t.padded = from + u64::from(n);
            }
            if left == 0 {
                if !t.bursts.next_row() {
                    done = Some(Commanded {
                        client,
                        last_beat: last,
                        written: last + t.lag + 1 + t.pad.left(),
                    });
                    ready = NEVER;
                    break;
                }
                (left, limit) = (t.bursts.left, t.bursts.limit);
            }
            if PADS && t.pad.is_done() {
                break;
            }
        }
        (t.bursts.left, t.bursts.limit) = (left, limit);
        self.bursts[client] += (tail - self.tail) as u64;
        self.beats[client] += beats;
        (self.head, self.tail) = (head, tail);
        self.memory = memory;
        (self.ready[client], self.next_ar) = (ready, next_ar);
        done
    }
}

/// How many of the next `most` bursts of `beats` beats go out up to and with a
/// cycle, each in the one after the last beat of the oldest that is out. All
/// tags are out; `tail` is the place of the oldest, and the next command could
/// go out from a cycle on. None if it is not so regular.
///
/// It is where last beats are as far apart as a burst is long: then those of the
/// next bursts are too, a command never meets a last beat other than the one it
/// waits for, and the memory always finds a command waiting.
#[inline]
fn steady(
    lasts: &[u64; TAGS],
    tail: usize,
    memory: &Memory,
    beats: u32,
    (from, until): (u64, u64),
    most: u32,
) -> u32 {
    let oldest = lasts[tail % TAGS];
    let apart = u64::from(beats);
    let first = oldest + 1;
    if beats < 2 || from > first || until < first || !memory.keeps_waiting(first) {
        return 0;
    }
    let regular = |k| lasts[(tail + k) % TAGS] - lasts[(tail + k - 1) % TAGS] == apart;
    if !(1..TAGS).rev().all(regular) {
        return 0;
    }
    ((until - first) / apart + 1).min(most.into()) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20::{
        ChaCha8Rng,
        rand_core::{Rng, SeedableRng},
    };
    use vta_program::timing::{Geometry, Rows};

    /// Where every burst is seen, each goes out by itself.
    #[test]
    fn bursts_go_out_at_once_as_one_by_one() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut of = |n: u32| rng.next_u32() % n;
        for _ in 0..2000 {
            let delay = [0, 1, 16, 60][of(4) as usize];
            let len_bits = 1 + of(5);
            let (mut one, mut all) = (Bus::new(delay), Bus::new(delay));
            let (mut until, mut free) = (0, [0; 5]);
            for _ in 0..30 {
                let client = of(5) as usize;
                if free[client] <= until {
                    let geo = Geometry {
                        elem_log: 2 + of(7),
                        beat_log: 3,
                        len_bits,
                    };
                    let wide = 1 << of(9);
                    let rows = Rows {
                        addr: 4096 + (of(64) << geo.elem_log),
                        x_size: 1 + of(wide),
                        y_size: 1 + of(4),
                        x_stride: of(100),
                    };
                    let ready = until + 1 + u64::from(of(4));
                    for bus in [&mut one, &mut all] {
                        bus.begin(client, Bursts::new(geo, &rows), ready);
                    }
                    free[client] = NEVER;
                }
                let long = 1 << of(12);
                until += u64::from(of(long));
                loop {
                    let a = one.advance::<true>(until, |_, _, _| ());
                    let b = all.advance::<false>(until, |_, _, _| ());
                    let facts = |c: &Commanded| (c.client, c.last_beat, c.written);
                    assert_eq!(a.as_ref().map(facts), b.as_ref().map(facts));
                    assert_eq!(
                        (one.due, one.bursts, one.beats),
                        (all.due, all.bursts, all.beats)
                    );
                    match a {
                        Some(done) => free[done.client] = done.written,
                        None => break,
                    }
                }
            }
        }
    }
}
