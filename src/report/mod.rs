//! What people read: renders, computes nothing.

mod curve;
mod table;

pub use curve::{Curve, Panel, curves};
pub use table::{Cell, Table, thousands};
