//! The instruction set: formats as data, encoder, decoder.
//!
//! `isa/vta.isa` and `isa/uop.isa` describe every field; `generated.rs` and
//! `docs/isa.md` are made from them by [`emit`]. Layouts follow
//! core/ISA.scala and core/Decode.scala of the RTL; names follow upstream's
//! `include/vta/hw_spec.h`. Widths are the same in every configuration.

pub mod emit;
mod generated;
pub mod spec;

pub use generated::*;

use crate::config::Scratchpad;

/// The committed instruction-set descriptions: instructions, then micro-ops.
pub const SOURCES: [&str; 2] = [
    include_str!("../../../../isa/vta.isa"),
    include_str!("../../../../isa/uop.isa"),
];

/// What the bits of a field mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Unsigned integer.
    Uint,
    /// Two's complement integer.
    Int,
    /// One bit.
    Flag,
    /// The opcode.
    Opcode,
    /// Ignored by the hardware.
    Reserved,
    /// Named values.
    Enum(&'static [(u8, &'static str)]),
}

/// One field of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Upstream's name.
    pub name: &'static str,
    /// Position of the least significant bit.
    pub lsb: u32,
    /// Width in bits.
    pub width: u32,
    /// Meaning of the bits.
    pub kind: Kind,
    /// What it is for.
    pub text: &'static str,
}

impl Field {
    /// Smallest value.
    pub const fn min(&self) -> i128 {
        match self.kind {
            Kind::Int => -(1 << (self.width - 1)),
            _ => 0,
        }
    }

    /// Largest value.
    pub const fn max(&self) -> i128 {
        match self.kind {
            Kind::Int => (1 << (self.width - 1)) - 1,
            _ => (1 << self.width) - 1,
        }
    }

    /// The value of this field in a word; `Int` fields are sign-extended.
    pub const fn get(&self, word: u128) -> i128 {
        let raw = (word >> self.lsb) & ((1 << self.width) - 1);
        match self.kind {
            Kind::Int if raw >> (self.width - 1) != 0 => raw as i128 - (1 << self.width),
            _ => raw as i128,
        }
    }

    /// The word with this field set.
    ///
    /// # Errors
    /// The value does not fit the field.
    pub const fn set(&self, word: u128, value: i128) -> Result<u128, FieldRange> {
        if value < self.min() || value > self.max() {
            return Err(FieldRange {
                field: self.name,
                value,
                min: self.min(),
                max: self.max(),
            });
        }
        let mask = ((1u128 << self.width) - 1) << self.lsb;
        Ok((word & !mask) | (((value as u128) << self.lsb) & mask))
    }
}

/// A value that does not fit its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}, outside {min} to {max}")]
pub struct FieldRange {
    /// The field.
    pub field: &'static str,
    /// The value.
    pub value: i128,
    /// Smallest value that fits.
    pub min: i128,
    /// Largest value that fits.
    pub max: i128,
}

/// Bits that the hardware does not decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown instruction: {field} is {value}")]
pub struct Illegal {
    /// The field.
    pub field: &'static str,
    /// Its bits.
    pub value: u64,
}

/// The dependency flags of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Deps {
    /// Wait for a token of the unit before.
    pub pop_prev: bool,
    /// Wait for a token of the unit after.
    pub pop_next: bool,
    /// Give a token to the unit before.
    pub push_prev: bool,
    /// Give a token to the unit after.
    pub push_next: bool,
}

/// The unit that executes an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// `Load`: inp and wgt loads.
    Load,
    /// `Compute`: uop and acc loads, GEMM, ALU, FINISH.
    Compute,
    /// `Store`.
    Store,
}

impl Unit {
    /// All units, in pipeline order.
    pub const ALL: [Self; 3] = [Self::Load, Self::Compute, Self::Store];

    /// The RTL's instance name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Compute => "compute",
            Self::Store => "store",
        }
    }
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! deps {
    ($i:expr) => {
        Deps {
            pop_prev: $i.pop_prev_dep,
            pop_next: $i.pop_next_dep,
            push_prev: $i.push_prev_dep,
            push_next: $i.push_next_dep,
        }
    };
}

impl MemoryType {
    /// The scratchpad that a LOAD of this type fills.
    pub const fn scratchpad(self) -> Scratchpad {
        match self {
            Self::Uop => Scratchpad::Uop,
            Self::Wgt => Scratchpad::Wgt,
            Self::Inp => Scratchpad::Inp,
            Self::Acc => Scratchpad::Acc,
        }
    }
}

/// The bits of a word at which LOAD and STORE have their memory type, whatever
/// the instruction is: the traces of the RTL show them for each.
pub const fn memory_type_bits(word: u128) -> u8 {
    (word >> 7) as u8 & 7
}

impl Insn {
    /// The opcode.
    pub const fn opcode(&self) -> u8 {
        match self {
            Self::Load(_) => Load::OPCODE,
            Self::Store(_) => Store::OPCODE,
            Self::Gemm(_) => Gemm::OPCODE,
            Self::Finish(_) => Finish::OPCODE,
            Self::Alu(_) => Alu::OPCODE,
        }
    }

    /// The scratchpad that a LOAD fills or a STORE empties.
    pub const fn scratchpad(&self) -> Option<Scratchpad> {
        match self {
            Self::Load(l) => Some(l.memory_type.scratchpad()),
            Self::Store(_) => Some(Scratchpad::Out),
            _ => None,
        }
    }

    /// Steps of the GEMM core or of the vector ALU: writes of the accumulator
    /// scratchpad by compute.
    pub const fn steps(&self) -> u64 {
        match self {
            Self::Gemm(g) => g.steps(),
            Self::Alu(a) => a.steps(),
            _ => 0,
        }
    }

    /// The dependency flags; they sit at the same bits in every format.
    pub const fn deps(&self) -> Deps {
        match self {
            Self::Load(i) => deps!(i),
            Self::Store(i) => deps!(i),
            Self::Gemm(i) => deps!(i),
            Self::Finish(i) => deps!(i),
            Self::Alu(i) => deps!(i),
        }
    }

    /// The unit whose queue fetch hands this instruction to
    /// (`FetchDecode` in core/Decode.scala).
    pub const fn unit(&self) -> Unit {
        match self {
            Self::Load(l) => match l.memory_type {
                MemoryType::Inp | MemoryType::Wgt => Unit::Load,
                MemoryType::Uop | MemoryType::Acc => Unit::Compute,
            },
            Self::Store(_) => Unit::Store,
            Self::Gemm(_) | Self::Alu(_) | Self::Finish(_) => Unit::Compute,
        }
    }

    /// Whether this is an empty LOAD or STORE (`x_size` 0), which moves only tokens.
    pub const fn is_sync(&self) -> bool {
        match self {
            Self::Load(l) => l.x_size == 0,
            Self::Store(s) => s.x_size == 0,
            _ => false,
        }
    }
}

/// Trips of a loop field: the counter is compared with `n - 1` in
/// [`C_ITER_BITS`] bits, so 0 runs 16384 (core/TensorGemm.scala, core/TensorAlu.scala).
pub const fn loop_trips(n: u16) -> u64 {
    let m = (1u64 << C_ITER_BITS) - 1;
    ((n as u64).wrapping_sub(1) & m) + 1
}

/// Micro-ops run by `uop_bgn..uop_end`: the index wraps in [`C_UOP_END_BITS`]
/// bits, so an empty range runs 16384 (core/TensorGemm.scala).
pub const fn uop_trips(uop_bgn: u16, uop_end: u16) -> u64 {
    let m = (1u64 << C_UOP_END_BITS) - 1;
    ((uop_end as u64)
        .wrapping_sub(uop_bgn as u64)
        .wrapping_sub(1)
        & m)
        + 1
}

impl Gemm {
    /// Steps of the GEMM core.
    pub const fn steps(&self) -> u64 {
        uop_trips(self.uop_bgn, self.uop_end) * loop_trips(self.iter_out) * loop_trips(self.iter_in)
    }
}

impl Alu {
    /// Steps of the vector ALU.
    pub const fn steps(&self) -> u64 {
        uop_trips(self.uop_bgn, self.uop_end) * loop_trips(self.iter_out) * loop_trips(self.iter_in)
    }
}
