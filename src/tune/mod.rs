//! Tuning: pruning and training together, with the rounding of the device.

mod exponents;

pub use exponents::for_training;
