//! What people read: tables, curves, and the pages about programs and about fronts.

mod curve;
mod data;
mod front;
mod numbers;
mod page;
mod scatter;
mod status;
mod table;

pub use curve::{Curve, Panel, curves};
pub use data::data;
pub use front::{front_data, front_picture};
pub use numbers::view_json;
pub use page::{front_page, page};
pub use scatter::scatter;
pub use status::{add_end, add_status};
pub use table::{Cell, Table};
pub use vta_tensor::numbers::thousands;
