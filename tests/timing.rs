//! Every cycle rule of `docs/timing.md`: state and cycles in one comparison,
//! one file for each unit.

use vta_test_support::runs as support;

#[path = "timing/alu.rs"]
mod alu;
#[path = "timing/document.rs"]
mod document;
#[path = "timing/fetch_narrow.rs"]
mod fetch_narrow;
#[path = "timing/fetch_wide.rs"]
mod fetch_wide;
#[path = "timing/finish.rs"]
mod finish;
#[path = "timing/gemm.rs"]
mod gemm;
#[path = "timing/launch.rs"]
mod launch;
#[path = "timing/load_narrow.rs"]
mod load_narrow;
#[path = "timing/load_wide.rs"]
mod load_wide;
#[path = "timing/memory.rs"]
mod memory;
#[path = "timing/padding.rs"]
mod padding;
#[path = "timing/queue.rs"]
mod queue;
#[path = "timing/semaphore.rs"]
mod semaphore;
#[path = "timing/store_narrow.rs"]
mod store_narrow;
#[path = "timing/store_wide.rs"]
mod store_wide;
#[path = "timing/unit.rs"]
mod unit;
#[path = "timing/vme.rs"]
mod vme;
#[path = "timing/write_channel.rs"]
mod write_channel;
