//! What a network is pruned for, and how good it is then.

use super::Prune;
use super::args::Numbers;
use crate::cli::{CliError, progress};
use vta::config::HwConfig;
use vta::data::{Dataset, Label};
use vta::evaluate::{Compiled, Cycles};
use vta::host::Tensor;
use vta::metric::Metric;
use vta::pruning::{PruneTraining, Pruned};
use vta::train::{Identity, Settings, Task};
use vta::{Calibration, Model};

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
    /// A file that is written beside the network.
    pub beside: Option<(&'static str, String)>,
}

impl<L: Label, T, M> Goal<'_, L, T, M> {
    /// What results are measured with.
    pub fn tested(&self) -> Identity {
        let mut identity = Identity::default();
        identity.put_samples("test images", &self.set.test);
        identity
    }
}

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
        job: &PruneTraining<'_, L, T>,
        done: &Pruned,
        goal: &Goal<'_, L, T, M>,
    ) -> Result<Scored, CliError> {
        let test = &goal.set.test;
        let float = job.measure(&done.graph, test)?.score;
        let calibration = match &done.exponents {
            Some(e) => Calibration::exponents(e.clone()),
            None => Calibration::Samples {
                samples: goal.calibration.clone(),
                whose: "training images".into(),
            },
        };
        let model = Model::from_graph(&self.model, done.graph.clone());
        let network = model.monitored(progress::bars()).mask(done.masks.clone())?;
        let compiled = Compiled::new(network.described("pruned"), &calibration, &goal.hardware)?;
        Ok(Scored {
            float,
            device: compiled.score(test, &goal.metric)?.score,
            cycles: compiled.cycles(test)?,
        })
    }
}
