//! Cycle-exact simulator, assembler and sparse compiler for the Versatile
//! Tensor Accelerator (VTA).
//!
//! Layers, each importing only from those before it (`tests/tidy.rs` checks):
//! [`config`], [`isa`], [`mem`], [`program`], [`golden`], [`report`], [`cli`].

pub mod cli;
pub mod config;
pub mod golden;
pub mod isa;
pub mod mem;
pub mod program;
pub mod report;
