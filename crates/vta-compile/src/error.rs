//! What cannot be compiled.

/// A network that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// A layer that does not fit the hardware.
    #[error("{layer}: {what}")]
    Unsupported {
        /// Name of the node.
        layer: String,
        /// What does not fit.
        what: String,
    },
    /// A mask that does not fit its layer.
    #[error("{layer}: the mask of {weight} is {found:?}, the layer has {expected:?} blocks")]
    Mask {
        /// Name of the node.
        layer: String,
        /// Name of the weight.
        weight: String,
        /// Dimensions of the mask.
        found: [usize; 4],
        /// Dimensions that it must have.
        expected: [usize; 4],
    },
}
