//! When it happens: the RTL cycle by cycle.
//!
//! One file per RTL module; each unit is a plain state with `tick`, the clock
//! edge. A unit also says for how many cycles nothing but counters move
//! (`idle_window`), and the clock jumps over them. Values come from
//! [`crate::fsim`]: an instruction's data change when it ends.
//!
//! Where no sink wants every cycle, `event_driven` does the same from event to
//! event instead, by counts. Both keep one `ledger`: what an instruction does
//! at its end.
//!
//! Every rule is listed in `docs/timing.md` with its source and its test.

mod compute;
mod dram;
mod event;
mod event_driven;
mod fetch;
mod gen_vme_cmd;
mod hang;
mod ledger;
mod load;
mod machine;
mod outcome;
mod pipeline;
mod queue;
mod semaphore;
mod sink;
mod store;
mod tensor_load;
mod tensor_store;
mod unit;
mod vme;
mod zero_padding;

pub use dram::{ReadBeat, ReadCmd};
pub use event::{Event, Module, UnitState};
pub use hang::{Pusher, Wait, WaitFor};
pub use machine::{run, run_launch};
pub use outcome::{AssertCause, HangReason, Options, Outcome, RunError, Stats, Status, UnitStats};
pub use sink::{DynSink, Either, NoSink, Sink, Stop, Until};
pub use vme::{Client, VmeCmd, WriteCmd};
