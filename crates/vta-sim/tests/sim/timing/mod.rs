//! Every cycle rule of `docs/timing.md`: state and cycles in one comparison,
//! one file for each unit.

mod alu;
mod document;
mod fetch_narrow;
mod fetch_wide;
mod finish;
mod gemm;
mod launch;
mod load_narrow;
mod load_wide;
mod memory;
mod padding;
mod queue;
mod semaphore;
mod store_narrow;
mod store_wide;
mod unit;
mod vme;
mod write_channel;
