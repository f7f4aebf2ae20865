//! Power-of-two quantisation: calibration, the integer network and its reference.

mod check;
mod error;
pub mod float;
mod net;
mod plan;
pub mod reference;
mod shape;

pub use check::{NetError, check};
pub use error::QuantError;
pub use net::{QConv, QNet, QNode, QOp, QTensor, QTensorId, QType, Shift};
