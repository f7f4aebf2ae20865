//! Compiles launches one after the other, and puts the program together.

use crate::conv::Tiling;
use crate::device::{Device, Scratchpads};
use crate::emit::{self, Bases, Emitted};
use crate::error::CompileError;
use crate::fit::{self, DoesNotFit};
use crate::larger::larger;
use crate::layers::{self, LayerFacts};
use crate::layout::{ALIGN, MemoryLayout};
use crate::links::Links;
use crate::lower;
use crate::lowered::{LoweredConv, LoweredPool, LoweredResize, Pooled};
use crate::map::KernelWindow;
use crate::options::Options;
use crate::placement::{Placement, pooled};
use crate::pool;
use crate::resize;
use crate::schedule::Schedule;
use crate::tiling::{self, SegmentStarts};
use std::collections::{HashSet, VecDeque};
use vta_net::quant::{QNet, QNode, QOp, QTensorId};
use vta_program::config::HwConfig;
use vta_program::program::{Layer, On, Program, Segment, SegmentKind, Step};

/// What the launches so far have become.
pub(crate) struct Build<'a> {
    net: &'a QNet,
    options: &'a Options,
    placements: &'a [Placement],
    /// For each convolution the pool that alone reads it.
    pool_of: Vec<Option<usize>>,
    /// Pools that are in the tile of their convolution.
    fused: Vec<bool>,
    /// For each node the step that it is in.
    pub step_of: Vec<usize>,
    launches: Vec<Vec<Emitted>>,
    /// Bytes of the segments of weights, biases and micro-ops.
    weights: Vec<u8>,
    biases: Vec<i32>,
    uops: Vec<u32>,
    facts: Vec<Option<LayerFacts>>,
    names: Vec<String>,
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

fn unfit(node: &QNode) -> impl Fn(DoesNotFit) -> CompileError {
    |why| CompileError::unfit(&node.name, why)
}

/// The error of a node that has no room; `fits` says whether a configuration has.
fn no_room(
    node: &QNode,
    c: &HwConfig,
    why: DoesNotFit,
    fits: impl Fn(&HwConfig) -> bool,
) -> CompileError {
    CompileError::no_room(&node.name, c, why, || larger(c, fits))
}

impl<'a> Build<'a> {
    /// Nothing yet.
    pub(crate) fn new(
        net: &'a QNet,
        options: &'a Options,
        links: &Links,
        placements: &'a [Placement],
    ) -> Self {
        Self {
            net,
            options,
            placements,
            pool_of: pooled(net, links, placements),
            fused: vec![false; net.nodes.len()],
            step_of: vec![0; net.nodes.len()],
            launches: Vec::new(),
            weights: Vec::new(),
            biases: Vec::new(),
            uops: Vec::new(),
            facts: vec![None; net.nodes.len()],
            names: net.nodes.iter().map(|n| n.name.clone()).collect(),
        }
    }

    /// Checks that the weights find room in DRAM, before any is packed.
    ///
    /// # Errors
    /// They do not.
    pub(crate) fn weights_fit(&self, layout: &MemoryLayout) -> Result<(), CompileError> {
        let c = &self.options.config;
        let mut elements = 0u64;
        for node in &self.net.nodes {
            let QOp::Conv(conv) = &node.op else { continue };
            let mask = lower::mask_of(conv, self.options.sparsity);
            let map = |t| layout.map(self.net, t).map_err(unfit(node));
            let (input, output) = (map(node.inputs[0])?, map(node.output)?);
            let window = KernelWindow::new(&conv.window, &output).map_err(unfit(node))?;
            let met = |ky, kx| {
                !window.valid(0, output.h, input.h, ky).is_empty()
                    && !window.valid(1, output.w, input.w, kx).is_empty()
            };
            elements += lower::least_elements(conv, &mask, c.block as usize, met);
        }
        layout.has_room(elements * u64::from(c.wgt_bytes()), "weights")
    }

    /// Launches so far.
    pub(crate) fn launches(&self) -> usize {
        self.launches.len()
    }

    /// Compiles nodes into one launch.
    pub(crate) fn launch(
        &mut self,
        nodes: &[usize],
        layout: &MemoryLayout,
    ) -> Result<(), CompileError> {
        let c = &self.options.config;
        let mut schedule = Schedule::new(c);
        let mut scratchpads = Scratchpads::new(c);
        for &n in nodes {
            let node = &self.net.nodes[n];
            let _span = tracing::debug_span!("layer", name = node.name).entered();
            match self.placements[n] {
                Placement::Conv => self.conv(n, node, layout, &mut scratchpads, &mut schedule)?,
                Placement::Host => {}
                _ if self.fused[n] => {}
                _ => self.rows(n, node, layout, &mut scratchpads, &mut schedule)?,
            }
        }
        if let Some(&last) = nodes.last() {
            let node = &self.net.nodes[last];
            schedule.finish(last).map_err(unfit(node))?;
        }
        let insns = emit::emit(&schedule, c.uop_depth, &mut self.uops, &self.names)?;
        self.launches.push(insns);
        Ok(())
    }

    /// Where the next layer's weights and biases start in their segments.
    fn starts(&self) -> Result<SegmentStarts, DoesNotFit> {
        let c = &self.options.config;
        let weights = self.weights.len() / c.wgt_bytes() as usize;
        let biases = self.biases.len() / c.block as usize;
        Ok(SegmentStarts {
            weights: fit::count("weight elements of the program", weights)?,
            biases: fit::count("biases of the program", biases)?,
        })
    }

    fn conv(
        &mut self,
        n: usize,
        node: &QNode,
        layout: &MemoryLayout,
        scratchpads: &mut Scratchpads,
        schedule: &mut Schedule,
    ) -> Result<(), CompileError> {
        let QOp::Conv(conv) = &node.op else {
            return Ok(());
        };
        let c = &self.options.config;
        let mask = lower::mask_of(conv, self.options.sparsity);
        let map = |t| layout.map(self.net, t);
        let unfit = unfit(node);
        let maps = (
            map(node.inputs[0]).map_err(&unfit)?,
            map(node.output).map_err(&unfit)?,
            node.inputs
                .get(1)
                .map(|&t| map(t))
                .transpose()
                .map_err(&unfit)?,
        );
        let mut lowered = lower::conv(n, conv, &mask, maps, c.block).map_err(&unfit)?;
        let at = self.starts().map_err(&unfit)?;
        let mut tiling = tiling::choose(&lowered, c, scratchpads, schedule, at)
            .map_err(|why| no_room(node, c, why, |c| tiling::fits(&lowered, c)))?;
        if let Some(pool) = self.pool_of[n]
            && let Some((with_pool, t)) =
                self.with_pool(&lowered, tiling, pool, layout, (scratchpads, schedule), at)
        {
            (lowered, tiling) = (with_pool, t);
            self.fused[pool] = true;
        }
        tracing::debug!(?tiling, "tiled");
        let order =
            tiling::apply(&lowered, tiling, c, (scratchpads, schedule), at).map_err(&unfit)?;
        let packed = (order.len() as u64) * u64::from(c.wgt_bytes());
        layout.has_room(self.weights.len() as u64 + packed, &node.name)?;
        self.biases.extend(&lowered.bias);
        self.biases.extend(lowered.shifts.iter().flatten());
        self.append_weights(&lowered, &order);
        self.facts[n] = Some(LayerFacts::conv(&lowered, &mask, at.weights, &order, c));
        Ok(())
    }

    /// The convolution with the pool in its tile, if that ends earlier than
    /// one after the other.
    fn with_pool(
        &self,
        lowered: &LoweredConv,
        tiling: Tiling,
        pool: usize,
        layout: &MemoryLayout,
        (scratchpads, schedule): (&Scratchpads, &mut Schedule),
        at: SegmentStarts,
    ) -> Option<(LoweredConv, Tiling)> {
        let c = &self.options.config;
        let Placement::Pool(w) = self.placements[pool] else {
            return None;
        };
        let map = layout.map(self.net, self.net.nodes[pool].output).ok()?;
        let window = KernelWindow::new(&w, &map).ok()?;
        let fused = LoweredConv {
            pool: Some(Pooled { window, map }),
            ..lowered.clone()
        };
        let fused_tiling = tiling::choose(&fused, c, scratchpads, schedule, at).ok()?;
        let mark = schedule.mark();
        let mut trial = scratchpads.clone();
        let done = tiling::apply(&fused, fused_tiling, c, (&mut trial, schedule), at);
        let together = tiling::end(schedule);
        schedule.rollback(&mark);
        done.ok()?;
        let mut trial = scratchpads.clone();
        let first = tiling::apply(lowered, tiling, c, (&mut trial, schedule), at);
        let mut device = Device {
            scratchpads: &mut trial,
            schedule,
            layer: lowered.layer,
            weights_at: at.weights,
            biases_at: 0,
            c,
        };
        let alone = LoweredPool {
            input: lowered.output,
            output: map,
            window,
        };
        let second = pool::pool(&alone, &mut device);
        let apart = tiling::end(schedule);
        schedule.rollback(&mark);
        let better = first.is_err() || second.is_err() || together < apart;
        better.then_some((fused, fused_tiling))
    }

    fn append_weights(&mut self, lowered: &LoweredConv, order: &[Option<usize>]) {
        let block = self.options.config.block as usize;
        let size = block * block;
        for &tile in order {
            match tile.map(|t| &lowered.tiles[t]) {
                Some(t) => {
                    let at = t.content as usize * size;
                    let bytes = lowered.contents[at..at + size].iter();
                    let bytes = bytes.map(|w| w.cast_unsigned());
                    self.weights.extend(bytes);
                }
                None => self.append_identity(1 << lowered.residual.map_or(0, |r| r.1)),
            }
        }
    }

    fn append_identity(&mut self, value: u8) {
        let block = self.options.config.block as usize;
        for o in 0..block {
            self.weights
                .extend((0..block).map(|i| if i == o { value } else { 0 }));
        }
    }

    /// A layer of whole rows: its only weight element is the identity.
    fn rows(
        &mut self,
        n: usize,
        node: &QNode,
        layout: &MemoryLayout,
        scratchpads: &mut Scratchpads,
        schedule: &mut Schedule,
    ) -> Result<(), CompileError> {
        let c = &self.options.config;
        let map = |t| layout.map(self.net, t);
        let unfit = unfit(node);
        let maps = (
            map(node.inputs[0]).map_err(&unfit)?,
            map(node.output).map_err(&unfit)?,
        );
        let mut device = Device {
            scratchpads,
            schedule,
            weights_at: self.starts().map_err(&unfit)?.weights,
            biases_at: 0,
            layer: n,
            c,
        };
        let facts = match self.placements[n] {
            Placement::Pool(w) => {
                let lowered = LoweredPool::new(&w, maps).map_err(&unfit)?;
                let fits = |c: &HwConfig| pool::tile(&lowered, &Scratchpads::new(c)).is_some();
                pool::pool(&lowered, &mut device).map_err(|why| no_room(node, c, why, fits))?;
                LayerFacts::pool(&lowered, c)
            }
            Placement::Resize(factor) => {
                let lowered = LoweredResize::new(factor, maps).map_err(&unfit)?;
                let fits = |c: &HwConfig| resize::tile(&lowered, &Scratchpads::new(c)).is_some();
                resize::resize(&lowered, &mut device).map_err(|why| no_room(node, c, why, fits))?;
                LayerFacts::resize(&lowered, c)
            }
            _ => return Ok(()),
        };
        self.append_identity(1);
        self.facts[n] = Some(facts);
        Ok(())
    }

    /// Nodes that are no step belong to the last step that makes their operands.
    pub(crate) fn alias_steps(&mut self, links: &Links, layout: &MemoryLayout) {
        for (n, node) in self.net.nodes.iter().enumerate() {
            if layout.aliases[n] {
                let steps = node.inputs.iter().filter_map(|&t| links.maker(t));
                self.step_of[n] = steps.map(|m| self.step_of[m]).max().unwrap_or(0);
            }
        }
    }

    /// The program: segments behind the tensors, then addresses in all instructions.
    pub(crate) fn program(
        self,
        layout: &mut MemoryLayout,
        mut steps: Vec<Step>,
    ) -> Result<Program, CompileError> {
        let c = &self.options.config;
        let tensors = layout.end;
        let mut segments = vec![Segment {
            name: "tensors".into(),
            kind: SegmentKind::Raw,
            addr: ALIGN,
            bytes: tensors - ALIGN,
            data: Vec::new(),
        }];
        let mut add = |name: &str, kind, data: Vec<u8>| -> Result<u32, CompileError> {
            if data.is_empty() {
                return Ok(layout.end);
            }
            let addr = layout.take(data.len() as u64, name)?;
            let bytes = fit::count("bytes of a segment", data.len());
            let bytes = bytes.map_err(|e| CompileError::unfit(name, e))?;
            segments.push(Segment {
                name: name.into(),
                kind,
                addr,
                bytes,
                data,
            });
            Ok(addr)
        };
        let le = |v: u32| v.to_le_bytes();
        let weights = add("weights", SegmentKind::Wgt, self.weights)?;
        let biases = self.biases.iter().flat_map(|b| b.to_le_bytes()).collect();
        let biases = add("biases", SegmentKind::Acc, biases)?;
        let uops = self.uops.iter().copied().flat_map(le).collect();
        let uops = add("uops", SegmentKind::Uop, uops)?;
        let bases = Bases {
            weights: weights / c.wgt_bytes(),
            biases: biases / c.acc_bytes(),
            uops: uops / c.uop_bytes(),
        };
        let mut launches = self.launches.iter().enumerate();
        for step in &mut steps {
            let Step::Launch(l) = step else { continue };
            let Some((k, insns)) = launches.next() else {
                break;
            };
            let mut words = Vec::with_capacity(insns.len() * 16);
            for i in insns {
                let word = i.word(&bases);
                let word = word.map_err(|e| CompileError::unfit(&self.names[i.layer], e))?;
                words.extend(word.to_le_bytes());
            }
            l.insn_addr = add(&format!("insns-{k}"), SegmentKind::Insn, words)?;
            let unfit = |e| CompileError::unfit(&l.name, e);
            let count = fit::count("instructions of a launch", insns.len());
            l.insn_count = count.map_err(unfit)?;
            l.symbols = emit::symbols(insns, &self.names).map_err(unfit)?;
        }
        let regions = |all: &[QTensorId]| all.iter().map(|&t| layout.region(self.net, t)).collect();
        let (inputs, outputs) = (regions(&self.net.inputs), regions(&self.net.outputs));
        let wgt_bytes = c.wgt_bytes();
        let mut conv_of = vec![None; self.net.nodes.len()];
        for (conv, pool) in self.pool_of.iter().enumerate() {
            if let Some(pool) = *pool {
                conv_of[pool] = Some(conv);
            }
        }
        let nodes = self.net.nodes.iter().enumerate();
        let layers = nodes.map(|(n, node)| {
            let step = self.step_of[n];
            let on = match steps.get(step) {
                Some(Step::Host(_)) => On::Host,
                _ => On::Device,
            };
            let pool = self.pool_of[n].filter(|&p| self.fused[p]);
            let tile_of = conv_of[n].filter(|_| self.fused[n]);
            layers::layer(
                self.net,
                node,
                (
                    [pool, tile_of].map(|m| m.map(|m| &self.net.nodes[m])),
                    layout.aliases[n],
                ),
                self.facts[n].as_ref(),
                layout,
                (step, on),
                (weights, wgt_bytes),
            )
        });
        let mut layers = layers.collect::<Result<Vec<Layer>, _>>()?;
        layers.sort_by_key(|l| l.step);
        segments.retain(|s| s.bytes > 0);
        let program = Program {
            config: c.clone(),
            dram_bytes: layout.end,
            segments,
            steps,
            inputs,
            outputs,
            layers,
        };
        debug_assert_eq!(program.validate(), Ok(()));
        Ok(program)
    }
}
