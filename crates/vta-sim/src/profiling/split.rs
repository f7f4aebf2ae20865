//! What holds a part back.
//!
//! Compute decides how long a part takes, so the bottleneck is what most of
//! compute's cycles went to.

use crate::trace::{Cause, Kind, Part};
use vta_program::isa::Unit;
use vta_program::timing::PIPELINE;

/// What most of the cycles of compute go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bottleneck {
    /// Steps of GEMM.
    Gemm,
    /// Steps of the ALU.
    Alu,
    /// Short instructions: the pipelines fill and drain.
    Overhead,
    /// Inputs and weights that are not there yet.
    Load,
    /// Outputs that are not stored yet.
    Store,
    /// Loads of micro-ops, in which compute does nothing else.
    Uops,
    /// Loads of accumulators.
    Accumulators,
    /// Instructions that are not there yet.
    Fetch,
    /// What is left: instructions that only pass tokens, and what never ended.
    Rest,
}

impl Bottleneck {
    /// In words, as the subject of a sentence.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Gemm => "GEMM steps",
            Self::Alu => "ALU steps",
            Self::Overhead => "filling and draining the pipelines of short instructions",
            Self::Load => "waiting for inputs and weights",
            Self::Store => "waiting for outputs to be stored",
            Self::Uops => "loading micro-ops",
            Self::Accumulators => "loading accumulators",
            Self::Fetch => "waiting for instructions",
            Self::Rest => "passing tokens, and what never ended",
        }
    }
}

/// The cycles of compute by what they went to, the most first. They sum to
/// the cycles of the part.
pub fn split(part: &Part) -> Vec<(Bottleneck, u64)> {
    let kind = |k: Kind| part.kinds[k as usize];
    let pipes = [Kind::Gemm, Kind::Reset, Kind::AluImm, Kind::AluReg].map(kind);
    let gemm = pipes[0].cycles + pipes[1].cycles;
    let gemm = gemm.saturating_sub((pipes[0].insns + pipes[1].insns) * PIPELINE);
    let alu = pipes[2].cycles + pipes[3].cycles;
    let alu = alu.saturating_sub((pipes[2].insns + pipes[3].insns) * PIPELINE);
    let overhead = pipes.iter().map(|k| k.cycles).sum::<u64>() - gemm - alu;
    let waits = |c: Cause| part.of(Unit::Compute, c);
    let mut all = vec![
        (Bottleneck::Gemm, gemm),
        (Bottleneck::Alu, alu),
        (Bottleneck::Overhead, overhead),
        (Bottleneck::Load, waits(Cause::TokenLoad)),
        (Bottleneck::Store, waits(Cause::TokenStore)),
        (Bottleneck::Uops, kind(Kind::LoadUop).cycles),
        (Bottleneck::Accumulators, kind(Kind::LoadAcc).cycles),
        (Bottleneck::Fetch, waits(Cause::Insn)),
    ];
    let named: u64 = all.iter().map(|a| a.1).sum();
    all.push((Bottleneck::Rest, part.cycles().saturating_sub(named)));
    // Those of one number stay in this order.
    all.sort_by_key(|a| std::cmp::Reverse(a.1));
    all
}
