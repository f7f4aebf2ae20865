//! What the verifier finds.

use super::against::Mismatch;
use super::names::{AluRule, Conflict, InsnAt, Place, Tokens};
use vta_program::config::Scratchpad;
use vta_program::isa::{Illegal, Unit};
use vta_program::program::{Misfit, ProgramError};

/// Something that does not hold of a program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The program does not make sense.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A transfer that goes past the end of its scratchpad.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// A word that the hardware does not decode.
    #[error("launch {launch}, instruction {insn}: {cause}")]
    Illegal {
        /// Name of the launch.
        launch: String,
        /// Its number.
        insn: u32,
        /// What is wrong with it.
        cause: Illegal,
    },
    /// Instructions that end without FINISH.
    #[error("launch {launch} has no FINISH")]
    NoFinish {
        /// Name of the launch.
        launch: String,
    },
    /// An instruction behind FINISH, of which nobody knows whether it runs.
    #[error("launch {}, {at} is behind FINISH", at.launch)]
    AfterFinish {
        /// The instruction.
        at: InsnAt,
    },
    /// A read at address 0, which is never answered, or a write there, which is dropped.
    #[error("launch {launch}: {what} at DRAM address 0, which the memory does not serve")]
    AddressZero {
        /// Name of the launch.
        launch: String,
        /// The instruction, or the fetch.
        what: String,
    },
    /// A loop or a range that the hardware runs 16384 times.
    #[error("launch {}, {at}: {what} makes the hardware run 16384 of them", at.launch)]
    NoTrips {
        /// The instruction.
        at: InsnAt,
        /// `iter_out 0`, `iter_in 0` or `an empty range of micro-ops`.
        what: &'static str,
    },
    /// A transfer of no rows.
    #[error("launch {}, {at}: a transfer of no rows does not end", at.launch)]
    NoRows {
        /// The instruction.
        at: InsnAt,
    },
    /// A pop for which there is no push.
    #[error(
        "launch {}, {pop} waits for token {pop_number} from {tokens}; {pushes} are pushed", pop.launch
    )]
    MissingPush {
        /// The instruction that pops.
        pop: InsnAt,
        /// The direction.
        tokens: Tokens,
        /// Which pop of this direction it is, from 1.
        pop_number: u64,
        /// Pushes that there are.
        pushes: u64,
    },
    /// Instructions that wait for each other.
    #[error("launch {}, {} and {} wait for each other{}", insns[0].launch, insns[0], insns[insns.len() / 2],
        if *queue { ", because a queue is full" } else { "" })]
    Cycle {
        /// The instructions, each waiting for the one before; at least one.
        insns: Vec<InsnAt>,
        /// Whether one of them waits for room in a queue.
        queue: bool,
    },
    /// More tokens than a semaphore counts.
    #[error(
        "launch {}, {push} may push while {tokens} holds {held} of 255 tokens: {pop} may not have taken its token", push.launch
    )]
    Saturation {
        /// The instruction that pushes.
        push: InsnAt,
        /// The direction.
        tokens: Tokens,
        /// Tokens that may be there.
        held: u64,
        /// The first pop that may come later; the push itself where there is none.
        pop: Box<InsnAt>,
    },
    /// Two accesses that no token orders.
    #[error(
        "launch {}, {second} is not ordered behind {first}: {conflict} of {place}; {}", first.launch, token(first, second)
    )]
    Race {
        /// The one that comes first in the program.
        first: Box<InsnAt>,
        /// The other.
        second: Box<InsnAt>,
        /// How they conflict.
        conflict: Conflict,
        /// What they meet on.
        place: Place,
    },
    /// A store that may end after FINISH.
    #[error("launch {}, {finish} does not wait for {store}", store.launch)]
    StoreLags {
        /// The store.
        store: Box<InsnAt>,
        /// FINISH.
        finish: Box<InsnAt>,
    },
    /// A transfer that leaves DRAM.
    #[error(
        "launch {}, {at}: {bytes} bytes at {addr:#x} are outside the {dram_bytes} bytes of DRAM", at.launch
    )]
    OutsideDram {
        /// The instruction.
        at: InsnAt,
        /// Byte address of the row.
        addr: u64,
        /// Bytes of the row.
        bytes: u64,
        /// Bytes of DRAM.
        dram_bytes: u32,
    },
    /// An index past the end of a scratchpad.
    #[error("launch {}, {at}: its steps go past the end of {pad}, which has {depth} elements", at.launch)]
    Index {
        /// The instruction.
        at: InsnAt,
        /// The scratchpad.
        pad: Scratchpad,
        /// Its elements.
        depth: u32,
    },
    /// A scratchpad element that is read and was never written.
    #[error("launch {}, {at} reads {pad}[{element}], which nothing wrote", at.launch)]
    Unwritten {
        /// The instruction.
        at: InsnAt,
        /// The scratchpad.
        pad: Scratchpad,
        /// The element.
        element: u32,
    },
    /// Bytes that are read before anything writes them.
    #[error("{by} reads at {addr:#x}, where no segment has data and nothing wrote")]
    UndefinedDram {
        /// The load or the host step.
        by: String,
        /// Byte address.
        addr: u64,
    },
    /// A load that the hardware may take for done before its data are there.
    #[error(
        "launch {}, {at}: {beats} beats may be in flight, and the hardware's counter then says none", at.launch
    )]
    EndsEarly {
        /// The load.
        at: InsnAt,
        /// Beats at which the counter is 0 again.
        beats: u64,
    },
    /// The fetch of a launch, whose counter of beats comes round to 0.
    #[error(
        "launch {launch}: instructions at {addr:#x} come in batches of {beats} beats, and the hardware's counter then says none; they have to start at a whole beat"
    )]
    FetchEndsEarly {
        /// The launch.
        launch: String,
        /// Where its instructions start.
        addr: u32,
        /// Beats at which the counter is 0 again.
        beats: u64,
    },
    /// A store of elements that are wider than the longest burst.
    #[error(
        "launch {}, {at}: an element of {element} bytes is cut into bursts of {burst}, and the hardware begins it anew with each; MEM_LEN_BITS is too small for the block", at.launch
    )]
    TornStore {
        /// The store.
        at: InsnAt,
        /// Bytes of an element.
        element: u32,
        /// Bytes of the longest burst.
        burst: u32,
    },
    /// The caller wanted no more.
    #[error("stopped")]
    Stopped,
    /// A micro-op from DRAM that the program itself changes.
    #[error("launch {}, {at} loads micro-ops from {addr:#x}, which {by} changes", at.launch)]
    ChangedUops {
        /// The instruction.
        at: InsnAt,
        /// Byte address.
        addr: u64,
        /// Who changes it.
        by: String,
    },
    /// Consecutive ALU steps that are too close.
    #[error("launch {}, {at}, step {step}: {rule} (acc[{element}])", at.launch)]
    AluHazard {
        /// The instruction.
        at: InsnAt,
        /// Which rule.
        rule: AluRule,
        /// The later step, from 0.
        step: u64,
        /// The accumulator on which they meet.
        element: u32,
    },
    /// An output of an accumulator that has changed since.
    #[error(
        "launch {}, {store} stores out[{element}], but {by} changed acc[{element}] after it was written", store.launch
    )]
    StaleOut {
        /// The store.
        store: Box<InsnAt>,
        /// The element.
        element: u32,
        /// The instruction that changed the accumulator.
        by: Box<InsnAt>,
    },
    /// A write over instructions.
    #[error("{by} overwrites instructions of launch {of} at {addr:#x}")]
    ChangedInsns {
        /// The store or the host step.
        by: String,
        /// Whose instructions.
        of: String,
        /// Byte address.
        addr: u64,
    },
    /// Part of a result that nothing writes.
    #[error("{of}: nothing writes the byte at {addr:#x}")]
    NotWritten {
        /// Whose result.
        of: String,
        /// Byte address.
        addr: u64,
    },
    /// A layer's store outside of the layer's result.
    #[error("launch {}, {at} of layer {layer} stores at {addr:#x}, outside of the layer's result", at.launch)]
    Outside {
        /// The store.
        at: InsnAt,
        /// Name of the layer.
        layer: String,
        /// Byte address.
        addr: u64,
    },
    /// A load of a pruned block.
    #[error("launch {}, {at} loads weight element {element} of layer {layer}, which is of pruned block {block}", at.launch)]
    PrunedLoad {
        /// The load.
        at: InsnAt,
        /// Name of the layer.
        layer: String,
        /// The element in the layer's weights.
        element: u32,
        /// The block.
        block: u32,
    },
    /// A GEMM step with a pruned block.
    #[error("launch {}, {at} of layer {layer} computes with pruned block {block}, which {load} loads to wgt[{slot}]", at.launch)]
    PrunedStep {
        /// The GEMM.
        at: Box<InsnAt>,
        /// The load.
        load: Box<InsnAt>,
        /// Name of the layer.
        layer: String,
        /// The block.
        block: u32,
        /// The element of the scratchpad.
        slot: u32,
    },
    /// A GEMM step with weights of another layer.
    #[error("launch {}, {at} of layer {layer} computes with weights of layer {of}, which {load} loads to wgt[{slot}]", at.launch)]
    OtherWeights {
        /// The GEMM.
        at: Box<InsnAt>,
        /// The load.
        load: Box<InsnAt>,
        /// Name of the layer.
        layer: String,
        /// Whose weights.
        of: String,
        /// The element of the scratchpad.
        slot: u32,
    },
    /// A vector of outputs that is not what the network says.
    #[error(transparent)]
    Differs(Box<Mismatch>),
    /// A part of the program that is not the network's.
    #[error("{of}: {what}")]
    Foreign {
        /// The part.
        of: String,
        /// What is wrong with it.
        what: String,
    },
    /// An instruction with more steps than are looked at one by one.
    #[error("launch {}, {at} has too many steps to prove that it reads what it wrote", at.launch)]
    TooLong {
        /// The instruction.
        at: InsnAt,
    },
}

impl VerifyError {
    /// A short name for each kind; stable, for programs that read it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Program(_) => "program",
            Self::Misfit(_) => "misfit",
            Self::Illegal { .. } => "illegal",
            Self::NoFinish { .. } => "no-finish",
            Self::AfterFinish { .. } => "after-finish",
            Self::AddressZero { .. } => "address-zero",
            Self::NoTrips { .. } => "no-trips",
            Self::NoRows { .. } => "no-rows",
            Self::MissingPush { .. } => "missing-push",
            Self::Cycle { .. } => "cycle",
            Self::Saturation { .. } => "saturation",
            Self::Race { .. } => "race",
            Self::StoreLags { .. } => "store-lags",
            Self::OutsideDram { .. } => "outside-dram",
            Self::Index { .. } => "index",
            Self::Unwritten { .. } => "unwritten",
            Self::UndefinedDram { .. } => "undefined-dram",
            Self::EndsEarly { .. } => "ends-early",
            Self::FetchEndsEarly { .. } => "fetch-ends-early",
            Self::TornStore { .. } => "torn-store",
            Self::Stopped => "stopped",
            Self::ChangedUops { .. } => "changed-uops",
            Self::AluHazard { .. } => "alu-hazard",
            Self::StaleOut { .. } => "stale-out",
            Self::ChangedInsns { .. } => "changed-insns",
            Self::NotWritten { .. } => "not-written",
            Self::Outside { .. } => "outside",
            Self::PrunedLoad { .. } => "pruned-load",
            Self::PrunedStep { .. } => "pruned-step",
            Self::OtherWeights { .. } => "other-weights",
            Self::TooLong { .. } => "too-long",
            Self::Differs(_) => "differs",
            Self::Foreign { .. } => "foreign",
        }
    }
}

/// The token that would order two instructions, in words.
fn token(first: &InsnAt, second: &InsnAt) -> String {
    let (from, to) = (first.unit, second.unit);
    let one = |from: Unit, to: Unit, push: &str, pop: &str| {
        let forward = (from as usize) < to as usize;
        let (pushes, pops) = if forward {
            ("push_next", "pop_prev")
        } else {
            ("push_prev", "pop_next")
        };
        format!("{pushes} on {push} and {pops} on {pop}")
    };
    let (a, b) = (
        format!("instruction {}", first.insn),
        format!("instruction {}", second.insn),
    );
    match (from, to) {
        (Unit::Load, Unit::Store) | (Unit::Store, Unit::Load) => {
            let by = "an instruction of compute between them";
            format!(
                "tokens through compute would order them: {}, {}",
                one(from, Unit::Compute, &a, by),
                one(Unit::Compute, to, by, &b)
            )
        }
        _ => format!(
            "a token from {from} to {to} would order them: {}",
            one(from, to, &a, &b)
        ),
    }
}
