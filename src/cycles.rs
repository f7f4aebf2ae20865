//! What a mask costs: exact cycles of a network, asked again and again.
//!
//! Cycles do not depend on data. Shapes, masks and the hardware decide them, and of the
//! integer network its form: whether a layer shifts all channels alike, whether there is
//! a shift behind a sum. So the network is quantised once, and a question is answered
//! from its masks alone: without values, without calibration.

mod network;

pub use network::CycleNetwork;

use crate::execution::watched;
use crate::layers::layer_uses;
use crate::monitor::Phase;
use crate::simulate::{Sim, Simulator};
use crate::{Calibration, Error, MaskedModel, Model, Program};
use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::ops::Range;
use vta_compile::{Compiler, Options, Sparsity};
use vta_net::quant::{QNet, QOp};
use vta_net::sparse::{self, BlockMask, MaskLayer, Masks};
use vta_program::config::HwConfig;
use vta_program::mem::Dram;

/// Cycles of a network.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NetworkCycles {
    /// By layer of the program: its name, which is the node's.
    pub layers: Vec<(String, u64)>,
    /// Of all launches.
    pub total: u64,
    /// Bytes read from DRAM, instructions and micro-ops included.
    pub bytes_read: u64,
    /// Bytes written to DRAM.
    pub bytes_written: u64,
}

impl NetworkCycles {
    /// Those of a program. No data are moved.
    ///
    /// # Errors
    /// A launch that hangs or asserts.
    pub fn of(program: &Program) -> Result<Self, Error> {
        Self::in_image(program, &mut Image::default())
    }

    /// The same, in DRAM that is used again.
    fn in_image(program: &Program, image: &mut Image) -> Result<Self, Error> {
        let sim = Sim::new(Simulator::Tsim, &program.config);
        let mut sim = sim.timing_only(true).with_symbol_ends();
        let mut dram = Dram::new(image.take(program));
        let (all, watch) = (0..program.steps.len(), program.watch());
        let _phase = watch.phase(Phase::Simulate, None);
        let run = watched(&mut sim, program, &mut dram, u64::MAX, all, None, watch)?;
        image.bytes = dram.into_bytes();
        let run = run.ended_well()?;
        let uses = layer_uses(program, &[], |l| run.report(&l.name));
        let layers = program.layers.iter().zip(uses);
        let stats = run.stats();
        Ok(Self {
            bytes_read: stats.bytes_read,
            bytes_written: stats.bytes_written,
            layers: layers.map(|(l, u)| (l.name.clone(), u.cycles)).collect(),
            total: run.cycles().unwrap_or(0),
        })
    }

    /// Those of the layers by weight: of a weight that layers share, all of them.
    pub fn by_weight(&self, layers: &[MaskLayer]) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for (node, used) in &self.layers {
            if let Some(l) = layers.iter().find(|l| l.node == *node) {
                *sums.entry(l.weight_name.clone()).or_default() += used;
            }
        }
        sums
    }
}

/// The DRAM of one program after the other, of which none stores anything: its bytes are
/// made once, not for each of them.
#[derive(Default)]
struct Image {
    bytes: Vec<u8>,
    /// Where the last program has bytes; all others are 0.
    written: Vec<Range<usize>>,
}

impl Image {
    /// The program's DRAM image.
    fn take(&mut self, program: &Program) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.bytes);
        for written in self.written.drain(..) {
            if let Some(bytes) = bytes.get_mut(written) {
                bytes.fill(0);
            }
        }
        bytes.resize(program.dram_bytes as usize, 0);
        self.written = program.write_segments(&mut bytes);
        bytes
    }
}

/// Answers what masks cost: exact cycles of a network on a configuration, those of the
/// program that is compiled with these masks and the form of this quantisation.
///
/// It remembers how each layer was compiled for the last mask that it had. So a question
/// in which one layer's mask differs from the question before takes a part of the time.
///
/// ```
/// let model = vta::Model::zoo("resnet8", 1)?;
/// let config = vta::config::HwConfig::default();
/// let mut counter = model.cycle_counter(&vta::Calibration::default(), &config)?;
///
/// let mut masks = model.random_masks(0.5, 1)?;
/// let half = counter.count(&masks)?;
/// // One block more is gone.
/// let mask = masks.values_mut().next().expect("a layer");
/// let block = mask.kept.first_one().expect("a kept block");
/// mask.kept.set(block, false);
/// assert!(counter.count(&masks)?.total < half.total);
/// # Ok::<(), vta::Error>(())
/// ```
pub struct CycleCounter {
    network: CycleNetwork,
    config: HwConfig,
    /// The network in the forms that were asked for, by which weights lose blocks.
    forms: BTreeMap<BTreeSet<String>, Form>,
    image: Image,
}

/// The network in one form, on the configuration.
struct Form {
    compiler: Compiler<'static>,
    /// By node of the integer network: its name and its weight's, and its own mask.
    nodes: Vec<Option<(String, String, BlockMask)>>,
}

impl Form {
    fn new(net: &QNet, config: &HwConfig) -> Result<Self, Error> {
        let options = Options {
            config: config.clone(),
            sparsity: Sparsity::Sparse,
        };
        let compiler = Compiler::owned(net.clone(), &options)?;
        let own = net.nodes.iter().zip(compiler.masks());
        let nodes = own.map(|(node, mask)| match &node.op {
            QOp::Conv(c) if !c.weight_name.is_empty() => {
                Some((node.name.clone(), c.weight_name.clone(), mask?))
            }
            _ => None,
        });
        Ok(Self {
            nodes: nodes.collect(),
            compiler,
        })
    }
}

impl CycleCounter {
    /// Counts cycles of a network on a configuration.
    fn new(network: CycleNetwork, config: &HwConfig) -> Result<Self, Error> {
        let (weights, net) = network.first();
        Ok(Self {
            config: config.clone(),
            forms: BTreeMap::from([(weights.clone(), Form::new(net, config)?)]),
            image: Image::default(),
            network,
        })
    }

    /// The layers that can have masks.
    pub fn layers(&self) -> &[MaskLayer] {
        self.network.layers()
    }

    /// The configuration.
    pub const fn config(&self) -> &HwConfig {
        &self.config
    }

    /// Exact cycles with these masks, by layer and in total. A layer without a mask has
    /// what it has in the quantised network; what was dropped there stays dropped.
    ///
    /// # Errors
    /// A mask that fits no layer, a layer that does not fit the configuration.
    pub fn count(&mut self, masks: &Masks) -> Result<NetworkCycles, Error> {
        NetworkCycles::in_image(&self.program(masks)?, &mut self.image)
    }

    /// The program of these masks without the values of weights: for its cycles alone.
    ///
    /// # Errors
    /// As [`CycleCounter::count`].
    pub fn program(&mut self, masks: &Masks) -> Result<Program, Error> {
        let network = &self.network;
        sparse::check(masks, network.layers())?;
        network.watch().go_on()?;
        let form = match self.forms.entry(network.reshaped(masks)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let net = network.net(new.key(), masks)?;
                new.insert(Form::new(&net, &self.config)?)
            }
        };
        let asked = form.nodes.iter().map(|node| {
            let (name, weight, own) = node.as_ref()?;
            let asked = masks.get(weight).filter(|m| m.count_kept() < m.blocks());
            let mut mask = match asked {
                Some(mask) if network.is_turned(name) => mask.transposed(),
                Some(mask) => mask.clone(),
                // All of them are back.
                None if network.formed().contains_key(weight) => BlockMask::full(own.dims),
                None => return None,
            };
            // What was applied before stays; what was found in zeros is said anew.
            if network.before().contains_key(weight) && mask.dims == own.dims {
                mask.kept &= &own.kept;
            }
            Some(mask)
        });
        let asked: Vec<Option<BlockMask>> = asked.collect();
        let program = form.compiler.timed(&asked)?;
        network.watch().go_on()?;
        Ok(Program::from(program))
    }
}

impl MaskedModel {
    /// What answers questions about cycles, in the form that the network has with these
    /// scales; noise will do.
    ///
    /// # Errors
    /// A network that cannot be quantised, or a node that does not fit the configuration.
    pub fn cycle_counter(
        &self,
        calibration: &Calibration,
        config: &HwConfig,
    ) -> Result<CycleCounter, Error> {
        CycleNetwork::new(self.clone(), calibration)?.counter(config)
    }
}

impl Model {
    /// The same of the network as it is.
    ///
    /// # Errors
    /// As [`MaskedModel::cycle_counter`].
    pub fn cycle_counter(
        &self,
        calibration: &Calibration,
        config: &HwConfig,
    ) -> Result<CycleCounter, Error> {
        self.cycle_counter_with(Masks::new(), calibration, config)
    }

    /// The same in the form that the network has when it is quantised with these masks:
    /// for questions about blocks more and less than those. A layer without a mask in a
    /// question has all its blocks.
    ///
    /// # Errors
    /// As [`MaskedModel::cycle_counter`]; a mask that fits no layer.
    pub fn cycle_counter_with(
        &self,
        masks: Masks,
        calibration: &Calibration,
        config: &HwConfig,
    ) -> Result<CycleCounter, Error> {
        let masked = self.clone().zero_blocks();
        CycleNetwork::with_form(masked, masks, calibration)?.counter(config)
    }
}
