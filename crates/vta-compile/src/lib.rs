//! From an integer network to a program.
//!
//! | stage | module | from | to |
//! | --- | --- | --- | --- |
//! | place | `placement` | network | who does what: device or host |
//! | lay out | `layout` | network | addresses of tensors; which are aliases, no step at all |
//! | order | `order` | network | groups of nodes: a launch, or steps of the host |
//! | frame | `frame` | network | all of these: what masks do not change |
//! | lower | `lower` | node, mask | lowered operation: weight elements, biases with rounding (`lowered`) |
//! | tile | `sample`, `tiling`, `search`, `choice` | lowered operation | ways to cut it (`ways`), by the estimate |
//! | schedule | `conv`, `pool`, `resize`, `rearrange` | lowered operation, tiling | operations (`op`) in the instruction schedule (`schedule`) |
//! | allocate | `allocator` | sizes | buffers in scratchpads, who touched them last |
//! | tokens | `tokens` | dependencies | tokens, from what must have ended |
//! | estimate | `estimate` | operations | when they end |
//! | launch | `launch` | layers | the schedules of launches, layer after layer |
//! | emit | `emit`, `program` | schedules | micro-op batches, words, segments |
//!
//! Modules import only from rows above theirs (`tests/tidy.rs` holds the table):
//!
//! | modules | what they know |
//! | --- | --- |
//! | `fit`, `larger`, `error`, `options`, `cost` | why something does not fit, what would have to be larger, what a user hears of it, cycles of one instruction |
//! | `links` | who makes and who reads each tensor |
//! | `deps`, `op`, `map`, `loops`, `lowered` | dependencies, operations and their fields, maps and windows, lowered operations |
//! | `allocator`, `tokens`, `estimate`, `stores` | scratchpads, token inference, time, what was stored where: none knows the others |
//! | `schedule` | the instruction schedule, from tokens, estimate and stores |
//! | `device` | scratchpads and schedule together; transfers |
//! | `rows`, `pool`, `resize`, `rearrange`, `conv` | schedules of each lowered operation |
//! | `tiling`, `ways`, `search`, `placement` | how a convolution may be cut, by a formula and by trial; what the device can do |
//! | `layout`, `lower`, `order`, `emit`, `layers` | DRAM, weights, launches, words, the table of layers |
//! | `sample`, `choice`, `frame` | layers that are cut alike; a layer by itself; what masks do not change |
//! | `launch`, `program` | launch after launch; the bytes of the program |
//! | `compiler` | all of it, for one choice of masks after the other |

mod allocator;
mod choice;
mod compiler;
mod conv;
mod cost;
mod deps;
mod device;
mod emit;
mod error;
mod estimate;
mod fit;
mod frame;
mod larger;
mod launch;
mod layers;
mod layout;
mod links;
mod loops;
mod lower;
mod lowered;
mod map;
mod op;
mod options;
mod order;
mod placement;
mod pool;
mod program;
mod rearrange;
mod resize;
mod rows;
mod sample;
mod schedule;
mod search;
mod stores;
mod tiling;
mod tokens;
mod ways;

pub use compiler::Compiler;
pub use error::CompileError;
pub use options::{Options, Sparsity};

use vta_net::quant::QNet;
use vta_program::program::Program;

/// Compiles a network.
///
/// # Errors
/// A layer that does not fit the hardware.
pub fn compile(net: &QNet, options: &Options) -> Result<Program, CompileError> {
    Compiler::new(net, options)?.compile()
}
