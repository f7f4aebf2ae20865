//! Points that are trained while their blocks go.

use super::Method;
use crate::pruning::{PruneEnd, PruneTraining, Pruned, RunFolder};
use crate::training::{self, Files};
use crate::{Error, Model, Monitor};
use std::path::Path;
use std::sync::Arc;
use vta_data::{Label, Sample};
use vta_program::config::HwConfig;
use vta_prune::permute::Effort;
use vta_prune::{Method as Parts, PruneLayer, Settings as Lengths, Target};
use vta_tensor::host::Tensor;
use vta_train::pruning_aware::{DistillationLoss, DistillationWeights};
use vta_train::{Identity, Settings, Task};

/// How points are trained.
pub struct Training<'a> {
    /// All that decides a run but for the network, the method, the budget and the hardware.
    identity: Identity,
    run: Box<Run<'a>>,
}

type Run<'a> = dyn Fn(&Asked<'_>) -> Result<Pruned, Error> + 'a;

/// A point that is trained.
pub(super) struct Asked<'q> {
    pub(super) model: &'q Model,
    pub(super) layers: &'q [PruneLayer],
    pub(super) parts: Parts,
    pub(super) target: Target,
    pub(super) hardware: &'q HwConfig,
    /// Where its checkpoint is.
    pub(super) folder: &'q Path,
    pub(super) monitor: Arc<dyn Monitor>,
}

impl<'a> Training<'a> {
    /// Training for a task on images. Scales are chosen by `samples` for the network's input.
    pub fn new<L: Label, T: Task<L> + DistillationLoss<L> + Clone + 'a>(
        task: T,
        train: &'a [Sample<L>],
        samples: Vec<Vec<Tensor>>,
        settings: Settings,
        distillation: DistillationWeights,
    ) -> Self {
        let lengths = Lengths::default();
        let mut identity = training::identity();
        settings.identify(&mut identity);
        task.identify(&mut identity);
        identity.put_samples("training images", train);
        identity.put_all("lengths", &lengths);
        identity.put_all("distillation", &distillation);
        identity.put_digest(
            "calibration",
            samples.iter().flatten().map(crate::pruning::tensor_bytes),
        );
        let run = move |asked: &Asked<'_>| {
            let job = PruneTraining {
                model: asked.model,
                hardware: asked.hardware,
                layers: asked.layers,
                task: task.clone(),
                train,
                held_out: &[],
                method: asked.parts,
                lengths,
                settings: settings.clone(),
                distillation,
                target: asked.target.clone(),
                effort: Effort::default(),
            };
            let mut place = RunFolder {
                files: Files::open_or_resume(asked.folder)?,
                identity: Identity::default(),
                stop_after: None,
                monitor: Arc::clone(&asked.monitor),
            };
            match job.run(&mut place, &samples)? {
                PruneEnd::Done(done) => Ok(*done),
                PruneEnd::Stopped { .. } => Err(Error::Cancelled),
            }
        };
        Self {
            identity,
            run: Box::new(run),
        }
    }

    /// What decides a point that is trained by a method.
    pub(super) fn identity(&self, method: Method) -> Identity {
        let mut identity = self.identity.clone();
        identity.put_all("method", &method.training());
        identity
    }

    pub(super) fn run(&self, asked: &Asked<'_>) -> Result<Pruned, Error> {
        (self.run)(asked)
    }
}
