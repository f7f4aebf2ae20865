//! The read side: tags of the memory engine, and the test bench's memory.

/// Bursts that are out at most (`availableEntries` in shell/VME.scala).
pub const TAGS: usize = 16;

/// The cycle to look at once the oldest burst that is out, with its last beat
/// in `last`, stands in the way of a command in `cycle` or is over: none goes
/// out with a last beat, and with all tags out none before it.
#[inline(always)]
pub const fn after(last: u64, cycle: u64) -> u64 {
    if last >= cycle { last + 1 } else { cycle }
}

/// The memory: one burst at a time, in order (`VTAMemDPIToAXI` in
/// dpi/VTAMemDPI.scala, `MemDevice` in src/dpi/module.cc).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    delay: u64,
    /// When it took the last command, and may take the next.
    taken: u64,
    free: u64,
}

impl Memory {
    /// After reset; `delay` cycles pass before the first beat when the queue
    /// had been empty.
    pub const fn new(delay: u32) -> Self {
        Self {
            delay: delay as u64,
            taken: 0,
            free: 0,
        }
    }

    /// A command of `beats` beats goes out in `cycle`: the cycles of its first
    /// and of its last beat. Commands come in the order of their cycles.
    #[inline(always)]
    pub const fn read(&mut self, cycle: u64, beats: u32) -> (u64, u64) {
        // The counter starts anew when the queue was empty.
        self.taken = if cycle <= self.taken {
            self.free
        } else {
            let anew = cycle + 1 + self.delay;
            if self.free > anew { self.free } else { anew }
        };
        self.free = self.taken + beats as u64;
        (self.taken + 1, self.free)
    }

    /// Whether a command that goes out in `cycle` finds one that the memory has
    /// not taken.
    #[inline]
    pub const fn keeps_waiting(&self, cycle: u64) -> bool {
        cycle <= self.taken
    }

    /// As `n` times [`Memory::read`], of commands of `beats` beats each of which
    /// keeps waiting: the cycle of the last beat of all.
    #[inline]
    pub const fn read_more(&mut self, n: u32, beats: u32) -> u64 {
        self.free += n as u64 * beats as u64;
        self.taken = self.free - beats as u64;
        self.free
    }
}

/// One client's reads where nobody else reads: a command every second cycle
/// (`clientCmdQueueDepth` in shell/VME.scala) while there are tags, and none
/// with a last beat.
#[derive(Debug, Clone)]
pub struct Reads {
    memory: Memory,
    /// The first cycle in which the next command may go out.
    cycle: u64,
    /// Last beats of the bursts that are out, in a ring.
    lasts: [u64; TAGS],
    head: usize,
    tail: usize,
}

impl Reads {
    /// The first command is in the memory engine in `cycle`.
    pub const fn new(cycle: u64, delay: u32) -> Self {
        Self {
            memory: Memory::new(delay),
            cycle,
            lasts: [0; TAGS],
            head: 0,
            tail: 0,
        }
    }

    /// The next burst: the cycles of its first and of its last beat.
    pub const fn burst(&mut self, beats: u32) -> (u64, u64) {
        while self.head != self.tail {
            let last = self.lasts[self.head % TAGS];
            if last > self.cycle && self.tail - self.head < TAGS {
                break;
            }
            self.cycle = after(last, self.cycle);
            self.head += 1;
        }
        let (first, last) = self.memory.read(self.cycle, beats);
        self.lasts[self.tail % TAGS] = last;
        self.tail += 1;
        self.cycle += 2;
        (first, last)
    }
}
