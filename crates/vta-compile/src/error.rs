//! What cannot be compiled.

use crate::fit::DoesNotFit;
use vta_program::isa::FieldRange;

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
    /// A number of a layer that does not fit its field of an instruction or a micro-op.
    #[error("{layer}: {range}")]
    Field {
        /// Name of the node.
        layer: String,
        /// The field, the value, and what fits.
        range: FieldRange,
    },
}

impl CompileError {
    /// The error of a layer for which no way was found.
    pub(crate) fn unfit(layer: &str, why: DoesNotFit) -> Self {
        let layer = layer.to_owned();
        let what = match why {
            DoesNotFit::Field(range) => return Self::Field { layer, range },
            DoesNotFit::NoRoom | DoesNotFit::Pinned => "no tile of it fits the scratchpads".into(),
            DoesNotFit::Evicted => "a buffer that it still needs is overwritten".into(),
            DoesNotFit::TooLarge(what) => format!("{what}: more than 32 bits can count"),
        };
        Self::Unsupported { layer, what }
    }
}
