//! Tensors of the host, its operators, and NumPy files.

pub mod host;
pub mod npy;
pub mod numbers;
pub mod spelling;
