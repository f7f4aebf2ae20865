//! From an integer network to a program.
//!
//! | stage | file | from | to |
//! | --- | --- | --- | --- |
//! | divide | `work` | network | who does what |
//! | place | `place` | network | addresses of tensors; what is no step at all |
//! | order | `order` | network | groups of nodes: a launch, or steps of the host |
//! | lower | `lower` | node | weight elements, biases with rounding (`job`) |
//! | tile | `tiling` | job | how it is cut, by the estimate of `stream` |
//! | schedule | `schedule`, `pool`, `resize` | job, tiling | operations in the stream |
//! | tokens | `stream` | operations | tokens, from what must have ended (`pads`) |
//! | emit | `emit` | stream | micro-op batches, words |

mod cost;
mod device;
mod emit;
mod error;
mod job;
mod loops;
mod lower;
mod order;
mod pads;
mod place;
mod pool;
mod resize;
mod rows;
mod schedule;
mod stream;
mod tiling;
mod work;

mod launch;
mod layers;

pub use error::CompileError;

use vta_net::quant::{QNet, QOp};
use vta_net::sparse::Masks;
use vta_program::config::HwConfig;
use vta_program::program::{Program, Step};

/// What may be left out.
#[derive(Debug, Clone, Copy, Default)]
pub enum Sparsity<'a> {
    /// Nothing: zero blocks are computed like all others.
    #[default]
    Dense,
    /// What masks drop; in layers without a mask every 32x32 block of zeros.
    Sparse(&'a Masks),
}

/// How to compile.
#[derive(Debug, Clone, Default)]
pub struct Options<'a> {
    /// The hardware.
    pub config: HwConfig,
    /// What may be left out.
    pub sparsity: Sparsity<'a>,
}

/// Compiles a network.
///
/// # Errors
/// A layer that does not fit the hardware, a mask that does not fit its layer.
pub fn compile(net: &QNet, options: &Options<'_>) -> Result<Program, CompileError> {
    let c = &options.config;
    let net = &order::prepared(net, options);
    let works = work::works(net, c);
    let mut places = place::Places::new(net, &works, c.block)?;
    let mut build = launch::Build::new(net, options, &works);
    let mut steps = Vec::new();
    for group in order::groups(net, &works, &places.virtual_nodes) {
        match group {
            order::Group::Host(node) => {
                let n = &net.nodes[node];
                if let QOp::Host(op) = &n.op {
                    steps.push(Step::Host(vta_program::program::HostStep {
                        name: n.name.clone(),
                        op: op.clone(),
                        inputs: n.inputs.iter().map(|&t| places.region(net, t)).collect(),
                        output: places.region(net, n.output),
                    }));
                    build.step_of[node] = steps.len() as u32 - 1;
                }
            }
            order::Group::Device(nodes) => {
                for &n in &nodes {
                    build.step_of[n] = steps.len() as u32;
                }
                build.launch(&nodes, &places)?;
                // Its addresses are known at the end.
                steps.push(Step::Launch(vta_program::program::Launch {
                    name: format!("launch-{}", build.launches() - 1),
                    insn_addr: 0,
                    insn_count: 0,
                    outputs: launch::outputs(net, &nodes, &places),
                    symbols: Vec::new(),
                }));
            }
        }
    }
    build.placed_steps(&places);
    build.program(&mut places, steps)
}
