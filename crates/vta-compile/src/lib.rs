//! From an integer network to a program.
//!
//! | stage | module | from | to |
//! | --- | --- | --- | --- |
//! | place | `placement` | network | who does what: device or host |
//! | lay out | `layout` | network | addresses of tensors; which are aliases, no step at all |
//! | order | `order` | network | groups of nodes: a launch, or steps of the host |
//! | lower | `lower` | node | lowered operation: weight elements, biases with rounding (`lowered`) |
//! | tile | `tiling` | lowered operation | how it is cut, by the estimate |
//! | schedule | `conv`, `pool`, `resize` | lowered operation, tiling | operations (`op`) in the instruction schedule (`schedule`) |
//! | allocate | `allocator` | sizes | buffers in scratchpads, who touched them last |
//! | tokens | `tokens` | dependencies | tokens, from what must have ended |
//! | estimate | `estimate` | operations | when they end |
//! | emit | `emit` | schedule | micro-op batches, words |
//!
//! Modules import only from rows above theirs (`tests/tidy.rs` holds the table):
//!
//! | modules | what they know |
//! | --- | --- |
//! | `fit`, `larger`, `error`, `options`, `cost` | why something does not fit, what would have to be larger, what a user hears of it, cycles of one instruction |
//! | `links` | who makes and who reads each tensor |
//! | `deps`, `op`, `map`, `loops`, `lowered` | dependencies, operations and their fields, maps and windows, lowered operations |
//! | `allocator`, `tokens`, `estimate` | scratchpads, token inference, time: none knows the others |
//! | `schedule` | the instruction schedule, from tokens and estimate |
//! | `device` | scratchpads and schedule together; transfers |
//! | `rows`, `pool`, `resize`, `conv` | schedules of each lowered operation |
//! | `tiling`, `placement` | how a convolution is cut; what the device can do |
//! | `layout`, `lower`, `order`, `emit`, `layers` | DRAM, weights, launches, words, the table of layers |
//! | `launch` | all of it, launch after launch |

mod allocator;
mod conv;
mod cost;
mod deps;
mod device;
mod emit;
mod error;
mod estimate;
mod fit;
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
mod resize;
mod rows;
mod schedule;
mod tiling;
mod tokens;

pub use error::CompileError;
pub use options::{Options, Sparsity};

use links::Links;
use vta_net::quant::{QNet, QOp};
use vta_program::program::{HostStep, Launch, Program, Step};
use vta_program::timing::{self, Geometry};

/// Compiles a network.
///
/// # Errors
/// A layer that does not fit the hardware.
pub fn compile(net: &QNet, options: &Options) -> Result<Program, CompileError> {
    let c = &options.config;
    let net = &order::prepared(net, options);
    let links = &Links::new(net);
    let placements = placement::placements(net, links, c);
    if timing::tears_elements(Geometry::new(c, c.out_bytes()))
        && let Some(first) = placements.iter().position(|p| p.on_device())
    {
        return Err(CompileError::torn(&net.nodes[first].name, c));
    }
    let mut layout = layout::MemoryLayout::new(net, links, &placements, c.block)?;
    let mut build = launch::Build::new(net, options, links, &placements);
    build.weights_fit(&layout)?;
    let outputs = launch::Outputs::new(net, links, &layout);
    let mut steps = Vec::new();
    for group in order::groups(net, links, &placements, &layout.aliases) {
        match group {
            order::Group::Host(node) => {
                let n = &net.nodes[node];
                if let QOp::Host(op) = &n.op {
                    build.step_of[node] = steps.len();
                    steps.push(Step::Host(HostStep {
                        name: n.name.clone(),
                        op: op.clone(),
                        inputs: n.inputs.iter().map(|&t| layout.region(net, t)).collect(),
                        output: layout.region(net, n.output),
                    }));
                }
            }
            order::Group::Device(nodes) => {
                for &n in &nodes {
                    build.step_of[n] = steps.len();
                }
                build.launch(&nodes, &layout)?;
                // Its addresses are known at the end.
                steps.push(Step::Launch(Launch {
                    name: format!("launch-{}", build.launches() - 1),
                    insn_addr: 0,
                    insn_count: 0,
                    outputs: outputs.of(net, &nodes, &layout),
                    symbols: Vec::new(),
                }));
            }
        }
    }
    build.alias_steps(links, &layout);
    build.program(&mut layout, steps)
}
