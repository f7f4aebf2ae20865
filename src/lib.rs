//! Cycle-exact simulator, assembler and sparse compiler for the Versatile
//! Tensor Accelerator (VTA).
//!
//! A program goes from text ([`asm`]) or a bundle ([`program`]) through
//! instructions ([`isa`]) to bytes ([`fsim`]) and cycles ([`tsim`]).
//! `docs/architecture.md` has the crates and what each knows.

pub mod report;

pub use vta_compile as compiler;
pub use vta_data as data;
pub use vta_net::{graph, quant, sparse};
pub use vta_program::{asm, config, isa, mem, program};
pub use vta_prune as prune;
pub use vta_prune::cost;
pub use vta_sim::{fsim, golden, sight, trace, tsim};
pub use vta_tensor::{host, npy, spelling};
#[cfg(feature = "prune")]
pub use vta_train as train;
#[cfg(feature = "prune")]
pub use vta_train::pruning_aware;
pub use vta_verify as verify;
