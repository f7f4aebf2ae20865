//! A budget of cycles, met to the cycle: exact counts decide, not a table.
//!
//! | file | subject |
//! | --- | --- |
//! | `ranks` | groups of each layer by strength, and which are kept |
//! | `meet` | how many groups go |
//! | `returns` | which of them come back because there is room |

mod meet;
mod ranks;
mod returns;

pub use meet::{Met, Request, meet};
pub use ranks::{Kept, Ranks};
pub use returns::{Cheapest, MOST_QUESTIONS, Returns};
