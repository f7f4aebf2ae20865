//! Events of a run, written down or summed up.

mod csv;
mod fetched;
pub mod perfetto;
mod profile;
mod ranges;
mod window;

pub use csv::Csv;
pub use perfetto::Timeline;
pub use profile::{
    COMPUTE, Cause, Kind, KindUse, MODULES, OTHER, Part, Profile, Profiler, Traffic,
};
pub use ranges::{RangeUse, Ranges};
pub use window::{Slice, TRACKS, Tiles, Window};
