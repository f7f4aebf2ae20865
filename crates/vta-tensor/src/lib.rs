//! Tensors of the host, its operators, windows, NumPy files, and what opens files and spells names.

pub mod files;
pub mod host;
pub mod npy;
pub mod numbers;
pub mod printable;
pub mod spelling;
mod window;

pub use window::{Axis, Window};
