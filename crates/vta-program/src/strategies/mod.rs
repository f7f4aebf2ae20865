//! Strategies for property tests with [`proptest`] (feature `proptest`).
//!
//! | what | strategy |
//! | --- | --- |
//! | configurations | [`configs`], [`built_in_configs`] |
//! | fields, words, micro-ops | [`field`], [`word`], [`uop`] |
//! | instructions | [`any_insn`]; inside their regions of DRAM: [`insn`], [`load`], [`store`], [`gemm`], [`alu`] |
//! | programs whose tokens work | [`serial`], [`pipeline`], [`valid`] |
//! | programs with a token left out | [`token_left_out`] |
//! | programs with any tokens, words that nothing decodes among them | [`racy`] |
//!
//! Programs are [`Listing`]s. A failing case shrinks to a shorter program of the
//! same sort: one whose tokens work keeps tokens that work, because they are
//! worked out anew for what is left.
//!
//! ```
//! use proptest::prelude::*;
//! use vta_program::asm::{AsmOptions, assemble, disassemble};
//! use vta_program::strategies::{built_in_configs, valid};
//!
//! proptest!(|(listing in valid(built_in_configs()))| {
//!     let program = listing.program();
//!     let text = disassemble(&program).expect("a valid program");
//!     let again = assemble(&text, &AsmOptions::default()).expect("it is assembly");
//!     prop_assert_eq!(program, again);
//! });
//! ```

mod config;
pub mod empty;
mod insn;
mod listing;
mod pipeline;
mod program;
mod word;

pub use config::{built_in_configs, configs};
pub use insn::{Style, alu, gemm, insn, load, store};
pub use listing::{ACC, DRAM_BYTES, INP, INSNS, Listing, OUT, UOP, WGT, fill, region};
pub use pipeline::{Bases, Pipeline, pipeline};
pub use program::{racy, serial, serial_order, token_left_out, valid, with_deps};
pub use word::{any_insn, field, uop, word};
