//! `vta prune --data`: training while blocks go.

use super::goal::{Goal, calibration, chooser};
use super::job::{Done, End, Job, Place};
use super::report::{Report, Trained};
use super::work::Work;
use super::{Prune, Unit, read_table};
use crate::cli::data::open_sized;
use crate::cli::metric::{Accuracy, MeanAp, Metric};
use crate::cli::{CliError, Output, model, training};
use crate::config::HwConfig;
use crate::data::{Augment, Data, Label};
use crate::graph::{Graph, onnx};
use crate::program::atomic::write_file;
use crate::prune::{Budget, Costs, PruneLayer, Rates};
use crate::sparse;
use crate::train::{Classify, Detect, Detector, Rule, Task};
use crate::tune::Lesson;
use serde_json::json;

/// The highest learning rate for images with a class.
const CLASSES_RATE: f64 = 0.02;
/// The same for images with boxes.
const BOXES_RATE: f64 = 0.001;
/// Part of a budget of cycles that is left free: the masks of training are
/// others than those that are simulated before, and cycles depend a little on
/// which blocks are kept, not only on how many.
const MARGIN: f64 = 0.01;

impl Prune {
    /// Prunes with training.
    pub(super) fn train(&self) -> Result<Output, CliError> {
        let args = &self.training;
        training::not_there(&self.out, args.resume)?;
        // Before anything that takes time.
        self.hardware()?;
        let numbers = args.numbers()?;
        if model::is_zoo(&self.model) {
            let what = format_args!("{}: a network of the zoo is not trained", self.model);
            return Err(CliError::new("prune", what)
                .help("`vta train` trains it first; prune the model.onnx that it writes"));
        }
        let (graph, layers) = self.read()?;
        let name = args.data.as_deref().unwrap_or_default();
        match open_sized(name, model::image_size(&graph))? {
            Data::Classes(mut set) => {
                training::limit(&mut set.train, args.limit, args.seed);
                let n = set.classes.len();
                let goal = Goal {
                    task: Classify::new(&graph, n, 0.0)?,
                    metric: Accuracy::new(&graph, n)?,
                    settings: args.settings(Rule::sgd(), CLASSES_RATE, Augment::small_images()),
                    calibration: calibration(&graph, &set.train)?,
                    numbers,
                    set: &set,
                };
                self.prune_for(&graph, &layers, &goal)
            }
            Data::Boxes(mut set) => {
                training::limit(&mut set.train, args.limit, args.seed);
                let detector = training::detector(&self.model, &graph, &set)?;
                let text = detector.to_json();
                let [h, w] = detector.image();
                let goal = Goal {
                    metric: MeanAp::new(detector.clone(), &set.classes)?,
                    task: Detect::new(detector),
                    settings: args.settings(Rule::adamw(), BOXES_RATE, Augment::scenes(h, w)),
                    calibration: calibration(&graph, &set.train)?,
                    numbers,
                    set: &set,
                };
                let output = self.prune_for(&graph, &layers, &goal)?;
                if self.out.join("model.onnx").exists() {
                    let path = self.out.join(Detector::FILE);
                    write_file(&path, text.as_bytes()).map_err(|e| CliError::file(&path, &e))?;
                }
                Ok(output)
            }
        }
    }

    fn prune_for<L: Label, T: Task<L> + Lesson<L> + Clone, M: Metric<L>>(
        &self,
        graph: &Graph,
        layers: &[PruneLayer],
        goal: &Goal<'_, L, T, M>,
    ) -> Result<Output, CliError> {
        match self.training.ablation {
            true => self.ablation(graph, layers, goal),
            false => self.train_on(graph, layers, goal),
        }
    }

    fn train_on<L: Label, T: Task<L> + Lesson<L> + Clone, M: Metric<L>>(
        &self,
        graph: &Graph,
        layers: &[PruneLayer],
        goal: &Goal<'_, L, T, M>,
    ) -> Result<Output, CliError> {
        let args = &self.training;
        let mut method = args.method();
        let (mut rates, budget) = self.rule(layers)?;
        if self.uniform || matches!(rates, Rates::Given(_)) {
            method.adaptive = false;
        }
        if !method.adaptive && matches!(rates, Rates::Lamp) {
            rates = Rates::Uniform;
        }
        if self.permute {
            method.permutation = true;
        }
        let (budget, costs) = match self.budget_cycles {
            Some(limit) => self.cycle_budget(graph, layers, &rates, limit)?,
            None => (budget, self.costs(graph, layers)?),
        };
        let job = Job {
            graph,
            layers,
            task: goal.task.clone(),
            train: &goal.set.train,
            held_out: goal.set.held_out(),
            method,
            lengths: goal.numbers.lengths,
            settings: goal.settings.clone(),
            teaching: goal.numbers.teaching,
            rates,
            budget,
            weighed: self.weighed(),
            costs,
            floor: self.floor,
            effort: self.effort(),
        };
        let place = Place {
            dir: &self.out,
            command: self.command(&job),
            resume: args.resume,
            stop_after: args.stop_after,
        };
        let done = match job.run(&place, chooser(goal.calibration.clone()))? {
            End::Done(done) => done,
            End::Stopped {
                step,
                steps,
                interrupted,
            } => return Ok(training::stopped(step, steps, interrupted)),
        };
        self.end(&job, *done, goal)
    }

    /// The hardware that is simulated.
    pub(super) fn hardware(&self) -> Result<HwConfig, CliError> {
        crate::cli::road::config(self.config.as_deref())
    }

    /// A budget of cycles for training, and a table of cycles that simulating
    /// networks under it has corrected.
    pub(super) fn cycle_budget(
        &self,
        graph: &Graph,
        layers: &[PruneLayer],
        rates: &Rates,
        limit: u64,
    ) -> Result<(Budget, Costs), CliError> {
        let table = match &self.cost {
            Some(path) => read_table(path)?,
            None => self.cycle_table(graph, layers)?,
        };
        let free = limit as f64 * (1.0 - MARGIN);
        let work = Work::new(graph.clone(), layers.to_vec())?;
        let (_, table) = self.by_simulation(&work, table, rates, free as u64)?;
        Ok((Budget::AtMost(free), Costs::Cycles(table)))
    }

    /// What blocks are weighed against, if not what the budget counts.
    pub(super) fn weighed(&self) -> Option<Costs> {
        self.weigh_by.map(|unit| match unit {
            Unit::Blocks => Costs::Blocks,
            Unit::Weights => Costs::Weights,
            Unit::Macs => Costs::Macs,
        })
    }

    /// What must be the same when a run goes on, besides what its parts check.
    pub(super) fn command<L, T>(&self, job: &Job<'_, L, T>) -> String {
        let args = &self.training;
        json!({
            "model": self.model, "data": args.data, "limit": args.limit,
            "teaching": job.teaching, "effort": format!("{:?}", job.effort),
        })
        .to_string()
    }

    fn end<L: Label, T: Task<L> + Lesson<L> + Clone, M: Metric<L>>(
        &self,
        job: &Job<'_, L, T>,
        done: Done,
        goal: &Goal<'_, L, T, M>,
    ) -> Result<Output, CliError> {
        let dense = job.measure(job.graph, &goal.set.test)?;
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
                seconds: done.seconds,
                images: done.images,
                quantised: done.exponents.is_some(),
            }),
        };
        let mut json = report.json();
        json["method"] = json!(job.method);
        json["plan"] = json!(goal.numbers);
        let put = |name: &str, bytes: &[u8]| {
            let path = self.out.join(name);
            write_file(&path, bytes).map_err(|e| CliError::file(&path, &e))
        };
        put("model.onnx", &onnx::export(&done.graph))?;
        put("masks.safetensors", &sparse::write(&done.masks))?;
        if let Some(e) = &done.exponents {
            put("quantisation.json", e.to_json().as_bytes())?;
        }
        put("report.json", format!("{json:#}\n").as_bytes())?;
        Ok(Output::ok(report.text(), json))
    }
}
