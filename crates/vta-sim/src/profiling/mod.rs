//! Where the cycles of a program went, and what follows from it.
//!
//! [`watch`] runs a program and attributes every cycle ([`crate::trace::Profile`]);
//! [`View`] puts that beside what the program says of its layers; [`advise`]
//! says what holds a layer back and what would help.

mod advice;
mod replay;
mod reuse;
mod split;
mod view;
mod watch;

pub use advice::{Advice, advise};
pub use replay::{Ended, Order, Place, Replay, ReplayError, order};
pub use reuse::{Needs, needs};
pub use split::{Bottleneck, split};
pub use view::{Roof, Row, View};
pub use watch::{Seen, profiler, symbols, watch, watch_until};
