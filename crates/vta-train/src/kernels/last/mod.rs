//! Kernels for maps with channels last: `[n, height, width, channels]`.
//!
//! A pixel's channels lie together, so a convolution is a sum of products of
//! pixels and 32x32 blocks of weights, with no columns gathered; blocks that are
//! zero are left out. `tests/train/last.rs` holds them against those of
//! `[n, channels, height, width]`.

mod blocks;
mod conv;
mod norm;
mod padded;
mod swap;
mod tile;
mod weight;

pub use blocks::Blocks;
pub use conv::{forward, input_gradient};
pub(crate) use norm::{
    backward as norm_backward, channel_sums, forward as norm_forward, statistics,
};
pub use swap::{to_first, to_last};
pub use weight::weight_gradient;

use super::conv::Geometry;

/// Whether there are kernels for a convolution with such a weight.
pub fn suits([co, ..]: [usize; 4], groups: usize) -> bool {
    groups == 1 && co.is_multiple_of(tile::GROUP) && co > 0
}

/// Whether there are kernels for a convolution.
pub fn fits(g: &Geometry) -> bool {
    suits([g.co, g.ci, 0, 0], g.groups)
}

/// Whether there is one for the gradient of its input.
pub fn fits_input_gradient(g: &Geometry) -> bool {
    fits(g) && g.ci.is_multiple_of(tile::GROUP)
}
