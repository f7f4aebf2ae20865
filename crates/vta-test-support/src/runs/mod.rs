//! Small programs instruction by instruction, and what their runs show.

mod program;
mod seen;

pub use program::{Program, Word};
pub use seen::{Log, Seen, lines};
pub use vta_program::strategies::empty::*;
