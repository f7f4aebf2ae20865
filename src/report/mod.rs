//! What people read: renders, computes nothing.

mod table;

pub use table::{Cell, Table, thousands};
