//! How to compile.

use vta_net::sparse::Masks;
use vta_program::config::HwConfig;

/// What may be left out.
#[derive(Debug, Clone, Copy, Default)]
pub enum Sparsity<'a> {
    /// Nothing: zero blocks are computed like all others.
    #[default]
    Dense,
    /// What masks drop; in layers without a mask every 32x32 block of zeros.
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
