//! Block masks: which 32x32 blocks of a layer's weights are kept.
//!
//! Masks come from a file ([`read`]), from a density ([`random`]) or from the
//! zeros of the weights; [`layers`] says what can have one. [`apply`] makes them
//! a part of their weights: from there on nothing joins the two by name.

mod apply;
mod error;
mod file;
mod layers;
mod random;

pub use crate::weight::{BLOCK, BlockMask, MaskDims, Weight, WeightDim, nonzero_blocks};
pub use apply::{apply, masks, turned};
pub use error::MaskError;
pub use file::{MAX_FILE_BYTES, read, write};
pub use layers::{MaskLayer, check, keep_dense, layers};
pub use random::{kept_at, random};

use std::collections::BTreeMap;

/// Masks by the name of the weight's initializer.
pub type Masks = BTreeMap<String, BlockMask>;
