//! The verifier as a translation validator: whether a program is its network.
//!
//! A walk through the steps in program order, with expressions in place of
//! numbers. It knows the integer network and the instruction set, and nothing
//! of the compiler: where a layer's result lies it reads in the program's table
//! of layers, and holds every vector that is stored there against what the
//! network says of it.

mod canonical;
mod expr;
mod flaw;
mod host;
mod layer;
mod linear;
mod memory;
mod moved;
mod products;
mod tensors;
mod walk;

pub use flaw::{Flaw, Mismatch, Operand};

use crate::error::VerifyError;
use crate::launch::Context;
use crate::report::Report;
use crate::tables::Tables;
use layer::Layers;
use memory::Memory;
use std::collections::{HashMap, HashSet};
use tensors::{TensorIndex, Tensors};
use vta_net::quant::{self, QNet, QOp};
use vta_program::program::{Layer, Program, Region, Step};
use vta_tensor::host::HostOp;
use walk::{LayerResult, World};

/// Proves that a program computes a network: each element that it stores is the
/// sum over exactly the weights that are not zero times the right inputs, with
/// the network's bias, shifts, slope, second operand, limits and pool
/// ([`vta_net::quant::QConv`] has the formula), and nothing else flows in.
///
/// The masks are those of the network's weights: a program that leaves blocks
/// out has those masks in its table of layers, and none of the blocks in a sum.
///
/// [`crate::check`] comes first, so that program order is the order of values.
///
/// ```no_run
/// # fn proven(program: &vta_program::program::Program, net: &vta_net::quant::QNet)
/// #     -> Result<(), Vec<vta_verify::VerifyError>> {
/// let report = vta_verify::against(program, net)?;
/// println!("{} vectors of outputs are the network's", report.vectors);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What [`crate::check`] finds; then the first places, 16 at most, in which the
/// program is not the network, each with layer and element.
pub fn against(program: &Program, net: &QNet) -> Result<Report, Vec<VerifyError>> {
    against_until(program, net, &|| false)
}

/// As [`against`], until `stop` says true: it is asked between instructions and
/// in their loops.
///
/// # Errors
/// As [`against`]; [`VerifyError::Stopped`].
pub fn against_until(
    program: &Program,
    net: &QNet,
    stop: &dyn Fn() -> bool,
) -> Result<Report, Vec<VerifyError>> {
    let mut report = crate::check_until(program, stop)?;
    let steps = report.gemm_steps.saturating_add(report.alu_steps);
    if steps > MOST_STEPS {
        let what = format!("it has {steps} steps; no more than {MOST_STEPS} are followed");
        return Err(vec![foreign("the program", what)]);
    }
    let _span = tracing::info_span!("verify against the network").entered();
    quant::check(net).map_err(|e| vec![foreign("the network", e.to_string())])?;
    let block = program.config.block as usize;
    let tensors = Tensors::new(net, block);
    let places = Places::new(program, net, &tensors).map_err(|e| vec![e])?;
    let tables = Tables::new(program);
    let mut world = World {
        stop,
        memory: Memory::new(program.dram_image(), block),
        layers: Layers::new(net, block, places.stored),
        results: places.results,
        most_products: most_products(net, block),
        tensors,
        findings: Vec::new(),
        vectors: 0,
        products: 0,
    };
    for (r, t) in program.inputs.iter().zip(&net.inputs) {
        world.write(r, TensorIndex(t.0), "an input of the network");
    }
    for (n, step) in program.steps.iter().enumerate() {
        match step {
            Step::Host(h) => world.host(h, net),
            Step::Launch(l) => {
                let context = Context::new(program, (n, &tables), l, world.memory.whole())?;
                walk::launch(&mut world, &context, program.dram_bytes);
            }
        }
        if world.findings.len() >= walk::MOST_FINDINGS || world.stopped() {
            break;
        }
    }
    if world.findings.is_empty() {
        for (r, t) in program.outputs.iter().zip(&net.outputs) {
            world.holds(r, TensorIndex(t.0), "an output of the network");
        }
    }
    report.vectors = world.vectors;
    report.products = world.products;
    match world.findings.is_empty() {
        true => Ok(report),
        false => Err(world.findings),
    }
}

/// Most GEMM and ALU steps that are followed, one by one.
const MOST_STEPS: u64 = 1 << 34;

fn foreign(of: &str, what: impl Into<String>) -> VerifyError {
    VerifyError::Foreign {
        of: of.into(),
        what: what.into(),
    }
}

/// Weights that an input's share of an upsampled value is made of, at most.
const PARTS: usize = 8;

/// Most products that a sum of a network has, a second operand and as many
/// again as another compiler might add of nothing included.
fn most_products(net: &QNet, block: usize) -> usize {
    let conv = net.nodes.iter().filter_map(|n| match &n.op {
        QOp::Conv(c) => {
            let (_, ci, kh, kw) = c.weight.dim();
            let channels = ci.saturating_mul(c.groups);
            let direct = channels
                .div_ceil(block)
                .saturating_mul(kh)
                .saturating_mul(kw);
            Some(direct.max((channels * kh * kw).div_ceil(block)))
        }
        QOp::Host(HostOp::Rearrange { .. }) => {
            let channels = n.inputs.first().and_then(|t| net.tensor(*t).dims.get(1));
            channels.map(|c| c.div_ceil(block))
        }
        // Four inputs; a share may be the sum of several weights.
        QOp::Host(HostOp::ResizeLinear { .. }) => Some(4 * PARTS),
        _ => None,
    });
    conv.max().unwrap_or(0).saturating_mul(2).saturating_add(2)
}

/// Where the program says that the network's tensors are.
struct Places {
    /// For each layer of the program its result.
    results: Vec<Option<LayerResult>>,
    /// Tensors that some step leaves in DRAM.
    stored: HashSet<usize>,
}

impl Places {
    fn new(program: &Program, net: &QNet, tensors: &Tensors) -> Result<Self, VerifyError> {
        let nodes: HashMap<&str, usize> =
            net.nodes.iter().map(|n| n.name.as_str()).zip(0..).collect();
        for (what, regions, tensors_of) in [
            ("inputs", &program.inputs, &net.inputs),
            ("outputs", &program.outputs, &net.outputs),
        ] {
            let same = regions.len() == tensors_of.len()
                && regions
                    .iter()
                    .zip(tensors_of)
                    .all(|(r, t)| tensors.is_region_of(r, TensorIndex(t.0)));
            if !same {
                return Err(foreign(what, "they are not the network's"));
            }
        }
        let mut stored: HashSet<usize> = net.inputs.iter().map(|t| t.0).collect();
        stored.extend(program.steps.iter().filter_map(|s| match s {
            Step::Host(h) => tensors.named(&h.output.tensor).map(|t| t.0),
            Step::Launch(_) => None,
        }));
        let mut results = Vec::with_capacity(program.layers.len());
        for layer in &program.layers {
            let tensor = tensors.named(&layer.output.tensor);
            if let (Some(&n), Some(tensor)) = (nodes.get(layer.name.as_str()), tensor) {
                same_mask(layer, &net.nodes[n].op)?;
                if !tensors.is_region_of(&layer.output, tensor) {
                    let of = format!("the result of layer {}", layer.name);
                    return Err(foreign(
                        &of,
                        "its dimensions, type or exponent are not the network's",
                    ));
                }
                stored.insert(tensor.0);
                results.push(Some(LayerResult {
                    layer: layer.name.clone(),
                    tensor,
                    region: layer.output.clone(),
                }));
            } else {
                results.push(None);
            }
        }
        Ok(Self { results, stored })
    }
}

/// A layer that leaves blocks out leaves out those that the network's mask drops.
fn same_mask(layer: &Layer, op: &QOp) -> Result<(), VerifyError> {
    let Some(map) = layer.weights.as_ref().filter(|w| !w.mask.is_empty()) else {
        return Ok(());
    };
    let of = format!("the mask of layer {}", layer.name);
    let QOp::Conv(conv) = op else {
        return Err(foreign(&of, "the network's layer has no weights"));
    };
    let mask = conv.weight.mask();
    let mask = mask.ok_or_else(|| foreign(&of, "the network's layer has none"))?;
    let digits = mask.kept.iter().map(|kept| if *kept { b'1' } else { b'0' });
    let is_packed = mask.count_kept() == mask.blocks() && !map.mask.contains('0');
    let same = map.mask_dims == mask.dims && map.mask.bytes().eq(digits);
    match same || is_packed {
        true => Ok(()),
        false => Err(foreign(&of, "it is not the network's")),
    }
}

impl World<'_> {
    fn foreign(&mut self, of: &str, what: impl Into<String>) {
        self.findings.push(foreign(of, what));
    }

    /// Notes that a region has been given a tensor.
    fn write(&mut self, r: &Region, t: TensorIndex, of: &str) {
        if !self.memory.write(r, t, &self.tensors) {
            self.foreign(of, format!("{} does not lie in whole vectors", r.tensor));
        }
    }

    /// Checks that a region holds a tensor.
    fn holds(&mut self, r: &Region, t: TensorIndex, of: &str) -> bool {
        let found = match self.memory.holds(r, t, &self.tensors) {
            Ok(()) => return true,
            Err(memory::Cell::Vector(v)) => self.tensors.words(v),
            Err(memory::Cell::Plain(t, _)) => Operand::Tensor(self.tensors.get(t).name.clone()),
            Err(memory::Cell::Initial | memory::Cell::Other) => Operand::Unwritten,
        };
        let name = &self.tensors.get(t).name;
        let what = format!("{name} should be there, and {found} is");
        self.foreign(of, what);
        false
    }
}
