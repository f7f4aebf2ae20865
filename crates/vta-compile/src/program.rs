//! The program: steps, segments behind the tensors, addresses in all instructions.

use crate::choice::Chosen;
use crate::emit::{self, Bases};
use crate::error::{CompileError, unfit};
use crate::fit;
use crate::frame::Frame;
use crate::launch::{Placed, Schedules, WeightElements, fused, push_diagonal};
use crate::layers::{self, Elements, Floors};
use crate::layout::{ALIGN, MemoryLayout};
use crate::links::Links;
use crate::lower;
use crate::order::Group;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use vta_net::quant::{QNet, QOp, QTensorId};
use vta_program::config::HwConfig;
use vta_program::program::{HostStep, Launch, Layer, On, Program, Segment, SegmentKind, Step};

/// Whether a program has the values of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// It has.
    Packed,
    /// It is for cycles alone: weights are zeros, and nothing says where they are.
    LeftOut,
}

/// What launches leave for the host or the user.
pub(crate) struct Outputs {
    /// For each node of the device: where its result stands among all that is
    /// wanted, if it is.
    wanted: Vec<Option<usize>>,
}

impl Outputs {
    /// Those of a network.
    pub(crate) fn new(net: &QNet, links: &Links, layout: &MemoryLayout) -> Self {
        let read = net.nodes.iter().zip(&layout.aliases);
        let host = read.filter(|(node, alias)| matches!(node.op, QOp::Host(_)) && !**alias);
        let host = host.flat_map(|(node, _)| &node.inputs);
        let mut wanted = vec![None; net.nodes.len()];
        let mut seen = vec![false; net.tensors.len()];
        let mut place = 0;
        for &t in host.chain(&net.outputs) {
            // A tensor that is no step of its own, and what it is made of.
            let mut all = VecDeque::from([t]);
            while let Some(t) = all.pop_front() {
                if std::mem::replace(&mut seen[t.0], true) {
                    continue;
                }
                let Some(n) = links.maker(t) else { continue };
                wanted[n] = Some(place);
                place += 1;
                if layout.aliases[n] {
                    all.extend(&net.nodes[n].inputs);
                }
            }
        }
        Self { wanted }
    }

    /// Those of a launch of these nodes: address and bytes.
    pub(crate) fn of(&self, net: &QNet, nodes: &[usize], layout: &MemoryLayout) -> Vec<(u32, u32)> {
        let mut all: Vec<_> = nodes
            .iter()
            .filter_map(|&n| Some((self.wanted[n]?, layout.span(net.nodes[n].output))))
            .collect();
        all.sort_unstable();
        let mut seen = HashSet::new();
        let spans = all.into_iter().map(|(_, span)| span);
        spans.filter(|span| seen.insert(*span)).collect()
    }
}

/// Bytes of segments that layers add to.
#[derive(Default)]
struct Packed {
    weights: Vec<u8>,
    biases: Vec<u8>,
}

impl Packed {
    /// Adds a layer's weight elements and biases.
    fn add(
        &mut self,
        frame: &Frame,
        n: usize,
        placed: &Placed,
        chosen: Option<&Chosen>,
        c: &HwConfig,
    ) {
        let block = c.block as usize;
        let order = match &placed.elements {
            WeightElements::Order(order) => order,
            WeightElements::Bytes(bytes) => return self.weights.extend(bytes),
        };
        let (QOp::Conv(conv), Some(chosen)) = (&frame.net.nodes[n].op, chosen) else {
            return;
        };
        let lowered = &chosen.lowered;
        let elements = lower::Elements::new(conv, &chosen.mask, block);
        for tile in order {
            match tile.map(|t| &lowered.tiles[t]) {
                Some(t) => {
                    let at = [t.co, t.ci, t.ky, t.kx].map(|i| i as usize);
                    elements.push(at, &mut self.weights);
                }
                None => {
                    let value = 1 << lowered.residual.map_or(0, |r| r.1);
                    push_diagonal(value, block, &mut self.weights);
                }
            }
        }
        let lanes = lowered.bias.iter().chain(lowered.shifts.iter().flatten());
        self.biases.extend(lanes.flat_map(|v| v.to_le_bytes()));
    }
}

/// Segments behind the tensors.
struct Segments {
    layout: MemoryLayout,
    all: Vec<Segment>,
}

impl Segments {
    /// Adds a segment of so many bytes, which are zeros where there are no data. What is
    /// empty is none.
    fn add(
        &mut self,
        name: &str,
        kind: SegmentKind,
        bytes: usize,
        data: Vec<u8>,
    ) -> Result<u32, CompileError> {
        if bytes == 0 {
            return Ok(self.layout.end);
        }
        let addr = self.layout.take(bytes as u64, name)?;
        let bytes = fit::count("bytes of a segment", bytes);
        self.all.push(Segment {
            name: name.into(),
            kind,
            addr,
            bytes: bytes.map_err(|e| CompileError::unfit(name, e))?,
            data,
        });
        Ok(addr)
    }
}

/// The program of what is scheduled.
///
/// # Errors
/// More than can be counted, addresses beyond DRAM.
pub(crate) fn program(
    frame: &Frame,
    schedules: &Schedules,
    chosen: &[Option<Arc<Chosen>>],
    c: &HwConfig,
    values: Values,
) -> Result<Program, CompileError> {
    let (net, layout) = (&frame.net, &frame.layout);
    let names: Vec<String> = net.nodes.iter().map(|n| n.name.clone()).collect();
    let outputs = Outputs::new(net, &frame.links, layout);
    let (mut steps, mut step_of) = (Vec::new(), vec![0; net.nodes.len()]);
    let (mut packed, mut uops, mut launches) = (Packed::default(), Vec::new(), Vec::new());
    for group in &frame.groups {
        match group {
            Group::Host(n) => {
                let node = &net.nodes[*n];
                if let QOp::Host(op) = &node.op {
                    step_of[*n] = steps.len();
                    steps.push(Step::Host(HostStep {
                        name: node.name.clone(),
                        op: op.clone(),
                        inputs: node.inputs.iter().map(|&t| layout.region(net, t)).collect(),
                        output: layout.region(net, node.output),
                    }));
                }
            }
            Group::Device(nodes) => {
                for &n in nodes {
                    step_of[n] = steps.len();
                    if let (Some(placed), Values::Packed) = (schedules.placed(n), values) {
                        packed.add(frame, n, placed, chosen[n].as_deref(), c);
                    }
                }
                // Its addresses are known at the end.
                steps.push(Step::Launch(Launch {
                    name: format!("launch-{}", launches.len()),
                    insn_addr: 0,
                    insn_count: 0,
                    outputs: outputs.of(net, nodes, layout),
                    symbols: Vec::new(),
                }));
                if let Some(schedule) = schedules.of(launches.len()) {
                    launches.push(emit::emit(schedule, c.uop_depth, &mut uops, &names)?);
                }
            }
        }
    }
    // Nodes that are no step belong to the last step that makes their operands.
    for (n, node) in net
        .nodes
        .iter()
        .enumerate()
        .filter(|(n, _)| layout.aliases[*n])
    {
        let steps = node.inputs.iter().filter_map(|&t| frame.links.maker(t));
        step_of[n] = steps.map(|m| step_of[m]).max().unwrap_or(0);
    }
    let mut segments = Segments {
        layout: layout.clone(),
        all: vec![Segment {
            name: "tensors".into(),
            kind: SegmentKind::Raw,
            addr: ALIGN,
            bytes: layout.end - ALIGN,
            data: Vec::new(),
        }],
    };
    let end = schedules.end();
    let bytes = end.weights as usize * c.wgt_bytes() as usize;
    let weights = segments.add("weights", SegmentKind::Wgt, bytes, packed.weights)?;
    let bytes = end.biases as usize * c.acc_bytes() as usize;
    let biases = segments.add("biases", SegmentKind::Acc, bytes, packed.biases)?;
    let bytes: Vec<u8> = uops.iter().flat_map(|u: &u32| u.to_le_bytes()).collect();
    let uops = segments.add("uops", SegmentKind::Uop, bytes.len(), bytes)?;
    let bases = Bases {
        weights: weights / c.wgt_bytes(),
        biases: biases / c.acc_bytes(),
        uops: uops / c.uop_bytes(),
    };
    let of_launches = steps.iter_mut().filter_map(|step| match step {
        Step::Launch(l) => Some(l),
        Step::Host(_) => None,
    });
    for (k, (l, insns)) in of_launches.zip(&launches).enumerate() {
        let mut words = Vec::with_capacity(insns.len() * 16);
        for i in insns {
            let word = i.word(&bases).map_err(unfit(&net.nodes[i.layer]))?;
            words.extend(word.to_le_bytes());
        }
        let name = format!("insns-{k}");
        l.insn_addr = segments.add(&name, SegmentKind::Insn, words.len(), words)?;
        let unfit = |e| CompileError::unfit(&l.name, e);
        l.insn_count = fit::count("instructions of a launch", insns.len()).map_err(unfit)?;
        l.symbols = emit::symbols(insns, &names).map_err(unfit)?;
    }
    let rows = (0..net.nodes.len()).map(|n| {
        let step = step_of[n];
        let on = match steps.get(step) {
            Some(Step::Host(_)) => On::Host,
            _ => On::Device,
        };
        row(
            frame,
            schedules,
            chosen,
            n,
            (step, on),
            (weights, values),
            c,
        )
    });
    let mut layers = rows.collect::<Result<Vec<Layer>, _>>()?;
    layers.sort_by_key(|l| l.step);
    let regions = |all: &[QTensorId]| all.iter().map(|&t| layout.region(net, t)).collect();
    let (inputs, outputs) = (regions(&net.inputs), regions(&net.outputs));
    let Segments { layout, mut all } = segments;
    all.retain(|s| s.bytes > 0);
    let program = Program {
        config: c.clone(),
        dram_bytes: layout.end,
        segments: all,
        steps,
        inputs,
        outputs,
        layers,
    };
    debug_assert_eq!(program.validate(), Ok(()));
    Ok(program)
}

/// A node's row of the table of layers.
fn row(
    frame: &Frame,
    schedules: &Schedules,
    chosen: &[Option<Arc<Chosen>>],
    n: usize,
    step: (usize, On),
    (weights, values): (u32, Values),
    c: &HwConfig,
) -> Result<Layer, CompileError> {
    let net = &frame.net;
    let node = |n: usize| &net.nodes[n];
    let is_fused = |n: &usize| fused(frame, chosen, *n);
    let pool = frame.pool_of[n].filter(is_fused).map(node);
    let input = node(n).inputs.first();
    let tile_of = input.and_then(|&t| frame.links.maker(t));
    let tile_of = tile_of.filter(|_| is_fused(&n)).map(node);
    let placed = schedules.placed(n);
    let chosen = chosen[n].as_deref();
    let elements = match (placed, chosen, values) {
        (Some(placed), Some(chosen), Values::Packed) => match &placed.elements {
            WeightElements::Order(order) => {
                let (mask, at) = (&chosen.mask, placed.at.weights);
                Some(Elements::new(&chosen.lowered, mask, at, order))
            }
            WeightElements::Bytes(_) => None,
        },
        _ => None,
    };
    let floors = placed.map_or(Floors::default(), |placed| placed.floors);
    layers::layer(
        net,
        node(n),
        ([pool, tile_of], frame.layout.aliases[n]),
        (floors, chosen.map(|chosen| &chosen.mask), elements),
        &frame.layout,
        step,
        (weights, c.wgt_bytes()),
    )
}
