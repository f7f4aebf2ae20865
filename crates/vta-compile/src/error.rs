//! What cannot be compiled.

use crate::fit::DoesNotFit;
use crate::larger::larger;
use vta_net::quant::QNode;
use vta_program::config::HwConfig;
use vta_program::isa::FieldRange;

/// A network that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// A layer that a configuration has no room for.
    #[error("{layer} does not fit configuration {config}: {what}")]
    DoesNotFit {
        /// Name of the node.
        layer: String,
        /// Name of the configuration.
        config: String,
        /// What does not fit, and what would have to be larger.
        what: String,
    },
    /// A layer that fits no hardware.
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
    /// The error of a layer that a configuration has no room for; `larger` says
    /// what would have to be larger.
    pub(crate) fn no_room(
        layer: &str,
        c: &HwConfig,
        why: DoesNotFit,
        larger: impl FnOnce() -> String,
    ) -> Self {
        let what = match why {
            DoesNotFit::NoRoom | DoesNotFit::Pinned | DoesNotFit::Evicted => {
                format!("no tile of it fits the scratchpads; {}", larger())
            }
            why => return Self::unfit(layer, why),
        };
        Self::DoesNotFit {
            layer: layer.to_owned(),
            config: c.name.clone(),
            what,
        }
    }

    /// The error of a layer on a configuration whose hardware cannot store: its
    /// elements are wider than the longest burst.
    pub(crate) fn torn(layer: &str, c: &HwConfig) -> Self {
        let least = (c.out_bytes() / c.beat_bytes()).trailing_zeros();
        Self::DoesNotFit {
            layer: layer.to_owned(),
            config: c.name.clone(),
            what: format!(
                "an element is wider than the longest burst; it would take MEM_LEN_BITS {least}, not {}",
                c.mem_len_bits
            ),
        }
    }

    /// The error of a layer for which no way was found.
    pub(crate) fn unfit(layer: &str, why: DoesNotFit) -> Self {
        let layer = layer.to_owned();
        let what = match why {
            DoesNotFit::Field(range) => return Self::Field { layer, range },
            DoesNotFit::NoRoom | DoesNotFit::Pinned => "no tile of it fits the scratchpads".into(),
            DoesNotFit::Evicted => "a buffer that it still needs is overwritten".into(),
            DoesNotFit::Tokens => "more tokens between two units than a semaphore holds".into(),
            DoesNotFit::TooLarge(what) => format!("{what}: more than can be counted"),
        };
        Self::Unsupported { layer, what }
    }
}

/// The error of a node for which no way was found.
pub(crate) fn unfit(node: &QNode) -> impl Fn(DoesNotFit) -> CompileError {
    |why| CompileError::unfit(&node.name, why)
}

/// The error of a node that has no room; `fits` says whether a configuration has.
pub(crate) fn no_room(
    node: &QNode,
    c: &HwConfig,
    why: DoesNotFit,
    fits: impl Fn(&HwConfig) -> bool,
) -> CompileError {
    CompileError::no_room(&node.name, c, why, || larger(c, fits))
}
