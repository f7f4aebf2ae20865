//! Small programs instruction by instruction, and what their runs show.

mod defaults;
mod program;
mod seen;

pub use defaults::*;
pub use program::{Program, Word};
pub use seen::{Log, Seen, lines};
