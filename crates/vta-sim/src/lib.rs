//! The simulators of the Versatile Tensor Accelerator: bytes ([`fsim`]), cycles
//! ([`tsim`]), whole programs ([`steps`]), and what is made of their events
//! ([`trace`]).

pub mod fsim;
pub mod golden;
pub mod profiling;
pub mod steps;
pub mod trace;
pub mod tsim;
