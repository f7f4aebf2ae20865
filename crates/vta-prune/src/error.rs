//! What is wrong with a request to prune.

use super::allocation::AllocationError;

/// A request that cannot be done.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PruneError {
    /// A name that no layer has.
    #[error("{name}: the network has no such layer")]
    UnknownLayer {
        /// The name.
        name: String,
        /// The layers that it has.
        layers: Vec<String>,
    },
    /// Another number of layers than there are.
    #[error("{got} layers are given, there are {want}")]
    Layers {
        /// As it should be.
        want: usize,
        /// As it is.
        got: usize,
    },
    /// Weights of another layer.
    #[error("layer {layer}: {got} weights are given, it has {want}")]
    Weights {
        /// The layer.
        layer: String,
        /// As it should be.
        want: usize,
        /// As it is.
        got: usize,
    },
    /// A weight that is not finite: training has diverged.
    #[error("layer {layer}: weight {index} is {value}: training has diverged")]
    NotFinite {
        /// The layer.
        layer: String,
        /// Index, row by row.
        index: usize,
        /// Its value, in words: an error can be compared.
        value: String,
    },
    /// A state, as a checkpoint has it, whose parts do not fit the layers.
    #[error("layer {layer}: {what}")]
    State {
        /// The layer.
        layer: String,
        /// What does not fit.
        what: &'static str,
    },
    /// A plan that cannot be.
    #[error("{0}")]
    Plan(String),
    /// A network that could not be simulated.
    #[error("simulating the pruned network: {0}")]
    Simulate(String),
    /// A sparsity allocation or a budget that cannot be.
    #[error(transparent)]
    Allocation(#[from] AllocationError),
}

impl PruneError {
    /// What to do next, where that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::UnknownLayer { layers, .. } => {
                Some(format!("its layers are {}", layers.join(", ")))
            }
            Self::NotFinite { .. } => Some("try a smaller learning rate".into()),
            Self::Allocation(e) => e.help(),
            Self::Layers { .. }
            | Self::Weights { .. }
            | Self::State { .. }
            | Self::Plan(_)
            | Self::Simulate(_) => None,
        }
    }
}
