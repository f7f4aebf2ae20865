//! The memory engine, `VME` (shell/VME.scala).
//!
//! Reads: five clients, a command register each, fixed priority, sixteen tags.
//! Writes: one client on a path of its own.

use super::dram::{ReadBeat, ReadCmd};
use vta_program::isa::{MemoryType, Unit};

/// A read client, in order of priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Client {
    /// Instruction fetch.
    Fetch,
    /// Micro-op loads of compute.
    Uop,
    /// Input loads.
    Inp,
    /// Weight loads.
    Wgt,
    /// Accumulator loads of compute.
    Acc,
}

impl Client {
    /// All clients, highest priority first.
    pub const ALL: [Self; 5] = [Self::Fetch, Self::Uop, Self::Inp, Self::Wgt, Self::Acc];

    /// Lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Uop => "uop",
            Self::Inp => "inp",
            Self::Wgt => "wgt",
            Self::Acc => "acc",
        }
    }

    /// The client by which loads of a type read.
    pub const fn of(m: MemoryType) -> Self {
        match m {
            MemoryType::Uop => Self::Uop,
            MemoryType::Wgt => Self::Wgt,
            MemoryType::Inp => Self::Inp,
            MemoryType::Acc => Self::Acc,
        }
    }

    /// The unit whose instructions read by it; none: fetch.
    pub const fn unit(self) -> Option<Unit> {
        match self {
            Self::Fetch => None,
            Self::Uop | Self::Acc => Some(Unit::Compute),
            Self::Inp | Self::Wgt => Some(Unit::Load),
        }
    }
}

/// A command of a client (`VMECmd`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VmeCmd {
    /// Byte address.
    pub addr: u32,
    /// Beats minus one.
    pub len: u16,
}

/// The read side.
#[derive(Debug, Clone)]
pub struct Vme {
    /// `VMEcmd_Qs`: a queue of one entry for each client.
    slots: [Option<VmeCmd>; 5],
    /// `availableEntries`: a bit for each free tag.
    available: u16,
    /// `vmeTag_array`.
    tags: [Client; 16],
    /// Commands in flight of each client.
    in_flight: [u8; 5],
    /// `mem.r` one cycle later, with its client looked up.
    data: Option<(Client, bool)>,
}

impl Vme {
    /// After reset.
    pub const fn new() -> Self {
        Self {
            slots: [None; 5],
            available: u16::MAX,
            tags: [Client::Fetch; 16],
            in_flight: [0; 5],
            data: None,
        }
    }

    /// `cmd.ready` of a client.
    pub const fn cmd_ready(&self, c: Client) -> bool {
        self.slots[c as usize].is_none()
    }

    /// The client whose data are valid in this cycle.
    pub fn data(&self) -> Option<Client> {
        self.data.map(|d| d.0)
    }

    /// Whether a client has a read in flight.
    pub const fn is_in_flight(&self, c: Client) -> bool {
        self.in_flight[c as usize] > 0
    }

    fn select(&self) -> Option<usize> {
        self.slots.iter().position(Option::is_some)
    }

    /// The command that goes out in this cycle, while `beat` is on the bus.
    /// None goes out with the last beat of a burst, which frees its tag.
    pub fn ar(&self, beat: Option<ReadBeat>) -> Option<(Client, ReadCmd)> {
        let last = beat.is_some_and(|b| b.last);
        let i = self.select().filter(|_| !last && self.available != 0)?;
        let cmd = self.slots[i]?;
        let read = ReadCmd {
            addr: cmd.addr,
            len: cmd.len,
            id: self.available.trailing_zeros() as u8,
        };
        Some((Client::ALL[i], read))
    }

    /// One clock edge: `beat` was on the bus, `ar` went out, `cmds` come in.
    pub fn tick(
        &mut self,
        beat: Option<ReadBeat>,
        ar: Option<(Client, ReadCmd)>,
        cmds: [Option<VmeCmd>; 5],
    ) {
        self.data = beat.map(|b| (self.tags[usize::from(b.id)], b.last));
        if let Some(b) = beat.filter(|b| b.last) {
            self.available |= 1 << b.id;
            self.in_flight[self.tags[usize::from(b.id)] as usize] -= 1;
        }
        if let Some((client, read)) = ar {
            self.available &= self.available - 1;
            self.tags[usize::from(read.id)] = client;
            self.in_flight[client as usize] += 1;
            self.slots[client as usize] = None;
        }
        for (slot, cmd) in self.slots.iter_mut().zip(cmds) {
            if cmd.is_some() {
                *slot = cmd;
            }
        }
    }

    /// Cycles for which nothing changes, while the bus stays as it is.
    pub fn idle_window(&self, beat: Option<ReadBeat>) -> u64 {
        let next = beat.map(|b| (self.tags[usize::from(b.id)], b.last));
        let steady = self.data == next && !beat.is_some_and(|b| b.last);
        let stuck = self.available == 0 || self.select().is_none();
        if steady && stuck { u64::MAX } else { 0 }
    }
}

/// A write command (`VMECmd` of the write client).
pub type WriteCmd = VmeCmd;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum EngineState {
    #[default]
    Idle,
    Addr,
    Data,
    Resp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum MemState {
    #[default]
    Idle,
    Address,
    Data,
    Response,
}

/// What happens on the write channel in one cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteEvents {
    /// Command accepted by the memory.
    pub aw: Option<WriteCmd>,
    /// Beat accepted.
    pub w: bool,
    /// Response.
    pub b: bool,
}

/// The write side of engine and memory.
#[derive(Debug, Clone, Default)]
pub struct WriteChannel {
    engine: EngineState,
    mem: MemState,
    cmd: Option<WriteCmd>,
    /// Beats of the burst accepted so far.
    wr_cnt: u16,
}

impl WriteChannel {
    /// `cmd.ready` of the write client.
    pub fn cmd_ready(&self) -> bool {
        self.engine == EngineState::Idle
    }

    /// `data.ready` of the write client.
    pub fn data_ready(&self) -> bool {
        self.engine == EngineState::Data && self.mem == MemState::Data
    }

    /// `ack` of the write client.
    pub fn ack(&self) -> bool {
        self.engine == EngineState::Resp && self.mem == MemState::Response
    }

    /// Whether a write is under way.
    pub fn is_busy(&self) -> bool {
        self.engine != EngineState::Idle || self.mem != MemState::Idle
    }

    /// One clock edge: `cmd` comes in, `data` is valid.
    pub fn tick(&mut self, cmd: Option<WriteCmd>, data: bool) -> WriteEvents {
        let aw_valid = self.engine == EngineState::Addr;
        let aw = self
            .cmd
            .filter(|_| aw_valid && self.mem == MemState::Address);
        let w = data && self.data_ready();
        let last = w && self.cmd.is_some_and(|c| c.len == self.wr_cnt);
        let b = self.ack();
        let engine = match self.engine {
            EngineState::Idle if cmd.is_some() => EngineState::Addr,
            EngineState::Addr if aw.is_some() => EngineState::Data,
            EngineState::Data if last => EngineState::Resp,
            EngineState::Resp if b => EngineState::Idle,
            same => same,
        };
        self.mem = match self.mem {
            MemState::Idle if aw_valid => MemState::Address,
            MemState::Address if aw_valid => MemState::Data,
            MemState::Data if last => MemState::Response,
            MemState::Response if b => MemState::Idle,
            same => same,
        };
        if self.engine == EngineState::Idle {
            self.wr_cnt = 0;
            if cmd.is_some() {
                self.cmd = cmd;
            }
        } else if w {
            self.wr_cnt = self.wr_cnt.wrapping_add(1);
        }
        self.engine = engine;
        WriteEvents { aw, w, b }
    }
}
