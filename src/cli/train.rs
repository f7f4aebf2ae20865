//! `vta train`: a network from a data set.

use super::data::open_sized;
use super::model::{self, NetworkArgs};
use super::outputs::{Outputs, model_file};
use super::{CliError, EXIT_STOPPED, Output, number, progress};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::path::{Path, PathBuf};
use vta::Phase;
use vta::data::{Augment, Boxes, Data, Dataset, Label, Sample};
use vta::graph::{Graph, onnx, zoo};
use vta::program::atomic::write_file;
use vta::train::backend::Chosen;
use vta::train::{
    Classify, Detect, Detector, Identity, Measured, Network, Rule, Rules, Settings, Task,
    TrainError,
};
use vta::training::{self, Files, MODEL};

type Run<'a, L, T> = training::Run<'a, L, T, ()>;

/// Loss and score, and the score of each class where it has one.
type Quality = (Measured, Vec<(String, Option<f64>)>);

/// Files that are written beside the network, and what a score measures.
type Words<'a> = (&'a [(&'static str, String)], &'static str);

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
    /// How often each image is seen; the last time maybe a part of them, as with 2.5
    #[arg(long, value_name = "N", value_parser = number::positive, default_value = "15")]
    epochs: f64,
    /// Images of a step
    #[arg(long, value_name = "N", value_parser = number::count, default_value = "64")]
    batch: u32,
    /// The highest learning rate [default: 0.05; 0.002 with adamw]
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// How weights follow their gradients [default: sgd; adamw for boxes]
    #[arg(long, value_name = "NAME", value_enum)]
    optimiser: Option<Optimiser>,
    /// Part of the target that is spread over all classes
    #[arg(long, value_name = "F", value_parser = number::fraction, default_value = "0")]
    smoothing: f64,
    /// Seed of the first weights, of the order and of the changes of images
    #[arg(long, value_name = "SEED", value_parser = number::long, default_value = "1")]
    seed: u64,
    /// Put images into frames of this size: WIDTHxHEIGHT, or one number for a square
    #[arg(long, value_name = "SIZE", value_parser = number::size)]
    size: Option<[usize; 2]>,
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

impl Train {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        super::threads(self.threads)?;
        // Before anything that takes time.
        let written = self.out.join(MODEL);
        let read = model_file(&self.model).into_iter();
        Outputs::new([&self.out, &written], read.chain([Path::new(&self.data)]))?;
        let files = Files::open(&self.out, self.resume)?;
        match open_sized(&self.data, self.size)? {
            Data::Classes(set) => self.classes(set, files),
            Data::Boxes(set) => self.boxes(set, files),
        }
    }

    fn classes(&self, mut set: Dataset<u16>, files: Files) -> Result<Output, CliError> {
        training::limit(&mut set.train, self.limit, self.seed);
        let graph = self.graph(&set)?;
        let network = self.network(&graph, &set.train)?;
        let task = Classify::new(&graph, set.classes.len(), self.smoothing as f32)?;
        let settings = Settings {
            augment: Augment::small_images(),
            ..self.settings(Optimiser::Sgd)
        };
        let quality = |run: &Run<'_, u16, Classify>, samples: &[Sample<u16>]| {
            let m = run.measure(samples)?;
            Ok((m, Vec::new()))
        };
        let run = (network, task, settings);
        self.train(&set, run, files, (&[], "accuracy"), quality)
    }

    fn boxes(&self, mut set: Dataset<Boxes>, files: Files) -> Result<Output, CliError> {
        if self.smoothing > 0.0 {
            let what = "--smoothing is for images with a class";
            return Err(CliError::new("train", what));
        }
        training::limit(&mut set.train, self.limit, self.seed);
        let graph = self.graph(&set)?;
        let detector = training::detector(&self.model, &graph, &set)?;
        let text = detector.to_json();
        let task = Detect::new(detector);
        let mut network = self.network(&graph, &set.train)?;
        if zoo::NAMES.contains(&self.model.as_str()) {
            task.start(&mut network)?;
        }
        let [height, width] = task.detector().image();
        let settings = Settings {
            augment: Augment::scenes(height, width),
            ..self.settings(Optimiser::Adamw)
        };
        let classes = set.classes.clone();
        let quality = |run: &Run<'_, Boxes, Detect>, samples: &[Sample<Boxes>]| {
            let (task, rules) = (run.task(), Rules::default());
            let batch = self.batch as usize;
            let (loss, found) = task.find(run.network(), samples, batch, &rules)?;
            let truth: Vec<Boxes> = samples.iter().map(|s| s.label.clone()).collect();
            let e = task.evaluate(&truth, &found);
            let each = classes.iter().cloned().zip(e.classes).collect();
            let score = e.mean;
            Ok((Measured { loss, score }, each))
        };
        let beside = [(Detector::FILE, text)];
        let run = (network, task, settings);
        self.train(&set, run, files, (&beside, "mAP"), quality)
    }

    /// Makes the steps; writes the network if the run has ended.
    fn train<L: Label, T: Task<L>>(
        &self,
        set: &Dataset<L>,
        (network, task, settings): (Network<Chosen>, T, Settings),
        mut files: Files,
        words: Words<'_>,
        quality: impl Fn(&Run<'_, L, T>, &[Sample<L>]) -> Result<Quality, TrainError>,
    ) -> Result<Output, CliError> {
        let data = (&set.train[..], set.held_out());
        let mut run = Run::new(network, (task, ()), data, settings)?;
        let mut tested = Identity::default();
        tested.put_samples("test images", &set.test);
        run.identify(&tested);
        files.start(&mut run)?;
        let monitor = progress::stoppable();
        let interrupted =
            training::steps(Phase::Train, &mut run, &mut files, self.stop_after, monitor)?;
        if run.finished() {
            return self.end(&run, set, words, quality);
        }
        Ok(stopped(run.next(), run.steps(), interrupted))
    }

    fn settings(&self, usual: Optimiser) -> Settings {
        let (rule, rate) = match self.optimiser.unwrap_or(usual) {
            Optimiser::Sgd => (Rule::sgd(), 0.05),
            Optimiser::Adamw => (Rule::adamw(), 0.002),
        };
        Settings {
            epochs: self.epochs,
            batch: self.batch as usize,
            rate: self.lr.unwrap_or(rate),
            rule,
            seed: self.seed,
            ..Settings::default()
        }
    }

    /// The network with the size and the classes of the data.
    fn graph<L: Label>(&self, set: &Dataset<L>) -> Result<Graph, CliError> {
        let error = |what: String| CliError::new("train", what);
        let Some(image) = set.dims() else {
            let e = error(format!("{}: its images have several sizes", self.data));
            return Err(e.help("--size puts them into frames of one size"));
        };
        let Some(sides) = zoo::sides(&self.model) else {
            let graph = model::load(&self.model, &NetworkArgs::default())?.into_graph();
            let dims = graph.inputs.first().map(|t| &graph.tensor(*t).dims[..]);
            return match dims {
                Some([_, c, h, w]) if [*c, *h, *w] == image => Ok(graph),
                Some([_, _, h, w]) => {
                    let e = error(format!(
                        "{}: input {dims:?}, but images are {image:?}",
                        self.model
                    ));
                    Err(e.help(format!("--size {w}x{h} puts them into frames of that size")))
                }
                _ => Err(error(format!("{}: input {dims:?} is no image", self.model))),
            };
        };
        let [_, h, w] = image;
        if !sides.suit(h, w) {
            let ([least_h, least_w], step) = (sides.least, sides.step);
            let e = error(format!(
                "{}: images of {image:?} do not suit it",
                self.model
            ));
            return Err(e.help(format!(
                "width and height are at least {least_w}x{least_h} and multiples of {step}; --size changes them"
            )));
        }
        let form = zoo::Form {
            image: Some(image),
            classes: Some(set.classes.len()),
        };
        match zoo::build_as(&self.model, self.seed, form) {
            Some(graph) => Ok(graph),
            None => Ok(vta::Model::zoo(&self.model, self.seed)?.into_graph()),
        }
    }

    /// From scratch, or with what a file has, with statistics from the data.
    fn network<L: Label>(
        &self,
        graph: &Graph,
        samples: &[Sample<L>],
    ) -> Result<Network<Chosen>, CliError> {
        let device = Default::default();
        if zoo::NAMES.contains(&self.model.as_str()) {
            return Ok(Network::normalised(graph, &device)?);
        }
        Ok(training::renormalised(
            graph,
            samples,
            self.batch as usize,
            self.seed,
        )?)
    }

    fn end<L: Label, T: Task<L>>(
        &self,
        run: &Run<'_, L, T>,
        set: &Dataset<L>,
        (beside, score): Words<'_>,
        quality: impl Fn(&Run<'_, L, T>, &[Sample<L>]) -> Result<Quality, TrainError>,
    ) -> Result<Output, CliError> {
        let model = self.out.join(training::MODEL);
        let trained = run.network().to_finite_graph()?;
        let (steps, images) = (run.steps(), set.train.len());
        let mut text = format!("{}: {steps} steps, {images} images\n", trained.name);
        let mut json = json!({
            "finished": true, "steps": steps, "images": images,
            "model": model.display().to_string(),
        });
        for (name, samples) in [("val", &set.val), ("test", &set.test)] {
            if samples.is_empty() {
                continue;
            }
            let (m, classes) = quality(run, samples)?;
            let (n, percent) = (samples.len(), 100.0 * m.score);
            text += &format!(
                "{name}: {score} {percent:.2} %, loss {:.4}, {n} images\n",
                m.loss
            );
            json[name] = json!({ score: m.score, "loss": m.loss, "images": n });
            for (class, score) in &classes {
                let percent = score.map_or_else(|| "-".into(), |s| format!("{:.2} %", 100.0 * s));
                text += &format!("  {class}: {percent}\n");
            }
            if !classes.is_empty() {
                let one = |(class, s): (String, Option<f64>)| (class, json!(s));
                json[name]["classes"] = classes.into_iter().map(one).collect::<serde_json::Value>();
            }
        }
        let repaired = set.repaired.len();
        if repaired > 0 {
            text += &format!("{repaired} boxes were repaired; `vta data` lists them\n");
            json["repaired"] = json!(repaired);
        }
        text += &format!("{}\n", model.display());
        let write = |path: &Path, bytes: &[u8]| {
            write_file(path, bytes).map_err(|e| CliError::file(path, e))
        };
        for (name, bytes) in beside {
            let path = self.out.join(name);
            write(&path, bytes.as_bytes())?;
            text += &format!("{}\n", path.display());
            json["detector"] = json!(path.display().to_string());
        }
        // With it the folder is complete.
        write(&model, &onnx::export(&trained))?;
        Ok(Output::ok(text, json))
    }
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

/// A detector from its file, for a network.
///
/// # Errors
/// No such file, or one that does not fit the network.
pub fn read_detector(path: &Path, graph: &Graph) -> Result<Detector, CliError> {
    training::read_detector(path, graph).map_err(|e| {
        let missing = matches!(e, vta::Error::File { .. });
        let error = CliError::from(e);
        match missing {
            true => error.help("`vta train` writes it beside a detector's model.onnx"),
            false => error,
        }
    })
}
