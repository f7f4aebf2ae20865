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
#[cfg(feature = "proptest")]
pub use vta_program::strategies;
pub use vta_program::{asm, config, isa, mem, program};
pub use vta_prune::{cost, prune};
pub use vta_sim::{fsim, golden, sight, trace, tsim};
pub use vta_tensor::{host, npy, spelling};
#[cfg(feature = "prune")]
pub use vta_train::{train, tune};
pub use vta_verify as verify;
