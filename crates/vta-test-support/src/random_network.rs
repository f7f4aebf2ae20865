//! Random small networks on random configurations: compiled, proven, run in every
//! way there is, and compared with the integer reference.
//!
//! A case is small, so that a campaign has many of them: about a millisecond each. What is large comes from the other side: scratchpads of a few elements,
//! buses wider than elements, queues of two entries.

use crate::nodes::{INT8, int8, node};
use crate::numbers::Numbers;
use ndarray::Array4;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use std::convert::Infallible;
use vta_compile::{CompileError, Options, Sparsity, compile};
use vta_net::quant::{self, QConv, QNet, QOp, QTensorId, Shift, reference};
use vta_net::sparse::{BlockMask, Weight};
use vta_program::config::HwConfig;
use vta_program::mem::Dram;
use vta_program::program::{Program, Step};
use vta_program::strategies::configs;
use vta_sim::{fsim, tsim};
use vta_tensor::Window;
use vta_tensor::host::{HostOp, Tensor};

/// A network, the hardware and a sample.
#[derive(Debug, Clone)]
pub struct Case {
    /// The network.
    pub net: QNet,
    /// How it is compiled, and for what.
    pub options: Options,
    /// One tensor for each input of the network.
    pub inputs: Vec<Tensor>,
    /// Whether the cycle engine ticks each cycle instead of jumping.
    pub ticks: bool,
}

/// What came of a case in which nothing is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// Proven, and every run gave what the reference gives.
    Right {
        /// Cycles of all launches.
        cycles: u64,
        /// Instructions of all launches.
        insns: u64,
    },
    /// The compiler said why it does not fit.
    DoesNotFit(CompileError),
}

/// Cycles after which a launch of these networks is stuck.
const MAX_CYCLES: u64 = 100_000_000;

impl Case {
    /// Any case: the network, the configuration and all values follow from `n`.
    pub fn random(n: &mut Numbers) -> Self {
        let options = Options {
            config: random_config(n),
            sparsity: n.pick(&[Sparsity::Dense, Sparsity::Sparse]),
        };
        let net = random_network(n);
        let dims = net.inputs.iter().map(|t| net.tensor(*t).dims.clone());
        let inputs = dims.map(|d| int8(&d, n.int8(d.iter().product()))).collect();
        Self {
            net,
            options,
            inputs,
            ticks: n.once_in(32),
        }
    }

    /// Compiles, proves that the program is the network, and runs: the engine of events against the engine of
    /// cycles in all that they say, both and the run in program order against
    /// the integer reference.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self) -> Result<Checked, String> {
        quant::check(&self.net).map_err(|e| format!("the network is none: {e}"))?;
        let program = match compile(&self.net, &self.options) {
            Ok(program) => program,
            Err(e) => return Ok(Checked::DoesNotFit(e)),
        };
        program.validate().map_err(|e| format!("no program: {e}"))?;
        vta_verify::against(&program, &self.net)
            .map_err(|found| format!("not proven: {}, {} in all", found[0], found.len()))?;
        let expected = reference::run(&self.net, &self.inputs).map_err(|e| e.to_string())?;
        let mut runs = Runs::new(&program, &self.inputs)?;
        for step in &program.steps {
            runs.step(step, self.ticks)?;
        }
        for (name, outputs) in runs.outputs()? {
            if outputs != expected {
                return Err(format!("{name} gives other outputs than the reference"));
            }
        }
        Ok(Checked::Right {
            cycles: runs.cycles,
            insns: program.launches().map(|l| u64::from(l.insn_count)).sum(),
        })
    }
}

/// The three ways to run, step by step.
struct Runs<'a> {
    program: &'a Program,
    fsim: Dram,
    events: Dram,
    ticks: Dram,
    cycles: u64,
}

/// Wants all events, keeps none: so the cycle engine runs.
struct Listener;

impl tsim::Sink for Listener {
    type Error = Infallible;

    fn event(&mut self, _: u64, _: tsim::Event) -> Result<(), tsim::Stop> {
        Ok(())
    }
}

impl<'a> Runs<'a> {
    fn new(program: &'a Program, inputs: &[Tensor]) -> Result<Self, String> {
        let mut dram = Dram::new(program.dram_image());
        for (region, value) in program.inputs.iter().zip(inputs) {
            let done = region.write(dram.bytes_mut(), program.config.block, value);
            done.map_err(|e| format!("input {}: {e}", region.tensor))?;
        }
        Ok(Self {
            program,
            fsim: dram.clone(),
            events: dram.clone(),
            ticks: dram,
            cycles: 0,
        })
    }

    fn step(&mut self, step: &Step, ticks: bool) -> Result<(), String> {
        let c = &self.program.config;
        let l = match step {
            Step::Launch(l) => l,
            Step::Host(h) => {
                for dram in [&mut self.fsim, &mut self.events, &mut self.ticks] {
                    h.run(dram, c.block)
                        .map_err(|e| format!("{}: {e}", h.name))?;
                }
                return Ok(());
            }
        };
        let said = |what: &dyn std::fmt::Debug| format!("{}: {what:?}", l.name);
        let (addr, count) = (l.insn_addr, l.insn_count);
        let limits = fsim::Limits { steps: u64::MAX };
        let values = fsim::run(c, &mut self.fsim, addr, count, limits).map_err(|e| said(&e))?;
        if values.stop != fsim::Stop::Finish {
            return Err(said(&values.stop));
        }
        let options = |jump| tsim::Options {
            max_cycles: MAX_CYCLES,
            jump,
            ..tsim::Options::default()
        };
        let events = tsim::run(
            c,
            &mut self.events,
            addr,
            count,
            options(true),
            &mut tsim::NoSink,
        )
        .map_err(|e| said(&e))?;
        let cycles = tsim::run(
            c,
            &mut self.ticks,
            addr,
            count,
            options(!ticks),
            &mut Listener,
        )
        .map_err(|e| said(&e))?;
        if cycles.status != tsim::Status::Ok {
            return Err(said(&cycles.status));
        }
        if events != cycles {
            return Err(format!(
                "{}: engines differ: {events:?}, {cycles:?}",
                l.name
            ));
        }
        self.cycles += cycles.cycles;
        Ok(())
    }

    fn outputs(&self) -> Result<[(&'static str, Vec<Tensor>); 3], String> {
        let read = |dram: &Dram| -> Result<Vec<Tensor>, String> {
            let block = self.program.config.block;
            let all = self.program.outputs.iter();
            let all = all.map(|r| r.read(dram.bytes(), block).map_err(|e| e.to_string()));
            all.collect()
        };
        Ok([
            ("program order", read(&self.fsim)?),
            ("the engine of events", read(&self.events)?),
            ("the engine of cycles", read(&self.ticks)?),
        ])
    }
}

/// Any configuration that can be built; now and then a built-in one. A scratchpad
/// that is too shallow for most networks is rarer than others.
pub fn random_config(n: &mut Numbers) -> HwConfig {
    if n.once_in(8) {
        let name = n.pick(&HwConfig::BUILT_IN);
        return HwConfig::built_in(name).unwrap_or_default();
    }
    let mut seed = [0; 16];
    for half in seed.chunks_exact_mut(8) {
        half.copy_from_slice(&n.next().to_le_bytes());
    }
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, &seed);
    let mut runner = TestRunner::new_with_rng(Default::default(), rng);
    let mut draw = || configs().new_tree(&mut runner).map(|t| t.current());
    let mut config = draw().unwrap_or_default();
    // The deeper one of two, where that can still be built.
    if let Ok(other) = draw()
        && !n.once_in(3)
    {
        let deeper = HwConfig {
            uop_depth: config.uop_depth.max(other.uop_depth),
            inp_depth: config.inp_depth.max(other.inp_depth),
            wgt_depth: config.wgt_depth.max(other.wgt_depth),
            acc_depth: config.acc_depth.max(other.acc_depth),
            out_depth: config.out_depth.max(other.out_depth),
            ..config.clone()
        };
        if deeper.check().is_ok() {
            config = deeper;
        }
    }
    config
}

/// Multiply-accumulates that a network may have, zeros included.
const MAX_MACS: usize = 60_000;

/// A network under construction.
struct Maker<'a> {
    n: &'a mut Numbers,
    net: QNet,
    /// Maps `[1, c, h, w]` that can be read.
    there: Vec<QTensorId>,
    macs: usize,
}

/// Any small network: convolutions with every window, groups and all that may follow
/// in them, pools, residual sums, leaky slopes, dense layers, concatenations, slices,
/// upsampling, padding, transpositions and copies; with and without masks.
pub fn random_network(n: &mut Numbers) -> QNet {
    let nodes = n.within(1..=4);
    let mut m = Maker {
        n,
        net: QNet::default(),
        there: Vec::new(),
        macs: 0,
    };
    let c = m.channels();
    let most = if c > 24 { 5 } else { 8 };
    let dims = [1, c, m.n.within(1..=most), m.n.within(1..=most)];
    let x = m.net.add_tensor("x", &dims, INT8);
    m.net.inputs.push(x);
    m.there.push(x);
    let mut tries = 0;
    while m.net.nodes.len() < nodes && tries < 24 {
        tries += 1;
        m.grow();
    }
    if m.net.nodes.is_empty() {
        m.host(HostOp::Copy, &[x], &dims);
    }
    m.finish()
}

impl Maker<'_> {
    fn channels(&mut self) -> usize {
        match self.n.below(4) {
            0 => self.n.pick(&[1, 3, 4, 8, 16, 32, 64]),
            1 => self.n.within(1..=70),
            _ => self.n.within(1..=24),
        }
    }

    fn dims(&self, t: QTensorId) -> [usize; 4] {
        match self.net.tensor(t).dims[..] {
            [a, b, c, d] => [a, b, c, d],
            // A dense layer's result.
            [a, b] => [a, b, 1, 1],
            _ => [1; 4],
        }
    }

    fn is_map(&self, t: QTensorId) -> bool {
        self.net.tensor(t).dims.len() == 4
    }

    /// One of the maps for which `f` holds.
    fn one(&mut self, f: impl Fn([usize; 4]) -> bool) -> Option<QTensorId> {
        let all = self.there.iter().copied();
        let all: Vec<_> = all
            .filter(|t| self.is_map(*t) && f(self.dims(*t)))
            .collect();
        (!all.is_empty()).then(|| self.n.pick(&all))
    }

    fn add(&mut self, op: QOp, inputs: &[QTensorId], dims: &[usize]) {
        if dims.iter().product::<usize>() > 3000 {
            return;
        }
        let t = node(&mut self.net, op, inputs, dims);
        self.there.push(t);
    }

    fn host(&mut self, op: HostOp, inputs: &[QTensorId], dims: &[usize]) {
        self.add(QOp::Host(op), inputs, dims);
    }

    /// Mostly the latest map, so that networks are deep.
    fn source(&mut self) -> Option<QTensorId> {
        let last = self.there.iter().copied().rfind(|t| self.is_map(*t));
        if self.n.below(3) > 0 {
            return last;
        }
        self.one(|_| true)
    }

    /// Adds a node, if there is one to add.
    fn grow(&mut self) {
        let Some(x) = self.source() else { return };
        let [_, c, h, w] = self.dims(x);
        match self.n.below(16) {
            0..=6 => self.conv(x, false),
            7 => self.conv(x, true),
            8 => self.sum(x),
            9 => {
                let window = self.pool_window([h, w]);
                if let Some([ho, wo]) = window.output(h, w) {
                    self.add(QOp::MaxPool(window), &[x], &[1, c, ho, wo]);
                }
            }
            10 => self.dense(x),
            11 => {
                let mut all = vec![x];
                for _ in 0..self.n.within(1..=2) {
                    all.extend(self.one(|d| d[2..] == [h, w]));
                }
                let c = all.iter().map(|t| self.dims(*t)[1]).sum();
                self.host(HostOp::Concat { axis: 1 }, &all, &[1, c, h, w]);
            }
            12 => {
                let start = self.n.pick(&[0, 4, 8, 16, 32, c / 2]).min(c - 1);
                let len = self.n.within(1..=c - start);
                let op = HostOp::Slice {
                    axis: 1,
                    start,
                    len,
                    step: 1,
                };
                self.host(op, &[x], &[1, len, h, w]);
            }
            13 => {
                let factor = [self.n.within(1..=3), self.n.within(1..=3)];
                let dims = [1, c, h * factor[0], w * factor[1]];
                let op = match self.n.below(3) {
                    0 => HostOp::Resize { factor },
                    n => HostOp::ResizeLinear {
                        factor,
                        half_pixel: n == 1,
                    },
                };
                self.host(op, &[x], &dims);
            }
            14 => {
                let pads = [0; 4].map(|_| self.n.within(0..=1));
                let op = HostOp::Pad {
                    pads: vec![(0, 0), (0, 0), (pads[0], pads[1]), (pads[2], pads[3])],
                    value: self.n.within(0..=9) as f32,
                };
                let dims = [1, c, h + pads[0] + pads[1], w + pads[2] + pads[3]];
                self.host(op, &[x], &dims);
            }
            _ => match self.n.below(3) {
                0 => self.host(HostOp::Copy, &[x], &[1, c, h, w]),
                1 => {
                    let dims = vec![1, c, w, h];
                    self.host(HostOp::Reshape { dims: dims.clone() }, &[x], &dims);
                }
                _ => {
                    let perm = vec![0, 1, 3, 2];
                    self.host(HostOp::Transpose { perm }, &[x], &[1, c, w, h]);
                }
            },
        }
    }

    /// Any window that has a result; small ones more often.
    fn window(&mut self, size: [usize; 2]) -> Option<Window> {
        let n = &mut *self.n;
        let kernel = match n.below(4) {
            0 => [1, 1],
            1 => [3, 3],
            2 => [n.within(1..=3), n.within(1..=3)],
            _ => [n.within(1..=6), n.within(1..=6)],
        };
        let stride = match n.below(3) {
            0 => [n.within(1..=3), n.within(1..=3)],
            1 => [2, 2],
            _ => [1, 1],
        };
        let dilation = match n.below(4) {
            0 => [n.within(1..=2), n.within(1..=2)],
            _ => [1, 1],
        };
        let pads = match n.below(3) {
            0 => [0; 4].map(|_| n.within(0..=3)),
            1 => [0; 4],
            _ => [0, 1, 0, 1].map(|axis: usize| kernel[axis] / 2),
        };
        let window = Window {
            kernel,
            stride,
            dilation,
            pads,
        };
        window.output(size[0], size[1]).map(|_| window)
    }

    /// Padding less than the kernel, as ONNX asks.
    fn pool_window(&mut self, size: [usize; 2]) -> Window {
        let n = &mut *self.n;
        let kernel = [0, 1].map(|i: usize| n.within(1..=3).min(size[i]));
        let stride = [n.within(1..=3), n.within(1..=3)];
        let pads = [0, 1, 0, 1].map(|i: usize| n.below(kernel[i]));
        Window::undilated(kernel, stride, pads)
    }

    /// A convolution; a constant one stands for an average pool.
    fn conv(&mut self, x: QTensorId, constant: bool) {
        let [_, c, h, w] = self.dims(x);
        let Some(window) = self.window([h, w]) else {
            return;
        };
        let Some([ho, wo]) = window.output(h, w) else {
            return;
        };
        let (co, groups) = match self.n.below(6) {
            _ if constant => (c, c),
            0 => (c, c),
            1 => {
                let divisors: Vec<_> = (1..=c).filter(|g| c.is_multiple_of(*g)).collect();
                let groups = self.n.pick(&divisors);
                (groups * self.channels().div_ceil(groups).min(4), groups)
            }
            _ => (self.channels(), 1),
        };
        let shape = [co, c / groups, window.kernel[0], window.kernel[1]];
        let out = [1, co, ho, wo];
        let residual = match self.n.below(3) {
            0 => self.one(|d| d == out),
            _ => None,
        };
        let weight = if constant {
            Array4::from_elem(shape, 1 + self.n.below(8) as i8).into()
        } else {
            self.weight(shape)
        };
        self.conv_node(x, residual, weight, (window, groups), &out, constant);
    }

    /// A sum of two maps: the identity, and a residual.
    fn sum(&mut self, x: QTensorId) {
        let dims = self.dims(x);
        let other = self.one(|d| d == dims);
        let c = dims[1];
        let weight = Array4::from_elem([c, 1, 1, 1], 1 << self.n.below(7));
        self.conv_node(x, other, weight.into(), (Window::POINT, c), &dims, true);
    }

    /// A dense layer on all of a map.
    fn dense(&mut self, x: QTensorId) {
        let [_, c, h, w] = self.dims(x);
        let all = c * h * w;
        if all > 2000 {
            return;
        }
        let mut from = x;
        if [h, w] != [1, 1] || self.n.once_in(2) {
            let dims = vec![1, all];
            self.host(HostOp::Reshape { dims: dims.clone() }, &[x], &dims);
            from = self.there.last().copied().unwrap_or(x);
        }
        let co = self.channels();
        let weight = self.weight([co, all, 1, 1]);
        let dims: &[usize] = if self.is_map(from) {
            &[1, co, 1, 1]
        } else {
            &[1, co]
        };
        self.conv_node(from, None, weight, (Window::POINT, 1), dims, false);
    }

    /// A weight; with a mask, with zeros that are no mask, or with neither.
    fn weight(&mut self, shape: [usize; 4]) -> Weight<i8, ndarray::Ix4> {
        let n = &mut *self.n;
        let values = n.int8(shape.iter().product());
        let values = Array4::from_shape_vec(shape, values).unwrap_or_default();
        let mut weight = Weight::from(values);
        let kind = n.below(4);
        if kind == 0 {
            return weight;
        }
        let dims = BlockMask::dims_for(shape);
        let mut mask = BlockMask::full(dims);
        let share = n.pick(&[0, 1, 5, 9, 10]);
        for b in 0..mask.blocks() {
            let kept = n.next() % 10 < share;
            mask.kept.set(b, kept);
        }
        if weight.apply(mask).is_err() {
            return weight;
        }
        if kind == 1 {
            weight = weight.values().clone().into();
            if n.once_in(2) {
                weight.detect();
            }
        }
        weight
    }

    fn conv_node(
        &mut self,
        x: QTensorId,
        residual: Option<QTensorId>,
        weight: Weight<i8, ndarray::Ix4>,
        (window, groups): (Window, usize),
        out: &[usize],
        constant: bool,
    ) {
        let macs = weight.len() * out[2..].iter().product::<usize>();
        if self.macs + macs > MAX_MACS {
            return;
        }
        self.macs += macs;
        let n = &mut *self.n;
        let co = weight.dim().0;
        let shift = match n.below(3) {
            0 => Shift::Channel((0..co).map(|_| 4 + (n.next() % 9) as u8).collect()),
            1 => Shift::Layer(0),
            _ => Shift::Layer(n.below(13) as u8),
        };
        let leaky = match n.below(5) {
            0 => Some(n.pick(&[&[][..], &[1], &[3], &[2, 4], &[1, 3, 7], &[1, 2, 3, 4]])),
            _ => None,
        };
        let clamp = match n.below(4) {
            0 => (0, 127),
            1 => {
                let lo = n.int8(1)[0];
                (lo, lo.saturating_add(40))
            }
            _ => (-128, 127),
        };
        let has_bias = n.below(4) > 0;
        let bias = (0..co).map(|_| (n.next() % 20_000) as i32 - 10_000);
        let conv = QConv {
            weight_name: if constant {
                String::new()
            } else {
                format!("w{}", self.net.nodes.len())
            },
            weight,
            bias: bias.map(|b| if has_bias { b } else { 0 }).collect(),
            window,
            groups,
            shift,
            leaky: leaky.map(<[u8]>::to_vec),
            residual_shift: residual.map_or(0, |_| n.below(7) as u8),
            post_shift: if n.once_in(4) {
                n.within(1..=4) as u8
            } else {
                0
            },
            clamp,
        };
        let inputs: Vec<_> = [x].into_iter().chain(residual).collect();
        self.add(QOp::Conv(conv), &inputs, out);
    }

    /// Outputs: what nobody reads, and now and then something in the middle.
    fn finish(self) -> QNet {
        let mut net = self.net;
        let mut read = vec![false; net.tensors.len()];
        for t in net.nodes.iter().flat_map(|m| &m.inputs) {
            read[t.0] = true;
        }
        let made = net.nodes.iter().map(|m| m.output);
        let mut outputs: Vec<_> = made.filter(|t| !read[t.0]).collect();
        if self.n.once_in(4) {
            outputs.push(self.n.pick(&self.there));
        }
        outputs.sort();
        outputs.dedup();
        net.outputs = outputs;
        net
    }
}
