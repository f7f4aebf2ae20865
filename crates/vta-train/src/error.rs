//! What can be wrong with a network or a run.

use super::CheckpointError;
use vta_data::DataError;

/// Why a network cannot be trained, or a run not started or continued.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrainError {
    /// A node that works across the samples of a batch, or has no gradient here.
    #[error("node `{node}` ({op}) cannot be trained: {why}")]
    Node {
        /// Name of the node.
        node: String,
        /// Its operator.
        op: &'static str,
        /// What is in the way.
        why: &'static str,
    },
    /// The network does not have one input and one output, or inputs that are no images.
    #[error("the network `{network}` cannot be trained: {why}")]
    Network {
        /// Name of the network.
        network: String,
        /// What is in the way.
        why: String,
    },
    /// Values that do not fit a parameter or an input.
    #[error("`{name}` should have {want:?}, not {got:?}")]
    Size {
        /// Which values.
        name: String,
        /// Dimensions as they should be.
        want: Vec<usize>,
        /// As they are.
        got: Vec<usize>,
    },
    /// No parameter or tensor has the name.
    #[error("the network has no `{name}`")]
    Unknown {
        /// The name.
        name: String,
    },
    /// Images or classes that do not fit the network, or settings without sense.
    #[error("{0}")]
    Request(String),
    /// What takes part in training cannot go on.
    #[error("{0}")]
    Hooks(String),
    /// A number of the run is not finite any more. Nothing of the step is kept.
    #[error(
        "{what} in step {step} (epoch {epoch}, learning rate {rate}): training does not converge"
    )]
    Diverged {
        /// Which number, and what it is.
        what: String,
        /// The step, counted from 1.
        step: u64,
        /// Its epoch, counted from 1.
        epoch: u64,
        /// Its learning rate.
        rate: f64,
    },
    /// A number of a network, of its scores or of a checkpoint is not finite.
    #[error("{0}")]
    NotFinite(String),
    /// A checkpoint that cannot be used.
    #[error("the checkpoint {0}")]
    Checkpoint(#[from] CheckpointError),
    /// What the data set says.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file that cannot be written.
    #[error("{path}: {message}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        message: String,
    },
}

impl TrainError {
    /// What to do next, where that is known.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Diverged { .. } => Some(
                "try a lower learning rate or larger batches, in another folder; a checkpoint of this run is as it was after its last whole epoch",
            ),
            Self::NotFinite(_) => Some("try a lower learning rate: training has diverged"),
            Self::Checkpoint(e) => Some(e.help()),
            _ => None,
        }
    }
}
