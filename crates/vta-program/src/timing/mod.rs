//! How long things take: closed forms of the RTL's timing, below whoever
//! plans, simulates or explains programs.
//!
//! | file | what | source |
//! | --- | --- | --- |
//! | `burst` | bursts and beats of rows | core/TensorLoadNarrowVME.scala, core/TensorLoadWideVME.scala |
//! | `fetch` | batches of instructions | core/FetchVME64.scala, core/FetchWideVME.scala |
//! | `in_flight` | what a load's counter of beats can hold | the same two as `burst`, shell/VME.scala |
//! | `load` | a load by itself | the same two as `burst`, shell/VME.scala |
//! | `memory` | tags, and the test bench's memory | shell/VME.scala, dpi/VTAMemDPI.scala |
//! | `padding` | zeros between beats | core/TensorLoadNarrowVME.scala |
//! | `pipeline` | GEMM and ALU | core/TensorGemm.scala, core/TensorAlu.scala |
//! | `store` | a store | core/TensorStoreNarrowVME.scala, core/TensorStoreWideVME.scala |
//!
//! Every rule is a sentence of `docs/timing.md`. The simulator that ticks each
//! cycle does not use this module but is the RTL's own text; a property holds
//! the two together, one instruction at a time.
//!
//! Cycles of an instruction count from the one in which it leaves `sIdle` to
//! the one in which it leaves its queue, both included. The forms hold where no
//! counter of the RTL wraps: transfers of at least one row, with addresses
//! below 2^32 and not at 0.

mod burst;
pub mod fetch;
mod in_flight;
mod load;
pub mod memory;
mod padding;
mod pipeline;
mod store;

pub use burst::{Bursts, Geometry, Rows};
pub use in_flight::{counter_wraps, load_counter};
pub use load::{COMMAND, first_beat, load, written_after};
pub use padding::Padding;
pub use pipeline::{ALU_IMM_CYCLES, ALU_REG_CYCLES, PIPELINE, alu, alu_assert, alu_step, gemm};
pub use store::{Store, StoreBurst, StoreBursts, store, store_until, tears_elements};

/// Cycles of an empty LOAD or STORE (`sIdle`, `sSync`), and of FINISH
/// (core/Load.scala, core/Compute.scala, core/Store.scala).
pub const EMPTY: u64 = 2;
