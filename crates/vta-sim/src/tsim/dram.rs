//! The test bench's memory: reads in order, one at a time
//! (`VTAMemDPIToAXI` in dpi/VTAMemDPI.scala, `MemDevice` in src/dpi/module.cc).

use std::collections::VecDeque;

/// A read command on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadCmd {
    /// Byte address.
    pub addr: u32,
    /// Beats minus one.
    pub len: u16,
    /// The memory engine's tag.
    pub id: u8,
}

/// A beat on the bus (`mem.r`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadBeat {
    /// Tag of its command.
    pub id: u8,
    /// Last of its burst.
    pub last: bool,
}

/// The read side of the memory.
#[derive(Debug, Clone)]
pub struct ReadPort {
    delay: u32,
    queue: VecDeque<ReadCmd>,
    /// Counts up to `delay` while the queue is not empty.
    counter: u32,
    /// `rstate` is `readData`.
    reading: bool,
    /// Beats still to come after the one on the bus.
    ar_len: u16,
    /// `rlen_`, `rid_` of the memory device.
    device_left: u32,
    device_id: u8,
    /// `dpi_rd_valid`.
    valid: bool,
}

impl ReadPort {
    /// After reset; `delay` cycles pass before the first beat when the queue had been empty.
    pub fn new(delay: u32) -> Self {
        Self {
            delay,
            queue: VecDeque::with_capacity(32),
            counter: 0,
            reading: false,
            ar_len: 0,
            device_left: 0,
            device_id: 0,
            valid: false,
        }
    }

    /// The beat on the bus in this cycle.
    pub fn beat(&self) -> Option<ReadBeat> {
        self.valid.then_some(ReadBeat {
            id: self.device_id,
            last: self.ar_len == 0,
        })
    }

    /// One clock edge; `cmd` is accepted.
    pub fn tick(&mut self, cmd: Option<ReadCmd>) {
        let head = self.queue.front().copied();
        let deq = head.filter(|_| !self.reading && self.counter == self.delay);
        self.counter = match head {
            Some(_) => (self.counter + 1).min(self.delay),
            None => 0,
        };
        if self.reading {
            if self.valid {
                self.reading = self.ar_len != 1;
                self.ar_len = self.ar_len.saturating_sub(1);
            }
        } else if let Some(c) = deq {
            self.reading = c.len != 0;
            self.ar_len = c.len;
        }
        if let Some(c) = deq {
            self.queue.pop_front();
            // The device ignores a request at address 0, which never returns.
            if c.addr != 0 {
                (self.device_left, self.device_id) = (u32::from(c.len) + 1, c.id);
            }
        }
        self.valid = self.device_left > 0;
        self.device_left = self.device_left.saturating_sub(1);
        if let Some(c) = cmd {
            self.queue.push_back(c);
        }
    }

    /// Cycles for which only counters move, if no command comes.
    pub fn idle_window(&self) -> u64 {
        match (self.reading, self.valid) {
            (true, true) => u64::from(self.ar_len.saturating_sub(1)),
            (true, false) => u64::MAX,
            (false, true) => 0,
            (false, false) if self.queue.is_empty() => match self.counter {
                0 => u64::MAX,
                _ => 0,
            },
            (false, false) => u64::from(self.delay - self.counter),
        }
    }

    /// Moves the counters by `n` idle cycles.
    pub fn fast_forward(&mut self, n: u64) {
        if self.queue.is_empty() {
            self.counter = 0;
        } else {
            self.counter = (u64::from(self.counter) + n).min(self.delay.into()) as u32;
        }
        if self.reading && self.valid {
            self.ar_len -= n as u16;
            self.device_left -= n as u32;
        }
    }
}
