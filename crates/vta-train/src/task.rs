//! What a network is trained for: losses, and how good it is.

use super::TrainError;
use super::backend::{Kernels, floats};
use super::identity::Identity;
use super::network::{Network, Pass, Value};
use burn_tensor::{Tensor, TensorData, activation};
use ndarray::Array4;
use vta_data::{Label, Loader, Normalise, Sample};
use vta_net::graph::{Graph, Op};

/// How bytes of images become floats in training: [`Normalise::middle`].
pub fn normalise(channels: usize) -> Normalise {
    Normalise::middle(channels)
}

/// Images as a tensor.
pub fn images<K: Kernels>(images: Array4<f32>, device: &K::Device) -> Value<K> {
    let (n, c, h, w) = images.dim();
    let data = TensorData::new(images.into_iter().collect::<Vec<f32>>(), [n, c, h, w]);
    Tensor::<K, 4>::from_data(data, device).into()
}

/// How good a network is on a set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Mean loss of a sample.
    pub loss: f64,
    /// Accuracy, or another number from 0 to 1 that grows with quality.
    pub score: f64,
}

impl Measured {
    /// Itself, if it is a number.
    ///
    /// # Errors
    /// A loss or a score that is not finite.
    pub fn finite(self) -> Result<Self, TrainError> {
        for (what, value) in [("loss", self.loss), ("score", self.score)] {
            if !value.is_finite() {
                let what = format!("the {what} of the network on these images is {value}");
                return Err(TrainError::NotFinite(what));
            }
        }
        Ok(self)
    }
}

/// What is trained for, with labels `L`. A loss of a batch is a mean over its samples.
pub trait Task<L: Label> {
    /// Adds all that changes its losses and scores.
    fn identify(&self, run: &mut Identity);

    /// The loss of a batch, one number.
    ///
    /// # Errors
    /// Outputs or labels that do not suit the task.
    fn loss<K: Kernels>(
        &self,
        pass: &Pass<K>,
        labels: &[L],
        device: &K::Device,
    ) -> Result<Tensor<K, 1>, TrainError>;

    /// The share of the batch that is right, as a count.
    ///
    /// # Errors
    /// As [`Task::loss`].
    fn right<K: Kernels>(&self, pass: &Pass<K>, labels: &[L]) -> Result<f64, TrainError>;

    /// Loss and score over samples, as the exported network has them.
    ///
    /// # Errors
    /// As [`Task::loss`]; images that do not fit the network; a loss that is not finite.
    fn measure<B: Kernels>(
        &self,
        network: &Network<B>,
        samples: &[Sample<L>],
        batch: usize,
    ) -> Result<Measured, TrainError> {
        let (mut loss, mut right) = (0.0, 0.0);
        predictions(network, samples, batch, |pass, labels| {
            let mean = self.loss(pass, labels, network.device())?;
            loss += f64::from(first(mean)) * labels.len() as f64;
            right += self.right(pass, labels)?;
            Ok(())
        })?;
        let n = samples.len().max(1) as f64;
        let measured = Measured {
            loss: loss / n,
            score: right / n,
        };
        measured.finite()
    }
}

/// Calls `each` with what the network, as it is exported, gives for each batch of samples.
pub(super) fn predictions<B: Kernels, L: Label>(
    network: &Network<B>,
    samples: &[Sample<L>],
    batch: usize,
    mut each: impl FnMut(&Pass<B>, &[L]) -> Result<(), TrainError>,
) -> Result<(), TrainError> {
    // A ReLU makes 0 of what is no number: it would not be seen at the outputs.
    network.to_finite_graph()?;
    let channels = samples.first().map_or(1, |s| s.image.channels());
    let loader = Loader::plain(samples, batch.max(1), normalise(channels));
    for batch in loader.epoch(0, 0) {
        let batch = batch?;
        let pass = network.predict(images::<B>(batch.images, network.device()))?;
        each(&pass, &batch.labels)?;
    }
    Ok(())
}

/// The only value of a tensor.
pub(super) fn first<K: Kernels>(t: Tensor<K, 1>) -> f32 {
    floats(t).first().copied().unwrap_or(f32::NAN)
}

/// One class of several: cross-entropy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Classify {
    classes: usize,
    /// Fraction of the target that is spread over all classes.
    smoothing: f32,
    /// Whether the network ends in a softmax: its outputs are probabilities.
    probabilities: bool,
}

/// The least probability of which a logarithm is taken.
const SMALLEST: f32 = 1e-12;

impl Classify {
    /// For a network, `smoothing` from 0 to below 1.
    ///
    /// # Errors
    /// More than one output, one that is not a row of at least `classes` values.
    pub fn new(graph: &Graph, classes: usize, smoothing: f32) -> Result<Self, TrainError> {
        let bad = |why: String| TrainError::Network {
            network: graph.name.clone(),
            why,
        };
        let [output] = graph.outputs[..] else {
            let why = format!(
                "it has {} outputs, a classifier has one",
                graph.outputs.len()
            );
            return Err(bad(why));
        };
        let dims = &graph.tensor(output).dims;
        let outputs: usize = dims.iter().skip(1).product();
        if outputs < classes {
            let why = format!("its output {dims:?} is too small for {classes} classes");
            return Err(bad(why));
        }
        if !(0.0..1.0).contains(&smoothing) {
            let why = format!("label smoothing {smoothing} is not from 0 to below 1");
            return Err(TrainError::Request(why));
        }
        let last = graph.nodes().find(|n| n.output == output);
        Ok(Self {
            classes: outputs,
            smoothing,
            probabilities: last.is_some_and(|n| matches!(n.op, Op::Softmax { .. })),
        })
    }

    /// The outputs `[samples, classes]`, as logarithms where the network gives probabilities.
    ///
    /// # Errors
    /// A pass of another network.
    pub fn logits<K: Kernels>(&self, pass: &Pass<K>) -> Result<Tensor<K, 2>, TrainError> {
        let rows = self.rows(pass)?;
        Ok(match self.probabilities {
            true => rows.clamp_min(SMALLEST).log(),
            false => rows,
        })
    }

    fn rows<K: Kernels>(&self, pass: &Pass<K>) -> Result<Tensor<K, 2>, TrainError> {
        let rows = pass.logits().filter(|r| r.dims()[1] == self.classes);
        rows.ok_or_else(|| TrainError::Request("another network than the task's".into()))
    }
}

impl Task<u16> for Classify {
    fn identify(&self, run: &mut Identity) {
        let Self {
            classes,
            smoothing,
            probabilities,
        } = self;
        run.put("values of the output", classes);
        run.put("smoothing", smoothing);
        run.put("probabilities", probabilities);
    }

    fn loss<K: Kernels>(
        &self,
        pass: &Pass<K>,
        labels: &[u16],
        device: &K::Device,
    ) -> Result<Tensor<K, 1>, TrainError> {
        let rows = self.rows(pass)?;
        let (n, c) = (labels.len(), self.classes);
        let mut target = vec![self.smoothing / c as f32; n * c];
        for (row, label) in target.chunks_exact_mut(c).zip(labels) {
            let Some(t) = row.get_mut(usize::from(*label)) else {
                let why = format!("class {label} of a network with {c} classes");
                return Err(TrainError::Request(why));
            };
            *t += 1.0 - self.smoothing;
        }
        let target = Tensor::<K, 2>::from_data(TensorData::new(target, [n, c]), device);
        let logs = match self.probabilities {
            true => rows.clamp_min(SMALLEST).log(),
            false => activation::log_softmax(rows, 1),
        };
        Ok((logs * target).sum().div_scalar(-(n.max(1) as f32)))
    }

    fn right<K: Kernels>(&self, pass: &Pass<K>, labels: &[u16]) -> Result<f64, TrainError> {
        let values = floats(self.rows(pass)?);
        let rows = values.chunks_exact(self.classes.max(1)).zip(labels);
        let right = rows.filter(|(row, label)| best(row) == usize::from(**label));
        Ok(right.count() as f64)
    }
}

/// The first of the largest values.
fn best(row: &[f32]) -> usize {
    let mut at = 0;
    for (i, v) in row.iter().enumerate() {
        if *v > row[at] {
            at = i;
        }
    }
    at
}
