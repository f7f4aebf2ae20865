//! `vta eval`: how good a network is on a data set.

use super::data::open_sized;
use super::model::{self, CALIB_LIMIT, NetworkArgs};
use super::{CliError, Output, number};
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use vta::config::HwConfig;
use vta::data::{Boxes, Data, Dataset, Label, Sample, Split};
use vta::evaluate::{Cycles, Evaluated, Score, calibration, evaluate, some};
use vta::metric::{Accuracy, Metric};
use vta::printable::printable;
use vta::program::sha256;
use vta::report::thousands;
use vta::{Calibration, MaskedModel};

/// Measure a network on a data set: in floats, and as a program of the simulated device
#[derive(Debug, Args)]
pub struct Eval {
    /// A folder of `vta prune` or `vta train`, an ONNX file, or a name of the zoo (`vta zoo` lists it)
    model: String,
    /// The data: a set that is built in, or a folder (`vta data` says what is in it)
    #[arg(long, value_name = "DATA")]
    data: String,
    /// The part of the data to measure with
    #[arg(long, value_name = "SPLIT", value_parser = ["train", "val", "test"], default_value = "test")]
    split: String,
    /// At most so many of its images, by chance but always the same
    #[arg(long, value_name = "N", value_parser = number::count)]
    limit: Option<u32>,
    /// Also run the int8 program on the simulated device, and count its cycles
    #[arg(long)]
    device: bool,
    /// Masks of weight blocks [default: masks.safetensors of the folder, if it is there]
    #[arg(long, value_name = "FILE")]
    masks: Option<PathBuf>,
    /// The exponents that the network was trained with [default: quantisation.json of the folder, if it is there; else they are chosen]
    #[arg(long, value_name = "FILE", requires = "device")]
    quantisation: Option<PathBuf>,
    /// Choose exponents by at most so many images of the training split [default: 64]
    #[arg(long, value_name = "N", value_parser = number::count, requires = "device", conflicts_with = "quantisation")]
    calib_limit: Option<u32>,
    /// Configuration: a built-in name or a vta_config.json file [default: de10]
    #[arg(long, value_name = "NAME|FILE", requires = "device")]
    config: Option<String>,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = number::count)]
    threads: Option<u32>,
}

/// Names of files in a folder of `vta prune`.
const MASKS: &str = "masks.safetensors";
const QUANTISATION: &str = "quantisation.json";
/// Largest report that is read, in bytes.
const MAX_REPORT: u64 = 64 << 20;

/// Everything that was measured.
struct Report<'a> {
    metric: &'static str,
    images: usize,
    set: &'a str,
    network: String,
    scores: Evaluated,
}

impl Eval {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        super::threads(self.threads)?;
        let network = self.network()?;
        let model = network.model();
        // As in training: images come in frames of the network's size.
        match open_sized(&self.data, model.image_size())? {
            Data::Classes(set) => {
                let metric = Accuracy::new(model.graph(), set.classes.len())?;
                self.measure(network, (&set, &metric))
            }
            Data::Boxes(set) => self.boxes(network, &set),
        }
    }

    #[cfg(not(feature = "train"))]
    fn boxes(&self, _: MaskedModel, set: &Dataset<Boxes>) -> Result<Output, CliError> {
        let what = format_args!("{}: its images have boxes, not classes", set.name);
        Err(CliError::new("eval", what).help("detectors need a build with the feature `train`"))
    }

    #[cfg(feature = "train")]
    fn boxes(&self, network: MaskedModel, set: &Dataset<Boxes>) -> Result<Output, CliError> {
        use vta::metric::MeanAp;
        use vta::train::detect::Detector;
        let at = Path::new(&self.model);
        let folder = match at.is_dir() {
            true => at,
            false => at.parent().unwrap_or(at),
        };
        let detector =
            super::train::read_detector(&folder.join(Detector::FILE), network.model().graph())?;
        let metric = MeanAp::new(detector, &set.classes)?;
        self.measure(network, (set, &metric))
    }

    fn measure<L: Label, M: Metric<L>>(
        &self,
        network: MaskedModel,
        (set, metric): (&Dataset<L>, &M),
    ) -> Result<Output, CliError> {
        let samples = self.samples(set)?;
        let words = network.masks_are().to_owned();
        let device = match self.device {
            true => Some(self.scales(&network, set)?),
            false => None,
        };
        let device = device.as_ref().map(|(c, config)| (c, config));
        let report = Report {
            metric: metric.name(),
            images: samples.len(),
            set: &set.name,
            network: format!("{}: {words}", self.model),
            scores: evaluate(network, device, &samples, metric)?,
        };
        Ok(Output::ok(self.text(&report), self.json(&report)))
    }

    /// What the program is compiled with.
    fn scales<L: Label>(
        &self,
        network: &MaskedModel,
        set: &Dataset<L>,
    ) -> Result<(Calibration, HwConfig), CliError> {
        let config = model::config(self.config.as_deref())?;
        let calibration = match self.given(&self.quantisation, QUANTISATION) {
            Some(path) if self.calib_limit.is_some() => {
                let why = format!("where the exponents are those of {}", path.display());
                return Err(CliError::no_effect("--calib-limit", &why));
            }
            Some(path) => Calibration::read(&path)?,
            None => {
                let whose = format!("{}, train", set.name);
                let graph = network.model().graph();
                calibration(
                    graph,
                    &set.train,
                    self.calib_limit.unwrap_or(CALIB_LIMIT) as usize,
                    &whose,
                )?
            }
        };
        Ok((calibration, config))
    }

    /// The network without the blocks that masks drop.
    fn network(&self) -> Result<MaskedModel, CliError> {
        let mut name = self.model.clone();
        if Path::new(&self.model).is_dir() {
            vta::files::not_being_written(Path::new(&self.model))?;
            let path = Path::new(&self.model).join("model.onnx");
            if !path.is_file() {
                let what = format_args!("{}: there is no model.onnx in it", self.model);
                return Err(CliError::new("model", what)
                    .help("`vta train` and `vta prune` write such folders; a run that was stopped has its model only after --resume"));
            }
            self.whole(Path::new(&self.model))?;
            name = path.display().to_string();
        }
        let model = model::load(&name, &NetworkArgs::default())?.named(&self.model);
        let Some(path) = self.given(&self.masks, MASKS) else {
            return Ok(model.zero_blocks());
        };
        let masks = model.read_masks(&path)?;
        Ok(model
            .mask(masks)?
            .described(format!("masks of {}", path.display())))
    }

    /// Refuses a folder whose files are not those that its report lists; what is
    /// given instead of one is not looked for.
    ///
    /// # Errors
    /// A report that cannot be read; a file that is missing, or another.
    fn whole(&self, dir: &Path) -> Result<(), CliError> {
        let path = dir.join("report.json");
        if !path.exists() {
            return Ok(());
        }
        let bytes = vta::files::read(&path, MAX_REPORT)?;
        let report: Value =
            serde_json::from_slice(&bytes).map_err(|e| CliError::new("file", e).of(&path))?;
        for (name, sum) in report["files"].as_object().into_iter().flatten() {
            let given = match name.as_str() {
                MASKS => &self.masks,
                QUANTISATION => &self.quantisation,
                _ => &None,
            };
            if given.is_some() {
                continue;
            }
            let refused = |what: String| {
                CliError::new("file", what)
                    .of(dir)
                    .help("it is of another run, or not complete; name the files one by one to take them as they are")
            };
            // Names of a report are no paths.
            let file = dir.join(Path::new(name).file_name().unwrap_or_default());
            if !file.is_file() {
                return Err(refused(format!(
                    "{name}, which its report.json lists, is missing"
                )));
            }
            let bytes = vta::files::read(&file, vta::MAX_MODEL_BYTES)?;
            if *sum != sha256(&bytes) {
                return Err(refused(format!(
                    "{name} is not the file that its report.json lists"
                )));
            }
        }
        Ok(())
    }

    /// A file that was given, or one of the folder.
    fn given(&self, path: &Option<PathBuf>, name: &str) -> Option<PathBuf> {
        let in_folder = || Some(Path::new(&self.model).join(name)).filter(|p| p.is_file());
        path.clone().or_else(in_folder)
    }

    /// The images to measure with.
    fn samples<L: Label>(&self, set: &Dataset<L>) -> Result<Vec<Sample<L>>, CliError> {
        let split = Split::ALL.into_iter().find(|s| s.name() == self.split);
        let all = set.split(split.unwrap_or(Split::Test));
        if all.is_empty() {
            let others = Split::ALL.into_iter().filter(|s| !set.split(*s).is_empty());
            let others: Vec<&str> = others.map(Split::name).collect();
            let what = format_args!("{}: its {} split is empty", set.name, self.split);
            let help = format!("--split {} has images", others.join(" or --split "));
            return Err(CliError::new("eval", what).help(help));
        }
        Ok(some(all, self.limit.map_or(usize::MAX, |n| n as usize)))
    }

    fn text(&self, r: &Report<'_>) -> String {
        let percent = |s: &Score| format!("{} {:.2} %", r.metric, 100.0 * s.score);
        let network = r.scores.device.as_ref().map_or(&r.network, |d| &d.network);
        let mut text = format!(
            "{}\n{}, {}: {} images\n\nfloat   {}\n",
            printable(network),
            printable(r.set),
            self.split,
            thousands(r.images as u64),
            percent(&r.scores.float)
        );
        let Some(d) = &r.scores.device else {
            return text + "--device measures the int8 program and counts its cycles\n";
        };
        let Cycles { dense, sparse } = d.cycles;
        text += &format!(
            "device  {}, config {}\n",
            percent(&d.score),
            printable(&d.config)
        );
        text += &format!("dense   {} cycles\n", thousands(dense));
        text += &format!(
            "sparse  {} cycles, {:.2} times fewer\n",
            thousands(sparse),
            ratio(d.cycles)
        );
        text
    }

    fn json(&self, r: &Report<'_>) -> Value {
        let score = |s: &Score| json!({ "score": s.score, "seconds": s.time.as_secs_f64() });
        let mut json = json!({
            "model": self.model, "data": self.data, "split": self.split,
            "images": r.images, "metric": r.metric, "float": score(&r.scores.float),
        });
        if let Some(d) = &r.scores.device {
            json["device"] = score(&d.score);
            json["device"]["config"] = json!(d.config);
            json["network"] = json!(d.network);
            json["cycles"] = json!({
                "dense": d.cycles.dense, "sparse": d.cycles.sparse, "speedup": ratio(d.cycles),
            });
        }
        json
    }
}

fn ratio(cycles: Cycles) -> f64 {
    cycles.dense as f64 / cycles.sparse.max(1) as f64
}
