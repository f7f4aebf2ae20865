//! Rows: what was computed of points, in files that grow.
//!
//! A point is all that decides a result: the network's content, the hardware, what is
//! dropped. Its [`Key`] is the digest of that. A file of rows has one for each point,
//! a line each ([`RowStore`]). Who knows the keys that are there computes nothing twice,
//! whoever computed it: this run before it was stopped, another machine, another program.

mod error;
mod point;
mod row;
mod store;

pub use error::RowsError;
pub use point::{Key, Point};
pub use row::{Failure, Outcome, Row};
pub use store::{RowStore, read};
