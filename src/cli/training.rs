//! Runs of training: their loop, their files, Ctrl-C.

use super::progress::Progress;
use super::{CliError, EXIT_STOPPED, Output, input};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use vta::data::{Boxes, Dataset, Label, Loader, Sample, chosen};
use vta::graph::Graph;
use vta::program::atomic::write_file;
use vta::report::{self, Curve, Panel};
use vta::train::backend::{Chosen, ChosenGrad};
use vta::train::{
    Checkpoint, CheckpointError, Detector, Hooks, Network, Row, Task, TrainError, Trainer, images,
    normalise,
};

/// Largest checkpoint that is read, in bytes.
const MAX_CHECKPOINT: u64 = 4 << 30;
/// Largest description of a detector that is read, in bytes.
const MAX_DETECTOR: u64 = 1 << 20;
/// Batches from which the statistics of a network from a file are taken.
const STATISTICS: usize = 8;

/// A run as the commands make it.
pub type Run<'a, L, T, H> = Trainer<'a, ChosenGrad, Chosen, L, T, H>;

/// Where a run's files go, and its rows so far.
pub struct Files {
    dir: PathBuf,
    command: String,
    log: String,
}

impl Files {
    /// Files in a folder, which need not exist yet. `command` is what must be
    /// the same when the run goes on, besides its settings.
    pub fn new(dir: &Path, command: String) -> Self {
        Self {
            dir: dir.to_owned(),
            command,
            log: String::new(),
        }
    }

    fn checkpoint(&self) -> PathBuf {
        self.dir.join("checkpoint")
    }

    /// Goes on from the folder's checkpoint where that is wanted, else sees to
    /// it that there is none.
    ///
    /// # Errors
    /// A checkpoint that is missing, in the way, damaged or of another run.
    pub fn start<L, T, H>(
        &mut self,
        run: &mut Run<'_, L, T, H>,
        resume: bool,
    ) -> Result<(), CliError>
    where
        L: Label,
        T: Task<L>,
        H: Hooks<Chosen, ChosenGrad, L>,
    {
        let path = self.checkpoint();
        if resume {
            let bytes = input::read(&path, MAX_CHECKPOINT)?;
            let at = |e: TrainError| CliError::from(e).of(&path);
            let c = Checkpoint::decode(&bytes).map_err(at)?;
            self.restore(run, &c).map_err(at)?;
        }
        fs::create_dir_all(&self.dir).map_err(|e| CliError::file(&self.dir, &e))
    }

    fn restore<L, T, H>(
        &mut self,
        run: &mut Run<'_, L, T, H>,
        c: &Checkpoint,
    ) -> Result<(), TrainError>
    where
        L: Label,
        T: Task<L>,
        H: Hooks<Chosen, ChosenGrad, L>,
    {
        let (then, now) = (c.text("command")?, &self.command);
        if then != now {
            let what = format!("is of a run with {then}, not {now}");
            return Err(CheckpointError::Run(what).into());
        }
        run.restore(c)?;
        self.log = c.text("log")?.to_owned();
        Ok(())
    }

    fn add(&mut self, row: &Row) {
        if self.log.is_empty() {
            self.log = row.header();
        }
        self.log += &row.line();
    }

    /// The log, then the checkpoint, each whole.
    fn write(&self, mut c: Checkpoint) -> Result<(), CliError> {
        c.put_text("command", &self.command);
        c.put_text("log", &self.log);
        let log = self.log.clone().into_bytes();
        let drawn = curves(&self.log).into_bytes();
        for (name, bytes) in [
            ("log.csv", log),
            ("curves.svg", drawn),
            ("checkpoint", c.encode()?),
        ] {
            let path = self.dir.join(name);
            write_file(&path, &bytes).map_err(|e| CliError::file(&path, &e))?;
        }
        Ok(())
    }
}

/// A log as a picture.
fn curves(log: &str) -> String {
    let mut lines = log.lines().map(|l| l.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap_or_default();
    let rows: Vec<Vec<&str>> = lines.collect();
    let column = |name: &str| head.iter().position(|h| *h == name);
    let curve = |(name, label): &(&str, &str)| {
        let (x, y) = (column("epoch")?, column(name)?);
        let value = |row: &Vec<&str>, at: usize| row.get(at)?.parse().ok();
        let points = rows
            .iter()
            .filter_map(|r| Some((value(r, x)?, value(r, y)?)));
        Some(Curve {
            name: (*label).to_owned(),
            points: points.collect(),
        })
    };
    let panel = |title: &str, columns: &[(&str, &str)]| Panel {
        title: title.to_owned(),
        curves: columns.iter().filter_map(curve).collect(),
    };
    let mut panels = vec![
        panel("loss", &[("loss", "training"), ("val_loss", "held out")]),
        panel("score", &[("score", "training"), ("val_score", "held out")]),
        panel("learning rate", &[("rate", "rate")]),
    ];
    if column("sparsity").is_some() {
        panels.push(panel("blocks gone", &[("sparsity", "part of blocks")]));
        let teachers = [("spatial", "dense network"), ("temporal", "earlier state")];
        panels.push(panel("distillation losses", &teachers));
    }
    report::curves(&panels, "epoch")
}

/// Refuses a folder with a checkpoint, unless the run goes on from it.
///
/// # Errors
/// There is one.
pub fn not_there(dir: &Path, resume: bool) -> Result<(), CliError> {
    let path = dir.join("checkpoint");
    if resume || !path.exists() {
        return Ok(());
    }
    let e = CliError::new("train", format_args!("{}: exists", path.display()));
    Err(e.help("--resume goes on from it; else give another folder"))
}

/// Steps until the end, the end of epoch `stop_after`, or until somebody wants to stop; says whether Ctrl-C did.
///
/// # Errors
/// What goes wrong in a step, or with the files.
pub fn steps<L, T, H>(
    what: &'static str,
    run: &mut Run<'_, L, T, H>,
    files: &mut Files,
    stop_after: Option<u32>,
) -> Result<bool, CliError>
where
    L: Label,
    T: Task<L>,
    H: Hooks<Chosen, ChosenGrad, L>,
{
    let stop = interrupt()?;
    let last = u64::from(stop_after.unwrap_or(u32::MAX)).saturating_mul(run.batches());
    let progress = Progress::from(what, run.next(), run.steps());
    let mut told = None;
    while !run.finished() && run.next() < last {
        let step = run.step()?;
        progress.done();
        let score = |m: f64| format!("{:.1} %", 100.0 * m);
        let mut text = format!("epoch {}, loss {:.3}", step.context.epoch + 1, step.loss);
        if let Some(m) = told {
            text += &format!(", held out {}", score(m));
        }
        for (name, value) in run.hooks().columns().iter().take(1) {
            text += &format!(", {name} {}", score(*value));
        }
        progress.say(text);
        let stopped = stop.load(Ordering::SeqCst);
        if let Some(row) = &step.row {
            told = row.held_out.map(|m| m.score);
            files.add(row);
        }
        if step.row.is_some() || stopped {
            files.write(run.checkpoint())?;
        }
        if stopped {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is said of a run that was stopped, by Ctrl-C or as wanted.
pub fn stopped(step: u64, steps: u64, interrupted: bool) -> Output {
    let text = format!("stopped after step {step} of {steps}; --resume goes on\n");
    let json = json!({ "finished": false, "step": step, "steps": steps });
    let mut output = Output::ok(text, json);
    if interrupted {
        output.exit = EXIT_STOPPED;
    }
    output
}

/// Becomes true with Ctrl-C; a second one ends the program at once.
fn interrupt() -> Result<&'static AtomicBool, CliError> {
    static STOP: AtomicBool = AtomicBool::new(false);
    static SET: OnceLock<Result<(), String>> = OnceLock::new();
    let handler = || {
        if STOP.swap(true, Ordering::SeqCst) {
            std::process::exit(EXIT_STOPPED.into());
        }
    };
    let set = SET.get_or_init(|| ctrlc::set_handler(handler).map_err(|e| e.to_string()));
    match set {
        Ok(()) => Ok(&STOP),
        Err(e) => Err(CliError::new("train", e)),
    }
}

/// A network from a file, with batch normalisations that at first change nothing.
///
/// # Errors
/// A network that cannot be trained, images that do not fit it.
pub fn renormalised<L: Label>(
    graph: &Graph,
    samples: &[Sample<L>],
    batch: usize,
    seed: u64,
) -> Result<Network<Chosen>, CliError> {
    let device = Default::default();
    let channels = samples.first().map_or(1, |s| s.image.channels());
    let loader = Loader {
        shuffle: true,
        seed,
        ..Loader::plain(samples, batch, normalise(channels))
    };
    let batches = loader.epoch(0, 0).take(STATISTICS);
    let batches = batches.map(|b| Ok(images::<Chosen>(b?.images, &device)));
    let batches = batches.collect::<Result<Vec<_>, TrainError>>()?;
    Ok(Network::renormalised(graph, &batches, &device)?)
}

/// So many of the samples, chosen by a seed, in their order.
pub fn limit<L>(samples: &mut Vec<Sample<L>>, n: Option<u32>, seed: u64) {
    let Some(n) = n else { return };
    let chosen = chosen(samples.len(), n as usize, seed);
    let mut index = 0..;
    samples.retain(|_| {
        index
            .next()
            .is_some_and(|i| chosen.binary_search(&i).is_ok())
    });
}

/// Anchors and classes: those of a trained network, or from the boxes.
///
/// # Errors
/// A file that does not fit the network or the data.
pub fn detector(model: &str, graph: &Graph, set: &Dataset<Boxes>) -> Result<Detector, CliError> {
    let path = Path::new(model).with_file_name(Detector::FILE);
    if super::model::is_zoo(model) || !path.exists() {
        return Ok(Detector::fit(graph, &set.classes, &set.train)?);
    }
    let read = read_detector(&path, graph)?;
    if read.classes() != set.classes {
        let (then, now) = (read.classes().join(", "), set.classes.join(", "));
        let what = format_args!("{}: has classes {then}, not {now}", path.display());
        return Err(CliError::new("train", what));
    }
    Ok(read)
}

/// A detector from its file, for a network.
///
/// # Errors
/// No such file, or one that does not fit the network.
pub fn read_detector(path: &Path, graph: &Graph) -> Result<Detector, CliError> {
    let bytes = input::read(path, MAX_DETECTOR)
        .map_err(|e| e.help("`vta train` writes it beside a detector's model.onnx"))?;
    let text = String::from_utf8_lossy(&bytes);
    Detector::from_json(&text, graph).map_err(|e| CliError::from(e).of(path))
}
