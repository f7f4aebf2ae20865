//! Our operators as burn's: tensors around [`kernels`](super::kernels), and
//! their backward passes in burn's autodiff.

mod conv;
mod fake;
mod norm;
mod primitive;

pub(super) use conv::{conv, conv_plain};
pub(super) use fake::{fake, fake_plain};
pub(super) use norm::{norm, norm_plain};
