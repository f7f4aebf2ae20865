//! How findings name instructions, places and rules.

use std::fmt;
use vta_program::config::Scratchpad;
use vta_program::isa::{Insn, Unit};

/// An instruction of a launch, as errors name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsnAt {
    /// Name of the launch.
    pub launch: String,
    /// Its number in the launch, from 0.
    pub insn: u32,
    /// The unit that runs it.
    pub unit: Unit,
    /// What it is, in short.
    pub text: String,
}

impl fmt::Display for InsnAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            insn, unit, text, ..
        } = self;
        write!(f, "instruction {insn} ({unit}: {text})")
    }
}

impl InsnAt {
    pub(super) fn new(launch: &str, insn: u32, i: &Insn) -> Self {
        Self {
            launch: launch.into(),
            insn,
            unit: i.unit(),
            text: short(i),
        }
    }
}

/// An instruction without its flags and what is 0 or 1 in most.
fn short(i: &Insn) -> String {
    let loops = |bgn: u16, end: u16, iter_out: u16, iter_in: u16| {
        format!("uop={bgn}..{end} iter_out={iter_out} iter_in={iter_in}")
    };
    match i {
        i if i.is_sync() => format!("{} (empty)", i.name()),
        Insn::Load(l) => format!(
            "load.{} sram_base={} dram_base={:#x} y_size={} x_size={}",
            l.memory_type.name(),
            l.sram_base,
            l.dram_base,
            l.y_size,
            l.x_size
        ),
        Insn::Store(s) => format!(
            "store sram_base={} dram_base={:#x} y_size={} x_size={}",
            s.sram_base, s.dram_base, s.y_size, s.x_size
        ),
        Insn::Gemm(g) => format!(
            "gemm {}{}",
            if g.reset_reg { "reset " } else { "" },
            loops(g.uop_bgn, g.uop_end, g.iter_out, g.iter_in)
        ),
        Insn::Alu(a) => {
            let imm = if a.use_imm {
                format!("imm={} ", a.imm)
            } else {
                String::new()
            };
            format!(
                "alu.{} {imm}{}",
                a.alu_opcode.name(),
                loops(a.uop_bgn, a.uop_end, a.iter_out, a.iter_in)
            )
        }
        Insn::Finish(_) => "finish".into(),
    }
}

/// What two instructions meet on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// An element of a scratchpad.
    Element(Scratchpad, u32),
    /// A byte of DRAM.
    Dram(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Element(pad, element) => write!(f, "{pad}[{element}]"),
            Self::Dram(addr) => write!(f, "DRAM at {addr:#x}"),
        }
    }
}

/// How two accesses conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// The later one reads what the earlier one writes.
    ReadAfterWrite,
    /// The later one writes what the earlier one reads.
    WriteAfterRead,
    /// Both write.
    WriteAfterWrite,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadAfterWrite => "read after write",
            Self::WriteAfterRead => "write after read",
            Self::WriteAfterWrite => "write after write",
        })
    }
}

/// The three rules of consecutive ALU steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AluRule {
    /// Immediate: one destination in both steps; the hardware asserts.
    ImmediateSameDst,
    /// Immediate: the source is the destination of the step before; the old value is read.
    ImmediateStaleSrc,
    /// Registers: the source is the destination of the step before; the hardware asserts.
    RegisterSrc,
}

impl fmt::Display for AluRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ImmediateSameDst => {
                "two consecutive steps have one destination; the hardware asserts"
            }
            Self::ImmediateStaleSrc => {
                "a step's source is the destination of the step before; it reads the old value"
            }
            Self::RegisterSrc => {
                "a step's source is the destination of the step before; the hardware asserts"
            }
        })
    }
}

/// A direction of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(into = "String")]
pub struct Tokens {
    /// The unit that pushes.
    pub from: Unit,
    /// The unit that pops.
    pub to: Unit,
}

impl From<Tokens> for String {
    fn from(t: Tokens) -> Self {
        t.to_string()
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}
