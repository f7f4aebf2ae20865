//! `TensorStore`: `TensorStoreNarrowVME` for elements wider than the bus,
//! `TensorStoreWideVME` for the others.

use super::gen_vme_cmd::{GenVmeCmd, Rows};
use super::vme::{WriteChannel, WriteCmd};
use vta_program::timing::Geometry;

/// What a store unit does in one cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreOut {
    /// Command that goes to the memory engine.
    pub cmd: Option<WriteCmd>,
    /// `data.valid`.
    pub data: bool,
    /// The RTL asserts: a row's beats are passed.
    pub assert: bool,
}

/// Either store unit.
#[derive(Debug, Clone)]
pub enum TensorStore {
    /// Elements wider than the bus.
    Narrow(Narrow),
    /// Elements no wider than the bus.
    Wide(Wide),
}

impl TensorStore {
    /// After reset.
    pub fn new(geo: Geometry) -> Self {
        if geo.is_narrow() {
            Self::Narrow(Narrow::new(geo))
        } else {
            Self::Wide(Wide {
                geo,
                state: WideState::Idle,
                cmd: GenVmeCmd::new(geo),
                xcnt: 0,
                read_len: 0,
            })
        }
    }

    /// `done`: true in the last cycle of a store.
    pub fn done(&self, ch: &WriteChannel) -> bool {
        match self {
            Self::Narrow(n) => n.done(ch),
            Self::Wide(w) => w.state == WideState::WriteAck && w.cmd.is_done() && ch.ack(),
        }
    }

    /// Whether a store is under way.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Narrow(n) => n.state != NarrowState::Idle,
            Self::Wide(w) => w.state != WideState::Idle,
        }
    }

    /// Whether a store is under way that can never end: a wide one of no rows.
    pub fn is_stuck(&self) -> bool {
        match self {
            Self::Narrow(_) => false,
            Self::Wide(w) => w.state == WideState::WriteCmd && w.cmd.is_done(),
        }
    }

    /// What it offers in this cycle.
    pub fn out(&self, ch: &WriteChannel) -> StoreOut {
        match self {
            Self::Narrow(n) => n.out(ch),
            Self::Wide(w) => w.out(ch),
        }
    }

    /// One clock edge. `start` begins a store; `out` is what it offered.
    pub fn tick(&mut self, start: Option<Rows>, out: StoreOut, ch: &WriteChannel) {
        match self {
            Self::Narrow(n) => n.tick(start, ch),
            Self::Wide(w) => w.tick(start, out, ch),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NarrowState {
    Idle,
    WriteCmd,
    WriteData,
    ReadMem,
    WriteAck,
}

/// `TensorStoreNarrowVME`: an element is read (one cycle), then its beats go out.
#[derive(Debug, Clone)]
pub struct Narrow {
    geo: Geometry,
    state: NarrowState,
    rows: Rows,
    /// Address of the burst (`waddr_cur`) and of the row (`waddr_nxt`).
    waddr_cur: u32,
    waddr_nxt: u32,
    /// Bytes to the next burst boundary.
    xfer_bytes: u32,
    xcnt: u32,
    xlen: u32,
    xrem: u32,
    ycnt: u16,
    /// Beat within an element.
    tag: u32,
}

impl Narrow {
    const fn new(geo: Geometry) -> Self {
        Self {
            geo,
            state: NarrowState::Idle,
            rows: Rows {
                addr: 0,
                x_size: 0,
                y_size: 0,
                x_stride: 0,
                y_pad_0: 0,
            },
            waddr_cur: 0,
            waddr_nxt: 0,
            xfer_bytes: 0,
            xcnt: 0,
            xlen: 0,
            xrem: 0,
            ycnt: 0,
            tag: 0,
        }
    }

    fn last_row(&self) -> bool {
        self.ycnt == self.rows.y_size.wrapping_sub(1)
    }

    fn done(&self, ch: &WriteChannel) -> bool {
        self.state == NarrowState::WriteAck && ch.ack() && self.xrem == 0 && self.last_row()
    }

    fn out(&self, ch: &WriteChannel) -> StoreOut {
        let offered = self.state == NarrowState::WriteCmd && ch.cmd_ready();
        StoreOut {
            cmd: offered.then_some(WriteCmd {
                addr: self.waddr_cur,
                len: self.xlen as u16,
            }),
            data: self.state == NarrowState::WriteData,
            assert: false,
        }
    }

    /// Sets up the burst at `addr` for `left` beats.
    fn burst(&mut self, addr: u32, left: u32) {
        let bytes = 1u32 << (self.geo.len_bits + self.geo.beat_log);
        self.waddr_cur = addr;
        self.xfer_bytes = bytes - (addr & (bytes - 1));
        let beats = self.xfer_bytes >> self.geo.beat_log;
        if left < beats {
            (self.xlen, self.xrem) = (left - 1, 0);
        } else {
            (self.xlen, self.xrem) = (beats - 1, (left - beats) & 0xffff);
        }
        self.state = NarrowState::WriteCmd;
    }

    fn tick(&mut self, start: Option<Rows>, ch: &WriteChannel) {
        let blocks = 1u32 << (self.geo.elem_log - self.geo.beat_log);
        let row_beats = |r: &Rows| u32::from(r.x_size) * blocks;
        let fire = self.state == NarrowState::WriteData && ch.data_ready();
        let last_block = self.tag == blocks - 1;
        let xcnt = self.xcnt;
        if self.state == NarrowState::WriteCmd {
            (self.tag, self.xcnt) = (0, 0);
        } else {
            if last_block {
                self.tag = 0;
            } else if fire {
                self.tag += 1;
            }
            if fire {
                self.xcnt = (self.xcnt + 1) & ((1 << self.geo.len_bits) - 1);
            }
        }
        match self.state {
            NarrowState::Idle => {
                if let Some(rows) = start {
                    self.rows = rows;
                    self.ycnt = 0;
                    self.waddr_nxt = rows.addr;
                    self.burst(rows.addr, row_beats(&rows));
                }
            }
            NarrowState::WriteCmd if ch.cmd_ready() => self.state = NarrowState::WriteData,
            NarrowState::WriteData if fire && xcnt == self.xlen => {
                self.state = NarrowState::WriteAck
            }
            NarrowState::WriteData if fire && last_block => self.state = NarrowState::ReadMem,
            NarrowState::ReadMem => self.state = NarrowState::WriteData,
            NarrowState::WriteAck if ch.ack() => {
                if self.xrem != 0 {
                    self.burst(self.waddr_cur.wrapping_add(self.xfer_bytes), self.xrem);
                } else if self.last_row() {
                    self.state = NarrowState::Idle;
                } else {
                    self.ycnt = self.ycnt.wrapping_add(1);
                    let stride = u32::from(self.rows.x_stride) << self.geo.elem_log;
                    self.waddr_nxt = self.waddr_nxt.wrapping_add(stride);
                    self.burst(self.waddr_nxt, row_beats(&self.rows));
                }
            }
            _ => {}
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WideState {
    Idle,
    WriteCmd,
    WriteData,
    WriteAck,
}

/// `TensorStoreWideVME`: a beat a cycle.
#[derive(Debug, Clone)]
pub struct Wide {
    geo: Geometry,
    state: WideState,
    cmd: GenVmeCmd,
    xcnt: u32,
    read_len: u32,
}

impl Wide {
    fn out(&self, ch: &WriteChannel) -> StoreOut {
        let busy = self.state != WideState::Idle;
        let offered = self.state == WideState::WriteCmd && ch.cmd_ready();
        StoreOut {
            cmd: self.cmd.cmd(busy).filter(|_| offered),
            data: self.state == WideState::WriteData,
            assert: self.cmd.overruns(busy),
        }
    }

    fn tick(&mut self, start: Option<Rows>, out: StoreOut, ch: &WriteChannel) {
        let busy = self.state != WideState::Idle;
        let update = self.state == WideState::WriteCmd;
        if update {
            self.read_len = self.cmd.read_len();
        }
        let commands_done = self.cmd.is_done();
        match self.state {
            WideState::Idle if start.is_some() => self.state = WideState::WriteCmd,
            WideState::WriteCmd if out.cmd.is_some() => {
                self.state = WideState::WriteData;
                self.xcnt = 0;
            }
            WideState::WriteData if ch.data_ready() => {
                if self.xcnt == self.read_len.wrapping_sub(1) {
                    self.state = WideState::WriteAck;
                } else {
                    self.xcnt = (self.xcnt + 1) & ((1 << self.geo.len_bits) - 1);
                }
            }
            WideState::WriteAck if ch.ack() => {
                self.state = if commands_done {
                    WideState::Idle
                } else {
                    WideState::WriteCmd
                };
            }
            _ => {}
        }
        if busy || start.is_some() {
            self.cmd.tick(start, busy, update);
        }
    }
}
