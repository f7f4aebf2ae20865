//! Cycle-exact simulator, assembler and sparse compiler for the Versatile
//! Tensor Accelerator (VTA).
//!
//! A program goes from text ([`asm`]) or a bundle ([`program`]) through
//! instructions ([`isa`]) to bytes ([`fsim`]) and cycles ([`tsim`]). Layers
//! import only downward; `docs/architecture.md` has the table and
//! `tests/tidy.rs` checks it.

pub mod asm;
pub mod compiler;
pub mod config;
pub mod cost;
pub mod data;
pub mod fsim;
pub mod golden;
pub mod graph;
pub mod host;
pub mod isa;
pub mod mem;
pub mod npy;
pub mod program;
#[cfg(feature = "prune")]
pub mod prune;
pub mod quant;
pub mod report;
pub mod sight;
pub mod sparse;
pub mod trace;
#[cfg(feature = "prune")]
pub mod train;
pub mod tsim;
#[cfg(feature = "prune")]
pub mod tune;
pub mod verify;
