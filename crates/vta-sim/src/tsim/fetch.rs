//! `Fetch`: `Fetch64Bit` (core/FetchVME64.scala) on a 64-bit bus,
//! `FetchWideVME` (core/FetchWideVME.scala) on wider ones.
//!
//! Both read a batch of instructions, hand all of it to the queues, then read
//! the next batch.

use super::gen_vme_cmd::{GenVmeCmd, Rows};
use super::vme::VmeCmd;
use vta_program::timing::Geometry;

/// What fetch does in one cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FetchOut {
    /// Command that goes to the memory engine.
    pub cmd: Option<VmeCmd>,
    /// An instruction, by its position in the program, has come in.
    pub arrived: Option<u32>,
    /// The instruction at the head leaves for its queue.
    pub dispatch: bool,
    /// The RTL asserts: a beat came that nobody had asked for.
    pub assert: bool,
}

/// What is at the head of fetch's own queue in this cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// Nothing is offered.
    Nothing,
    /// This instruction, by its position in the program, is offered to its queue.
    Insn(u32),
}

/// Either fetch unit.
#[derive(Debug, Clone)]
pub enum Fetch {
    /// 64-bit bus.
    Narrow(Fetch64),
    /// Wider bus.
    Wide(FetchWide),
}

impl Fetch {
    /// At launch.
    pub fn new(beat_bytes: u32, len_bits: u32, insn_addr: u32, insn_count: u32) -> Self {
        if beat_bytes == 8 {
            Self::Narrow(Fetch64::new(len_bits, insn_addr, insn_count))
        } else {
            Self::Wide(FetchWide::new(beat_bytes, len_bits, insn_addr, insn_count))
        }
    }

    /// What is offered to the instruction queues.
    pub fn head(&self) -> Head {
        let (valid, index) = match self {
            Self::Narrow(f) => (f.state == State64::Drain && f.count > 0, f.dispatched),
            Self::Wide(f) => (f.pipe > 0, f.dispatched),
        };
        if valid {
            Head::Insn(index)
        } else {
            Head::Nothing
        }
    }

    /// Whether an unknown instruction at the head is an assertion.
    pub const fn asserts_on_unknown(&self) -> bool {
        matches!(self, Self::Narrow(_))
    }

    /// Whether everything has been read and handed on.
    pub fn is_done(&self) -> bool {
        match self {
            Self::Narrow(f) => f.state == State64::Idle,
            Self::Wide(f) => f.state == StateWide::Idle && f.pipe == 0 && !f.launch,
        }
    }

    /// Whether it waits for instructions from memory.
    pub fn is_reading(&self) -> bool {
        match self {
            Self::Narrow(f) => matches!(
                f.state,
                State64::ReadLsb | State64::ReadMsb | State64::ReadCmd
            ),
            Self::Wide(f) => f.state == StateWide::Read,
        }
    }

    /// Whether all commands of the batch have gone to the memory engine.
    pub fn all_commanded(&self) -> bool {
        match self {
            Self::Narrow(f) => !matches!(f.state, State64::ReadCmd),
            Self::Wide(f) => f.cmd.is_done() && !f.vme_start,
        }
    }

    /// One clock edge. `data`: a beat is valid; `cmd_ready`: the engine takes a
    /// command; `deq_ready`: the queue of the head has room.
    pub fn tick(&mut self, data: bool, cmd_ready: bool, deq_ready: bool) -> FetchOut {
        match self {
            Self::Narrow(f) => f.tick(data, cmd_ready, deq_ready),
            Self::Wide(f) => f.tick(data, cmd_ready, deq_ready),
        }
    }

    /// Cycles for which nothing changes, while the inputs stay as they are.
    pub fn idle_window(&self, data: bool, cmd_ready: bool, deq_ready: bool) -> u64 {
        let idle = match self {
            Self::Narrow(f) => f.is_idle(data, cmd_ready, deq_ready),
            Self::Wide(f) => f.is_idle(data, cmd_ready, deq_ready),
        };
        if idle { u64::MAX } else { 0 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State64 {
    Launch,
    ReadCmd,
    ReadLsb,
    ReadMsb,
    Drain,
    Idle,
}

/// `Fetch64Bit`: two beats an instruction.
#[derive(Debug, Clone)]
pub struct Fetch64 {
    state: State64,
    raddr: u32,
    rlen: u32,
    ilen: u32,
    /// Beats after this batch.
    xrem: u64,
    xmax: u64,
    /// Entries of `inst_q`.
    count: u32,
    arrived: u32,
    dispatched: u32,
}

impl Fetch64 {
    fn new(len_bits: u32, insn_addr: u32, insn_count: u32) -> Self {
        let mut f = Self {
            state: State64::Launch,
            raddr: insn_addr,
            rlen: 0,
            ilen: 0,
            xrem: 0,
            xmax: 1 << len_bits,
            count: 0,
            arrived: 0,
            dispatched: 0,
        };
        f.batch((u64::from(insn_count) << 1).saturating_sub(1));
        f
    }

    /// Sets up the batch of `left` + 1 beats, or as many as a burst holds.
    fn batch(&mut self, left: u64) {
        if left < self.xmax {
            (self.rlen, self.ilen) = (left as u32, (left >> 1) as u32);
            self.xrem = 0;
        } else {
            (self.rlen, self.ilen) = (self.xmax as u32 - 1, (self.xmax >> 1) as u32 - 1);
            self.xrem = left - self.xmax;
        }
    }

    fn tick(&mut self, data: bool, cmd_ready: bool, deq_ready: bool) -> FetchOut {
        let mut out = FetchOut::default();
        match self.state {
            State64::Launch => self.state = State64::ReadCmd,
            State64::ReadCmd if cmd_ready => {
                out.cmd = Some(VmeCmd {
                    addr: self.raddr,
                    len: self.rlen as u16,
                });
                self.state = State64::ReadLsb;
            }
            State64::ReadLsb if data => self.state = State64::ReadMsb,
            State64::ReadMsb if data => {
                self.state = if self.count == self.ilen {
                    State64::Drain
                } else {
                    State64::ReadLsb
                };
                out.arrived = Some(self.arrived);
                self.arrived += 1;
                self.count += 1;
            }
            State64::Drain if self.count == 0 => {
                if self.xrem == 0 {
                    self.state = State64::Idle;
                } else {
                    self.raddr = self.raddr.wrapping_add(self.xmax as u32 * 8);
                    self.batch(self.xrem);
                    self.state = State64::ReadCmd;
                }
            }
            State64::Drain if deq_ready => {
                out.dispatch = true;
                self.count -= 1;
                self.dispatched += 1;
            }
            _ => {}
        }
        out
    }

    fn is_idle(&self, data: bool, cmd_ready: bool, deq_ready: bool) -> bool {
        match self.state {
            State64::Launch => false,
            State64::Idle => true,
            State64::ReadCmd => !cmd_ready,
            State64::ReadLsb | State64::ReadMsb => !data,
            State64::Drain => self.count > 0 && !deq_ready,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StateWide {
    Idle,
    Read,
    Drain,
}

/// `FetchWideVME`: 64-bit elements through the burst generator of wide loads.
#[derive(Debug, Clone)]
pub struct FetchWide {
    state: StateWide,
    /// State of the cycle before was `sDrain`, or this is the launch.
    vme_start: bool,
    launch: bool,
    insn_addr: u32,
    geo: Geometry,
    cmd: GenVmeCmd,
    /// Elements of this batch, and after it.
    elem_nb: u64,
    xrem: u64,
    xmax: u64,
    /// Elements of the batches before.
    dram_offset: u64,
    in_flight: u32,
    in_flight_mask: u32,
    /// `pipeDelayQueueDeqV`.
    data_pipe: bool,
    /// Beats counted of this batch.
    beats: u32,
    /// Elements in the queue.
    queue_count: u32,
    /// Entries of `readInstrPipe`.
    pipe: u32,
    dispatched: u32,
    arrived: u32,
}

impl FetchWide {
    fn new(beat_bytes: u32, len_bits: u32, insn_addr: u32, insn_count: u32) -> Self {
        let per_beat = beat_bytes / 8;
        let depth = (1u32 << len_bits) * 2;
        let geo = Geometry {
            elem_log: 3,
            beat_log: beat_bytes.trailing_zeros(),
            len_bits,
        };
        let mut f = Self {
            state: StateWide::Idle,
            vme_start: true,
            launch: true,
            insn_addr,
            geo,
            cmd: GenVmeCmd::new(geo),
            elem_nb: 0,
            xrem: 0,
            xmax: u64::from(((1 << len_bits) * per_beat).min(depth)),
            dram_offset: 0,
            in_flight: 0,
            in_flight_mask: (1 << ((depth / per_beat).trailing_zeros() + 1)) - 1,
            data_pipe: false,
            beats: 0,
            queue_count: 0,
            pipe: 0,
            dispatched: 0,
            arrived: 0,
        };
        f.batch(u64::from(insn_count) * 2);
        f
    }

    fn batch(&mut self, left: u64) {
        if left < self.xmax {
            (self.elem_nb, self.xrem) = (left, 0);
        } else {
            (self.elem_nb, self.xrem) = (self.xmax, left - self.xmax);
        }
    }

    fn rows(&self) -> Rows {
        Rows {
            addr: self.insn_addr.wrapping_add((self.dram_offset << 3) as u32),
            x_size: self.elem_nb as u16,
            y_size: 1,
            x_stride: self.elem_nb as u16,
            y_pad_0: 0,
        }
    }

    /// Elements of the batch that the first `beats` beats bring.
    fn elements(&self, beats: u32) -> u32 {
        let per_beat = 1 << (self.geo.beat_log - 3);
        let skip = (self.rows().addr >> 3) & (per_beat - 1);
        (beats * per_beat)
            .saturating_sub(skip)
            .min(self.elem_nb as u32)
    }

    fn tick(&mut self, data: bool, cmd_ready: bool, deq_ready: bool) -> FetchOut {
        let mut out = FetchOut::default();
        let reading = self.state == StateWide::Read;
        let vme_start = self.vme_start;
        let busy = reading && !vme_start;
        let data_fire = self.data_pipe;
        out.cmd = self.cmd.cmd(busy).filter(|_| cmd_ready);
        let cmd_done = self.cmd.is_done() && !vme_start;
        let drained = self.queue_count == 0;

        let next = match self.state {
            StateWide::Idle if self.launch => StateWide::Read,
            StateWide::Read if cmd_done && self.in_flight == 0 => StateWide::Drain,
            StateWide::Drain if drained && self.xrem == 0 => StateWide::Idle,
            StateWide::Drain if drained => StateWide::Read,
            same => same,
        };
        if reading {
            out.assert = data_fire && out.cmd.is_none() && self.in_flight == 0;
            let sent = if out.cmd.is_some() {
                self.cmd.read_len()
            } else {
                0
            };
            let left = self
                .in_flight
                .wrapping_add(sent)
                .wrapping_sub(data_fire.into());
            self.in_flight = left & self.in_flight_mask;
        }
        let start = vme_start.then(|| self.rows());
        self.cmd.tick(start, busy, out.cmd.is_some());

        let enq = self.state == StateWide::Drain && self.queue_count >= 2 && self.pipe < 2;
        out.dispatch = self.pipe > 0 && deq_ready;
        if enq {
            self.queue_count -= 2;
            out.arrived = Some(self.arrived);
            self.arrived += 1;
        }
        if data_fire {
            let before = self.elements(self.beats);
            self.beats += 1;
            self.queue_count += self.elements(self.beats) - before;
        }
        self.pipe = self.pipe + u32::from(enq) - u32::from(out.dispatch);
        self.dispatched += u32::from(out.dispatch);
        if self.state == StateWide::Drain && drained {
            self.dram_offset += self.elem_nb;
            self.beats = 0;
            if self.xrem != 0 {
                self.batch(self.xrem);
            }
        }
        self.vme_start = self.state == StateWide::Drain && next == StateWide::Read;
        self.launch = false;
        self.state = next;
        self.data_pipe = data;
        out
    }

    fn is_idle(&self, data: bool, cmd_ready: bool, deq_ready: bool) -> bool {
        let reads = match self.state {
            StateWide::Idle => !self.launch,
            StateWide::Read => {
                let offers = cmd_ready && self.cmd.cmd(!self.vme_start).is_some();
                let ends = self.cmd.is_done() && self.in_flight == 0;
                !self.vme_start && !offers && !ends
            }
            StateWide::Drain => self.queue_count >= 2 && self.pipe == 2,
        };
        reads && !data && !self.data_pipe && (self.pipe == 0 || !deq_ready)
    }
}
