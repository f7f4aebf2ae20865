//! The bursts of one transfer, and the padding of a load, as counts.

use crate::isa::Load;
use crate::tsim::gen_vme_cmd::{Geometry, Rows};

/// What a load has still to pad: zeros in cycles without a beat, rows passed
/// in any cycle (`sZpSideSkip`), zeros again.
#[derive(Debug, Clone, Copy, Default)]
pub struct Padding {
    above: u64,
    passed: u64,
    below: u64,
}

impl Padding {
    /// None.
    pub const NONE: Self = Self {
        above: 0,
        passed: 0,
        below: 0,
    };

    /// The padding of a load.
    pub fn new(l: &Load) -> Self {
        let (x0, x1) = (u64::from(l.x_pad_0), u64::from(l.x_pad_1));
        let (y0, y1) = (u64::from(l.y_pad_0), u64::from(l.y_pad_1));
        let width = x0 + u64::from(l.x_size) + x1;
        let rows = u64::from(l.y_size);
        if x0 + x1 == 0 && y1 != 0 {
            return Self {
                above: y0 * width,
                passed: rows,
                below: y1 * width,
            };
        }
        Self {
            above: (y0 + y1) * width + (x0 + x1) * rows,
            ..Self::default()
        }
    }

    /// Whether there is none.
    pub const fn is_done(&self) -> bool {
        self.left() == 0
    }

    /// Cycles that it takes if no beat comes.
    pub const fn left(&self) -> u64 {
        self.above + self.passed + self.below
    }

    /// Cycles without a beat.
    pub fn gap(&mut self, mut cycles: u64) {
        for part in [&mut self.above, &mut self.passed, &mut self.below] {
            let n = cycles.min(*part);
            *part -= n;
            cycles -= n;
        }
    }

    /// Cycles with a beat in each.
    pub fn beats(&mut self, cycles: u64) {
        if self.above == 0 {
            self.passed = self.passed.saturating_sub(cycles);
        }
    }
}

/// The bursts of a transfer that are still to come.
#[derive(Debug, Clone, Copy)]
pub struct Bursts {
    /// Address of the next one.
    pub addr: u32,
    /// Beats of the row after those commanded.
    left: u32,
    /// Beats to the next burst boundary.
    limit: u32,
    /// Rows after this one.
    rows_left: u32,
    row_addr: u32,
    row_bytes: u32,
    stride: u32,
    beat_log: u32,
    max: u32,
}

impl Bursts {
    /// None left.
    pub const NONE: Self = Self {
        addr: 0,
        left: 0,
        limit: 0,
        rows_left: 0,
        row_addr: 0,
        row_bytes: 0,
        stride: 0,
        beat_log: 0,
        max: 1,
    };

    /// One burst.
    pub const fn one(addr: u32, beats: u32) -> Self {
        Self {
            addr,
            left: beats,
            limit: beats,
            ..Self::NONE
        }
    }

    /// All bursts of these rows.
    pub const fn new(geo: Geometry, rows: &Rows) -> Self {
        let mut b = Self {
            addr: 0,
            left: 0,
            limit: 0,
            rows_left: rows.y_size as u32 - 1,
            row_addr: rows.addr,
            row_bytes: (rows.x_size as u32) << geo.elem_log,
            stride: (rows.x_stride as u32) << geo.elem_log,
            beat_log: geo.beat_log,
            max: 1 << geo.len_bits,
        };
        b.row();
        b
    }

    /// Goes to the row at `row_addr`.
    #[inline(always)]
    const fn row(&mut self) {
        let beat = (1 << self.beat_log) - 1;
        self.left = ((self.row_addr & beat) + self.row_bytes + beat) >> self.beat_log;
        self.addr = self.row_addr & !beat;
        self.limit = self.max - ((self.row_addr >> self.beat_log) & (self.max - 1));
    }

    /// Whether all are out.
    pub const fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Beats of the next burst, which is then out.
    #[inline(always)]
    pub const fn next(&mut self) -> u32 {
        let n = if self.left < self.limit {
            self.left
        } else {
            self.limit
        };
        self.left -= n;
        self.limit = self.max;
        self.addr = self.addr.wrapping_add(n << self.beat_log);
        if self.left == 0 && self.rows_left > 0 {
            self.rows_left -= 1;
            self.row_addr = self.row_addr.wrapping_add(self.stride);
            self.row();
        }
        n
    }

    /// Beats and bursts of the row to come.
    const fn whole_row(&self) -> (u64, u64) {
        let after = self.left.saturating_sub(self.limit);
        (self.left as u64, 1 + after.div_ceil(self.max) as u64)
    }

    /// Beats and bursts of all rows, none of which has begun.
    pub const fn total(mut self) -> (u64, u64) {
        let rows = self.rows_left as u64 + 1;
        let first = self.whole_row();
        if self.stride & ((self.max << self.beat_log) - 1) == 0 {
            return (first.0 * rows, first.1 * rows);
        }
        let (mut beats, mut bursts) = first;
        while self.rows_left > 0 {
            self.rows_left -= 1;
            self.row_addr = self.row_addr.wrapping_add(self.stride);
            self.row();
            let row = self.whole_row();
            (beats, bursts) = (beats + row.0, bursts + row.1);
        }
        (beats, bursts)
    }
}

/// What a store does.
#[derive(Debug, Clone, Copy, Default)]
pub struct StoreSpan {
    /// Its last cycle.
    pub end: u64,
    /// Beats.
    pub beats: u64,
    /// Bursts.
    pub bursts: u64,
}

/// A store that starts in `start`. Each burst takes a command, two cycles of
/// handshake, its beats and a response; a narrow one also a cycle to read
/// each element after the first.
pub fn store_span(geo: Geometry, rows: &Rows, start: u64) -> StoreSpan {
    let (beats, bursts) = Bursts::new(geo, rows).total();
    let cycles = match geo.is_narrow() {
        true => beats + (beats >> (geo.elem_log - geo.beat_log)) + 3 * bursts,
        false => beats + 4 * bursts,
    };
    StoreSpan {
        end: start + cycles,
        beats,
        bursts,
    }
}

/// Beats and bursts that such a store has on the bus up to and with a cycle.
pub fn store_until(geo: Geometry, rows: &Rows, start: u64, cycle: u64) -> (u64, u64) {
    let mut all = Bursts::new(geo, rows);
    let (mut beats, mut bursts) = (0, 0);
    let mut command = start + 1;
    while !all.is_done() && command + 2 <= cycle {
        bursts += 1;
        let n = u64::from(all.next());
        let first = command + 3;
        // Beats come in groups of one element with a cycle between groups.
        let group = match geo.is_narrow() {
            true => 1 << (geo.elem_log - geo.beat_log),
            false => u64::MAX - 1,
        };
        if cycle >= first {
            let t = cycle - first + 1;
            let seen = t / (group + 1) * group + (t % (group + 1)).min(group);
            beats += seen.min(n);
        }
        let last = first + n - 1 + (n - 1) / group;
        command = last + 2;
    }
    (beats, bursts)
}
