//! Events of a run written down.

mod csv;
mod ends;

pub use csv::Csv;
pub use ends::Ends;
