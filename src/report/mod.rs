//! What people read: renders, computes nothing.

mod page;
mod table;

pub use page::page;
pub use table::{Cell, Table, thousands};
