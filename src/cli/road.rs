//! The road from a network on the command line to programs.

use super::model::{self, MaskArgs, ZooArgs};
use super::samples::{self, InputShape, Samples, Scaling};
use super::{CliError, number};
use crate::compiler::{self, Options, Sparsity};
use crate::config::HwConfig;
use crate::graph::Graph;
use crate::program::{Program, is_bundle};
use crate::quant::{QNet, QOp};
use crate::sparse::{self, Masks};
use clap::Args;
use ndarray::Array4;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Samples that are made where `--calib` gives none.
const SYNTHETIC_SAMPLES: usize = 8;
/// Seed of these samples.
const SYNTHETIC_SEED: u64 = 1;

/// What scales are chosen by.
#[derive(Debug, Clone, Args)]
pub struct CalibArgs {
    /// Real samples to choose scales by, in the formats of `vta infer --input` [default: random ones]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub calib: Vec<PathBuf>,
    /// At most this many of them
    #[arg(long, value_name = "N", value_parser = number::count, default_value = "64")]
    pub calib_limit: u32,
    #[command(flatten)]
    pub scaling: Scaling,
}

/// A network, quantised.
pub struct Prepared {
    name: String,
    zoo_seed: Option<u64>,
    masks_are: String,
    masks: Masks,
    calib_are: String,
    graph: Graph,
    net: QNet,
}

/// Reads a network, drops blocks, calibrates and quantises.
///
/// # Errors
/// A model, mask or sample that cannot be used.
pub fn prepare(
    model: &str,
    zoo: &ZooArgs,
    mask_args: &MaskArgs,
    calib: &CalibArgs,
) -> Result<Prepared, CliError> {
    let mut graph = model::load(model, zoo)?;
    let masks = mask_args.load(&graph)?.unwrap_or_default();
    let masks_are = mask_args.describe();
    sparse::apply(&mut graph, &masks)?;
    let inputs = model::input_shapes(&graph);
    let (samples, calib_are) = calib.samples(&inputs)?;
    let net = {
        let _span = tracing::info_span!("calibrate", samples = samples.values.len()).entered();
        quantise(&graph, &samples)?
    };
    Ok(Prepared {
        name: model.into(),
        zoo_seed: model::is_zoo(model).then_some(zoo.zoo_seed),
        masks_are,
        masks,
        calib_are,
        graph,
        net,
    })
}

/// Chooses scales and makes the integer network.
fn quantise(graph: &Graph, samples: &Samples) -> Result<QNet, CliError> {
    let _ = (graph, samples);
    Err(CliError::new("quantise", "to come"))
}

impl CalibArgs {
    /// Real samples, or random ones; and in words which.
    fn samples(&self, inputs: &[InputShape]) -> Result<(Samples, String), CliError> {
        if self.calib.is_empty() {
            let samples = samples::random(inputs, SYNTHETIC_SEED, SYNTHETIC_SAMPLES);
            let words = format!("{SYNTHETIC_SAMPLES} random samples (seed {SYNTHETIC_SEED})");
            return Ok((samples, words));
        }
        let limit = self.calib_limit as usize;
        let samples = samples::load(&self.calib, inputs, limit, &self.scaling)?;
        let files: Vec<String> = self.calib.iter().map(|p| p.display().to_string()).collect();
        let words = format!("{} samples of {}", samples.values.len(), files.join(", "));
        Ok((samples, words))
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

    /// The network's inputs.
    pub fn inputs(&self) -> Vec<InputShape> {
        model::input_shapes(&self.graph)
    }

    /// The float network, without the dropped blocks.
    pub fn graph(&self) -> &Graph {
        &self.graph
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
        let seed = match self.zoo_seed {
            Some(seed) => format!(" (zoo, seed {seed})"),
            None => String::new(),
        };
        format!(
            "{}{seed}: {}; scales from {}",
            self.name, self.masks_are, self.calib_are
        )
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        json!({
            "model": self.name, "zoo_seed": self.zoo_seed,
            "masks": self.masks_are, "calibration": self.calib_are,
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

/// Proves that a program has no hazards.
///
/// # Errors
/// The first hazard.
pub fn verify(program: &Program) -> Result<(), CliError> {
    crate::verify::check(program).map(drop).map_err(|findings| {
        let first = findings.first().map(ToString::to_string);
        let mut error = CliError::new("verify", first.unwrap_or_default())
            .help("`vta check` lists all findings; a compiled program should have none");
        error.exit = super::EXIT_NOT_OK;
        error
    })
}
