//! Networks: the float graph and ONNX ([`graph`]), block masks ([`sparse`]), int8
//! networks with their reference ([`quant`]); kernels in single precision ([`kernels`]).

pub mod graph;
pub mod kernels;
mod names;
pub mod quant;
pub mod sparse;
mod weight;

pub use names::Names;
