//! Networks from the command line: an ONNX file or a name of the zoo, which
//! blocks it loses, and what its scales are chosen by.

use super::samples::ScalingArgs;
use super::{CliError, number, progress};
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use vta::config::HwConfig;
use vta::graph::onnx::ImportOptions;
use vta::program::is_bundle;
use vta::samples::{self, InputShape, Samples};
use vta::{Calibration, MaskedModel, Model, QuantisedModel};

/// Samples that scales are chosen by, where nobody says another number.
pub const CALIB_LIMIT: u32 = 64;

/// What a network leaves open.
#[derive(Debug, Clone, Default, Args)]
pub struct NetworkArgs {
    /// The size of an open dimension of an ONNX file, by the name that the file gives it
    #[arg(long, value_name = "NAME=N", value_parser = dimension)]
    pub dim: Vec<(String, usize)>,
    /// The dimensions of an input of an ONNX file, open ones among them: 1,3,224,224; with several inputs NAME=1,3,224,224
    #[arg(long, value_name = "[NAME=]N,N..", value_parser = input_shape)]
    pub input_shape: Vec<(Option<String>, Vec<usize>)>,
    /// Seed of the weights of a zoo network [default: 1]
    #[arg(long, value_name = "SEED", value_parser = number::long)]
    pub zoo_seed: Option<u64>,
}

impl NetworkArgs {
    /// The seed, where nobody says another.
    pub fn seed(&self) -> u64 {
        self.zoo_seed.unwrap_or(1)
    }

    /// An option that is given for files.
    fn of_files(&self) -> Option<&'static str> {
        if !self.dim.is_empty() {
            return Some("--dim");
        }
        (!self.input_shape.is_empty()).then_some("--input-shape")
    }

    /// An option that is given.
    pub fn given(&self) -> Option<&'static str> {
        let seed = self.zoo_seed.map(|_| "--zoo-seed");
        seed.or(self.of_files())
    }

    fn options(&self) -> ImportOptions {
        ImportOptions {
            dims: self.dim.iter().cloned().collect(),
            input_shapes: self
                .input_shape
                .iter()
                .map(|(name, dims)| (name.clone().unwrap_or_default(), dims.clone()))
                .collect(),
            ..ImportOptions::default()
        }
    }
}

fn size(text: &str) -> Result<usize, String> {
    number::count(text).map(|n| n as usize)
}

/// `NAME=N`.
fn dimension(text: &str) -> Result<(String, usize), String> {
    let (name, n) = text.rsplit_once('=').ok_or("not NAME=N")?;
    Ok((name.to_owned(), size(n)?))
}

/// `[NAME=]N,N..`.
fn input_shape(text: &str) -> Result<(Option<String>, Vec<usize>), String> {
    let (name, list) = match text.rsplit_once('=') {
        Some((name, list)) => (Some(name.to_owned()), list),
        None => (None, text),
    };
    let dims = list.split(',').map(|n| size(n.trim()));
    Ok((name, dims.collect::<Result<_, _>>()?))
}

/// Which weight blocks are dropped.
#[derive(Debug, Clone, Args)]
pub struct MaskArgs {
    /// Masks of weight blocks: a safetensors file
    #[arg(long, value_name = "FILE", conflicts_with = "density")]
    pub masks: Option<PathBuf>,
    /// Keep this fraction of each layer's blocks, chosen at random
    #[arg(long, value_name = "D", value_parser = number::fraction)]
    pub density: Option<f64>,
    /// Seed of the choice
    #[arg(long, value_name = "SEED", value_parser = number::long, requires = "density", conflicts_with = "masks", default_value = "1")]
    pub seed: u64,
}

/// What scales are chosen by.
#[derive(Debug, Clone, Default, Args)]
pub struct CalibArgs {
    /// Real samples to choose scales by, in the formats of `vta infer --input` [default: what --input gives, else noise]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub calib: Vec<PathBuf>,
    /// At most this many of them [default: 64]
    #[arg(long, value_name = "N", value_parser = number::count, conflicts_with = "quantisation")]
    pub calib_limit: Option<u32>,
    #[command(flatten)]
    pub scaling: ScalingArgs,
    /// Take scales as they are in this file, with which the network was trained, and biases as they are
    #[arg(long, value_name = "FILE", conflicts_with = "calib")]
    pub quantisation: Option<PathBuf>,
}

/// Reads a network, or builds one of the zoo; progress is shown.
///
/// # Errors
/// No such file or network, a file that is no network that can be compiled.
pub fn load(model: &str, network: &NetworkArgs) -> Result<Model, CliError> {
    if let Some(option) = network.of_files().filter(|_| is_of_zoo(model)) {
        let why = format!("on {model} of the zoo: it is for ONNX files");
        return Err(CliError::no_effect(option, &why));
    }
    if network.zoo_seed.is_some() && Path::new(model).exists() && !is_of_zoo(model) {
        let why = format!("on the file {model}: it is for networks of the zoo");
        return Err(CliError::no_effect("--zoo-seed", &why));
    }
    let found = Model::load_with(model, network.seed(), network.options()).map_err(|e| {
        let missing = matches!(e, vta::Error::File { .. }) && !Path::new(model).exists();
        let error = CliError::from(e);
        match missing {
            true => error.help("check the path; `vta zoo` lists the networks that need no file"),
            false => error,
        }
    })?;
    Ok(found.monitored(progress::bars()))
}

/// Whether a network is one of the zoo, whatever files there are.
pub fn is_of_zoo(name: &str) -> bool {
    vta::graph::zoo::NAMES.contains(&name)
}

impl MaskArgs {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.masks.as_deref().into_iter()
    }

    /// Reads a network and drops blocks.
    ///
    /// # Errors
    /// A model or masks that cannot be used.
    pub fn read(&self, model: &str, network: &NetworkArgs) -> Result<MaskedModel, CliError> {
        let model = load(model, network)?;
        let masks = match (&self.masks, self.density) {
            (Some(path), _) => model.read_masks(path)?,
            (None, Some(density)) => model.random_masks(density, self.seed)?,
            (None, None) => return Ok(model.zero_blocks()),
        };
        Ok(model.mask(masks)?.described(self.describe()))
    }

    /// What was asked for, in words.
    fn describe(&self) -> String {
        match (&self.masks, self.density) {
            (Some(path), _) => format!("masks of {}", path.display()),
            (_, Some(d)) => format!("density {d}, seed {}", self.seed),
            (None, None) => String::new(),
        }
    }
}

impl CalibArgs {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let all = self.calib.iter().chain(&self.quantisation);
        all.map(PathBuf::as_path)
    }

    /// Refuses options that would change nothing, where `input` says whether
    /// there are other samples.
    ///
    /// # Errors
    /// The first of them.
    pub fn check(&self, input: bool) -> Result<(), CliError> {
        let samples = !self.calib.is_empty() || input;
        let limit = self.calib_limit.map(|_| "--calib-limit");
        for option in [limit, self.scaling.given()].into_iter().flatten() {
            if !samples {
                let error = CliError::no_effect(option, "without samples from files");
                return Err(error.help("give samples with --calib FILE, or leave it out"));
            }
        }
        Ok(())
    }

    /// What is asked for: a file of exponents, samples of files, those that are
    /// there anyway, or noise.
    ///
    /// # Errors
    /// Files that cannot be read or do not fit.
    pub fn calibration(
        &self,
        inputs: &[InputShape],
        others: Option<&Samples>,
    ) -> Result<Calibration, CliError> {
        if let Some(path) = &self.quantisation {
            return Ok(Calibration::read(path)?);
        }
        let limit = self.calib_limit.unwrap_or(CALIB_LIMIT) as usize;
        let (samples, whose) = match (self.calib.as_slice(), others) {
            ([], None) => return Ok(Calibration::default()),
            ([], Some(others)) => {
                let first = others.values.iter().take(limit);
                (first.cloned().collect(), "the input".into())
            }
            (files, _) => {
                let samples = samples::load(files, inputs, limit, &self.scaling.scaling())?;
                let files: Vec<String> = files.iter().map(|p| p.display().to_string()).collect();
                (samples.values, files.join(", "))
            }
        };
        Ok(Calibration::Samples { samples, whose })
    }

    /// Quantises by what is asked for.
    ///
    /// # Errors
    /// Samples that do not fit, a network that cannot be quantised.
    pub fn quantise(
        &self,
        network: MaskedModel,
        others: Option<&Samples>,
    ) -> Result<QuantisedModel, CliError> {
        let calibration = self.calibration(&network.model().inputs(), others)?;
        Ok(network.quantise(&calibration)?)
    }
}

/// What was read and how it was quantised, as JSON.
pub fn network_json(net: &QuantisedModel) -> Value {
    let masked = net.masked();
    json!({
        "model": masked.model().name(), "zoo_seed": masked.model().zoo_seed(),
        "masks": masked.masks_are(), "calibration": net.calibration_is(),
    })
}

/// A configuration by name, or the default one.
///
/// # Errors
/// No such configuration.
pub fn config(name: Option<&str>) -> Result<HwConfig, CliError> {
    Ok(name.map(HwConfig::load).transpose()?.unwrap_or_default())
}

/// Whether a file is a program: a bundle or an assembly text.
pub fn is_program(path: &Path) -> bool {
    let text = path.extension().is_some_and(|e| e == "vtasm");
    text || is_bundle_file(path)
}

/// Whether a file is a bundle, seen by its first bytes. A pipe is not: what is
/// read from it is gone.
pub fn is_bundle_file(path: &Path) -> bool {
    use std::io::Read;
    if !path.is_file() {
        return false;
    }
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|f| f.take(64).read_to_end(&mut head));
    read.is_ok() && is_bundle(&head)
}
