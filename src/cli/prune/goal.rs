//! What a network is pruned for, and how good it is then.

use super::Prune;
use super::args::Numbers;
use super::job::{Done, Job};
use crate::cli::CliError;
use crate::cli::device::{self, Compiled, Cycles};
use crate::cli::metric::Metric;
use crate::cli::road::{Pruned, Scales};
use vta::config::HwConfig;
use vta::data::{Dataset, Label, Sample};
use vta::graph::Graph;
use vta::host::Tensor;
use vta::pruning_aware::Calibrate;
use vta::quant::{self, Calibration, Method, PerChannel, QuantOptions};
use vta::train::{Settings, Task};

/// What a network is pruned for.
pub struct Goal<'a, L, T, M> {
    /// How it is trained.
    pub task: T,
    /// How good it is.
    pub metric: M,
    /// The data.
    pub set: &'a Dataset<L>,
    /// How steps are made.
    pub settings: Settings,
    /// Lengths and weights of the method.
    pub numbers: Numbers,
    /// Images by which exponents are chosen.
    pub calibration: Vec<Vec<Tensor>>,
    /// The hardware.
    pub hardware: HwConfig,
}

/// Images by which exponents are chosen.
const CALIBRATION: usize = 64;

/// How good a pruned network is.
pub struct Scored {
    /// The score of the float network, from 0 to 1.
    pub float: f64,
    /// That of the int8 program on the simulated device.
    pub device: f64,
    /// Cycles of one image.
    pub cycles: Cycles,
}

impl Prune {
    /// Measures a pruned network with the test images.
    pub fn score<L: Label, T: Task<L>, M: Metric<L>>(
        &self,
        job: &Job<'_, L, T>,
        done: &Done,
        goal: &Goal<'_, L, T, M>,
    ) -> Result<Scored, CliError> {
        let test = &goal.set.test;
        let float = job.measure(&done.graph, test)?.score;
        let scales = match &done.exponents {
            Some(e) => Scales::Given(e.clone(), "training".into()),
            None => Scales::Samples(goal.calibration.clone(), "training images".into()),
        };
        let masks = done.masks.clone();
        let network = Pruned::new(&self.model, done.graph.clone(), masks, "pruned");
        let compiled = Compiled::new(network, &scales, &goal.hardware)?;
        Ok(Scored {
            float,
            device: compiled.score(test, &goal.metric)?.score,
            cycles: compiled.cycles(test)?,
        })
    }
}

/// Chooses exponents by these samples, each by its own error: training makes up
/// for what a search over whole networks would gain. One for each weight, since
/// shifts of single channels would make cycles depend on values.
pub fn chooser<'a>(samples: Vec<Vec<Tensor>>) -> Calibrate<'a> {
    Box::new(move |graph: &Graph| {
        let seen = Calibration::observe(graph, samples.clone())?;
        let options = QuantOptions {
            method: Method::Mse,
            per_channel: PerChannel::Never,
            correct_bias: false,
            ..QuantOptions::default()
        };
        let net = quant::quantise(graph, &seen, &options)?;
        Ok(quant::Exponents::of(&net))
    })
}

/// The first images, as the network's input takes them.
///
/// # Errors
/// Images that do not fit the network.
pub fn calibration<L>(graph: &Graph, samples: &[Sample<L>]) -> Result<Vec<Vec<Tensor>>, CliError> {
    let first = samples.iter().take(CALIBRATION);
    first.map(|s| device::input(graph, &s.image)).collect()
}
