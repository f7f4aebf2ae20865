//! How to compile.

use vta_program::config::HwConfig;

/// What may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sparsity {
    /// Nothing: dropped blocks are zeros and computed like all others.
    #[default]
    Dense,
    /// The blocks that the masks of the network's weights drop.
    Sparse,
}

/// How to compile.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The hardware.
    pub config: HwConfig,
    /// What may be left out.
    pub sparsity: Sparsity,
}
