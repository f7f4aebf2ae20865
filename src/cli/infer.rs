//! `vta infer`: a network on samples.

use super::infer_report::{Prediction, Report};
use super::model::{self, CalibArgs, MaskArgs, NetworkArgs};
use super::outputs::{Outputs, config_file, model_file};
use super::samples::InputArgs;
use super::{CliError, Output, Paint, input, number};
use clap::Args;
use std::path::{Path, PathBuf};
use vta::config::HwConfig;
use vta::host::Tensor;
use vta::npy::Npy;
use vta::program::atomic::write_file;
use vta::reference::Verdict;
use vta::samples::Samples;
use vta::{MAX_CYCLES, Program, QuantisedModel, Run, RunOptions, Simulator, floats, run_batch};

/// Run a network on samples, on the simulated device
#[derive(Debug, Args)]
pub struct Infer {
    /// The network: an ONNX file, a name of the zoo (`vta zoo` lists it), or a compiled bundle
    model: String,
    #[command(flatten)]
    input: InputArgs,
    /// Compare every layer with the integer reference, to the bit
    #[arg(long)]
    compare_reference: bool,
    /// Also run the float network, and say for each layer how far it is from it
    #[arg(long)]
    float: bool,
    #[command(flatten)]
    masks: MaskArgs,
    /// Leave nothing out, zero blocks neither
    #[arg(long)]
    dense: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    calib: CalibArgs,
    /// The simulator; fsim counts no cycles
    #[arg(long, value_parser = number::simulator(), default_value = "tsim")]
    sim: Simulator,
    /// Simulate the time of every sample, not only of the first: it does not depend on data
    #[arg(long)]
    time_all: bool,
    /// Configuration: a built-in name or a vta_config.json file [default: de10, or the bundle's]
    #[arg(long, value_name = "NAME|FILE")]
    config: Option<String>,
    /// Write the outputs of all samples: a .npy file, or several with several outputs
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Cycles after which a launch counts as hanging [default: 1000000000]
    #[arg(long, value_name = "N", value_parser = number::long_count)]
    max_cycles: Option<u64>,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = number::count)]
    threads: Option<u32>,
}

/// Where the program comes from.
enum Source {
    Bundle(Program),
    Network(Box<QuantisedModel>, Program),
}

impl Infer {
    pub(super) fn run(&self, paint: Paint) -> Result<Output, CliError> {
        super::threads(self.threads)?;
        let read = self.masks.files().chain(self.calib.files());
        let read = read
            .chain(self.input.files())
            .chain(model_file(&self.model));
        let read = read.chain(config_file(self.config.as_deref()));
        let read: Vec<&Path> = read.collect();
        Outputs::new(&self.out, read.iter().copied())?;
        self.calib.check(!self.input.input.is_empty())?;
        if self.sim == Simulator::Fsim && self.time_all {
            let counts = "with --sim fsim, which counts no cycles";
            return Err(CliError::no_effect("--time-all", counts));
        }
        let (source, samples) = self.source()?;
        let (program, net) = match &source {
            Source::Bundle(program) => (program, None),
            Source::Network(net, program) => (program, Some(&**net)),
        };
        if program.inputs.is_empty() || program.outputs.is_empty() {
            return Err(vta::Error::NotANetwork.into());
        }
        let written = self.written(program);
        Outputs::new(&written, read)?.unread()?;
        let options = RunOptions {
            simulator: self.sim,
            max_cycles: self.max_cycles.unwrap_or(MAX_CYCLES),
            keep_dram: self.compare_reference,
            ..RunOptions::default()
        };
        let comparer = match net.filter(|_| self.compare_reference) {
            Some(net) => Some(net.comparer(program)?),
            None => None,
        };
        let _span = tracing::info_span!("simulate", samples = samples.values.len()).entered();
        let one = |sample: &[Tensor], run: Run| -> Result<_, CliError> {
            let verdict = match &comparer {
                Some(c) => Some(c.compare(sample, run.dram().unwrap_or_default())?),
                None => None,
            };
            let float = match net.filter(|_| self.float) {
                Some(net) => Some(net.masked().model().infer(sample)?),
                None => None,
            };
            let prediction = Prediction {
                cycles: run.execution().cycles(),
                outputs: run.floats(),
                float: float.map(|all| all.iter().map(|t| floats(t, None)).collect()),
                host: run.execution().host.iter().map(|h| h.time).sum(),
            };
            Ok((prediction, verdict))
        };
        let (timed, done) = run_batch(program, &options, self.time_all, &samples.values, one)?;
        let (predictions, verdicts): (Vec<Prediction>, Vec<Option<Verdict>>) =
            done.into_iter().unzip();
        let batch = net.map_or(1, |net| net.masked().model().batch());
        write_outputs(&written, program, &predictions, batch)?;
        let noise = match net.filter(|_| self.float) {
            Some(net) => net.noise(&samples.values)?,
            None => Vec::new(),
        };
        let report = Report {
            model: match net {
                Some(net) => net.describe(),
                None => self.model.clone(),
            },
            sim: self.sim,
            timed,
            program,
            predictions,
            noise,
            labels: samples.labels,
            verdicts: verdicts.into_iter().collect(),
        };
        Ok(report.output(paint))
    }

    /// Where each output goes.
    fn written(&self, program: &Program) -> Vec<PathBuf> {
        let Some(out) = &self.out else {
            return Vec::new();
        };
        let path = |k| match k {
            0 => out.clone(),
            k => out.with_extension(format!("{k}.npy")),
        };
        (0..program.outputs.len()).map(path).collect()
    }

    /// The program, and the samples that it shall run on.
    fn source(&self) -> Result<(Source, Samples), CliError> {
        let path = Path::new(&self.model);
        if model::is_bundle_file(path) {
            for (given, option) in [
                (self.compare_reference, "--compare-reference"),
                (self.float, "--float"),
                (self.masks.masks.is_some(), "--masks"),
                (self.masks.density.is_some(), "--density"),
                (self.dense, "--dense"),
                (!self.calib.calib.is_empty(), "--calib"),
                (self.calib.calib_limit.is_some(), "--calib-limit"),
                (self.calib.quantisation.is_some(), "--quantisation"),
                (
                    self.network.given().is_some(),
                    self.network.given().unwrap_or_default(),
                ),
            ] {
                if given {
                    let message =
                        format_args!("{option} needs a network, {} is a program", self.model);
                    return Err(CliError::new("usage", message).help(
                        "give the ONNX file or the name of the zoo that it was compiled from",
                    ));
                }
            }
            let config = self.config.as_deref().map(HwConfig::load).transpose()?;
            let program = input::load(path, config.as_ref())?;
            let inputs = program.input_shapes();
            let samples = self.input.load(&inputs, &self.calib.scaling)?;
            return Ok((Source::Bundle(program), samples));
        }
        let config = model::config(self.config.as_deref())?;
        let network = self.masks.read(&self.model, &self.network)?;
        let inputs = network.model().inputs();
        let samples = self.input.load(&inputs, &self.calib.scaling)?;
        // Random inputs say no more than noise does.
        let given = self.input.random.is_none().then_some(&samples);
        let net = self.calib.quantise(network, given)?;
        let program = match self.dense {
            true => net.compile_dense(&config)?,
            false => net.compile(&config)?,
        };
        Ok((Source::Network(Box::new(net), program), samples))
    }
}

/// Writes an array for each output: samples along its first axis, the elements of a
/// batch along the second where the network has one.
fn write_outputs(
    written: &[PathBuf],
    program: &Program,
    predictions: &[Prediction],
    batch: usize,
) -> Result<(), CliError> {
    for (k, (path, region)) in written.iter().zip(&program.outputs).enumerate() {
        let mut dims = region.dims.clone();
        match dims.first_mut() {
            Some(n @ 1) => *n = predictions.len(),
            _ => dims.insert(0, predictions.len()),
        }
        // Whole batches, as the file has them.
        if batch > 1 && dims[0].is_multiple_of(batch) {
            dims[0] /= batch;
            dims.insert(1, batch);
        }
        let values = predictions
            .iter()
            .flat_map(|a| a.outputs[k].iter().copied());
        let bytes = Npy::of_floats(&dims, values).write();
        write_file(path, &bytes).map_err(|e| CliError::file(path, e))?;
    }
    Ok(())
}
