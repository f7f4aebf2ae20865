//! Compiles launches one after the other, and puts the program together.

use super::device::{Device, Pads};
use super::emit::{self, Bases, Emitted};
use super::job::{ConvJob, PoolJob, Pooled};
use super::layers::{self, Lowered};
use super::lower::{self, LayerMask};
use super::place::{ALIGN, Places};
use super::schedule::Tiling;
use super::stream::{Geometry, Stream};
use super::tiling::{self, At};
use super::work::{Work, pool_job, pool_window, pooled, resize_job};
use super::{CompileError, Options, cost::Cost, pool, resize};
use vta_net::quant::{QNet, QNode, QOp};
use vta_program::config::HwConfig;
use vta_program::program::{Layer, On, Program, Segment, SegmentKind, Step};

/// What the launches so far have become.
pub(super) struct Build<'a> {
    net: &'a QNet,
    options: &'a Options<'a>,
    works: &'a [Work],
    /// For each convolution the pool that alone reads it.
    pool_of: Vec<Option<usize>>,
    /// Pools that are in the tile of their convolution.
    fused: Vec<bool>,
    /// For each node the step that it is in.
    pub step_of: Vec<u32>,
    launches: Vec<Vec<Emitted>>,
    /// Bytes of the segments of weights, biases and micro-ops.
    weights: Vec<u8>,
    biases: Vec<i32>,
    uops: Vec<u32>,
    lowered: Vec<Option<Lowered>>,
    names: Vec<String>,
}

/// What a launch leaves for the host or the user: address and bytes.
pub(super) fn outputs(net: &QNet, nodes: &[usize], places: &Places) -> Vec<(u32, u32)> {
    let made = |t| nodes.iter().any(|&n| net.nodes[n].output == t);
    // What a tensor that is no step of its own is made of.
    let sources = |t| {
        let mut all = vec![t];
        let mut at = 0;
        while at < all.len() {
            let by = net
                .nodes
                .iter()
                .enumerate()
                .find(|(_, n)| n.output == all[at]);
            if let Some((n, node)) = by
                && places.virtual_nodes[n]
            {
                all.extend(&node.inputs);
            }
            at += 1;
        }
        all
    };
    let read = net.nodes.iter().enumerate();
    let host =
        read.filter(|(n, node)| matches!(node.op, QOp::Host(_)) && !places.virtual_nodes[*n]);
    let mut wanted: Vec<_> = host.flat_map(|(_, n)| n.inputs.clone()).collect();
    wanted.extend(&net.outputs);
    let mut spans = Vec::new();
    for t in wanted.into_iter().flat_map(sources) {
        let span = places.span(net, t);
        if made(t) && !spans.contains(&span) {
            spans.push(span);
        }
    }
    spans
}

fn unfit(node: &QNode) -> CompileError {
    CompileError::Unsupported {
        layer: node.name.clone(),
        what: "no tile of it fits the scratchpads".into(),
    }
}

fn geometry(c: &HwConfig) -> Geometry {
    let burst = c.beat_bytes() << c.mem_len_bits;
    Geometry {
        cost: Cost::new(c),
        inp_bytes: c.inp_bytes(),
        wgt_bytes: c.wgt_bytes(),
        acc_bytes: c.acc_bytes(),
        out_bytes: c.out_bytes(),
        uop_depth: c.uop_depth,
        batch: (burst / 16).max(1),
    }
}

impl<'a> Build<'a> {
    /// Nothing yet.
    pub(super) fn new(net: &'a QNet, options: &'a Options<'a>, works: &'a [Work]) -> Self {
        Self {
            net,
            options,
            works,
            pool_of: pooled(net, works),
            fused: vec![false; net.nodes.len()],
            step_of: vec![0; net.nodes.len()],
            launches: Vec::new(),
            weights: Vec::new(),
            biases: Vec::new(),
            uops: Vec::new(),
            lowered: vec![None; net.nodes.len()],
            names: net.nodes.iter().map(|n| n.name.clone()).collect(),
        }
    }

    /// Launches so far.
    pub(super) fn launches(&self) -> usize {
        self.launches.len()
    }

    /// Compiles nodes into one launch.
    pub(super) fn launch(&mut self, nodes: &[usize], places: &Places) -> Result<(), CompileError> {
        let c = &self.options.config;
        let mut stream = Stream::new(geometry(c));
        let mut pads = Pads::new(c);
        for &n in nodes {
            let node = &self.net.nodes[n];
            let _span = tracing::debug_span!("layer", name = node.name).entered();
            match self.works[n] {
                Work::Conv => self.conv(n, node, places, &mut pads, &mut stream)?,
                Work::Host => {}
                _ if self.fused[n] => {}
                _ => self.rows(n, node, places, &mut pads, &mut stream)?,
            }
        }
        emit::finish(&mut stream, nodes.last().map_or(0, |&n| n as u32));
        let insns = emit::emit(&stream, c.uop_depth, &mut self.uops, &self.names)?;
        self.launches.push(insns);
        Ok(())
    }

    fn wgt_at(&self) -> u32 {
        (self.weights.len() / self.options.config.wgt_bytes() as usize) as u32
    }

    fn conv(
        &mut self,
        n: usize,
        node: &QNode,
        places: &Places,
        pads: &mut Pads,
        stream: &mut Stream,
    ) -> Result<(), CompileError> {
        let QOp::Conv(conv) = &node.op else {
            return Ok(());
        };
        let c = &self.options.config;
        let mask = lower::mask_of(&node.name, conv, node.keep_dense, self.options.sparsity)?;
        let map = |t| places.map(self.net, t);
        let maps = (
            map(node.inputs[0]),
            map(node.output),
            node.inputs.get(1).map(|&t| map(t)),
        );
        let mut job = lower::conv(n as u32, conv, &mask, maps, c.block);
        let at = At {
            weights: self.wgt_at(),
            biases: self.biases.len() as u32 / c.block,
        };
        let unfit = |_| unfit(node);
        let mut tiling = tiling::choose(&job, c, pads, stream, at).map_err(unfit)?;
        if let Some(pool) = self.pool_of[n]
            && let Some((with_pool, t)) =
                self.with_pool(&job, tiling, pool, places, (pads, stream), at)
        {
            (job, tiling) = (with_pool, t);
            self.fused[pool] = true;
        }
        tracing::debug!(?tiling, "tiled");
        let placed = tiling::apply(&job, tiling, c, (pads, stream), at).map_err(unfit)?;
        self.biases.extend(&job.bias);
        self.biases.extend(job.shifts.iter().flatten());
        self.place_weights(&job, &placed.weights);
        self.lowered[n] = Some(Lowered::conv(&job, &mask, at.weights, &placed.weights, c));
        Ok(())
    }

    /// The convolution with the pool in its tile, if that ends earlier than
    /// one after the other.
    fn with_pool(
        &self,
        job: &ConvJob,
        tiling: Tiling,
        pool: usize,
        places: &Places,
        (pads, stream): (&Pads, &mut Stream),
        at: At,
    ) -> Option<(ConvJob, Tiling)> {
        let c = &self.options.config;
        let Work::Pool(w) = self.works[pool] else {
            return None;
        };
        let map = places.map(self.net, self.net.nodes[pool].output);
        let window = pool_window(&w);
        let fused = ConvJob {
            pool: Some(Pooled { window, map }),
            ..job.clone()
        };
        let fused_tiling = tiling::choose(&fused, c, pads, stream, at).ok()?;
        let mark = stream.mark();
        let mut trial = pads.clone();
        let done = tiling::apply(&fused, fused_tiling, c, (&mut trial, stream), at);
        let together = tiling::end(stream);
        stream.rollback(&mark);
        done.ok()?;
        let mut trial = pads.clone();
        let first = tiling::apply(job, tiling, c, (&mut trial, stream), at);
        let mut device = Device {
            pads: &mut trial,
            stream,
            layer: job.layer,
            weights_at: at.weights,
            biases_at: 0,
            uop_depth: c.uop_depth,
        };
        let alone = PoolJob {
            input: job.output,
            output: map,
            window,
        };
        let second = pool::pool(&alone, &mut device);
        let apart = tiling::end(stream);
        stream.rollback(&mark);
        let better = first.is_err() || second.is_err() || together < apart;
        better.then_some((fused, fused_tiling))
    }

    fn place_weights(&mut self, job: &ConvJob, order: &[u32]) {
        let block = self.options.config.block as usize;
        let size = block * block;
        for &tile in order {
            match job.tiles.get(tile as usize) {
                Some(t) => {
                    let at = t.content as usize * size;
                    let bytes = job.contents[at..at + size].iter().map(|w| *w as u8);
                    self.weights.extend(bytes);
                }
                None => self.place_identity(1 << job.residual.map_or(0, |r| r.1)),
            }
        }
    }

    fn place_identity(&mut self, value: u8) {
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
        places: &Places,
        pads: &mut Pads,
        stream: &mut Stream,
    ) -> Result<(), CompileError> {
        let c = &self.options.config;
        let map = |t| places.map(self.net, t);
        let maps = (map(node.inputs[0]), map(node.output));
        let mut device = Device {
            pads,
            stream,
            weights_at: self.wgt_at(),
            biases_at: 0,
            layer: n as u32,
            uop_depth: c.uop_depth,
        };
        let (done, lowered) = match self.works[n] {
            Work::Pool(w) => {
                let job = pool_job(&w, maps);
                (pool::pool(&job, &mut device), Lowered::pool(&job, c))
            }
            Work::Resize(factor) => {
                let job = resize_job(factor, maps);
                (resize::resize(&job, &mut device), Lowered::resize(&job, c))
            }
            _ => return Ok(()),
        };
        done.map_err(|_| unfit(node))?;
        self.place_identity(1);
        self.lowered[n] = Some(lowered);
        Ok(())
    }

    /// Nodes that are no step belong to the last step that makes their operands.
    pub(super) fn placed_steps(&mut self, places: &Places) {
        for (n, node) in self.net.nodes.iter().enumerate() {
            if places.virtual_nodes[n] {
                let made = |t| self.net.nodes.iter().position(|m| m.output == t);
                let steps = node.inputs.iter().filter_map(|&t| made(t));
                self.step_of[n] = steps.map(|m| self.step_of[m]).max().unwrap_or(0);
            }
        }
    }

    /// The program: segments behind the tensors, then addresses in all instructions.
    pub(super) fn program(
        self,
        places: &mut Places,
        mut steps: Vec<Step>,
    ) -> Result<Program, CompileError> {
        let c = &self.options.config;
        let tensors = places.end;
        let mut segments = vec![Segment {
            name: "tensors".into(),
            kind: SegmentKind::Raw,
            addr: ALIGN,
            bytes: tensors - ALIGN,
            data: Vec::new(),
        }];
        let mut add = |name: &str, kind, data: Vec<u8>| -> Result<u32, CompileError> {
            if data.is_empty() {
                return Ok(places.end);
            }
            let addr = places.take(data.len() as u64, name)?;
            segments.push(Segment {
                name: name.into(),
                kind,
                addr,
                bytes: data.len() as u32,
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
            let words = insns.iter().flat_map(|i| i.word(&bases).to_le_bytes());
            l.insn_addr = add(&format!("insns-{k}"), SegmentKind::Insn, words.collect())?;
            l.insn_count = insns.len() as u32;
            l.symbols = emit::symbols(insns, &self.names);
        }
        let regions = |all: &[vta_net::quant::QTensorId]| {
            all.iter().map(|&t| places.region(self.net, t)).collect()
        };
        let (inputs, outputs) = (regions(&self.net.inputs), regions(&self.net.outputs));
        let wgt_bytes = c.wgt_bytes();
        let nodes = self.net.nodes.iter().enumerate();
        let layers = nodes.map(|(n, node)| {
            let step = self.step_of[n];
            let on = match steps.get(step as usize) {
                Some(Step::Host(_)) => On::Host,
                _ => On::Device,
            };
            let pool = self.pool_of[n].filter(|&p| self.fused[p]);
            let tile_of = self
                .pool_of
                .iter()
                .position(|&p| self.fused[n] && p == Some(n));
            layers::layer(
                self.net,
                node,
                [pool, tile_of].map(|m| m.map(|m| &self.net.nodes[m])),
                self.lowered[n].as_ref(),
                places,
                (step, on),
                (weights, wgt_bytes),
            )
        });
        let mut layers: Vec<Layer> = layers.collect();
        layers.sort_by_key(|l| l.step);
        segments.retain(|s| s.bytes > 0);
        let program = Program {
            config: c.clone(),
            dram_bytes: places.end,
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

/// Whether a mask left blocks out of a layer.
pub(super) fn masked(m: &LayerMask) -> bool {
    m.sparse
}
