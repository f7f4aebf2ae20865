//! ONNX in and out.
//!
//! Import reads opset 7 to 24 and leaves a [`Graph`](super::Graph) without
//! arithmetic on dimensions and without constants of their own:
//!
//! | in the file | in the graph |
//! | --- | --- |
//! | open batch of an input | 1 |
//! | BatchNormalization, or Add and Mul by constants for each channel, after a convolution or dense layer that nothing else reads | folded into it |
//! | MatMul and Gemm with a constant | `Dense` |
//! | Pad with zeros before a convolution or pool | its padding |
//! | ReduceMean over the maps of an image, GlobalAveragePool | `AveragePool` |
//! | Split, Slice, Gather | `Slice`, one for each part or axis |
//! | Flatten, Squeeze, Unsqueeze | `Reshape` |
//! | Transposes in a row; those that only move ones | one or none; `Reshape` |
//! | Shape, Gather, Concat ... of constants | computed at import |
//! | DequantizeLinear of a constant | its values |
//! | QuantizeLinear and DequantizeLinear of a computed tensor | dropped, since calibration chooses scales anew; `Clip` where the zero point is the lowest value, since then the file's quantiser has merged a ReLU into it |
//! | Identity, Dropout, Cast between floats | nothing |
//! | functions of the model; `If` with a constant condition, `Loop` with constant trips | their nodes, in their place |
//! | nodes whose results nobody reads | nothing, whatever they are |
//! | values in files beside the model | read, inside of the model's folder |
//!
//! Names of nodes and of weights are kept (a node without name gets operator
//! and number); a second node with the same name gets `:1` behind it.

mod args;
mod batch;
mod constant;
mod control;
mod error;
mod export;
mod external;
mod fold;
mod given;
mod graph_builder;
mod grid;
mod import;
mod node;
mod ops;
mod order;
#[rustfmt::skip]
#[allow(missing_docs, clippy::all)]
mod proto;
mod scope;
mod simplify;

pub use error::{OnnxError, Problem};
pub use export::export;
pub use import::{ImportOptions, import, import_with};
pub use ops::{OPERATORS, OPSETS, Operator, Place, markdown};
