//! The road from a network on the command line to programs.

use super::model::{self, MaskArgs, ZooArgs};
use super::progress::Progress;
use super::samples::{self, InputShape, Samples, Scaling};
use super::{CliError, input, number};
use clap::Args;
use ndarray::Array4;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use vta::compiler::{self, Options, Sparsity};
use vta::config::HwConfig;
use vta::graph::Graph;
use vta::host::Tensor;
use vta::program::{Program, is_bundle};
use vta::quant::{self, Calibration, Exponents, QNet, QOp, QuantOptions};
use vta::sparse::{self, Masks};
use vta::verify;

/// Samples of noise that are made where there are no others.
const NOISE_SAMPLES: usize = 2;
/// Seed of these samples.
const NOISE_SEED: u64 = 1;

/// Largest file of exponents that is read, in bytes.
const MAX_EXPONENTS: u64 = 64 << 20;

/// What scales are chosen by.
#[derive(Debug, Clone, Default, Args)]
pub struct CalibArgs {
    /// Real samples to choose scales by, in the formats of `vta infer --input` [default: what --input gives, else noise]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub calib: Vec<PathBuf>,
    /// At most this many of them
    #[arg(long, value_name = "N", value_parser = number::count, default_value = "64")]
    pub calib_limit: u32,
    #[command(flatten)]
    pub scaling: Scaling,
    /// Take scales as they are in this file, with which the network was trained, and biases as they are
    #[arg(long, value_name = "FILE", conflicts_with = "calib")]
    pub quantisation: Option<PathBuf>,
}

/// Where scales come from.
#[derive(Debug, Clone)]
pub enum Scales {
    /// These, and in words where they are from.
    Given(Exponents, String),
    /// They are chosen by samples, for each a tensor for each input; and in words whose.
    Samples(Vec<Vec<Tensor>>, String),
    /// They are chosen by noise.
    Noise,
}

/// A network, quantised.
pub struct Prepared {
    pruned: Pruned,
    calib_are: String,
    net: QNet,
    /// The masks as the integer network's layers have them.
    masks: Masks,
}

/// A network with its blocks dropped, before scales are chosen.
pub struct Pruned {
    name: String,
    zoo_seed: Option<u64>,
    masks_are: String,
    masks: Masks,
    graph: Graph,
}

/// Reads a network and drops blocks.
///
/// # Errors
/// A model or masks that cannot be used.
pub fn read(model: &str, zoo: &ZooArgs, mask_args: &MaskArgs) -> Result<Pruned, CliError> {
    let mut graph = model::load(model, zoo)?;
    let masks = mask_args.load(&graph)?.unwrap_or_default();
    sparse::apply(&mut graph, &masks)?;
    Ok(Pruned {
        zoo_seed: model::is_zoo(model).then_some(zoo.zoo_seed),
        ..Pruned::new(model, graph, masks, &mask_args.describe())
    })
}

impl Pruned {
    /// A network that has lost its blocks already, and its masks; `masks_are`
    /// says in words where these are from.
    pub fn new(name: &str, graph: Graph, mut masks: Masks, masks_are: &str) -> Self {
        // A mask that keeps all says nothing.
        masks.retain(|_, m| m.count_kept() < m.blocks());
        Self {
            name: name.into(),
            zoo_seed: None,
            masks_are: masks_are.into(),
            masks,
            graph,
        }
    }

    /// The float network, without the dropped blocks.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The network's inputs.
    pub fn inputs(&self) -> Vec<InputShape> {
        model::input_shapes(&self.graph)
    }

    /// Chooses scales by the samples of `--calib`, else by those that are
    /// there anyway, else by noise; and quantises.
    ///
    /// # Errors
    /// Samples that do not fit, a network that cannot be quantised.
    pub fn quantise(
        self,
        calib: &CalibArgs,
        others: Option<&Samples>,
    ) -> Result<Prepared, CliError> {
        let scales = calib.scales(&self.inputs(), others)?;
        self.with(&scales)
    }

    /// Quantises.
    ///
    /// # Errors
    /// Samples or exponents that do not fit, a network that cannot be quantised.
    pub fn with(self, scales: &Scales) -> Result<Prepared, CliError> {
        let calib_are = scales.describe();
        let net = match scales {
            Scales::Given(exponents, _) => quant::quantise_with(&self.graph, exponents, None)?,
            scales => {
                let calibration = {
                    let _span = tracing::info_span!("calibrate").entered();
                    let _progress = Progress::spinner("calibrate");
                    scales.observe(&self.graph)?
                };
                let _span = tracing::info_span!("quantise").entered();
                let _progress = Progress::spinner("choose scales");
                quant::quantise(&self.graph, &calibration, &QuantOptions::default())?
            }
        };
        let masks = quant::conv_masks(&self.graph, &self.masks)?;
        Ok(Prepared {
            pruned: self,
            calib_are,
            net,
            masks,
        })
    }
}

impl CalibArgs {
    /// What is asked for: a file of exponents, samples of files, those that are
    /// there anyway, or noise.
    fn scales(&self, inputs: &[InputShape], others: Option<&Samples>) -> Result<Scales, CliError> {
        if let Some(path) = &self.quantisation {
            return Scales::read(path);
        }
        let limit = self.calib_limit as usize;
        match (self.calib.as_slice(), others) {
            ([], None) => Ok(Scales::Noise),
            ([], Some(others)) => {
                let first = others.values.iter().take(limit);
                Ok(Scales::Samples(
                    first.cloned().collect(),
                    "the input".into(),
                ))
            }
            (files, _) => {
                let samples = samples::load(files, inputs, limit, &self.scaling)?;
                let files: Vec<String> = files.iter().map(|p| p.display().to_string()).collect();
                Ok(Scales::Samples(samples.values, files.join(", ")))
            }
        }
    }
}

impl Scales {
    /// Those of a file, as `vta prune` writes it.
    ///
    /// # Errors
    /// A file that cannot be read or is something else.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        let bytes = input::read(path, MAX_EXPONENTS)?;
        let error = |e: &dyn std::fmt::Display| CliError::new("quantise", e).of(path);
        let text = std::str::from_utf8(&bytes).map_err(|e| error(&e))?;
        let exponents = Exponents::from_json(text).map_err(|e| {
            error(&e).help("`vta prune` writes such a file; --calib FILE chooses scales by samples")
        })?;
        Ok(Self::Given(exponents, path.display().to_string()))
    }

    /// What a network does on the samples, or on noise.
    fn observe(&self, graph: &Graph) -> Result<Calibration, CliError> {
        Ok(match self {
            Self::Samples(samples, _) => Calibration::observe(graph, samples.clone())?,
            _ => Calibration::noise(graph, NOISE_SEED, NOISE_SAMPLES)?,
        })
    }

    /// In words.
    fn describe(&self) -> String {
        match self {
            Self::Given(_, from) => from.clone(),
            Self::Samples(samples, whose) => match samples.len() {
                1 => format!("1 sample of {whose}"),
                n => format!("{n} samples of {whose}"),
            },
            Self::Noise => {
                format!("noise (seed {NOISE_SEED}); --calib FILE takes real samples")
            }
        }
    }
}

impl Prepared {
    /// The best dense program: nothing is left out.
    ///
    /// # Errors
    /// A network that the compiler cannot do.
    pub fn dense(&self, config: &HwConfig) -> Result<Program, CliError> {
        self.compile(config, Sparsity::Dense)
    }

    /// The program without zero blocks.
    ///
    /// # Errors
    /// A network that the compiler cannot do.
    pub fn sparse(&self, config: &HwConfig) -> Result<Program, CliError> {
        self.compile(config, Sparsity::Sparse(&self.masks))
    }

    fn compile(&self, config: &HwConfig, sparsity: Sparsity<'_>) -> Result<Program, CliError> {
        let dense = matches!(sparsity, Sparsity::Dense);
        let _span = tracing::info_span!("compile", dense).entered();
        let options = Options {
            config: config.clone(),
            sparsity,
        };
        compiler::compile(&self.net, &options).map_err(|e| CliError::new("compile", e))
    }

    /// The masks that were asked for.
    pub fn masks(&self) -> &Masks {
        &self.pruned.masks
    }

    /// The float network, without the dropped blocks.
    pub fn graph(&self) -> &Graph {
        &self.pruned.graph
    }

    /// The integer network.
    pub fn net(&self) -> &QNet {
        &self.net
    }

    /// The weight of a layer.
    pub fn weight(&self, layer: &str) -> Option<&Array4<i8>> {
        let node = self.net.nodes.iter().find(|n| n.name == layer)?;
        match &node.op {
            QOp::Conv(c) => Some(&c.weight),
            QOp::MaxPool(_) | QOp::Host(_) => None,
        }
    }

    /// In words: what was read, and how scales were chosen.
    pub fn describe(&self) -> String {
        let p = &self.pruned;
        let seed = match p.zoo_seed {
            Some(seed) => format!(" (zoo, seed {seed})"),
            None => String::new(),
        };
        format!(
            "{}{seed}: {}; scales from {}",
            p.name, p.masks_are, self.calib_are
        )
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        let p = &self.pruned;
        json!({
            "model": p.name, "zoo_seed": p.zoo_seed,
            "masks": p.masks_are, "calibration": self.calib_are,
        })
    }
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

/// Whether a file is a bundle, seen by its first bytes.
pub fn is_bundle_file(path: &Path) -> bool {
    use std::io::Read;
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|f| f.take(64).read_to_end(&mut head));
    read.is_ok() && is_bundle(&head)
}

/// Proves that a program is ordered by tokens and reads what was written.
///
/// # Errors
/// The first finding.
pub fn verify(program: &Program) -> Result<(), CliError> {
    let _span = tracing::info_span!("verify").entered();
    let Err(findings) = verify::check(program) else {
        return Ok(());
    };
    let mut message = format!("not proven, {} findings", findings.len());
    if let Some(first) = findings.first() {
        message += &format!("; the first is {}: {first}", first.kind());
    }
    Err(CliError {
        exit: super::EXIT_NOT_OK,
        ..CliError::new("verify", message)
            .help("this is a defect of the compiler; please report it with the network")
    })
}
