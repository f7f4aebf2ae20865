//! DRAM image and scratchpads: bytes, no behaviour.

mod dram;
mod scratchpad;

pub use dram::{Dram, OutOfRange};
pub use scratchpad::Scratchpads;
