//! The bursts of one transfer, and the padding of a load, as counts.

use crate::tsim::gen_vme_cmd::{Geometry, Rows};
use vta_program::isa::Load;

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
    /// Beats of the row after those commanded.
    pub left: u32,
    /// Beats to the next burst boundary.
    pub limit: u32,
    /// Rows after this one.
    rows_left: u32,
    row_addr: u32,
    row_bytes: u32,
    stride: u32,
    beat_log: u32,
    /// Beats of the longest burst.
    pub max: u32,
}

impl Bursts {
    /// None left.
    pub const NONE: Self = Self {
        left: 0,
        limit: 0,
        rows_left: 0,
        row_addr: 0,
        row_bytes: 0,
        stride: 0,
        beat_log: 0,
        max: 1,
    };

    /// One burst, wherever it starts.
    pub const fn one(addr: u32, beats: u32, beat_log: u32) -> Self {
        Self {
            left: beats,
            limit: beats,
            row_addr: addr,
            row_bytes: beats << beat_log,
            beat_log,
            ..Self::NONE
        }
    }

    /// All bursts of these rows.
    pub const fn new(geo: Geometry, rows: &Rows) -> Self {
        let mut b = Self {
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
    const fn row(&mut self) {
        let beat = (1 << self.beat_log) - 1;
        self.left = ((self.row_addr & beat) + self.row_bytes + beat) >> self.beat_log;
        self.limit = self.max - ((self.row_addr >> self.beat_log) & (self.max - 1));
    }

    /// Goes to the next row; says whether there is one.
    pub const fn next_row(&mut self) -> bool {
        if self.rows_left == 0 {
            self.left = 0;
            return false;
        }
        self.rows_left -= 1;
        self.row_addr = self.row_addr.wrapping_add(self.stride);
        self.row();
        true
    }

    /// Address of the burst after which `left` beats of the row are not commanded.
    pub const fn addr(&self, beats: u32, left: u32) -> u32 {
        let beat = (1 << self.beat_log) - 1;
        let all = ((self.row_addr & beat) + self.row_bytes + beat) >> self.beat_log;
        (self.row_addr & !beat).wrapping_add((all - left - beats) << self.beat_log)
    }

    /// Beats of the next burst, which is then out; none after the last.
    pub const fn next(&mut self) -> Option<u32> {
        if self.left == 0 {
            return None;
        }
        let n = if self.left < self.limit {
            self.left
        } else {
            self.limit
        };
        self.left -= n;
        self.limit = self.max;
        if self.left == 0 {
            self.next_row();
        }
        Some(n)
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
        while self.next_row() {
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
    while command + 2 <= cycle
        && let Some(n) = all.next()
    {
        bursts += 1;
        let n = u64::from(n);
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
