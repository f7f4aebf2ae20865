//! `ZeroPadding` (core/TensorLoadNarrowVME.scala): writes zeros in the cycles
//! in which no data are written.

use vta_program::isa::Load;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Idle,
    Top,
    SideLeft,
    SideRight,
    SideBoth,
    SideSkip,
    Bottom,
}

/// The padding controller of one load unit.
#[derive(Debug, Clone, Default)]
pub struct ZeroPadding {
    state: State,
    /// `zpRowIdx`, 24 bits.
    row: u32,
    /// `zpColIdx`, 24 bits.
    col: u32,
}

/// Sums of size fields have the 16 bits of the wider operand.
const SIZE: u32 = 0xffff;
const INDEX: u32 = 0xff_ffff;

/// The state for data rows.
const fn side(l: &Load) -> State {
    match (l.x_pad_0 != 0, l.x_pad_1 != 0) {
        (true, false) => State::SideLeft,
        (false, true) => State::SideRight,
        (true, true) => State::SideBoth,
        (false, false) if l.y_pad_1 != 0 => State::SideSkip,
        (false, false) => State::Idle,
    }
}

impl ZeroPadding {
    /// Nothing left to fill.
    pub fn is_done(&self) -> bool {
        self.state == State::Idle
    }

    /// Whether it moves only when no data are written.
    pub fn waits_for_gap(&self) -> bool {
        self.state != State::SideSkip
    }

    /// One clock edge. `start` begins a load; `inst` is the load under way.
    pub fn tick(&mut self, start: bool, inst: &Load, can_write_mem: bool) {
        let l = inst;
        let (x0, x1) = (u32::from(l.x_pad_0), u32::from(l.x_pad_1));
        let (y0, y1) = (u32::from(l.y_pad_0), u32::from(l.y_pad_1));
        let right = (x0 + u32::from(l.x_size)) & SIZE;
        if start {
            self.row = 0;
            self.col = match (x0 == 0 && x1 != 0) && y0 == 0 {
                true => right,
                false => 0,
            };
            self.state = if y0 != 0 { State::Top } else { side(l) };
            return;
        }
        let top_last = (x0 + u32::from(l.x_size) + x1).wrapping_sub(1) & SIZE;
        let last_data_row = self.row == (y0 + u32::from(l.y_size)).wrapping_sub(1) & SIZE;
        let wide_end =
            matches!(self.state, State::SideBoth | State::SideRight) && self.col == top_last;
        let narrow_end = self.state == State::SideLeft && self.col == x0.wrapping_sub(1) & 0xf;
        let line_end = match self.state {
            State::Top | State::Bottom => self.col == top_last,
            _ => wide_end || narrow_end,
        };
        let skip = self.state == State::SideSkip;
        let write = self.state != State::Idle && !skip && can_write_mem;
        let increment_row = (line_end && can_write_mem) || skip;
        let bottom_row = (y0 + u32::from(l.y_size) + y1).wrapping_sub(1) & SIZE;

        let (mut next, mut col) = (None, self.col);
        if write && self.state == State::Top && self.row == y0 - 1 && line_end {
            next = Some(side(l));
            col = if x0 == 0 && x1 != 0 { right } else { 0 };
        } else if last_data_row && (((wide_end || narrow_end) && can_write_mem) || skip) {
            next = Some(match y1 != 0 {
                true => {
                    col = 0;
                    State::Bottom
                }
                false => State::Idle,
            });
        } else if write && self.state == State::Bottom && self.row == bottom_row && line_end {
            next = Some(State::Idle);
            col = 0;
        }
        if increment_row {
            self.row = (self.row + 1) & INDEX;
            if next.is_none() {
                col = if self.state == State::SideRight {
                    right
                } else {
                    0
                };
            }
        } else if write && next.is_none() {
            let over = self.state == State::SideBoth && self.col == x0.wrapping_sub(1) & 0xf;
            let by = if over { u32::from(l.x_size) + 1 } else { 1 };
            col = (self.col + by) & INDEX;
        }
        self.col = col;
        if let Some(state) = next {
            self.state = state;
        }
    }
}
