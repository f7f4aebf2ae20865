//! Numeric kernels on plain slices, for the CPU: no tensors, no gradients kept.
//!
//! All maps are `[n, channels, height, width]`, row by row. Work is cut into
//! parts by the sizes alone and partial sums are added in the order of the
//! parts, so results have the same bits whatever the number of threads.

pub mod fake;
mod gradient;
pub(crate) mod norm;

pub use gradient::{input_gradient, weight_gradient};
pub(crate) use norm::plane_sums;
pub use vta_net::kernels::conv;
