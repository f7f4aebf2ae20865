//! Our operators as burn's: tensors around [`kernels`](super::kernels), and
//! their backward passes in burn's autodiff.

mod conv;
mod conv_last;
mod fake;
mod memory;
mod norm;
mod primitive;
mod swap;

pub(super) use conv::{Maps, conv, conv_plain};
pub(super) use fake::{fake, fake_plain};
pub(super) use norm::{norm, norm_plain};
pub(super) use swap::{swap, swap_plain};
