//! What several test crates share: small programs, and what their runs show.
#![allow(dead_code, unused_imports, reason = "no test crate uses all of it")]

mod defaults;
mod program;
mod seen;

pub use defaults::*;
pub use program::{Program, Word};
pub use seen::{Log, Seen, lines};
