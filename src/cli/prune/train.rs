//! `vta prune --data`: training while blocks go.

use super::Prune;
use super::goal::Goal;
use super::report::{REPORT, Report, Trained, sums};
use crate::cli::data::open_sized;
use crate::cli::train::stopped;
use crate::cli::{CliError, Output, progress};
use serde_json::json;
use vta::data::{Augment, Data, Label};
use vta::files::FolderLock;
use vta::graph::onnx;
use vta::metric::{Accuracy, MeanAp, Metric};
use vta::program::atomic::write_file;
use vta::prune::{AllocationRule, PruneLayer};
use vta::pruning::{PruneEnd, PruneTraining, Pruned, RunFolder, calibration};
use vta::pruning_aware::{DistillationLoss, DistillationWeights};
use vta::train::{Classify, Detect, Detector, Rule, Task};
use vta::training::{self, Files};
use vta::{Model, sparse};

/// The highest learning rate for images with a class.
pub const CLASSES_RATE: f64 = 0.02;
/// The same for images with boxes.
pub const BOXES_RATE: f64 = 0.001;

/// The folder that a command fills, which is its alone.
enum Place {
    /// The folder of a table, with a folder for each run.
    Table(FolderLock),
    /// The folder of a run.
    Run(Files),
}

impl Prune {
    /// Prunes with training.
    pub(super) fn train(&self) -> Result<Output, CliError> {
        let args = &self.training;
        // Before anything that takes time.
        let place = match args.ablation {
            true => Place::Table(FolderLock::take(&self.out)?),
            false => Place::Run(Files::open(&self.out, args.resume)?),
        };
        let hardware = self.hardware()?;
        let plan = args.plan_file()?;
        let (dense, layers) = self.read()?;
        if dense.zoo_seed().is_some() {
            let what = format_args!("{}: a network of the zoo is not trained", self.model);
            return Err(CliError::new("prune", what)
                .help("`vta train` trains it first; prune the model.onnx that it writes"));
        }
        let graph = dense.graph();
        let name = args.data.as_deref().unwrap_or_default();
        match open_sized(name, dense.image_size())? {
            Data::Classes(mut set) => {
                training::limit(&mut set.train, args.limit, args.seed);
                let n = set.classes.len();
                let goal = Goal {
                    task: Classify::new(graph, n, 0.0)?,
                    metric: Accuracy::new(graph, n)?,
                    settings: args.settings(Rule::sgd(), CLASSES_RATE, Augment::small_images()),
                    calibration: calibration(graph, &set.train)?,
                    numbers: args.numbers(plan, DistillationWeights::of_classes(args.epochs)),
                    set: &set,
                    hardware,
                    beside: None,
                };
                self.prune_for((&dense, &layers), &goal, place)
            }
            Data::Boxes(mut set) => {
                training::limit(&mut set.train, args.limit, args.seed);
                let detector = training::detector(&self.model, graph, &set)?;
                let text = detector.to_json();
                let [h, w] = detector.image();
                let goal = Goal {
                    metric: MeanAp::new(detector.clone(), &set.classes)?,
                    task: Detect::new(detector),
                    settings: args.settings(Rule::adamw(), BOXES_RATE, Augment::scenes(h, w)),
                    calibration: calibration(graph, &set.train)?,
                    numbers: args.numbers(plan, DistillationWeights::default()),
                    set: &set,
                    hardware,
                    beside: Some((Detector::FILE, text)),
                };
                self.prune_for((&dense, &layers), &goal, place)
            }
        }
    }

    fn prune_for<L: Label, T: Task<L> + DistillationLoss<L> + Clone, M: Metric<L>>(
        &self,
        (dense, layers): (&Model, &[PruneLayer]),
        goal: &Goal<'_, L, T, M>,
        place: Place,
    ) -> Result<Output, CliError> {
        match place {
            Place::Table(lock) => self.ablation((dense, layers), goal, lock),
            Place::Run(files) => self.train_on((dense, layers), goal, files),
        }
    }

    fn train_on<L: Label, T: Task<L> + DistillationLoss<L> + Clone, M: Metric<L>>(
        &self,
        (dense, layers): (&Model, &[PruneLayer]),
        goal: &Goal<'_, L, T, M>,
        files: Files,
    ) -> Result<Output, CliError> {
        let args = &self.training;
        let mut method = args.method();
        let mut rule = self.rule(layers)?;
        if self.uniform || matches!(rule, AllocationRule::Given(_)) {
            method.adaptive = false;
        }
        if !method.adaptive && matches!(rule, AllocationRule::Lamp) {
            rule = AllocationRule::Uniform;
        }
        if self.permute {
            method.permutation = true;
        }
        let target = self.target(rule, dense, layers)?;
        let job = PruneTraining {
            model: dense,
            hardware: &goal.hardware,
            layers,
            task: goal.task.clone(),
            train: &goal.set.train,
            held_out: goal.set.held_out(),
            method,
            lengths: goal.numbers.lengths,
            settings: goal.settings.clone(),
            distillation: goal.numbers.distillation,
            target,
            effort: self.effort(),
        };
        let mut place = RunFolder {
            files,
            identity: goal.tested(),
            stop_after: args.stop_after,
            monitor: progress::stoppable(),
        };
        let done = match job.run(&mut place, &goal.calibration)? {
            PruneEnd::Done(done) => done,
            PruneEnd::Stopped {
                step,
                steps,
                interrupted,
            } => return Ok(stopped(step, steps, interrupted)),
        };
        self.end(&job, *done, goal)
    }

    fn end<L: Label, T: Task<L> + DistillationLoss<L> + Clone, M: Metric<L>>(
        &self,
        job: &PruneTraining<'_, L, T>,
        done: Pruned,
        goal: &Goal<'_, L, T, M>,
    ) -> Result<Output, CliError> {
        let dense = job.measure(job.model.graph(), &goal.set.test)?;
        let scored = self.score(job, &done, goal)?;
        let report = Report {
            model: &self.model,
            out: &self.out,
            summary: done.summary(job.layers),
            cycles: None,
            cost: done.cost,
            outcome: done.outcome.clone(),
            trained: Some(Trained {
                data: self.training.data.clone().unwrap_or_default(),
                metric: goal.metric.name(),
                test: goal.set.test.len(),
                float: scored.float,
                device: scored.device,
                before: dense.score,
                cycles: scored.cycles,
                limit: self.budget_cycles,
                predicted: done.predicted,
                returns: done.returns,
                seconds: done.seconds,
                images: done.images,
                quantised: done.exponents.is_some(),
            }),
        };
        let mut files = vec![("masks.safetensors", sparse::write(&done.masks))];
        if let Some(e) = &done.exponents {
            files.push(("quantisation.json", e.to_json().into_bytes()));
        }
        if let Some((name, text)) = &goal.beside {
            files.push((name, text.clone().into_bytes()));
        }
        files.push((training::MODEL, onnx::export(&done.graph)));
        let mut json = report.json();
        json["method"] = json!(job.method);
        json["plan"] = json!(goal.numbers);
        json["files"] = sums(&files);
        // The network last: with it the folder is complete.
        let at = files.len() - 1;
        files.insert(at, (REPORT, format!("{json:#}\n").into_bytes()));
        for (name, bytes) in &files {
            let path = self.out.join(name);
            write_file(&path, bytes).map_err(|e| CliError::file(&path, e))?;
        }
        // Time is of the machine, not of the result: it is not in the file.
        json["training"]["seconds"] = json!(done.seconds);
        Ok(Output::ok(report.text(), json))
    }
}
