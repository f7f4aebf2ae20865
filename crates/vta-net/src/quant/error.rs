//! Why a network cannot be quantised.

use super::check::NetError;
use super::float::FloatError;
use super::reference::RunError;
use super::scales::ExponentsError;

/// Why a network cannot be quantised.
#[derive(Debug, thiserror::Error)]
pub enum QuantError {
    /// A node without operands.
    #[error("node `{node}` has no operand")]
    Operands {
        /// Name of the node.
        node: String,
    },
    /// A node that neither device nor host can do.
    #[error("node `{node}`: neither device nor host does {op} with {what}")]
    Unsupported {
        /// Name of the node.
        node: String,
        /// Its operator.
        op: &'static str,
        /// What stands in the way.
        what: String,
    },
    /// A weight or bias for which there is no step in single precision.
    #[error(
        "node `{node}`: a weight or bias of output channel {channel} is {value:e}: only magnitudes below 2^100 (1.27e30) can be quantised"
    )]
    Weight {
        /// Name of the node.
        node: String,
        /// The output channel.
        channel: usize,
        /// The value.
        value: f32,
    },
    /// A value of a sample that is no number.
    #[error("tensor `{tensor}` (of node `{node}`) is not finite on sample {sample}")]
    Sample {
        /// Name of the tensor.
        tensor: String,
        /// Node that computes it; `input` for an input of the network.
        node: String,
        /// Which sample, from 0.
        sample: usize,
    },
    /// No samples.
    #[error("there is no sample to calibrate with")]
    NoSamples,
    /// Values too large or too small for a power of two of single precision.
    #[error("tensor `{tensor}` needs a step of 2^{exponent}, outside 2^-100 to 2^100")]
    Exponent {
        /// Name of the tensor.
        tensor: String,
        /// The exponent.
        exponent: i32,
    },
    /// Steps that no right shift connects.
    #[error("node `{node}`: its weights are too large for input and output that share a step")]
    Steps {
        /// Name of the node.
        node: String,
    },
    /// A calibration of another graph.
    #[error("the calibration is of another network")]
    OtherNetwork,
    /// Exponents that were given do not fit.
    #[error("exponents: {0}")]
    Exponents(#[from] ExponentsError),
    /// The float network cannot be evaluated.
    #[error(transparent)]
    Float(#[from] FloatError),
    /// The integer network breaks a rule.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The integer network cannot be run on the samples.
    #[error("integer reference: {0}")]
    Run(#[from] RunError),
}
