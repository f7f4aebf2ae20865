//! Power-of-two quantisation: calibration, the integer network and its reference.

mod calibrate;
mod check;
mod correct;
mod emit;
mod error;
mod exponents;
pub mod float;
mod masks;
mod net;
mod plan;
mod quantise;
pub mod reference;
mod shape;
mod weights;

pub use calibrate::{Calibration, Method, Origin};
pub use check::{NetError, check};
pub use error::QuantError;
pub use masks::conv_masks;
pub use net::{QConv, QNet, QNode, QOp, QTensor, QTensorId, QType, Shift};
pub use quantise::{QuantOptions, quantise};
pub use weights::PerChannel;
