//! The bursts of one transfer, as counts (`GenVMECmd` in
//! core/TensorLoadNarrowVME.scala, `GenVMECmdWide` in
//! core/TensorLoadWideVME.scala).
//!
//! Each row has its own bursts, which end at multiples of the longest one; a
//! row reads or writes every beat that it touches.

use crate::config::HwConfig;

/// Widths of one client of the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// log2 of the bytes of an element.
    pub elem_log: u32,
    /// log2 of the bytes of a beat.
    pub beat_log: u32,
    /// log2 of the beats of the longest burst (`lenBits`).
    pub len_bits: u32,
}

impl Geometry {
    /// Widths of transfers of elements of `elem_bytes` bytes, a power of two.
    pub const fn new(c: &HwConfig, elem_bytes: u32) -> Self {
        Self {
            elem_log: elem_bytes.trailing_zeros(),
            beat_log: c.beat_bytes().trailing_zeros(),
            len_bits: c.mem_len_bits,
        }
    }

    /// Whether an element is wider than the bus: the RTL has other units for
    /// such elements.
    #[inline]
    pub const fn is_narrow(self) -> bool {
        self.elem_log > self.beat_log
    }
}

/// Rows to transfer, in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rows {
    /// Byte address of the first element.
    pub addr: u32,
    /// Elements in a row.
    pub x_size: u32,
    /// Rows.
    pub y_size: u32,
    /// Elements from row to row.
    pub x_stride: u32,
}

/// The bursts of a transfer that are still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    #[inline]
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
    #[inline]
    pub const fn new(geo: Geometry, rows: &Rows) -> Self {
        if rows.x_size == 0 || rows.y_size == 0 {
            return Self::NONE;
        }
        let mut b = Self {
            left: 0,
            limit: 0,
            rows_left: rows.y_size - 1,
            row_addr: rows.addr,
            row_bytes: rows.x_size << geo.elem_log,
            stride: rows.x_stride << geo.elem_log,
            beat_log: geo.beat_log,
            max: 1 << geo.len_bits,
        };
        b.row();
        b
    }

    /// Goes to the row at `row_addr`.
    #[inline]
    const fn row(&mut self) {
        let beat = (1 << self.beat_log) - 1;
        self.left = ((self.row_addr & beat) + self.row_bytes + beat) >> self.beat_log;
        self.limit = self.max - ((self.row_addr >> self.beat_log) & (self.max - 1));
    }

    /// Goes to the next row; says whether there is one.
    #[inline]
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

    /// Address of the burst of `beats` beats after which `left` beats of the
    /// row are not commanded.
    #[inline]
    pub const fn addr(&self, beats: u32, left: u32) -> u32 {
        let beat = (1 << self.beat_log) - 1;
        let all = ((self.row_addr & beat) + self.row_bytes + beat) >> self.beat_log;
        (self.row_addr & !beat).wrapping_add((all - left - beats) << self.beat_log)
    }

    /// Beats of the next burst, which is then out; none after the last.
    #[inline]
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
    #[inline]
    const fn whole_row(&self) -> (u64, u64) {
        let after = self.left.saturating_sub(self.limit);
        (self.left as u64, 1 + after.div_ceil(self.max) as u64)
    }

    /// Beats and bursts of all rows, none of which has begun.
    #[inline]
    pub const fn total(mut self) -> (u64, u64) {
        if self.left == 0 {
            return (0, 0);
        }
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
