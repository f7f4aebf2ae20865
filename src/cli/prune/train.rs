//! `vta prune --data`: training while blocks go.

use super::job::{Done, End, Job, Place};
use super::report::Report;
use super::work::Work;
use super::{Prune, Unit, read_table};
use crate::cli::training;
use crate::cli::{CliError, Output, cost, number};
use crate::config::HwConfig;
use crate::data::{Data, Dataset, Sample, to_array};
use crate::graph::{Graph, onnx};
use crate::host::Tensor;
use crate::program::atomic::write_file;
use crate::prune::{Costs, Method, PruneLayer, Rates, Recipe, Settings as Lengths, summary};
use crate::quant::{self, Calibration, QuantOptions};
use crate::sparse;
use crate::train::{Classify, Rule, Settings, normalise};
use crate::tune::{Calibrate, Teaching};
use clap::{Args, ValueEnum};
use serde_json::json;

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
    /// The highest learning rate
    #[arg(long, value_name = "RATE", default_value = "0.02", requires = "data")]
    pub lr: f64,
    /// Ask teachers in one of so many steps
    #[arg(long, value_name = "N", value_parser = number::count, default_value = "1", requires = "data")]
    pub teach_every: u32,
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

/// Recipes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Masks and weights together, on one learning rate
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
            Kind::OneStage => Method::full(),
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

    pub(super) fn settings(&self) -> Settings {
        Settings {
            epochs: self.epochs.into(),
            batch: self.batch as usize,
            rate: self.lr,
            rule: Rule::sgd(),
            seed: self.seed,
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

impl Prune {
    /// Prunes with training.
    pub(super) fn train(&self) -> Result<Output, CliError> {
        let args = &self.training;
        training::not_there(&self.out, args.resume)?;
        // Before anything that takes time.
        self.hardware()?;
        let name = args.data.as_deref().unwrap_or_default();
        let data = crate::cli::data::open_set(name, crate::data::shapes::SEED)?;
        let (graph, layers) = self.read()?;
        match data {
            Data::Classes(mut set) => {
                training::limit(&mut set.train, args.limit, args.seed);
                let task = Classify::new(&graph, set.classes.len(), 0.0)?;
                match args.ablation {
                    true => self.ablation(&graph, &layers, task, &set),
                    false => self.train_on(&graph, &layers, task, &set),
                }
            }
            Data::Boxes(_) => {
                let what = format_args!("{name}: its images have boxes, not classes");
                Err(CliError::new("prune", what))
            }
        }
    }

    fn train_on(
        &self,
        graph: &Graph,
        layers: &[PruneLayer],
        task: Classify,
        set: &Dataset<u16>,
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
        let costs = match self.budget_cycles {
            Some(limit) => self.cycle_costs(graph, layers, limit)?,
            None => self.costs(graph, layers)?,
        };
        let held_out: &[Sample<u16>] = match set.val.is_empty() {
            true => &set.test,
            false => &set.val,
        };
        let job = Job {
            graph,
            layers,
            task,
            train: &set.train,
            held_out,
            method,
            lengths: Lengths::default(),
            settings: args.settings(),
            teaching: Teaching {
                every: args.teach_every.into(),
                ..Teaching::default()
            },
            rates,
            budget,
            weighed: self.weighed(&costs, method.adaptive),
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
        let samples = calibration(&set.train);
        let done = match job.run(&place, chooser(samples.clone()))? {
            End::Done(done) => done,
            End::Stopped {
                step,
                steps,
                interrupted,
            } => return Ok(training::stopped(step, steps, interrupted)),
        };
        self.end(&job, *done, set, &samples)
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
        let work = Work::new(graph.clone(), layers.to_vec())?;
        let (_, table) = self.by_simulation(&work, table, &Rates::Lamp, limit)?;
        Ok(Costs::Cycles(table))
    }

    /// What blocks are weighed against: under a budget of blocks what they multiply.
    pub(super) fn weighed(&self, costs: &Costs, adaptive: bool) -> Option<Costs> {
        match (self.weigh_by, costs) {
            (Some(Unit::Blocks), _) => Some(Costs::Blocks),
            (Some(Unit::Weights), _) => Some(Costs::Weights),
            (Some(Unit::Macs), _) => Some(Costs::Macs),
            (None, Costs::Blocks) if adaptive => Some(Costs::Macs),
            (None, _) => None,
        }
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

    fn end(
        &self,
        job: &Job<'_, u16, Classify>,
        done: Done,
        set: &Dataset<u16>,
        samples: &[Vec<Tensor>],
    ) -> Result<Output, CliError> {
        let weight =
            |l: &PruneLayer| crate::prune::weight(&done.graph, &l.weight_name).unwrap_or_default();
        let weights: Vec<Vec<f32>> = job.layers.iter().map(weight).collect();
        let views: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
        let dense = job.measure(job.graph, &set.test)?;
        let scored = score(&self.model, job, &done, set, samples, &self.hardware()?)?;
        let report = Report {
            model: &self.model,
            out: &self.out,
            summary: summary(job.layers, &views, &done.masks),
            cycles: None,
            cost: done.cost,
            outcome: done.outcome,
        };
        let mut json = report.json();
        json["accuracy"] = json!(scored.float);
        json["device_accuracy"] = json!(scored.device);
        json["dense_accuracy"] = json!(dense.score);
        json["cycles"] = json!(scored.cycles);
        json["seconds"] = json!(done.seconds);
        json["images"] = json!(done.images);
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
        let text = report.text()
            + &format!(
                "accuracy {:.2} %, dense {:.2} %; {} cycles; {:.0} s\n",
                100.0 * scored.float,
                100.0 * dense.score,
                scored.cycles,
                done.seconds
            );
        Ok(Output::ok(text, json))
    }
}

/// Images by which exponents are chosen.
const CALIBRATION: usize = 64;

/// How good a pruned network is.
pub struct Scored {
    /// Accuracy of the float network, from 0 to 1.
    pub float: f64,
    /// Accuracy of the int8 program on the simulated device.
    pub device: Option<f64>,
    /// Cycles of one image.
    pub cycles: u64,
}

/// Measures a pruned network.
pub fn score(
    model: &str,
    job: &Job<'_, u16, Classify>,
    done: &Done,
    set: &Dataset<u16>,
    _samples: &[Vec<Tensor>],
    config: &HwConfig,
) -> Result<Scored, CliError> {
    let float = job.measure(&done.graph, &set.test)?.score;
    let cycles = cost::simulate(model, done.graph.clone(), &done.masks, config)?.total;
    Ok(Scored {
        float,
        device: None,
        cycles,
    })
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
pub fn calibration<L>(samples: &[Sample<L>]) -> Vec<Vec<Tensor>> {
    let one = |s: &Sample<L>| {
        let rule = normalise(s.image.channels());
        let array = to_array([&s.image], &rule).ok()?;
        Some(vec![Tensor::F32(array.into_dyn())])
    };
    samples.iter().take(CALIBRATION).filter_map(one).collect()
}
