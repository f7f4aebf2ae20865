//! A run of pruning with training, from the dense network to the masks.

use super::counting::Counting;
use super::exponents::chooser;
use super::work::Pruning;
use crate::monitor::{Monitor, Phase};
use crate::training::{self, Files, Run};
use crate::{Calibration, Error, Model, cost};
use std::sync::Arc;
use vta_data::{Label, Sample};
use vta_net::graph::{Graph, onnx};
use vta_net::quant::Exponents;
use vta_net::sparse::{self, Masks};
use vta_program::config::HwConfig;
use vta_prune::permute::{Effort, Outcome};
use vta_prune::{
    Counted, Method, Plan, PruneLayer, Pruner, Returns, Settings as Lengths, Summary, Target,
    summary, weight,
};
use vta_tensor::host::Tensor;
use vta_train::backend::Chosen;
use vta_train::pruning_aware::{DistillationLoss, DistillationWeights, PruneRun};
use vta_train::{Identity, Measured, Settings, Task, TrainError};

/// What a run needs.
#[derive(Debug)]
pub struct PruneTraining<'a, L, T> {
    /// The dense network.
    pub model: &'a Model,
    /// The hardware whose cycles a budget counts.
    pub hardware: &'a HwConfig,
    /// Its layers, and which stay dense.
    pub layers: &'a [PruneLayer],
    /// What it is trained for.
    pub task: T,
    /// Images.
    pub train: &'a [Sample<L>],
    /// Images that are measured after each epoch; may be none.
    pub held_out: &'a [Sample<L>],
    /// The method.
    pub method: Method,
    /// Lengths of its phases.
    pub lengths: Lengths,
    /// Training.
    pub settings: Settings,
    /// Weights of the distillation losses.
    pub distillation: DistillationWeights,
    /// How blocks leave, and how far.
    pub target: Target,
    /// The search for an order of channels, where the method has one.
    pub effort: Effort,
}

/// Where a run's files are, and whether it goes on.
pub struct RunFolder {
    /// The folder, for checkpoint and log; this run's alone.
    pub files: Files,
    /// What else must be the same when it goes on: what its results are measured with.
    pub identity: Identity,
    /// Stops after so many epochs.
    pub stop_after: Option<u32>,
    /// Follows the run, and may stop it.
    pub monitor: Arc<dyn Monitor>,
}

/// What a run gave.
#[derive(Debug)]
pub enum PruneEnd {
    /// It was stopped before its end: after a step, of all steps; by Ctrl-C or as wanted.
    Stopped {
        /// Steps made.
        step: u64,
        /// Steps of the run.
        steps: u64,
        /// Whether by Ctrl-C.
        interrupted: bool,
    },
    /// The pruned network.
    Done(Box<Pruned>),
}

/// A pruned network.
#[derive(Debug)]
pub struct Pruned {
    /// The network with zero blocks.
    pub graph: Graph,
    /// Which blocks are kept.
    pub masks: Masks,
    /// Exponents it was trained with, if any.
    pub exponents: Option<Exponents>,
    /// What the network costs in the units of the budget.
    pub cost: f64,
    /// Its cycles by the table, if a budget counts them.
    pub predicted: Option<f64>,
    /// What came back under such a budget, and what did not.
    pub returns: Option<Returns>,
    /// What an order of channels gained.
    pub outcome: Option<Outcome>,
    /// Seconds of training, without measuring.
    pub seconds: f64,
    /// Images that were trained with, each as often as it was seen.
    pub images: u64,
}

impl Pruned {
    /// What is left of the layers.
    pub fn summary(&self, layers: &[PruneLayer]) -> Summary {
        let of = |l: &PruneLayer| weight(&self.graph, &l.weight_name).unwrap_or_default();
        let weights: Vec<Vec<f32>> = layers.iter().map(of).collect();
        let views: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
        summary(layers, &views, &self.masks)
    }
}

impl<L: Label, T: Task<L> + DistillationLoss<L> + Clone> PruneTraining<'_, L, T> {
    /// Prunes. Scales of rounding are chosen by samples for the network's input ([`chooser`]).
    ///
    /// # Errors
    /// A budget that cannot be met, data or a network that do not fit, files;
    /// a checkpoint of another run.
    pub fn run(&self, place: &mut RunFolder, samples: &[Vec<Tensor>]) -> Result<PruneEnd, Error> {
        let calibrate = chooser(samples.to_vec());
        let mut work = Pruning::new(self.model.clone(), self.layers.to_vec())?;
        let mut outcome = None;
        if self.method.permutation {
            // Counts first: the order is for them.
            let kept = work.allocate(&self.target, self.hardware)?.kept;
            outcome = Some(work.reorder(&kept, &self.effort)?);
        }
        let s = &self.settings;
        let mut network =
            training::renormalised(work.model().graph(), self.train, s.batch, s.seed)?;
        let steps = (self.train.len() / s.batch).max(1);
        let plan = Plan::new(
            self.method,
            self.lengths,
            s.steps(steps as u64),
            u32::try_from(steps).unwrap_or(u32::MAX),
        )?;
        let pruner = Pruner::new(
            self.layers.to_vec(),
            plan,
            self.target.clone(),
            &work.weights(),
        )?;
        let loss = self.task.clone();
        let counting = match self.target.counts_cycles() {
            true => Some(self.counting(&work, samples)?),
            false => None,
        };
        let mut hooks = PruneRun::new(pruner, &mut network, loss, self.distillation, calibrate)?;
        if let Some(mut counting) = counting {
            let count = move |known: Option<&Exponents>, masks: &Masks| {
                counting.count(known, masks).map_err(|e| e.to_string())
            };
            hooks = hooks.counting(Box::new(count));
        }
        let data = (self.train, self.held_out);
        let mut run: Run<'_, L, T, PruneRun<'_, Chosen, T>> =
            Run::new(network, (self.task.clone(), hooks), data, s.clone())?;
        run.identify(&self.identity(samples));
        run.identify(&place.identity);
        place.files.start(&mut run)?;
        let interrupted = training::steps(
            Phase::Prune,
            &mut run,
            &mut place.files,
            place.stop_after,
            Arc::clone(&place.monitor),
        )?;
        if !run.finished() {
            return Ok(PruneEnd::Stopped {
                step: run.next(),
                steps: run.steps(),
                interrupted,
            });
        }
        let (seconds, images) = (run.seconds(), run.steps() * s.batch as u64);
        let (network, hooks) = run.into_parts();
        let pruner = hooks.pruner();
        let mut done = Pruned {
            graph: network.to_finite_graph()?,
            masks: pruner.masks(),
            cost: pruner.allocation().cost,
            predicted: predicted(pruner),
            returns: pruner.counted().and_then(|c| c.returns.clone()),
            exponents: hooks.exponents().cloned(),
            outcome,
            seconds,
            images,
        };
        sparse::apply(&mut done.graph, &done.masks)?;
        if let Some(counted) = pruner.counted() {
            self.within(counted, &mut done, samples)?;
        }
        Ok(PruneEnd::Done(Box::new(done)))
    }

    /// What counts cycles in training.
    fn counting(&self, work: &Pruning, samples: &[Vec<Tensor>]) -> Result<Counting<'_>, Error> {
        let model = work.model();
        // Exponents of the dense network are nearer to the last ones than those of
        // a network that just lost its blocks.
        let before = match self.method.quantisation {
            true => Calibration::exponents(chooser(samples.to_vec())(model.graph())?),
            false => as_written(None, samples),
        };
        // Before anything that takes time: whether it can be met at all.
        let all = work.by_cycles(&self.target, &before, self.hardware);
        all.estimate()?;
        Ok(Counting::new(model.clone(), self.hardware, before))
    }

    /// Holds the network that is written against the budget of cycles. Trained with exponents
    /// it is in the form that was counted. Without them it is quantised only now, by
    /// samples or, where nobody has any, by noise; in either form it drops what is too much.
    fn within(
        &self,
        counted: &Counted,
        done: &mut Pruned,
        samples: &[Vec<Tensor>],
    ) -> Result<(), Error> {
        let mut forms = vec![as_written(done.exponents.as_ref(), samples)];
        if done.exponents.is_none() {
            forms.push(Calibration::default());
        }
        for calibration in forms {
            let model = self.model.with_graph(done.graph.clone());
            let cycles = cost::simulate(&model, &done.masks, &calibration, self.hardware)?;
            if cycles.total == counted.cycles {
                continue;
            }
            // What was said of blocks to have back is of another form.
            done.returns = None;
            if cycles.total <= counted.limit {
                continue;
            }
            let pruning = Pruning::new(model, self.layers.to_vec())?;
            let by_cycles = pruning.by_cycles(&self.target, &calibration, self.hardware);
            let found = by_cycles.meet(Some(&done.masks))?;
            done.cost = found.met.allocation.cost;
            done.masks = found.met.kept.masks(self.layers);
            sparse::apply(&mut done.graph, &done.masks)?;
        }
        Ok(())
    }
}

/// How a network is quantised that was trained with these exponents, or without any.
fn as_written(exponents: Option<&Exponents>, samples: &[Vec<Tensor>]) -> Calibration {
    match exponents {
        Some(e) => Calibration::exponents(e.clone()),
        None => Calibration::Samples {
            samples: samples.to_vec(),
            whose: "training images".into(),
        },
    }
}

impl<L, T> PruneTraining<'_, L, T> {
    /// What changes the results and is not known to training itself: hardware,
    /// the search for an order, samples that exponents are chosen by.
    fn identity(&self, samples: &[Vec<Tensor>]) -> Identity {
        let mut identity = Identity::default();
        // The dense network: in what order its channels are put follows from the rest.
        identity.put_digest("network", [onnx::export(self.model.graph())]);
        identity.put_all("hardware", &self.hardware.to_keys());
        identity.put_all("order of channels", &self.effort);
        identity.put_digest("calibration", samples.iter().flatten().map(tensor_bytes));
        identity
    }
}

/// The values of a sample as bytes, for the identity of runs.
pub fn tensor_bytes(sample: &Tensor) -> Vec<u8> {
    match sample {
        Tensor::F32(a) => a.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Tensor::I8(a) => a.iter().flat_map(|v| v.to_le_bytes()).collect(),
    }
}

impl<L: Label, T: Task<L>> PruneTraining<'_, L, T> {
    /// Loss and score of a network as it is exported.
    ///
    /// # Errors
    /// Images that do not fit it.
    pub fn measure(&self, graph: &Graph, samples: &[Sample<L>]) -> Result<Measured, TrainError> {
        let network = vta_train::Network::<Chosen>::new(graph, &Default::default())?;
        self.task.measure(&network, samples, self.settings.batch)
    }
}

/// Cycles of the network by the table that a budget counts with.
fn predicted(pruner: &Pruner) -> Option<f64> {
    let table = pruner.target().cycles();
    table.map(|t| t.total(&pruner.allocation().blocks(pruner.layers())))
}
