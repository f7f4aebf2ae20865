//! From an integer network to a program: lower, tile, schedule, tokens, emit.

mod error;

pub use error::CompileError;

use crate::config::HwConfig;
use crate::program::Program;
use crate::quant::QNet;
use crate::sparse::Masks;

/// What may be left out.
#[derive(Debug, Clone, Copy, Default)]
pub enum Sparsity<'a> {
    /// Nothing: zero blocks are computed like all others.
    #[default]
    Dense,
    /// What masks drop, and every other 32x32 block of zeros.
    Sparse(&'a Masks),
}

/// How to compile.
#[derive(Debug, Clone, Default)]
pub struct Options<'a> {
    /// The hardware.
    pub config: HwConfig,
    /// What may be left out.
    pub sparsity: Sparsity<'a>,
}

/// Compiles a network.
///
/// # Errors
/// A layer that does not fit the hardware, a mask that does not fit its layer.
pub fn compile(_net: &QNet, _options: &Options<'_>) -> Result<Program, CompileError> {
    Err(CompileError::Unsupported {
        layer: String::new(),
        what: "the compiler is being built".into(),
    })
}
