//! Programs of the Versatile Tensor Accelerator: configurations ([`config`]),
//! instructions ([`isa`]), memory images ([`mem`]), how long things take
//! ([`timing`]), bundles ([`program`]) and assembly text ([`asm`]).

pub mod asm;
pub mod config;
pub mod isa;
pub mod mem;
pub mod program;
pub mod standalone;
#[cfg(feature = "proptest")]
pub mod strategies;
pub mod timing;
