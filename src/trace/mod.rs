//! Events of a run, written down or summed up.

mod csv;
mod ranges;

pub use csv::Csv;
pub use ranges::{RangeUse, Ranges};
