//! Power-of-two quantisation: calibration, the integer network and its reference.

mod net;

pub use net::{QConv, QNet, QNode, QOp, QTensor, QTensorId, QType, Shift};
