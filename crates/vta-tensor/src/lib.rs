//! Tensors of the host, its operators, windows, and NumPy files.

pub mod host;
pub mod npy;
pub mod numbers;
pub mod spelling;
mod window;

pub use window::{Axis, Window};
