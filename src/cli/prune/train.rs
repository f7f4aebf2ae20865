//! `vta prune --data`: training while blocks go.

use super::job::{Done, End, Job, Place};
use super::report::{Report, Trained};
use super::work::Work;
use super::{Prune, Unit, read_table};
use crate::cli::data::open_sized;
use crate::cli::device::{Compiled, Cycles};
use crate::cli::metric::{Accuracy, MeanAp, Metric};
use crate::cli::road::{Pruned, Scales};
use crate::cli::{CliError, Output, model, number, training};
use crate::config::HwConfig;
use crate::data::{Augment, Data, Dataset, Label, Sample, to_array};
use crate::graph::{Graph, onnx};
use crate::host::Tensor;
use crate::program::atomic::write_file;
use crate::prune::{
    Budget, Costs, Method, PruneLayer, Rates, Recipe, Settings as Lengths, summary,
};
use crate::quant::{self, Calibration, QuantOptions};
use crate::sparse;
use crate::train::{Classify, Detect, Detector, Rule, Settings, Task, normalise};
use crate::tune::{Calibrate, Lesson, Teaching};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::PathBuf;

/// How a network is trained while its blocks go.
#[derive(Debug, Clone, Args)]
pub struct TrainingArgs {
    /// Train with this data while blocks go: a set that is built in, or a folder
    #[arg(long, value_name = "DATA")]
    pub data: Option<String>,
    /// How blocks go
    #[arg(
        long,
        value_name = "NAME",
        value_enum,
        default_value = "one-stage",
        requires = "data"
    )]
    pub method: Kind,
    /// Parts of the method to leave out
    #[arg(
        long,
        value_name = "PART",
        value_enum,
        value_delimiter = ',',
        requires = "data"
    )]
    pub without: Vec<Part>,
    /// Parts of the method to add to one that does not have them
    #[arg(
        long,
        value_name = "PART",
        value_enum,
        value_delimiter = ',',
        requires = "data"
    )]
    pub with: Vec<Part>,
    /// How often each image is seen
    #[arg(long, value_name = "N", value_parser = number::count, default_value = "15", requires = "data")]
    pub epochs: u32,
    /// Images of a step
    #[arg(long, value_name = "N", value_parser = number::count, default_value = "64", requires = "data")]
    pub batch: u32,
    /// The highest learning rate [default: 0.02; 0.001 for boxes]
    #[arg(long, value_name = "RATE", requires = "data")]
    pub lr: Option<f64>,
    /// Ask teachers in one of so many steps [default: 1]
    #[arg(long, value_name = "N", value_parser = number::count, requires = "data")]
    pub teach_every: Option<u32>,
    /// Lengths of the phases, the penalty's range and weights of teachers: JSON, as `plan` in report.json
    #[arg(long, value_name = "FILE", requires = "data")]
    pub plan: Option<PathBuf>,
    /// Seed of the order and of the changes of images
    #[arg(long, value_name = "SEED", value_parser = number::long, default_value = "1", requires = "data")]
    pub seed: u64,
    /// Train with so many images only, chosen by the seed
    #[arg(long, value_name = "N", value_parser = number::count, requires = "data")]
    pub limit: Option<u32>,
    /// Go on from the checkpoint in the folder
    #[arg(long, requires = "data")]
    pub resume: bool,
    /// Run every part of the method and its baselines, and write a table; goes on where it was stopped
    #[arg(long, requires = "data", conflicts_with_all = ["method", "without", "with", "resume", "stop_after"])]
    pub ablation: bool,
    /// Seeds of the baseline and of the full method in the table
    #[arg(long, value_name = "N", value_parser = number::count, default_value = "5", requires = "ablation")]
    pub seeds: u32,
    /// Stop after so many epochs, to go on later with --resume
    #[arg(long, value_name = "N", value_parser = number::count, requires = "data")]
    pub stop_after: Option<u32>,
}

/// Numbers of the method that a file can give.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Numbers {
    /// Lengths of phases, range of the penalty.
    pub lengths: Lengths,
    /// Weights of teachers.
    pub teaching: Teaching,
}

/// The highest learning rate for images with a class.
const CLASSES_RATE: f64 = 0.02;
/// The same for images with boxes.
const BOXES_RATE: f64 = 0.001;

/// Recipes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Masks and weights together, on one learning rate; with spatial, adaptive, quantisation
    OneStage,
    /// As YOLObile: rounds of a growing penalty, a cut, training on
    TwoStage,
    /// A cut, training on
    OneShot,
    /// No cut, training on
    Dense,
}

/// Parts of a method that can be switched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The earlier self teaches
    Temporal,
    /// The dense network teaches
    Spatial,
    /// Rates of layers by what blocks are worth
    Adaptive,
    /// An order of channels that gathers strong weights in few blocks
    Permutation,
    /// Rounding as the device rounds, in the last part
    Quantisation,
}

impl TrainingArgs {
    fn method(&self) -> Method {
        let mut m = match self.method {
            // docs/decisions/0054: these two did not help yet.
            Kind::OneStage => Method {
                temporal: false,
                permutation: false,
                ..Method::full()
            },
            Kind::TwoStage => Method::plain(Recipe::TwoStage),
            Kind::OneShot => Method::plain(Recipe::OneShot),
            Kind::Dense => Method::plain(Recipe::Dense),
        };
        let parts = self.without.iter().map(|p| (p, false));
        for (part, on) in self.with.iter().map(|p| (p, true)).chain(parts) {
            switch(&mut m, *part, on);
        }
        m
    }

    /// The numbers of the method.
    pub(super) fn numbers(&self) -> Result<Numbers, CliError> {
        let mut numbers = match &self.plan {
            None => Numbers::default(),
            Some(path) => serde_json::from_str(&super::read_text(path)?)
                .map_err(|e| CliError::new("file", e).of(path))?,
        };
        if let Some(every) = self.teach_every {
            numbers.teaching.every = every.into();
        }
        Ok(numbers)
    }

    fn settings(&self, rule: Rule, rate: f64, augment: Augment) -> Settings {
        Settings {
            epochs: self.epochs.into(),
            batch: self.batch as usize,
            rate: self.lr.unwrap_or(rate),
            rule,
            seed: self.seed,
            augment,
            ..Settings::default()
        }
    }
}

/// Switches a part of a method.
pub fn switch(m: &mut Method, part: Part, on: bool) {
    *match part {
        Part::Temporal => &mut m.temporal,
        Part::Spatial => &mut m.spatial,
        Part::Adaptive => &mut m.adaptive,
        Part::Permutation => &mut m.permutation,
        Part::Quantisation => &mut m.quantisation,
    } = on;
}

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
    /// Images by which exponents are chosen.
    pub calibration: Vec<Vec<Tensor>>,
}

impl Prune {
    /// Prunes with training.
    pub(super) fn train(&self) -> Result<Output, CliError> {
        let args = &self.training;
        training::not_there(&self.out, args.resume)?;
        // Before anything that takes time.
        self.hardware()?;
        let (graph, layers) = self.read()?;
        if model::is_zoo(&self.model) {
            let what = format_args!("{}: a network of the zoo is not trained", self.model);
            return Err(CliError::new("prune", what)
                .help("`vta train` trains it first; prune the model.onnx that it writes"));
        }
        let name = args.data.as_deref().unwrap_or_default();
        let input = graph.inputs.first().map(|t| &graph.tensor(*t).dims[..]);
        let size = match input {
            Some([_, _, h, w]) => Some([*h, *w]),
            _ => None,
        };
        match open_sized(name, size)? {
            Data::Classes(mut set) => {
                training::limit(&mut set.train, args.limit, args.seed);
                let n = set.classes.len();
                let goal = Goal {
                    task: Classify::new(&graph, n, 0.0)?,
                    metric: Accuracy::new(&graph, n)?,
                    settings: args.settings(Rule::sgd(), CLASSES_RATE, Augment::small_images()),
                    calibration: calibration(&set.train),
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
                    calibration: calibration(&set.train),
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
        let (budget, costs) = match self.budget_cycles {
            Some(limit) => {
                let free = Budget::AtMost(limit as f64 * (1.0 - MARGIN));
                (free, self.cycle_costs(graph, layers, limit)?)
            }
            None => (budget, self.costs(graph, layers)?),
        };
        let set = goal.set;
        let held_out: &[Sample<L>] = match set.val.is_empty() {
            true => &set.test,
            false => &set.val,
        };
        let numbers = args.numbers()?;
        let job = Job {
            graph,
            layers,
            task: goal.task.clone(),
            train: &set.train,
            held_out,
            method,
            lengths: numbers.lengths,
            settings: goal.settings.clone(),
            teaching: numbers.teaching,
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

    /// A table of cycles, corrected by simulating networks under the limit.
    pub(super) fn cycle_costs(
        &self,
        graph: &Graph,
        layers: &[PruneLayer],
        limit: u64,
    ) -> Result<Costs, CliError> {
        let table = match &self.cost {
            Some(path) => read_table(path)?,
            None => self.cycle_table(graph, layers)?,
        };
        // The masks of training are others than those that are simulated here.
        let limit = (limit as f64 * (1.0 - MARGIN)) as u64;
        let work = Work::new(graph.clone(), layers.to_vec())?;
        let (_, table) = self.by_simulation(&work, table, &Rates::Lamp, limit)?;
        Ok(Costs::Cycles(table))
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
        let weight =
            |l: &PruneLayer| crate::prune::weight(&done.graph, &l.weight_name).unwrap_or_default();
        let weights: Vec<Vec<f32>> = job.layers.iter().map(weight).collect();
        let views: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
        let dense = job.measure(job.graph, &goal.set.test)?;
        let scored = self.score(job, &done, goal)?;
        let report = Report {
            model: &self.model,
            out: &self.out,
            summary: summary(job.layers, &views, &done.masks),
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
        json["plan"] = json!(Numbers {
            lengths: job.lengths,
            teaching: job.teaching,
        });
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

/// Part of a budget of cycles that is left free, because cycles depend a little
/// on which blocks are kept, not only on how many.
pub const MARGIN: f64 = 0.01;

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
    pub(super) fn score<L: Label, T: Task<L>, M: Metric<L>>(
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
        let compiled = Compiled::new(network, &scales, &self.hardware()?)?;
        Ok(Scored {
            float,
            device: compiled.score(test, &goal.metric)?.score,
            cycles: compiled.cycles(test)?,
        })
    }
}

/// Chooses exponents by these samples.
pub fn chooser<'a>(samples: Vec<Vec<Tensor>>) -> Calibrate<'a> {
    Box::new(move |graph: &Graph| {
        let seen = Calibration::observe(graph, samples.clone())?;
        let net = quant::quantise(graph, &seen, &QuantOptions::default())?;
        Ok(quant::Exponents::of(&net))
    })
}

/// The first images, as the network's input takes them.
fn calibration<L>(samples: &[Sample<L>]) -> Vec<Vec<Tensor>> {
    let one = |s: &Sample<L>| {
        let rule = normalise(s.image.channels());
        let array = to_array([&s.image], &rule).ok()?;
        Some(vec![Tensor::F32(array.into_dyn())])
    };
    samples.iter().take(CALIBRATION).filter_map(one).collect()
}
