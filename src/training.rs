//! Runs of training: their loop and their files.

use crate::files::FolderLock;
use crate::monitor::{Monitor, Phase, Watch};
use crate::report::{self, Curve, Panel};
use crate::{Error, files};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vta_data::{Boxes, Dataset, Label, Loader, Sample, chosen};
use vta_net::graph::{Graph, zoo};
use vta_program::program::atomic::write_file;
use vta_train::backend::{Chosen, ChosenGrad};
use vta_train::{
    Checkpoint, Detector, Hooks, Identity, Network, Row, Task, TrainError, Trainer, images,
    normalise,
};

/// Largest checkpoint that is read, in bytes.
const MAX_CHECKPOINT: u64 = 4 << 30;
/// Largest description of a detector that is read, in bytes.
const MAX_DETECTOR: u64 = 1 << 20;
/// Batches from which the statistics of a network from a file are taken.
const STATISTICS: usize = 8;

/// The name of a run's checkpoint.
const CHECKPOINT: &str = "checkpoint";
/// The name of a run's network. It is written when all else is there: a folder
/// that has it is complete.
pub const MODEL: &str = "model.onnx";
/// Names of the tables in a checkpoint.
const LOG: &str = "log";
const TIMES: &str = "times";

/// A run of training on the backend that was built in.
pub type Run<'a, L, T, H> = Trainer<'a, ChosenGrad, Chosen, L, T, H>;

/// What the program adds to what a run is.
pub fn identity() -> Identity {
    Identity::of_program::<Chosen>(&Default::default())
}

/// Where a run's files go, and its rows so far: `checkpoint`, `log.csv`,
/// `curves.svg` and `times.csv` in one folder. Only the last depends on time.
///
/// The folder is this run's alone for as long as the value is there, so it is
/// kept until the results are written.
#[derive(Debug)]
pub struct Files {
    dir: PathBuf,
    resume: bool,
    log: String,
    times: String,
    _lock: FolderLock,
}

impl Files {
    /// Files in a folder, which need not exist yet; with `resume` the run goes
    /// on from the checkpoint in it.
    ///
    /// # Errors
    /// Another run writes there; there is a checkpoint or the result of a run,
    /// and this one does not go on from it; the folder cannot be made.
    pub fn open(dir: &Path, resume: bool) -> Result<Self, Error> {
        let lock = FolderLock::take(dir)?;
        let [checkpoint, model] = [CHECKPOINT, MODEL].map(|name| dir.join(name));
        if !resume && checkpoint.exists() {
            return Err(Error::CheckpointExists(checkpoint));
        }
        if !resume && model.exists() {
            return Err(Error::ResultExists(model));
        }
        Ok(Self {
            dir: dir.to_owned(),
            resume,
            log: String::new(),
            times: String::new(),
            _lock: lock,
        })
    }

    /// The same, going on if there is a checkpoint.
    ///
    /// # Errors
    /// As [`Files::open`].
    pub fn open_or_resume(dir: &Path) -> Result<Self, Error> {
        Self::open(dir, dir.join(CHECKPOINT).exists())
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn checkpoint(&self) -> PathBuf {
        self.dir.join(CHECKPOINT)
    }

    /// Puts the run where it was when it was stopped, if it is to go on.
    ///
    /// # Errors
    /// A checkpoint that is missing, damaged or of another run.
    pub fn start<L, T, H>(&mut self, run: &mut Run<'_, L, T, H>) -> Result<(), Error>
    where
        L: Label,
        T: Task<L>,
        H: Hooks<Chosen, ChosenGrad, L>,
    {
        let path = self.checkpoint();
        if self.resume {
            let bytes = files::read(&path, MAX_CHECKPOINT)?;
            let at = |e: TrainError| Error::from(e).of(&path);
            let c = Checkpoint::decode(&bytes).map_err(at)?;
            self.restore(run, &c).map_err(at)?;
        }
        Ok(())
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
        run.restore(c)?;
        self.log = c.text(LOG)?.to_owned();
        self.times = c.text(TIMES)?.to_owned();
        Ok(())
    }

    fn add(&mut self, row: &Row) {
        if self.log.is_empty() {
            self.log = row.header();
            self.times = Row::TIMES.into();
        }
        self.log += &row.line();
        self.times += &row.times_line();
    }

    /// The tables, then the checkpoint, each whole.
    fn write(&self, mut c: Checkpoint) -> Result<(), Error> {
        c.put_text(LOG, &self.log);
        c.put_text(TIMES, &self.times);
        let log = self.log.clone().into_bytes();
        let times = self.times.clone().into_bytes();
        let drawn = curves(&self.log).into_bytes();
        for (name, bytes) in [
            ("log.csv", log),
            ("times.csv", times),
            ("curves.svg", drawn),
            (CHECKPOINT, c.encode()?),
        ] {
            let path = self.dir.join(name);
            write_file(&path, &bytes).map_err(|e| Error::file(&path, e))?;
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

/// Steps until the end, the end of epoch `stop_after`, or until the monitor
/// wants to stop; says whether it did. The checkpoint is written after each
/// epoch and before a stop.
///
/// # Errors
/// What goes wrong in a step, or with the files.
pub fn steps<L, T, H>(
    phase: Phase,
    run: &mut Run<'_, L, T, H>,
    files: &mut Files,
    stop_after: Option<u32>,
    monitor: Arc<dyn Monitor>,
) -> Result<bool, Error>
where
    L: Label,
    T: Task<L>,
    H: Hooks<Chosen, ChosenGrad, L>,
{
    let watch = Watch::new(monitor);
    let last = u64::from(stop_after.unwrap_or(u32::MAX)).saturating_mul(run.batches());
    let progress = watch.resumed(phase, run.next(), Some(run.steps()));
    let mut told = None;
    while !run.finished() && run.next() < last {
        let step = run.step()?;
        progress.step();
        let score = |m: f64| format!("{:.1} %", 100.0 * m);
        let mut text = format!("epoch {}, loss {:.3}", step.context.epoch + 1, step.loss);
        if let Some(m) = told {
            text += &format!(", held out {}", score(m));
        }
        for (name, value) in run.hooks().columns().iter().take(1) {
            text += &format!(", {name} {}", score(*value));
        }
        progress.say(&text);
        let stopped = watch.is_cancelled();
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

/// A network from a file, with batch normalisations that at first change nothing.
///
/// # Errors
/// A network that cannot be trained, images that do not fit it.
pub fn renormalised<L: Label>(
    graph: &Graph,
    samples: &[Sample<L>],
    batch: usize,
    seed: u64,
) -> Result<Network<Chosen>, Error> {
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
pub fn detector(model: &str, graph: &Graph, set: &Dataset<Boxes>) -> Result<Detector, Error> {
    let path = Path::new(model).with_file_name(Detector::FILE);
    if zoo::NAMES.contains(&model) || !path.exists() {
        return Ok(Detector::fit(graph, &set.classes, &set.train)?);
    }
    let read = read_detector(&path, graph)?;
    if read.classes() != set.classes {
        let (then, now) = (read.classes().join(", "), set.classes.join(", "));
        let what = format!("has classes {then}, not {now}");
        return Err(Error::from(TrainError::Request(what)).of(path));
    }
    Ok(read)
}

/// A detector from its file, for a network.
///
/// # Errors
/// No such file, or one that does not fit the network.
pub fn read_detector(path: &Path, graph: &Graph) -> Result<Detector, Error> {
    let bytes = files::read(path, MAX_DETECTOR)?;
    let text = String::from_utf8_lossy(&bytes);
    Detector::from_json(&text, graph).map_err(|e| Error::from(e).of(path))
}
