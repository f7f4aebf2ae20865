//! `vta train`: a network from a data set.

use super::data::open_set;
use super::model::{self, ZooArgs};
use super::progress::Progress;
use super::{CliError, EXIT_STOPPED, Output, input, number};
use crate::data::{Data, Dataset, Loader, Sample, order};
use crate::graph::{Graph, onnx, zoo};
use crate::program::atomic::write_file;
use crate::train::backend::{Cpu, CpuGrad};
use crate::train::{
    Checkpoint, Classify, Network, Row, Rule, Settings, TrainError, Trainer, images, normalise,
};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Largest checkpoint that is read, in bytes.
const MAX_CHECKPOINT: u64 = 4 << 30;
/// Batches from which the statistics of a network from a file are taken.
const STATISTICS: usize = 8;

/// Train a network: writes model.onnx, log.csv and checkpoint
#[derive(Debug, Args)]
pub struct Train {
    /// The network: a name of the zoo (`vta zoo` lists it), trained from scratch, or an ONNX file, trained on
    model: String,
    /// The data: a set that is built in, or a folder (`vta data` says what is in it)
    #[arg(long, value_name = "DATA")]
    data: String,
    /// Folder for model.onnx, log.csv and checkpoint
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// How often each image is seen
    #[arg(long, value_name = "N", value_parser = number::count, default_value = "15")]
    epochs: u32,
    /// Images of a step
    #[arg(long, value_name = "N", value_parser = number::count, default_value = "64")]
    batch: u32,
    /// The highest learning rate [default: 0.05; 0.002 with adamw]
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// How weights follow their gradients
    #[arg(long, value_name = "NAME", value_enum, default_value_t = Optimiser::Sgd)]
    optimiser: Optimiser,
    /// Part of the target that is spread over all classes
    #[arg(long, value_name = "F", value_parser = number::fraction, default_value = "0")]
    smoothing: f64,
    /// Seed of the first weights, of the order and of the changes of images
    #[arg(long, value_name = "SEED", value_parser = number::long, default_value = "1")]
    seed: u64,
    /// Train with so many images only, chosen by the seed
    #[arg(long, value_name = "N", value_parser = number::count)]
    limit: Option<u32>,
    /// Go on from the checkpoint in the folder
    #[arg(long)]
    resume: bool,
    /// Stop after so many epochs, to go on later with --resume
    #[arg(long, value_name = "N", value_parser = number::count)]
    stop_after: Option<u32>,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = number::count)]
    threads: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Optimiser {
    /// Descent with momentum 0.9, decay 5e-4
    Sgd,
    /// AdamW, decay 0.01
    Adamw,
}

type Run<'a> = Trainer<'a, CpuGrad, Cpu, u16, Classify, ()>;

/// Where a run's files go, and its rows so far.
struct Files<'a> {
    dir: &'a Path,
    command: String,
    log: String,
}

impl Train {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        super::threads(self.threads)?;
        let path = self.out.join("checkpoint");
        if !self.resume && path.exists() {
            let e = CliError::new("train", format_args!("{}: exists", path.display()));
            return Err(e.help("--resume goes on from it; else give another folder"));
        }
        let checkpoint = match self.resume {
            true => Some(read(&path)?),
            false => None,
        };
        let Data::Classes(mut set) = open_set(&self.data, crate::data::shapes::SEED)? else {
            let what = format_args!("{}: its images have boxes, not classes", self.data);
            return Err(CliError::new("train", what).help("`vta train` trains classifiers"));
        };
        self.limit(&mut set.train);
        let graph = self.graph(&set)?;
        let network = self.network(&graph, &set.train)?;
        let task = Classify::new(&graph, set.classes.len(), self.smoothing as f32)?;
        let held_out = match set.val.is_empty() {
            true => &set.test,
            false => &set.val,
        };
        let data = (&set.train[..], &held_out[..]);
        let mut run = Run::new(network, (task, ()), data, self.settings())?;
        let mut files = Files {
            dir: &self.out,
            command: self.command(),
            log: String::new(),
        };
        if let Some(c) = checkpoint {
            files
                .restore(&mut run, &c)
                .map_err(|e| CliError::from(e).of(&path))?;
        }
        fs::create_dir_all(&self.out).map_err(|e| CliError::file(&self.out, &e))?;
        let stopped = self.steps(&mut run, &mut files)?;
        if run.finished() {
            return self.end(&run, &graph, &set);
        }
        let (step, steps) = (run.next(), run.steps());
        let text = format!("stopped after step {step} of {steps}; --resume goes on\n");
        let json = json!({ "finished": false, "step": step, "steps": steps });
        let mut output = Output::ok(text, json);
        if stopped {
            output.exit = EXIT_STOPPED;
        }
        Ok(output)
    }

    fn settings(&self) -> Settings {
        let (rule, rate) = match self.optimiser {
            Optimiser::Sgd => (Rule::sgd(), 0.05),
            Optimiser::Adamw => (Rule::adamw(), 0.002),
        };
        Settings {
            epochs: self.epochs.into(),
            batch: self.batch as usize,
            rate: self.lr.unwrap_or(rate),
            rule,
            seed: self.seed,
            ..Settings::default()
        }
    }

    /// What must be the same when a run goes on, besides the settings.
    fn command(&self) -> String {
        let (model, data, limit) = (&self.model, &self.data, self.limit);
        json!({ "model": model, "data": data, "limit": limit, "smoothing": self.smoothing })
            .to_string()
    }

    fn limit(&self, samples: &mut Vec<Sample<u16>>) {
        let Some(n) = self
            .limit
            .map(|n| n as usize)
            .filter(|n| *n < samples.len())
        else {
            return;
        };
        let mut keep = vec![false; samples.len()];
        let chosen = order(samples.len(), self.seed, u64::MAX);
        chosen[..n].iter().for_each(|i| keep[*i] = true);
        let mut keep = keep.into_iter();
        samples.retain(|_| keep.next().unwrap_or(false));
    }

    /// The network with the size and the classes of the data.
    fn graph(&self, set: &Dataset<u16>) -> Result<Graph, CliError> {
        let Some(image) = set.dims() else {
            let what = format_args!("{}: its images have several sizes", self.data);
            return Err(CliError::new("train", what));
        };
        let classes = set.classes.len();
        if !model::is_zoo(&self.model) {
            let zoo = ZooArgs {
                zoo_seed: self.seed,
            };
            let graph = model::load(&self.model, &zoo)?;
            let dims = graph.inputs.first().map(|t| &graph.tensor(*t).dims[..]);
            return match dims {
                Some([_, c, h, w]) if [*c, *h, *w] == image => Ok(graph),
                _ => Err(CliError::new(
                    "train",
                    format_args!("{}: input {dims:?}, but images are {image:?}", self.model),
                )),
            };
        }
        let fits = |usual: &Graph| {
            let dims = &usual.tensor(usual.inputs[0]).dims;
            image[1] >= dims[2] && image[2] >= dims[3]
        };
        // Smaller images than the network's own may be smaller than its windows.
        if !zoo::build(&self.model, self.seed).is_some_and(|g| fits(&g)) {
            let what = format_args!("{}: images of {image:?} are too small", self.model);
            return Err(CliError::new("train", what));
        }
        let form = zoo::Form {
            image: Some(image),
            classes: Some(classes),
        };
        let graph = zoo::build_as(&self.model, self.seed, form);
        graph.ok_or_else(|| CliError::new("train", format_args!("{}: no classifier", self.model)))
    }

    /// From scratch, or with what a file has, with statistics from the data.
    fn network(&self, graph: &Graph, samples: &[Sample<u16>]) -> Result<Network<Cpu>, CliError> {
        let device = Default::default();
        if model::is_zoo(&self.model) {
            return Ok(Network::normalised(graph, &device)?);
        }
        let channels = samples.first().map_or(1, |s| s.image.channels());
        let loader = Loader {
            shuffle: true,
            seed: self.seed,
            ..Loader::plain(samples, self.batch as usize, normalise(channels))
        };
        let batches = loader.epoch(0, 0).take(STATISTICS);
        let batches = batches.map(|b| Ok(images::<Cpu>(b?.images, &device)));
        let batches = batches.collect::<Result<Vec<_>, TrainError>>()?;
        Ok(Network::renormalised(graph, &batches, &device)?)
    }

    /// Steps until the end, or until somebody wants to stop; says whether Ctrl-C did.
    fn steps(&self, run: &mut Run<'_>, files: &mut Files<'_>) -> Result<bool, CliError> {
        let stop = interrupt()?;
        let last = u64::from(self.stop_after.unwrap_or(u32::MAX)).saturating_mul(run.batches());
        let progress = Progress::from("training", run.next(), run.steps());
        let mut told = None;
        while !run.finished() && run.next() < last {
            let step = run.step()?;
            progress.done();
            let held_out = |m: f64| format!("{:.1} %", 100.0 * m);
            let score: String = told.map_or_else(|| "-".into(), held_out);
            progress.say(format!(
                "epoch {}, loss {:.3}, held out {score}",
                step.at.epoch + 1,
                step.loss
            ));
            let stopped = stop.load(Ordering::SeqCst);
            if let Some(row) = &step.row {
                told = row.held_out.map(|m| m.score);
                files.add(row);
            }
            if step.row.is_some() || stopped {
                files.write(run)?;
            }
            if stopped {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn end(&self, run: &Run<'_>, graph: &Graph, set: &Dataset<u16>) -> Result<Output, CliError> {
        let model = self.out.join("model.onnx");
        let trained = run.network().to_graph();
        write_file(&model, &onnx::export(&trained)).map_err(|e| CliError::file(&model, &e))?;
        let mut text = format!(
            "{}: {} steps, {} images\n",
            graph.name,
            run.steps(),
            set.train.len()
        );
        let mut json = json!({
            "finished": true, "steps": run.steps(), "images": set.train.len(),
            "model": model.display().to_string(),
        });
        for (name, samples) in [("val", &set.val), ("test", &set.test)] {
            if samples.is_empty() {
                continue;
            }
            let m = run.measure(samples)?;
            let (n, percent) = (samples.len(), 100.0 * m.score);
            text += &format!(
                "{name}: accuracy {percent:.2} %, loss {:.4}, {n} images\n",
                m.loss
            );
            json[name] = json!({ "accuracy": m.score, "loss": m.loss, "images": n });
        }
        text += &format!("{}\n", model.display());
        Ok(Output::ok(text, json))
    }
}

impl Files<'_> {
    fn add(&mut self, row: &Row) {
        if self.log.is_empty() {
            self.log = row.header();
        }
        self.log += &row.line();
    }

    /// The log, then the checkpoint, each whole.
    fn write(&self, run: &Run<'_>) -> Result<(), CliError> {
        let mut c = run.checkpoint();
        c.put_text("command", &self.command);
        c.put_text("log", &self.log);
        for (name, bytes) in [
            ("log.csv", self.log.clone().into_bytes()),
            ("checkpoint", c.encode()),
        ] {
            let path = self.dir.join(name);
            write_file(&path, &bytes).map_err(|e| CliError::file(&path, &e))?;
        }
        Ok(())
    }

    fn restore(&mut self, run: &mut Run<'_>, c: &Checkpoint) -> Result<(), TrainError> {
        let (then, now) = (c.text("command")?, &self.command);
        if then != now {
            let what = format!("is of a run with {then}, not {now}");
            return Err(TrainError::Checkpoint(what));
        }
        run.restore(c)?;
        self.log = c.text("log")?.to_owned();
        Ok(())
    }
}

fn read(path: &Path) -> Result<Checkpoint, CliError> {
    let bytes = input::read(path, MAX_CHECKPOINT)?;
    Checkpoint::decode(&bytes).map_err(|e| CliError::from(e).of(path))
}

/// Becomes true with Ctrl-C; a second one ends the program at once.
fn interrupt() -> Result<Arc<AtomicBool>, CliError> {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    let handler = move || {
        if seen.swap(true, Ordering::SeqCst) {
            std::process::exit(EXIT_STOPPED.into());
        }
    };
    ctrlc::set_handler(handler).map_err(|e| CliError::new("train", e))?;
    Ok(stop)
}
