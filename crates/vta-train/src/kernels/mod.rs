//! Numeric kernels on plain slices, for the CPU: no tensors, no gradients kept.
//!
//! Maps are `[n, channels, height, width]`, row by row, or in [`last`] with channels
//! last. Work is cut into parts by the sizes alone and partial sums are added in the
//! order of the parts, so results have the same bits whatever the number of threads.

mod buffer;
pub mod fake;
mod gradient;
pub mod last;
pub(crate) mod norm;
mod wide;

pub use buffer::Buffer;
pub use gradient::{input_gradient, weight_gradient};
pub(crate) use norm::plane_sums;
pub use vta_net::kernels::conv;
