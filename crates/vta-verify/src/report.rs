//! What was proven, in numbers.

use super::names::Tokens;
use serde::Serialize;

/// Counts of what was proven of a program.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// Launches.
    pub launches: u64,
    /// Steps of the host.
    pub host_steps: u64,
    /// Instructions.
    pub insns: u64,
    /// Pops, each with its push.
    pub token_pairs: u64,
    /// Pushes that nobody pops.
    pub unused_tokens: u64,
    /// Most tokens that may be outstanding in each direction, in any run.
    pub most_tokens: Vec<(Tokens, u64)>,
    /// Pairs of instructions of different units that conflict, each ordered by tokens.
    pub ordered_pairs: u64,
    /// Loads that move something; all that they read is in DRAM, all that they
    /// write in its scratchpad.
    pub loads: u64,
    /// Stores that move something, of outputs that were computed.
    pub stores: u64,
    /// Bytes that they write.
    pub stored_bytes: u64,
    /// GEMM steps; what they read was written.
    pub gemm_steps: u64,
    /// ALU steps; none of them too close to the one before.
    pub alu_steps: u64,
    /// Weight elements of masked layers that are loaded, each of a kept block.
    pub kept_weights: u64,
    /// Bytes of outputs and of layers' results, each written.
    pub result_bytes: u64,
    /// Vectors of outputs that are the network's; 0 where no network was given.
    #[serde(skip_serializing_if = "is_zero")]
    pub vectors: u64,
    /// Products of inputs and weight elements in them.
    #[serde(skip_serializing_if = "is_zero")]
    pub products: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}
