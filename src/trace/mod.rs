//! Events of a run written down.

mod csv;

pub use csv::Csv;
