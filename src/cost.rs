//! Cycles of a network's layers by kept blocks, by simulating it.

use crate::cycles::{CycleCounter, NetworkCycles};
use crate::monitor::Phase;
use crate::{Calibration, Error, Model};
use vta_net::sparse::{self, MaskLayer, Masks};
use vta_program::config::HwConfig;

pub use vta_prune::cost::{CostError, CostTable, LayerCost, Point};

/// Densities that make a table where nobody says which.
pub const DENSITIES: &[f64] = &[1.0, 0.75, 0.5, 0.375, 0.25, 0.125, 0.0625, 0.0];
/// Seed of the choice of blocks where nobody says which.
pub const SEED: u64 = 1;

/// One network that was simulated.
#[derive(Debug, Clone, PartialEq)]
pub struct AtDensity {
    /// The density of blocks.
    pub density: f64,
    /// Cycles of all launches.
    pub total: u64,
    /// By layer of the program that has a mask.
    pub layers: Vec<LayerAt>,
}

/// A layer of a network that was simulated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerAt {
    /// Its name, which is the node's.
    pub name: String,
    /// Kept blocks of the mask.
    pub kept: u64,
    /// Cycles.
    pub cycles: u64,
}

/// Fills cost tables of a network on a configuration.
///
/// ```
/// let model = vta::Model::zoo("resnet8", 1)?;
/// let measure = vta::cost::Measure::new(&model, vta::config::HwConfig::default());
/// let table = measure.table(&[1.0, 0.5], vta::cost::SEED)?;
/// assert_eq!(table.layers[0].points.len(), 2);
/// # Ok::<(), vta::Error>(())
/// ```
#[derive(Debug)]
pub struct Measure<'a> {
    model: &'a Model,
    config: HwConfig,
    /// Weights that stay dense, instead of those that do by default.
    dense: Option<Vec<String>>,
}

impl<'a> Measure<'a> {
    /// Measures a network; the first convolution and the last dense layer stay dense.
    pub const fn new(model: &'a Model, config: HwConfig) -> Self {
        Self {
            model,
            config,
            dense: None,
        }
    }

    /// The weights of these names stay dense, instead of those that do by default.
    pub fn keep_dense(mut self, weights: Vec<String>) -> Self {
        self.dense = Some(weights);
        self
    }

    /// The layers that lose blocks.
    pub fn layers(&self) -> Vec<MaskLayer> {
        let mut layers = self.model.mask_layers();
        if let Some(dense) = &self.dense {
            for l in &mut layers {
                l.keep_dense = match dense.contains(&l.weight_name) {
                    true => "named",
                    false => "",
                };
            }
        }
        layers.retain(|l| l.keep_dense.is_empty());
        layers
    }

    /// The table, by simulating at densities.
    ///
    /// # Errors
    /// A network that cannot be compiled or run; [`Error::Cancelled`].
    pub fn table(&self, densities: &[f64], seed: u64) -> Result<CostTable, Error> {
        Ok(self.table_of(&self.simulate(densities, seed)?))
    }

    /// Simulates at densities, on all cores; blocks are chosen at random.
    ///
    /// # Errors
    /// A network that cannot be compiled or run; [`Error::Cancelled`].
    pub fn simulate(&self, densities: &[f64], seed: u64) -> Result<Vec<AtDensity>, Error> {
        let watch = self.model.watch();
        let mut counter = self
            .model
            .cycle_counter(&Calibration::default(), &self.config)?;
        let progress = watch.phase(Phase::Simulate, Some(densities.len() as u64));
        let mut runs = Vec::with_capacity(densities.len());
        for &density in densities {
            watch.go_on()?;
            runs.push(self.simulate_one(&mut counter, density, seed)?);
            progress.step();
        }
        Ok(runs)
    }

    fn simulate_one(
        &self,
        counter: &mut CycleCounter,
        density: f64,
        seed: u64,
    ) -> Result<AtDensity, Error> {
        let layers = self.layers();
        let masks = sparse::random(density, seed, &layers)?;
        let cycles = counter.count(&masks)?;
        // Counted by the mask: the compiler may cut a dense layer into other blocks.
        let one = |(name, cycles): (String, u64)| {
            let masked = layers.iter().find(|m| m.node == name)?;
            let kept = masks.get(&masked.weight_name)?.count_kept() as u64;
            Some(LayerAt { name, kept, cycles })
        };
        Ok(AtDensity {
            density,
            total: cycles.total,
            layers: cycles.layers.into_iter().filter_map(one).collect(),
        })
    }

    /// The table of networks that were simulated.
    pub fn table_of(&self, runs: &[AtDensity]) -> CostTable {
        let layers = self.layers();
        let costs = layers.iter().map(|l| {
            let of = |run: &AtDensity| run.layers.iter().find(|x| x.name == l.node).cloned();
            let points = runs.iter().filter_map(of);
            let blocks = l.mask_dims().iter().product::<usize>() as u64;
            let points = points.map(|x| Point(x.kept, x.cycles as f64));
            LayerCost::new(&l.node, &l.weight_name, blocks, points.collect())
        });
        let costs: Vec<LayerCost> = costs.filter(|l| !l.points.is_empty()).collect();
        let rest = runs.iter().map(|r| {
            let masked = r.layers.iter();
            let masked = masked.filter(|l| costs.iter().any(|c| c.name == l.name));
            (r.total - masked.map(|l| l.cycles).sum::<u64>()) as f64
        });
        let fixed = rest.sum::<f64>() / runs.len().max(1) as f64;
        CostTable::new(self.model.name(), &self.config.name, fixed, costs)
    }
}

/// Drops what masks drop, compiles what is left and counts its cycles. They do
/// not depend on data; they depend a little on exponents, which say where
/// values are shifted.
///
/// # Errors
/// A network that cannot be compiled or run; [`Error::Cancelled`].
pub fn simulate(
    model: &Model,
    masks: &Masks,
    calibration: &Calibration,
    config: &HwConfig,
) -> Result<NetworkCycles, Error> {
    let masked = model.clone().mask(masks.clone())?;
    NetworkCycles::of(&masked.quantise(calibration)?.compile(config)?)
}
