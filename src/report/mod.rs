//! What people read: tables, curves, and the page about programs.

mod curve;
mod data;
mod numbers;
mod page;
mod status;
mod table;

pub use curve::{Curve, Panel, curves};
pub use data::data;
pub use numbers::view_json;
pub use page::page;
pub use status::{add_end, add_status};
pub use table::{Cell, Table};
pub use vta_tensor::numbers::thousands;
