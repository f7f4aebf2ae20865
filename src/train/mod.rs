//! Training: networks of [`graph`](crate::graph) as tensors of `burn`.

pub mod backend;
mod error;
pub mod kernels;
mod network;
mod ops;

pub use error::TrainError;
pub use network::{EPSILON, Exponents, Kind, Mask, Mode, Network, Param, Pass, Running, Value};
