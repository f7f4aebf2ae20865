//! What can be wrong with a model.

use super::super::shape::ShapeError;
use super::ops::OPERATORS;
use std::fmt;
use vta_tensor::spelling::nearest;

/// Why a model cannot be imported, and where.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub struct OnnxError {
    /// Name of the file.
    pub file: String,
    /// Name and operator of the node.
    pub node: Option<(String, String)>,
    /// Name of the tensor.
    pub tensor: Option<String>,
    /// What is wrong.
    pub problem: Box<Problem>,
}

impl fmt::Display for OnnxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        if let Some((name, op)) = &self.node {
            write!(f, "node {name} ({op}): ")?;
        }
        if let Some(tensor) = &self.tensor {
            write!(f, "tensor {tensor}: ")?;
        }
        write!(f, "{}", self.problem)
    }
}

/// Operators whose results have a size that depends on values.
const DEPEND_ON_VALUES: &[&str] = &[
    "Compress",
    "NonMaxSuppression",
    "NonZero",
    "StringSplit",
    "Unique",
];

impl OnnxError {
    /// What to do next, where that is known.
    pub fn help(&self) -> Option<String> {
        Some(match &*self.problem {
            Problem::Operator(name) if DEPEND_ON_VALUES.contains(&name.as_str()) => format!(
                "the size of what {name} gives depends on values, and programs have fixed sizes: cut the network before it"
            ),
            Problem::Operator(name) => {
                let names = OPERATORS.iter().map(|o| o.name);
                let meant = nearest(name, names.clone());
                let meant = meant.map_or_else(String::new, |m| format!("did you mean {m}? "));
                let all: Vec<&str> = names.collect();
                format!(
                    "{meant}write it with others, or cut the network before it; these are read: {}",
                    all.join(", ")
                )
            }
            Problem::Dimension { axis, dim } => {
                let input = self.tensor.as_deref().unwrap_or("INPUT");
                match dim.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && dim != "0" {
                    true => format!("--dim {dim}=N gives it, or --input-shape {input}=N,N.. all of the input"),
                    false => format!("--input-shape {input}=N,N.. gives dimension {axis} and all others"),
                }
            }
            Problem::Opset(_) => {
                "onnx.version_converter converts models to other opsets, or export it with one of these"
                    .to_owned()
            }
            Problem::Computed => {
                "what is constant after all can be folded first: onnxsim, or constant folding of the exporter"
                    .to_owned()
            }
            _ => return None,
        })
    }
}

/// What is wrong with a model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// The bytes are no ONNX model, or end too early.
    #[error("no ONNX model, or a truncated one ({0})")]
    Decode(String),
    /// A version of the operators that is not read.
    #[error("opset {0} is not among 7 to 28")]
    Opset(i64),
    /// The model has no version of the operators.
    #[error("no opset is declared: no ONNX model")]
    NoOpset,
    /// The model has no graph, no nodes or no outputs.
    #[error("the model has no {0}")]
    Empty(&'static str),
    /// An operator outside the list.
    #[error("operator {0} is not supported")]
    Operator(String),
    /// A form of a supported operator that is not supported.
    #[error("{0}")]
    Form(String),
    /// An attribute or a constant operand with a value that makes no sense.
    #[error("{what} is {value}")]
    Value {
        /// Which attribute or operand.
        what: String,
        /// Its value.
        value: String,
    },
    /// An operand that should be there.
    #[error("operand {0} is missing")]
    Operand(usize),
    /// An operand that must be constant is computed.
    #[error("must be a constant, but is computed")]
    Computed,
    /// An operand that must be computed is constant.
    #[error("must be computed, but is a constant")]
    Constant,
    /// Nothing computes a tensor that is read.
    #[error("nothing computes it")]
    Undefined,
    /// Two tensors have the same name.
    #[error("the name is there twice")]
    Duplicate,
    /// Nodes depend on each other in a circle.
    #[error("is part of a circle")]
    Cycle,
    /// A dimension is not known: the batch alone may be open, others are given
    /// ([`ImportOptions`](super::ImportOptions)).
    #[error("dimension {axis} is not known ({dim}): it must be given")]
    Dimension {
        /// Which dimension.
        axis: usize,
        /// What the file says.
        dim: String,
    },
    /// Dimensions do not suit an operator.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Declared dimensions and stored values do not match.
    #[error("{dims:?} needs {want} {unit}, but {got} are stored")]
    Data {
        /// Declared dimensions.
        dims: Vec<i64>,
        /// Values or bytes that the dimensions need.
        want: String,
        /// Values or bytes in the file.
        got: usize,
        /// `values` or `bytes`.
        unit: &'static str,
    },
    /// An element type that is not read.
    #[error("element type {0} is not supported")]
    Type(i32),
    /// Values in a file beside the model that cannot be read.
    #[error("its values are in the file {file}: {why}")]
    External {
        /// The file, as the model calls it.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// Functions and branches make too many nodes.
    #[error("more than {0} nodes, with functions and branches in their places")]
    Nodes(usize),
    /// A size for a dimension, or for an input, that the model does not have.
    #[error("{what} is given, but the model has {there}")]
    Given {
        /// What was given.
        what: String,
        /// What there is.
        there: String,
    },
    /// A NaN or an infinity.
    #[error("value {index} is {value}")]
    NonFinite {
        /// Index in the flat values.
        index: usize,
        /// The value.
        value: f32,
    },
    /// The tensors of the network would take too much memory.
    #[error("its tensors have more than {limit} elements together")]
    Elements {
        /// The limit.
        limit: usize,
    },
    /// Folding constants would take too much memory.
    #[error("its constants unfold to more than {limit} values")]
    Unfolded {
        /// The limit for a file of this size.
        limit: usize,
    },
}

/// A problem and the tensor it is about; the importer adds node and file.
#[derive(Debug)]
pub(super) struct Fault {
    pub tensor: Option<String>,
    pub problem: Problem,
}

pub(super) type Res<T> = Result<T, Fault>;

impl Fault {
    pub fn at(tensor: &str, problem: Problem) -> Self {
        Self {
            tensor: Some(tensor.to_owned()),
            problem,
        }
    }

    /// A form of an operator that is not supported.
    pub fn form(text: impl Into<String>) -> Self {
        Problem::Form(text.into()).into()
    }

    /// A value that makes no sense.
    pub fn value(what: impl Into<String>, value: impl fmt::Debug) -> Self {
        Problem::Value {
            what: what.into(),
            value: format!("{value:?}"),
        }
        .into()
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self {
            tensor: None,
            problem,
        }
    }
}

impl From<ShapeError> for Fault {
    fn from(e: ShapeError) -> Self {
        Problem::Shape(e).into()
    }
}
