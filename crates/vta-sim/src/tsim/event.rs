//! Typed events of a run.

use super::dram::{ReadBeat, ReadCmd};
use super::vme::{Client, WriteCmd};
use vta_program::isa::Unit;

/// What a unit does or waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum UnitState {
    /// Waits for instructions.
    #[default]
    Insn,
    /// Waits for a token of this unit.
    Token(Unit),
    /// Works.
    Work,
    /// Waits for the memory engine: its command is not out yet, or the beats of
    /// another client are on their way.
    Arbitration,
    /// Waits for a beat while nobody's come, or for the write channel's handshake.
    Latency,
    /// Receives beats. Store: sends them, the cycles that read elements included.
    Beats,
    /// Fetch: waits for room in this unit's queue.
    Queue(Unit),
    /// Has nothing more to do.
    Done,
}

/// The four units whose states are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Module {
    /// Fetch.
    Fetch,
    /// Load, compute or store.
    Unit(Unit),
}

impl Module {
    /// Its place in tables: fetch, load, compute, store.
    pub const fn index(self) -> usize {
        match self {
            Self::Fetch => 0,
            Self::Unit(u) => 1 + u as usize,
        }
    }
}

/// What happens in one cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A unit's instruction leaves idle.
    InsnStart {
        /// The unit.
        unit: Unit,
        /// Position in the program.
        insn: u32,
    },
    /// A unit's instruction leaves the queue.
    InsnEnd {
        /// The unit.
        unit: Unit,
        /// Instructions that this unit has ended before.
        index: u32,
        /// Position in the program.
        insn: u32,
        /// Cycle in which it left idle.
        start: u64,
        /// Opcode.
        opcode: u8,
        /// The word's bits 9:7.
        memory_type: u8,
    },
    /// A read command goes out on the bus.
    ReadCmd {
        /// Whose it is.
        client: Client,
        /// The command.
        cmd: ReadCmd,
    },
    /// A beat returns.
    ReadBeat(ReadBeat),
    /// The last beat of a burst returns.
    ReadEnd {
        /// Whose it is.
        client: Client,
        /// Cycle in which its command went out.
        cmd: u64,
        /// Cycle of its first beat; the others follow without a gap.
        first: u64,
    },
    /// A write command is accepted.
    WriteCmd(WriteCmd),
    /// A beat is accepted.
    WriteBeat,
    /// The response comes.
    WriteResp,
    /// The response comes to a burst.
    WriteEnd {
        /// Cycle of its first beat.
        first: u64,
        /// Beats.
        beats: u32,
    },
    /// Fetch hands an instruction to a unit's queue.
    Dispatch {
        /// The unit.
        unit: Unit,
        /// Position in the program.
        insn: u32,
    },
    /// A token is given; at 255 it is dropped.
    Post {
        /// Who gives.
        from: Unit,
        /// Who gets.
        to: Unit,
        /// Tokens there before.
        count: u8,
    },
    /// A token is taken.
    Wait {
        /// Who gave.
        from: Unit,
        /// Who takes.
        to: Unit,
        /// Tokens there before.
        count: u8,
    },
    /// From this cycle on the unit is in this state.
    State {
        /// The unit.
        module: Module,
        /// The state.
        state: UnitState,
    },
}
