//! What a host operator cannot do.

use super::DType;

/// An operator that does not fit its operands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Another number of operands.
    #[error("{op} takes {expected} operands, not {found}")]
    Operands {
        /// The operator.
        op: &'static str,
        /// What it takes.
        expected: &'static str,
        /// What there is.
        found: usize,
    },
    /// An operand of another type.
    #[error("{op} takes {expected}, operand {operand} is {found}")]
    Type {
        /// The operator.
        op: &'static str,
        /// The operand, from 0.
        operand: usize,
        /// The type that it takes.
        expected: DType,
        /// The type that it has.
        found: DType,
    },
    /// Operands of different types.
    #[error("{op}: operand 0 is {first}, operand {operand} is {found}")]
    TypesDiffer {
        /// The operator.
        op: &'static str,
        /// The operand, from 0.
        operand: usize,
        /// Type of the first.
        first: DType,
        /// Its type.
        found: DType,
    },
    /// Dimensions that the operator cannot work on.
    #[error("{op}: {what}")]
    Dims {
        /// The operator.
        op: &'static str,
        /// What does not fit.
        what: String,
    },
    /// A result that no DRAM holds.
    #[error("{op}: a tensor {dims:?} has more than {limit} elements")]
    TooLarge {
        /// The operator.
        op: &'static str,
        /// Dimensions of the tensor.
        dims: Vec<usize>,
        /// The most that there may be.
        limit: usize,
    },
    /// An exponent out of range.
    #[error("{op}: the exponent {exponent} is outside -126 to 126")]
    Exponent {
        /// The operator.
        op: &'static str,
        /// The exponent.
        exponent: i32,
    },
}
