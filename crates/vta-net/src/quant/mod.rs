//! Power-of-two quantisation: calibration, the integer network and its reference.

mod calibrate;
mod check;
mod correct;
mod emit;
mod error;
mod exponents;
mod factors;
mod fixed;
pub mod float;
mod fuse;
mod masks;
mod net;
mod noise;
mod plan;
mod quantise;
pub mod reference;
mod scales;
mod shape;
mod weights;

pub use calibrate::{Calibration, Method, Origin};
pub use check::{NetError, check};
pub use error::QuantError;
pub use fixed::quantise_with;
pub use fuse::fuse_host;
pub use masks::reshaped_by_masks;
pub use net::{QConv, QNet, QNode, QOp, QTensor, QTensorId, QType, Shift};
pub use noise::{Noise, noise};
pub use plan::slope;
pub use quantise::{QuantOptions, ShareResidual, quantise};
pub use scales::{Exponents, ExponentsError};
pub use shape::Map;
pub use weights::PerChannel;
