//! How good a network is: in floats, and on the simulated device.

use crate::metric::Metric;
use crate::monitor::{Phase, Watch};
use crate::run::{RunOptions, Runner};
use crate::simulate::Simulator;
use crate::{Calibration, Error, MaskedModel, Model, Program, QuantisedModel};
use ndarray::{ArrayD, IxDyn};
use rayon::prelude::*;
use std::time::{Duration, Instant};
use vta_data::{Image, Label, Normalise, Sample, chosen, to_array};
use vta_net::graph::Graph;
use vta_net::quant::float;
use vta_program::config::HwConfig;
use vta_tensor::host::Tensor;

/// Networks and data that cannot be measured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// No images to choose exponents by.
    #[error("{whose}: there are no images to choose exponents by")]
    NoCalibration {
        /// Whose they would be.
        whose: String,
    },
    /// No images to measure with.
    #[error("there are no images to measure with")]
    NoImages,
    /// An image of another size.
    #[error("{network}: its input is {input:?}, an image is {image:?}")]
    Image {
        /// The network.
        network: String,
        /// Dimensions of its input.
        input: Vec<usize>,
        /// Channels, height and width of an image.
        image: [usize; 3],
    },
    /// Several outputs where one says the class.
    #[error("{network}: it has {outputs} outputs, a classifier has one")]
    Outputs {
        /// The network.
        network: String,
        /// Its outputs.
        outputs: usize,
    },
    /// Fewer values than classes.
    #[error("{network}: its output {output:?} is too small for {classes} classes")]
    TooSmall {
        /// The network.
        network: String,
        /// Dimensions of its output.
        output: Vec<usize>,
        /// Classes of the data.
        classes: usize,
    },
    /// A detector of other things.
    #[error("the detector finds {}, the data have {}", detector.join(", "), data.join(", "))]
    Classes {
        /// Classes of the detector.
        detector: Vec<String>,
        /// Classes of the data.
        data: Vec<String>,
    },
    /// An output that says nothing: what is made of it would be by chance.
    #[error("a value of the network's outputs is {value} for image {image}")]
    NotFinite {
        /// The value, in words: an error can be compared.
        value: String,
        /// The image, counted from 0.
        image: usize,
    },
    /// An output whose values do not fill its dimensions.
    #[error("output {region} does not fill its dimensions")]
    Shape {
        /// The output.
        region: String,
    },
}

impl EvaluateError {
    /// What to do next, where that is known.
    pub const fn help(&self) -> Option<&'static str> {
        match self {
            Self::NoCalibration { .. } => {
                Some("--quantisation FILE takes those that the network was trained with")
            }
            Self::NoImages => Some("--split names another part of the data"),
            Self::NotFinite { .. } => Some(
                "the network is not fit for use; was it trained with a learning rate that is too high?",
            ),
            Self::Image { .. } => Some("the data must be what the network was trained with"),
            _ => None,
        }
    }
}

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
#[derive(Debug)]
pub struct Compiled {
    net: QuantisedModel,
    dense: Program,
    sparse: Program,
}

/// Scores of a network in floats and, for a configuration, on the device with
/// its cycles. Scales are the exponents that it was trained with, or [`calibration`].
///
/// # Errors
/// No samples, images that do not fit, a network that cannot be compiled;
/// [`Error::Cancelled`].
///
/// ```
/// use vta::data::shapes::{Counts, classes};
///
/// let set = classes(1, Counts { train: 0, val: 0, test: 20 });
/// let model = vta::Model::zoo("resnet-tiny", 1)?;
/// let metric = vta::metric::Accuracy::new(model.graph(), set.classes.len())?;
/// let scores = vta::evaluate::evaluate(model.zero_blocks(), None, &set.test, &metric)?;
/// assert!((0.0..=1.0).contains(&scores.float.score));
/// # Ok::<(), vta::Error>(())
/// ```
pub fn evaluate<L: Label, M: Metric<L>>(
    network: MaskedModel,
    device: Option<(&Calibration, &HwConfig)>,
    samples: &[Sample<L>],
    metric: &M,
) -> Result<Evaluated, Error> {
    let float = float_score(network.model(), samples, metric)?;
    let on_device = |(calibration, config): (&Calibration, &HwConfig)| {
        let compiled = Compiled::new(network, calibration, config)?;
        Ok::<_, Error>(OnDevice {
            cycles: compiled.cycles(samples)?,
            score: compiled.score(samples, metric)?,
            network: compiled.net.describe(),
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
) -> Result<Calibration, Error> {
    if samples.is_empty() {
        let whose = whose.into();
        return Err(EvaluateError::NoCalibration { whose }.into());
    }
    let chosen = some(samples, limit);
    let inputs = chosen.iter().map(|s| input(graph, &s.image));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    Ok(Calibration::Samples {
        samples: inputs,
        whose: whose.into(),
    })
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
pub fn input(graph: &Graph, image: &Image) -> Result<Vec<Tensor>, Error> {
    let dims: Vec<&[usize]> = graph
        .inputs
        .iter()
        .map(|t| &graph.tensor(*t).dims[..])
        .collect();
    let [c, h, w] = image.dims();
    if dims != [&[1, c, h, w]] {
        let dims = dims.first().copied().unwrap_or_default();
        let error = EvaluateError::Image {
            network: graph.name.clone(),
            input: dims.to_vec(),
            image: [c, h, w],
        };
        return Err(error.into());
    }
    let array = to_array([image], &Normalise::middle(c))?;
    Ok(vec![Tensor::F32(array.into_dyn())])
}

/// Predictions for all samples on all cores, in their order, and their score.
fn score<L: Label, M: Metric<L>>(
    (watch, phase): (&Watch, Phase),
    (samples, metric): (&[Sample<L>], &M),
    outputs: impl Fn(&Image) -> Result<Vec<ArrayD<f32>>, Error> + Sync,
) -> Result<Score, Error> {
    let start = Instant::now();
    if samples.is_empty() {
        return Err(EvaluateError::NoImages.into());
    }
    let progress = watch.phase(phase, Some(samples.len() as u64));
    let predictions = samples.par_iter().enumerate().map(|(image, s)| {
        watch.go_on()?;
        let outputs = outputs(&s.image)?;
        if let Some(value) = outputs.iter().flatten().find(|v| !v.is_finite()) {
            let value = value.to_string();
            return Err(EvaluateError::NotFinite { value, image }.into());
        }
        let prediction = metric.predict(&outputs);
        progress.step();
        prediction
    });
    let predictions = predictions.collect::<Result<Vec<_>, Error>>()?;
    Ok(Score {
        score: metric.score(&predictions, samples),
        time: start.elapsed(),
    })
}

/// Score of the float network.
///
/// # Errors
/// No samples, images that do not fit; [`Error::Cancelled`].
pub fn float_score<L: Label, M: Metric<L>>(
    model: &Model,
    samples: &[Sample<L>],
    metric: &M,
) -> Result<Score, Error> {
    let _span = tracing::info_span!("float", samples = samples.len()).entered();
    let graph = model.graph();
    score((model.watch(), Phase::Float), (samples, metric), |image| {
        let outputs = float::run(graph, &input(graph, image)?)?;
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
    /// A network that cannot be quantised or compiled; [`Error::Cancelled`].
    pub fn new(
        network: MaskedModel,
        calibration: &Calibration,
        config: &HwConfig,
    ) -> Result<Self, Error> {
        let net = network.quantise(calibration)?;
        let (dense, sparse) = net.compile_both(config)?;
        Ok(Self { net, dense, sparse })
    }

    /// The integer network.
    pub const fn net(&self) -> &QuantisedModel {
        &self.net
    }

    /// Cycles of both programs, on the first sample: they do not depend on data.
    ///
    /// # Errors
    /// No samples, a program that cannot be run, or both say something else.
    pub fn cycles<L>(&self, samples: &[Sample<L>]) -> Result<Cycles, Error> {
        let first = samples.first().ok_or(EvaluateError::NoImages)?;
        let sample = input(self.net.masked().model().graph(), &first.image)?;
        let run = |p| Runner::new(p, options(Simulator::Tsim)).run_once(&sample);
        let (dense, sparse) = rayon::join(|| run(&self.dense), || run(&self.sparse));
        let (dense, sparse) = (dense?, sparse?);
        if dense.outputs() != sparse.outputs() {
            return Err(Error::OutputsDiffer);
        }
        Ok(Cycles {
            dense: dense.cycles(),
            sparse: sparse.cycles(),
        })
    }

    /// Score of the program without zero blocks, run on the device for every sample.
    ///
    /// # Errors
    /// No samples, images that do not fit, a program that cannot be run;
    /// [`Error::Cancelled`].
    pub fn score<L: Label, M: Metric<L>>(
        &self,
        samples: &[Sample<L>],
        metric: &M,
    ) -> Result<Score, Error> {
        let _span = tracing::info_span!("device", samples = samples.len()).entered();
        let program = &self.sparse;
        // Where tokens order everything bytes do not depend on time.
        let simulator = match program.verify() {
            Ok(_) => Simulator::Fsim,
            Err(_) => Simulator::Tsim,
        };
        let runner = Runner::new(program, options(simulator));
        let model = self.net.masked().model();
        let watch = (model.watch(), Phase::Device);
        score(watch, (samples, metric), |image| {
            let run = runner.run(&input(model.graph(), image)?)?;
            let regions = program.outputs.iter().zip(run.floats());
            let outputs = regions.map(|(r, values)| {
                ArrayD::from_shape_vec(IxDyn(&r.dims), values).map_err(|_| {
                    let region = r.tensor.clone();
                    Error::Evaluate(EvaluateError::Shape { region })
                })
            });
            outputs.collect()
        })
    }
}

fn options(simulator: Simulator) -> RunOptions {
    RunOptions {
        simulator,
        max_cycles: u64::MAX,
        ..RunOptions::default()
    }
}
