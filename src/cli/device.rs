//! How good a network is: in floats, and on the simulated device.

use super::metric::Metric;
use super::network::{Runner, floats};
use super::progress::Progress;
use super::road::{Prepared, Pruned, Scales};
use super::sim::Which;
use super::{CliError, EXIT_DIFFERS};
use ndarray::{ArrayD, IxDyn};
use rayon::prelude::*;
use std::time::{Duration, Instant};
use vta::config::HwConfig;
use vta::data::{Image, Label, Normalise, Sample, chosen, to_array};
use vta::graph::Graph;
use vta::host::Tensor;
use vta::program::Program;
use vta::quant::float;
use vta::verify;

/// A score, and how long it took.
#[derive(Debug, Clone, Copy)]
pub struct Score {
    /// From 0 to 1.
    pub score: f64,
    /// Wall time.
    pub time: Duration,
}

/// Cycles of one inference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cycles {
    /// Of the program that leaves nothing out.
    pub dense: u64,
    /// Of the program without zero blocks.
    pub sparse: u64,
}

/// What an evaluation gave.
#[derive(Debug, Clone)]
pub struct Evaluated {
    /// The float network.
    pub float: Score,
    /// The int8 program, where it was asked for.
    pub device: Option<OnDevice>,
}

/// The int8 program on the simulated device.
#[derive(Debug, Clone)]
pub struct OnDevice {
    /// Its score.
    pub score: Score,
    /// Cycles with and without zero blocks.
    pub cycles: Cycles,
    /// In words: the network, its masks, how scales were chosen.
    pub network: String,
    /// The name of the configuration.
    pub config: String,
}

/// A network as programs of the device.
pub struct Compiled {
    prepared: Prepared,
    dense: Program,
    sparse: Program,
}

/// Scores of a network in floats and, for a configuration, on the device with
/// its cycles. Scales are the exponents that it was trained with, or [`calibration`].
///
/// # Errors
/// No samples, images that do not fit, a network that cannot be compiled.
pub fn evaluate<L: Label, M: Metric<L>>(
    network: Pruned,
    device: Option<(&Scales, &HwConfig)>,
    samples: &[Sample<L>],
    metric: &M,
) -> Result<Evaluated, CliError> {
    let float = float_score(network.graph(), samples, metric)?;
    let on_device = |(scales, config): (&Scales, &HwConfig)| {
        let compiled = Compiled::new(network, scales, config)?;
        Ok::<_, CliError>(OnDevice {
            cycles: compiled.cycles(samples)?,
            score: compiled.score(samples, metric)?,
            network: compiled.prepared.describe(),
            config: config.name.clone(),
        })
    };
    Ok(Evaluated {
        float,
        device: device.map(on_device).transpose()?,
    })
}

/// The images by which scales are chosen: so many, by chance but always the same.
///
/// # Errors
/// Images that do not fit the network.
pub fn calibration<L: Label>(
    graph: &Graph,
    samples: &[Sample<L>],
    limit: usize,
    whose: &str,
) -> Result<Scales, CliError> {
    if samples.is_empty() {
        let what = format_args!("{whose}: there are no images to choose exponents by");
        return Err(CliError::new("eval", what)
            .help("--quantisation FILE takes those that the network was trained with"));
    }
    let chosen = some(samples, limit);
    let inputs = chosen.iter().map(|s| input(graph, &s.image));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    Ok(Scales::Samples(inputs, whose.into()))
}

/// At most so many samples in their order, by chance but always the same.
pub fn some<L: Label>(samples: &[Sample<L>], limit: usize) -> Vec<Sample<L>> {
    let chosen = chosen(samples.len(), limit, 1).into_iter();
    chosen.map(|i| samples[i].clone()).collect()
}

/// A network's input for an image, in the floats that networks are trained with.
///
/// # Errors
/// An image of another size.
pub fn input(graph: &Graph, image: &Image) -> Result<Vec<Tensor>, CliError> {
    let dims: Vec<&[usize]> = graph
        .inputs
        .iter()
        .map(|t| &graph.tensor(*t).dims[..])
        .collect();
    let [c, h, w] = image.dims();
    if dims != [&[1, c, h, w]] {
        let dims = dims.first().copied().unwrap_or_default();
        let what = format!(
            "{}: its input is {dims:?}, an image is {:?}",
            graph.name,
            [c, h, w]
        );
        return Err(
            CliError::new("eval", what).help("the data must be what the network was trained with")
        );
    }
    let array = to_array([image], &Normalise::middle(c)).map_err(|e| CliError::new("data", e))?;
    Ok(vec![Tensor::F32(array.into_dyn())])
}

/// Answers for all samples on all cores, in their order, and their score.
fn score<L: Label, M: Metric<L>>(
    what: &'static str,
    (samples, metric): (&[Sample<L>], &M),
    outputs: impl Fn(&Image) -> Result<Vec<ArrayD<f32>>, CliError> + Sync,
) -> Result<Score, CliError> {
    let start = Instant::now();
    if samples.is_empty() {
        return Err(CliError::new("eval", "there are no images to measure with")
            .help("--split names another part of the data"));
    }
    let progress = Progress::bar(what, samples.len());
    let answers = samples.par_iter().map(|s| {
        let answer = metric.answer(&outputs(&s.image)?);
        progress.done();
        answer
    });
    let answers = answers.collect::<Result<Vec<_>, CliError>>()?;
    Ok(Score {
        score: metric.score(&answers, samples),
        time: start.elapsed(),
    })
}

/// Score of the float network.
///
/// # Errors
/// No samples, images that do not fit.
pub fn float_score<L: Label, M: Metric<L>>(
    graph: &Graph,
    samples: &[Sample<L>],
    metric: &M,
) -> Result<Score, CliError> {
    let _span = tracing::info_span!("float", samples = samples.len()).entered();
    score("float", (samples, metric), |image| {
        let outputs = float::run(graph, &input(graph, image)?);
        let outputs = outputs.map_err(|e| CliError::new("model", e))?;
        let all = outputs.into_iter().filter_map(|t| match t {
            Tensor::F32(a) => Some(a),
            Tensor::I8(_) => None,
        });
        Ok(all.collect())
    })
}

impl Compiled {
    /// Compiles a network dense and sparse.
    ///
    /// # Errors
    /// A network that cannot be quantised or compiled.
    pub fn new(network: Pruned, scales: &Scales, config: &HwConfig) -> Result<Self, CliError> {
        let prepared = network.with(scales)?;
        let _progress = Progress::spinner("compile");
        let (dense, sparse) = rayon::join(|| prepared.dense(config), || prepared.sparse(config));
        Ok(Self {
            dense: dense?,
            sparse: sparse?,
            prepared,
        })
    }

    /// Cycles of both programs, on the first sample: they do not depend on data.
    ///
    /// # Errors
    /// No samples, a program that cannot be run, or both say something else.
    pub fn cycles<L>(&self, samples: &[Sample<L>]) -> Result<Cycles, CliError> {
        let first = samples.first();
        let first = first.ok_or_else(|| CliError::new("eval", "there are no images"))?;
        let sample = input(self.prepared.graph(), &first.image)?;
        let _progress = Progress::spinner("count cycles");
        let run = |p| Runner::new(p, Which::Tsim, u64::MAX)?.run(&sample, false);
        let (dense, sparse) = rayon::join(|| run(&self.dense), || run(&self.sparse));
        let (dense, sparse) = (dense?, sparse?);
        if dense.outputs != sparse.outputs {
            let what = "the programs with and without zero blocks give different outputs";
            return Err(CliError {
                exit: EXIT_DIFFERS,
                ..CliError::new("simulator", what)
                    .help("this is a defect of the compiler; please report it with the network")
            });
        }
        Ok(Cycles {
            dense: dense.execution.cycles().unwrap_or(0),
            sparse: sparse.execution.cycles().unwrap_or(0),
        })
    }

    /// Score of the program without zero blocks, run on the device for every sample.
    ///
    /// # Errors
    /// No samples, images that do not fit, a program that cannot be run.
    pub fn score<L: Label, M: Metric<L>>(
        &self,
        samples: &[Sample<L>],
        metric: &M,
    ) -> Result<Score, CliError> {
        let _span = tracing::info_span!("device", samples = samples.len()).entered();
        let program = &self.sparse;
        // Where tokens order everything bytes do not depend on time.
        let which = match verify::check(program) {
            Ok(_) => Which::Fsim,
            Err(_) => Which::Tsim,
        };
        let runner = Runner::new(program, which, u64::MAX)?;
        let graph = self.prepared.graph();
        score("device", (samples, metric), |image| {
            let run = runner.run(&input(graph, image)?, false)?;
            let regions = program.outputs.iter().zip(&run.outputs);
            let outputs = regions.map(|(r, t)| {
                let values = ArrayD::from_shape_vec(IxDyn(&r.dims), floats(t, r.exponent));
                values.map_err(|e| CliError::new("program", e))
            });
            outputs.collect()
        })
    }
}
