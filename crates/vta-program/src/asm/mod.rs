//! Assembly text to [`Program`](crate::program::Program) and back; the format
//! is described in `docs/asm.md`.
//!
//! `text` reads lines, `names` gives expressions their values, `insn` and
//! `data` turn statements into bytes and back, `assemble`,
//! `directives` and `emit` put programs together, `disassemble` prints them.

mod assemble;
mod config;
mod data;
mod directives;
mod disassemble;
mod emit;
mod error;
mod insn;
mod names;
mod text;
mod validate;

pub use assemble::assemble;
pub use disassemble::disassemble;
pub use error::{AsmError, AsmErrorKind, AsmErrors, Nearest};
pub use insn::insn_text;
pub use validate::{Invalid, validate};

use crate::config::HwConfig;

/// Reads the file at a path of an `npy` statement.
pub type ReadFile<'a> = dyn Fn(&str) -> std::io::Result<Vec<u8>> + 'a;

/// How to assemble.
#[derive(Default, Clone)]
pub struct AsmOptions<'a> {
    /// The hardware to assemble for, whatever the text says.
    pub config: Option<HwConfig>,
    /// How `npy` reads files; without it, no file can be read.
    pub read: Option<&'a ReadFile<'a>>,
}
