//! Power-of-two quantisation: calibration, the integer network and its reference.

mod check;
mod net;
pub mod reference;
mod shape;

pub use check::{NetError, check};
pub use net::{QConv, QNet, QNode, QOp, QTensor, QTensorId, QType, Shift};
