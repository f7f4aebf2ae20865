//! Cycle-exact simulator, assembler and sparse compiler for the Versatile
//! Tensor Accelerator (VTA).
//!
//! Layers, each importing only from those before it (`tests/tidy.rs` checks):
//! [`config`], [`isa`], [`mem`], [`program`], [`asm`].

pub mod asm;
pub mod config;
pub mod fsim;
pub mod isa;
pub mod mem;
pub mod program;
pub mod tsim;
