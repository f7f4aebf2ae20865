//! GEMM and ALU: pipelines that never stall.

/// Cycles of GEMM and ALU besides those of their steps: one to leave idle, one
/// to start the index generator, and the stages of the last step
/// (`TensorGemmPipelinedSplit` in core/TensorGemm.scala, `TensorAluPipelined`
/// in core/TensorAlu.scala).
pub const PIPELINE: u64 = 7;

/// Cycles of an ALU step with an immediate.
pub const ALU_IMM_CYCLES: u64 = 1;

/// Cycles of an ALU step with two registers: source, then destination.
pub const ALU_REG_CYCLES: u64 = 2;

/// Cycles from leaving idle to the step with index 0 in the stage that asserts
/// (`valid_r3`, `src_valid_r3`).
const ASSERT: u64 = 5;

/// Cycles of a step of the ALU.
pub const fn alu_step(use_imm: bool) -> u64 {
    if use_imm {
        ALU_IMM_CYCLES
    } else {
        ALU_REG_CYCLES
    }
}

/// Cycles of a GEMM of so many steps, resetting or not.
pub const fn gemm(steps: u64) -> u64 {
    steps + PIPELINE
}

/// Cycles of an ALU instruction of so many steps.
pub const fn alu(steps: u64, use_imm: bool) -> u64 {
    steps * alu_step(use_imm) + PIPELINE
}

/// Cycles from the one in which an ALU instruction leaves idle to the one in
/// which the assertion on its step `step` fires.
pub const fn alu_assert(step: u64, use_imm: bool) -> u64 {
    step * alu_step(use_imm) + ASSERT
}
