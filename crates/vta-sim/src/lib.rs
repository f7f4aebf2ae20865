//! The simulators of the Versatile Tensor Accelerator: bytes ([`fsim`]), cycles
//! ([`tsim`]), and what is made of their events ([`trace`]).

pub mod fsim;
pub mod golden;
pub mod sight;
pub mod trace;
pub mod tsim;
