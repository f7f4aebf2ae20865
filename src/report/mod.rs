//! What people read: renders, computes nothing.

mod curve;
mod page;
mod table;

pub use curve::{Curve, Panel, curves};
pub use page::page;
pub use table::{Cell, Table};
pub use vta_tensor::numbers::thousands;
