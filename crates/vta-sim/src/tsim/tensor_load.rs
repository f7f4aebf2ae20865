//! `TensorLoad`: `TensorLoadNarrowVME` for elements wider than the bus,
//! `TensorLoadWideVME` for the others.

use super::gen_vme_cmd::{GenVmeCmd, Rows};
use super::vme::VmeCmd;
use super::zero_padding::ZeroPadding;
use vta_program::config::{HwConfig, Scratchpad};
use vta_program::isa::{Load, MemoryType};
use vta_program::timing::Geometry;

/// One load unit: commands out, beats in, padding in the gaps.
#[derive(Debug, Clone)]
pub struct TensorLoad {
    narrow: bool,
    /// The counter of beats in flight has the width of the scratchpad's size in beats.
    in_flight_mask: u32,
    inst: Load,
    busy: bool,
    cmd: GenVmeCmd,
    /// Beats commanded and not yet counted (`blocksInFlight`, `clInFlight`).
    in_flight: u32,
    /// Narrow: `vmeDataValidPipe`.
    data_pipe: bool,
    /// Narrow: the padding starts one cycle later.
    pad_start: bool,
    pad: ZeroPadding,
}

const NOTHING: Load = Load {
    pop_prev_dep: false,
    pop_next_dep: false,
    push_prev_dep: false,
    push_next_dep: false,
    memory_type: MemoryType::Uop,
    sram_base: 0,
    dram_base: 0,
    y_size: 0,
    x_size: 0,
    x_stride: 0,
    y_pad_0: 0,
    y_pad_1: 0,
    x_pad_0: 0,
    x_pad_1: 0,
};

/// What a load unit does in one cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadOut {
    /// Command that goes to the memory engine.
    pub cmd: Option<VmeCmd>,
    /// The RTL asserts: a beat came that nobody had asked for.
    pub assert: bool,
}

impl TensorLoad {
    /// After reset; it fills a scratchpad.
    pub fn new(c: &HwConfig, pad: Scratchpad) -> Self {
        let geo = Geometry::new(c, c.elem_bytes(pad));
        let depth_log = c.depth(pad).trailing_zeros();
        let narrow = geo.is_narrow();
        let bits = match narrow {
            true => depth_log + geo.elem_log - geo.beat_log,
            false => depth_log - (geo.beat_log - geo.elem_log) + 1,
        };
        Self {
            narrow,
            in_flight_mask: (1 << bits) - 1,
            inst: NOTHING,
            busy: false,
            cmd: GenVmeCmd::new(geo),
            in_flight: 0,
            data_pipe: false,
            pad_start: false,
            pad: ZeroPadding::default(),
        }
    }

    /// `done`: true in the last cycle of a load.
    pub fn done(&self) -> bool {
        self.busy && self.in_flight == 0 && self.cmd.is_done() && self.pad.is_done()
    }

    /// Whether all commands have gone to the memory engine.
    pub const fn all_commanded(&self) -> bool {
        self.cmd.is_done()
    }

    /// One clock edge. `start` begins a load; `data`: a beat is valid;
    /// `cmd_ready`: the engine takes a command.
    pub fn tick(&mut self, start: Option<(&Load, u32)>, data: bool, cmd_ready: bool) -> LoadOut {
        if !self.busy && !data && !self.data_pipe && start.is_none() {
            return LoadOut::default();
        }
        let done = self.done();
        let data_fire = if self.narrow { self.data_pipe } else { data };
        let cmd = self.cmd.cmd(self.busy).filter(|_| cmd_ready);
        let mut assert = self.busy && !self.narrow && self.cmd.overruns(self.busy);
        if start.is_some() {
            self.in_flight = 0;
        } else if self.busy {
            let sent = if cmd.is_some() {
                self.cmd.read_len()
            } else {
                0
            };
            assert |= data_fire && cmd.is_none() && self.in_flight == 0;
            let next = self
                .in_flight
                .wrapping_add(sent)
                .wrapping_sub(data_fire.into());
            self.in_flight = next & self.in_flight_mask;
        }
        let pad_start = if self.narrow {
            self.pad_start
        } else {
            start.is_some()
        };
        let rows = start.map(|(l, addr)| {
            self.inst = *l;
            Rows {
                addr,
                x_size: l.x_size,
                y_size: l.y_size,
                x_stride: l.x_stride,
                y_pad_0: l.y_pad_0,
            }
        });
        self.pad.tick(pad_start, &self.inst, !data_fire);
        self.cmd.tick(rows, self.busy, cmd.is_some());
        self.pad_start = start.is_some();
        self.data_pipe = self.narrow && data;
        self.busy = start.is_some() || (self.busy && !done);
        LoadOut { cmd, assert }
    }

    /// Cycles for which only the beat counter moves, while `data` and
    /// `cmd_ready` stay as they are.
    pub fn idle_window(&self, data: bool, cmd_ready: bool) -> u64 {
        if !self.busy {
            return if data || self.data_pipe { 0 } else { u64::MAX };
        }
        let steady = !self.narrow || self.data_pipe == data;
        let offers = cmd_ready && self.cmd.cmd(true).is_some();
        let padding = self.pad_start || !(self.pad.is_done() || (data && self.pad.waits_for_gap()));
        if !steady || offers || padding || self.cmd.counts_padding() || self.done() {
            return 0;
        }
        if data {
            u64::from(self.in_flight).saturating_sub(1)
        } else {
            u64::MAX
        }
    }

    /// Moves the beat counter by `n` idle cycles with a beat in each.
    pub fn fast_forward(&mut self, n: u64, data: bool) {
        if self.busy && data {
            self.in_flight -= n as u32;
        }
    }
}
