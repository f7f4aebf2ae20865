//! Burst generators: `GenVMECmd` (core/TensorLoadNarrowVME.scala) for elements
//! wider than the bus, `GenVMECmdWide` (core/TensorLoadWideVME.scala) for the
//! others, for stores and for the wide fetch.
//!
//! Sums and counters keep the widths of the RTL, so that sizes at the end of
//! their range do what the hardware does.

use super::vme::VmeCmd;
use vta_program::timing::Geometry;

/// Rows to transfer, in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rows {
    /// Byte address of the first element.
    pub addr: u32,
    /// Elements in a row.
    pub x_size: u16,
    /// Rows.
    pub y_size: u16,
    /// Elements from row to row.
    pub x_stride: u16,
    /// Rows of padding above: one cycle each before the first command.
    pub y_pad_0: u8,
}

/// Beats of the longest burst.
const fn max_transfer(geo: Geometry) -> u32 {
    1 << geo.len_bits
}

/// Beats from an address to the next burst boundary.
const fn beats_to_boundary(geo: Geometry, addr: u32) -> u32 {
    let bytes = 1u64 << (geo.len_bits + geo.beat_log);
    ((bytes - (addr as u64 & (bytes - 1))) >> geo.beat_log) as u32
}

const fn mask(bits: u32) -> u32 {
    ((1u64 << bits) - 1) as u32
}

/// Either generator.
#[derive(Debug, Clone)]
pub struct GenVmeCmd {
    geo: Geometry,
    rows: Rows,
    commands_done: bool,
    /// Address of the next command (`rdCmdExtAddr`, `rdLineAddr`).
    addr: u32,
    /// Address of the row's first element.
    row_begin: u32,
    /// Beats commanded in this row (`blocksReadNb`, `clReadIdx`).
    read_nb: u32,
    /// Narrow: first command of a row (`newReadRow`).
    new_row: bool,
    /// `srcRowIdx`, `dramLineIdx`.
    src_row: u16,
    /// `currentRowIdx`, 20 bits.
    current_row: u32,
}

impl GenVmeCmd {
    /// After reset.
    pub const fn new(geo: Geometry) -> Self {
        Self {
            geo,
            rows: Rows {
                addr: 0,
                x_size: 0,
                y_size: 0,
                x_stride: 0,
                y_pad_0: 0,
            },
            commands_done: true,
            addr: 0,
            row_begin: 0,
            read_nb: 0,
            new_row: false,
            src_row: 0,
            current_row: 0,
        }
    }

    /// `done`: all commands are out.
    pub const fn is_done(&self) -> bool {
        self.commands_done
    }

    /// Width of the beat counter.
    const fn counter_bits(&self) -> u32 {
        16 + self.geo.elem_log - self.geo.beat_log
    }

    /// Beats of a row.
    fn row_beats(&self) -> u32 {
        let g = self.geo;
        if g.is_narrow() {
            return u32::from(self.rows.x_size) << (g.elem_log - g.beat_log);
        }
        let offset = self.row_begin & mask(g.beat_log);
        let bytes = ((u32::from(self.rows.x_size) << g.elem_log) + offset) & mask(16 + g.elem_log);
        let beats = (bytes >> g.beat_log) + u32::from(bytes & mask(g.beat_log) != 0);
        beats & mask(self.counter_bits())
    }

    fn is_new_row(&self) -> bool {
        if self.geo.is_narrow() {
            self.new_row
        } else {
            self.read_nb == 0
        }
    }

    /// `readLen`: beats of the command that is out now.
    pub fn read_len(&self) -> u32 {
        let left = self.row_beats().wrapping_sub(self.read_nb) & mask(self.counter_bits());
        let limit = if self.is_new_row() {
            let from = if self.geo.is_narrow() {
                self.addr
            } else {
                self.row_begin & !mask(self.geo.beat_log)
            };
            beats_to_boundary(self.geo, from)
        } else {
            max_transfer(self.geo)
        };
        left.min(limit)
    }

    /// The command offered in this cycle.
    pub fn cmd(&self, busy: bool) -> Option<VmeCmd> {
        let rows = (u32::from(self.rows.y_size) + u32::from(self.rows.y_pad_0)) & 0xffff;
        let pad = u32::from(self.rows.y_pad_0);
        let valid =
            self.current_row >= pad && self.current_row < rows && busy && !self.commands_done;
        valid.then(|| VmeCmd {
            addr: self.addr,
            len: (self.read_len().wrapping_sub(1) & mask(self.geo.len_bits)) as u16,
        })
    }

    /// Whether padding rows above are still being counted.
    pub fn counts_padding(&self) -> bool {
        self.current_row < u32::from(self.rows.y_pad_0)
    }

    /// The assertion that a row's beats are not passed.
    pub fn overruns(&self, busy: bool) -> bool {
        busy && self.row_beats() < self.read_nb
    }

    /// One clock edge. `start` begins a transfer, `update` says that the
    /// offered command went out (`updateState`).
    pub fn tick(&mut self, start: Option<Rows>, busy: bool, update: bool) {
        let g = self.geo;
        if let Some(rows) = start {
            let align = if g.is_narrow() { 0 } else { mask(g.beat_log) };
            *self = Self {
                geo: g,
                rows,
                commands_done: false,
                addr: rows.addr & !align,
                row_begin: rows.addr,
                read_nb: 0,
                new_row: true,
                src_row: 0,
                current_row: 0,
            };
            return;
        }
        let len = self.read_len();
        let last_row = self.src_row == self.rows.y_size.wrapping_sub(1);
        let beats = self.row_beats();
        let bits = mask(self.counter_bits());
        let row_end = self.read_nb == beats.wrapping_sub(len) & bits;
        let stride = row_end && !last_row && update;
        if busy && (self.counts_padding() || stride) {
            self.current_row = (self.current_row + 1) & mask(20);
        }
        if stride {
            self.read_nb = 0;
            self.commands_done = false;
            self.src_row = self.src_row.wrapping_add(1);
            self.row_begin = self
                .row_begin
                .wrapping_add(u32::from(self.rows.x_stride) << g.elem_log);
            let align = if g.is_narrow() { 0 } else { mask(g.beat_log) };
            self.addr = self.row_begin & !align;
            self.new_row = true;
        } else if update {
            let next = self.read_nb.wrapping_add(len) & bits;
            self.read_nb = next;
            if next == beats && last_row {
                self.commands_done = true;
            }
            self.new_row = false;
            self.addr = self.addr.wrapping_add(len << g.beat_log);
        }
    }
}
