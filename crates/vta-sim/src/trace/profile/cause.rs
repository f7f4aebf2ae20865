//! Names for where cycles and instructions go.

use crate::tsim::UnitState;
use vta_program::isa::{Insn, MemoryType, Unit};

/// Why a cycle of a unit passed. Every cycle of a run has exactly one for each unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(usize)]
pub enum Cause {
    /// It works.
    Work,
    /// Waits for a token of load.
    TokenLoad,
    /// Waits for a token of compute.
    TokenCompute,
    /// Waits for a token of store.
    TokenStore,
    /// Waits for the memory engine: its command is not out yet, or the beats
    /// of another client come.
    Arbitration,
    /// Waits for a beat while the bus is empty, or for the write channel.
    Latency,
    /// Moves beats.
    Beats,
    /// Waits for instructions.
    Insn,
    /// Fetch: the queue of load is full.
    QueueLoad,
    /// Fetch: the queue of compute is full.
    QueueCompute,
    /// Fetch: the queue of store is full.
    QueueStore,
    /// Its last instruction has ended.
    Idle,
}

impl Cause {
    /// Number of causes.
    pub const COUNT: usize = 12;

    /// All causes, in the order of tables.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Work,
        Self::TokenLoad,
        Self::TokenCompute,
        Self::TokenStore,
        Self::Arbitration,
        Self::Latency,
        Self::Beats,
        Self::Insn,
        Self::QueueLoad,
        Self::QueueCompute,
        Self::QueueStore,
        Self::Idle,
    ];

    /// Name in `--json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::TokenLoad => "token_load",
            Self::TokenCompute => "token_compute",
            Self::TokenStore => "token_store",
            Self::Arbitration => "arbitration",
            Self::Latency => "latency",
            Self::Beats => "beats",
            Self::Insn => "instructions",
            Self::QueueLoad => "queue_load",
            Self::QueueCompute => "queue_compute",
            Self::QueueStore => "queue_store",
            Self::Idle => "idle",
        }
    }

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Work => "works",
            Self::TokenLoad => "waits for a token of load",
            Self::TokenCompute => "waits for a token of compute",
            Self::TokenStore => "waits for a token of store",
            Self::Arbitration => "waits for its turn on the bus",
            Self::Latency => "waits for the first beat",
            Self::Beats => "moves beats",
            Self::Insn => "waits for instructions",
            Self::QueueLoad => "the queue of load is full",
            Self::QueueCompute => "the queue of compute is full",
            Self::QueueStore => "the queue of store is full",
            Self::Idle => "is idle after its last instruction",
        }
    }

    /// The cause of a state of a unit that has instructions left.
    pub(in crate::trace) const fn of(state: UnitState) -> Self {
        match state {
            UnitState::Insn => Self::Insn,
            UnitState::Done => Self::Idle,
            UnitState::Work => Self::Work,
            UnitState::Arbitration => Self::Arbitration,
            UnitState::Latency => Self::Latency,
            UnitState::Beats => Self::Beats,
            UnitState::Token(Unit::Load) => Self::TokenLoad,
            UnitState::Token(Unit::Compute) => Self::TokenCompute,
            UnitState::Token(Unit::Store) => Self::TokenStore,
            UnitState::Queue(Unit::Load) => Self::QueueLoad,
            UnitState::Queue(Unit::Compute) => Self::QueueCompute,
            UnitState::Queue(Unit::Store) => Self::QueueStore,
        }
    }
}

/// What an instruction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(usize)]
pub enum Kind {
    /// Load of micro-ops.
    LoadUop,
    /// Load of weights.
    LoadWgt,
    /// Load of inputs.
    LoadInp,
    /// Load of accumulators.
    LoadAcc,
    /// GEMM.
    Gemm,
    /// GEMM that resets.
    Reset,
    /// ALU with an immediate.
    AluImm,
    /// ALU with two registers.
    AluReg,
    /// Store.
    Store,
    /// Load or store of nothing.
    Empty,
    /// FINISH.
    Finish,
}

impl Kind {
    /// Number of kinds.
    pub const COUNT: usize = 11;

    /// All kinds, in the order of tables.
    pub const ALL: [Self; Self::COUNT] = [
        Self::LoadUop,
        Self::LoadWgt,
        Self::LoadInp,
        Self::LoadAcc,
        Self::Gemm,
        Self::Reset,
        Self::AluImm,
        Self::AluReg,
        Self::Store,
        Self::Empty,
        Self::Finish,
    ];

    /// Name in `--json` and in timelines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoadUop => "load.uop",
            Self::LoadWgt => "load.wgt",
            Self::LoadInp => "load.inp",
            Self::LoadAcc => "load.acc",
            Self::Gemm => "gemm",
            Self::Reset => "gemm reset",
            Self::AluImm => "alu imm",
            Self::AluReg => "alu reg",
            Self::Store => "store",
            Self::Empty => "empty",
            Self::Finish => "finish",
        }
    }

    /// The kind of an instruction.
    pub const fn of(insn: &Insn) -> Self {
        match insn {
            Insn::Load(l) if l.x_size == 0 => Self::Empty,
            Insn::Store(s) if s.x_size == 0 => Self::Empty,
            Insn::Load(l) => match l.memory_type {
                MemoryType::Uop => Self::LoadUop,
                MemoryType::Wgt => Self::LoadWgt,
                MemoryType::Inp => Self::LoadInp,
                MemoryType::Acc => Self::LoadAcc,
            },
            Insn::Store(_) => Self::Store,
            Insn::Gemm(g) if g.reset_reg => Self::Reset,
            Insn::Gemm(_) => Self::Gemm,
            Insn::Alu(a) if a.use_imm => Self::AluImm,
            Insn::Alu(_) => Self::AluReg,
            Insn::Finish(_) => Self::Finish,
        }
    }
}
