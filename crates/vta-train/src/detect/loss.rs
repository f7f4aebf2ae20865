//! The task of a detector in training.

use super::assign::Found;
use super::decode::{Rules, SIZE};
use super::overlap::overlap;
use super::{BEFORE, Detector, Head, OBJECT};
use crate::backend::{Kernels, floats};
use crate::identity::Identity;
use crate::network::{Network, Pass};
use crate::task::{Measured, Task, first, predictions};
use crate::{TrainError, Value};
use burn_tensor::{Int, Tensor, TensorData};
use vta_data::{ApRule, Boxes, Detection, Evaluation, Sample, evaluate};
use vta_net::graph::{Graph, Op, TensorId};

/// How much the parts of the loss count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// Whether there is a box.
    pub object: f32,
    /// Where it is, and how large.
    pub bbox: f32,
    /// Of which class.
    pub class: f32,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            object: 1.0,
            bbox: 2.0,
            class: 1.0,
        }
    }
}

/// Boxes with classes. The loss of a batch is, over the number of places that
/// are to find a box:
///
/// - objectness, at all places: cross-entropy, times the square of the distance
///   to the target. That lets the many easy places without a box count little.
///   The target is the overlap (intersection over union) of the found box where
///   there is one to find, else 0. Places of difficult boxes do not count;
/// - boxes, where there is one to find: 1 - overlap, plus the squared distance
///   of the centres over that of the outermost corners;
/// - classes, there too: cross-entropy of each class by itself.
///
/// Quality is the mean average precision at an overlap of 0.5, as in Pascal VOC.
#[derive(Debug, Clone, PartialEq)]
pub struct Detect {
    detector: Detector,
    weights: Weights,
}

/// The objectness before training: few places find a box.
const PRIOR: f32 = 0.01;
/// Overlap from which a box is found.
const FOUND: f32 = 0.5;
/// Boxes of less score are not looked at while training goes on.
const QUICK: f32 = 0.05;
/// Logarithms are taken of probabilities at least so far from 0 and 1.
const SMALLEST: f32 = 1e-6;

impl Detect {
    /// For a detector, with the usual weights.
    pub fn new(detector: Detector) -> Self {
        Self::weighted(detector, Weights::default())
    }

    /// For a detector.
    pub fn weighted(detector: Detector, weights: Weights) -> Self {
        Self { detector, weights }
    }

    /// What the outputs mean.
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// Prepares a network that starts from scratch: its places find nothing at
    /// first, so that the many without a box do not drown the others. Outputs
    /// that do not come from a convolution with a bias stay as they are.
    ///
    /// # Errors
    /// Another network than the task's.
    pub fn start<B: Kernels>(&self, network: &mut Network<B>) -> Result<(), TrainError> {
        let graph = network.graph().clone();
        for (head, output) in self.detector.heads.iter().zip(&graph.outputs) {
            let [a, v, ..] = self.detector.dims(head);
            let Some(bias) = bias(&graph, *output, a * v) else {
                continue;
            };
            let Some(at) = network.find(&bias) else {
                continue;
            };
            let mut values = network.params()[at].values();
            let object = values.iter_mut().skip(OBJECT).step_by(v);
            object.for_each(|b| *b = (PRIOR / (1.0 - PRIOR)).ln());
            network.set(&bias, values)?;
        }
        Ok(())
    }

    /// Mean loss, and the boxes that are found in each image.
    ///
    /// # Errors
    /// Outputs, images or labels that do not suit the task.
    pub fn find<B: Kernels>(
        &self,
        network: &Network<B>,
        samples: &[Sample<Boxes>],
        batch: usize,
        rules: &Rules,
    ) -> Result<(f64, Vec<Vec<Detection>>), TrainError> {
        let (mut loss, mut found) = (0.0, Vec::new());
        predictions(network, samples, batch, |pass, labels| {
            let mean = self.loss(pass, labels, network.device())?;
            loss += f64::from(first(mean)) * labels.len() as f64;
            found.extend(self.found(pass, labels.len(), rules)?);
            Ok(())
        })?;
        let loss = loss / samples.len().max(1) as f64;
        let measured = Measured { loss, score: 0.0 }.finite()?;
        Ok((measured.loss, found))
    }

    /// Average precision of boxes that were found, at an overlap of 0.5.
    pub fn evaluate(&self, truth: &[Boxes], found: &[Vec<Detection>]) -> Evaluation {
        let classes = self.detector.classes.len();
        evaluate(truth, found, classes, FOUND, ApRule::default())
    }

    /// The boxes of each image of a batch.
    fn found<K: Kernels>(
        &self,
        pass: &Pass<K>,
        n: usize,
        rules: &Rules,
    ) -> Result<Vec<Vec<Detection>>, TrainError> {
        let outputs = self.detector.outputs(pass, n)?;
        let outputs: Vec<Vec<f32>> = outputs.into_iter().map(floats).collect();
        let one = |i: usize| {
            let row = |o: &'_ Vec<f32>| {
                let each = o.len() / n;
                i * each..(i + 1) * each
            };
            let rows: Vec<&[f32]> = outputs.iter().map(|o| &o[row(o)]).collect();
            self.detector.decode_rows(&rows, rules)
        };
        Ok((0..n).map(one).collect())
    }

    /// Sums of a head's three parts.
    fn head<K: Kernels>(
        &self,
        head: &Head,
        out: Tensor<K, 5>,
        places: &[Found],
        device: &K::Device,
    ) -> Tensor<K, 1> {
        let [n, a, v, h, w] = out.dims();
        let row = |f: &Found| ((f.sample * a + f.anchor) * h + f.row) * w + f.column;
        let mut target = vec![0.0; n * a * h * w];
        let mut counts = vec![1.0; n * a * h * w];
        let (to_find, difficult): (Vec<Found>, Vec<Found>) =
            places.iter().partition(|f| !f.bbox.difficult);
        difficult.iter().for_each(|f| counts[row(f)] = 0.0);
        let object = out
            .clone()
            .slice([0..n, 0..a, OBJECT..OBJECT + 1, 0..h, 0..w]);
        let mut loss = None;
        if !to_find.is_empty() {
            let picked = pick(out, &to_find, device);
            let (boxes, far) = self.boxes(head, &picked, &to_find, device);
            let values = floats(boxes.clone().detach());
            for (f, much) in to_find.iter().zip(values) {
                target[row(f)] = much.clamp(0.0, 1.0);
            }
            let m = to_find.len();
            let mut classes = vec![0.0; m * (v - BEFORE)];
            for (row, f) in classes.chunks_exact_mut(v - BEFORE).zip(&to_find) {
                row[usize::from(f.bbox.class)] = 1.0;
            }
            let classes = Tensor::from_data(TensorData::new(classes, [m, v - BEFORE]), device);
            let scores = picked.slice([0..m, BEFORE..v]);
            let class = cross_entropy(scores, classes).sum();
            let bbox = (far - boxes + 1.0).sum();
            loss = Some(bbox * self.weights.bbox + class * self.weights.class);
        }
        let object = object.reshape([n * a * h * w]);
        let object = focal(object, values(target, device)) * values(counts, device);
        let object = object.sum() * self.weights.object;
        match loss {
            Some(l) => l + object,
            None => object,
        }
    }

    /// Overlap of each box with what it should be, and the distance of their centres.
    fn boxes<K: Kernels>(
        &self,
        head: &Head,
        picked: &Tensor<K, 2>,
        to_find: &[Found],
        device: &K::Device,
    ) -> (Tensor<K, 1>, Tensor<K, 1>) {
        let m = to_find.len();
        let column = |i: usize| picked.clone().slice([0..m, i..i + 1]).reshape([m]);
        let list = |f: &dyn Fn(&Found) -> f32| values(to_find.iter().map(f).collect(), device);
        let cell = self.detector.cell(head);
        let axis = |i: usize, at: &dyn Fn(&Found) -> usize| {
            let middle = (column(i) * 2.0 - 0.5 + list(&|f| at(f) as f32)) * cell[i];
            let anchor = list(&|f| head.anchors[f.anchor][i]);
            let size = column(2 + i).clamp(-SIZE, SIZE).exp() * anchor;
            (middle, size)
        };
        let (x, y) = (axis(0, &|f| f.column), axis(1, &|f| f.row));
        let truth = [
            list(&|f| f.bbox.x0),
            list(&|f| f.bbox.y0),
            list(&|f| f.bbox.x1),
            list(&|f| f.bbox.y1),
        ];
        overlap(x, y, truth)
    }
}

impl Task<Boxes> for Detect {
    fn identify(&self, run: &mut Identity) {
        let Self { detector, weights } = self;
        run.put_digest("classes and anchors", [detector.to_json()]);
        let Weights {
            object,
            bbox,
            class,
        } = weights;
        run.put(
            "weights of the loss",
            format_args!("{object}, {bbox}, {class}"),
        );
    }

    fn loss<K: Kernels>(
        &self,
        pass: &Pass<K>,
        labels: &[Boxes],
        device: &K::Device,
    ) -> Result<Tensor<K, 1>, TrainError> {
        let classes = self.detector.classes.len();
        let strange = labels
            .iter()
            .flatten()
            .find(|b| usize::from(b.class) >= classes);
        if let Some(b) = strange {
            let why = format!("class {} of a detector of {classes} classes", b.class);
            return Err(TrainError::Request(why));
        }
        let outputs = self.detector.outputs(pass, labels.len())?;
        let places = self.detector.assign(labels);
        let to_find = places.iter().flatten().filter(|f| !f.bbox.difficult);
        let to_find = to_find.count().max(1) as f32;
        let mut loss: Tensor<K, 1> = Tensor::zeros([1], device);
        for ((head, out), places) in self.detector.heads.iter().zip(outputs).zip(&places) {
            loss = loss + self.head(head, out, places, device);
        }
        Ok(loss / to_find)
    }

    /// The average precision in this batch, times its images.
    fn right<K: Kernels>(&self, pass: &Pass<K>, labels: &[Boxes]) -> Result<f64, TrainError> {
        let rules = Rules {
            score: QUICK,
            ..Rules::default()
        };
        let found = self.found(pass, labels.len(), &rules)?;
        Ok(self.evaluate(labels, &found).mean * labels.len() as f64)
    }

    fn measure<B: Kernels>(
        &self,
        network: &Network<B>,
        samples: &[Sample<Boxes>],
        batch: usize,
    ) -> Result<Measured, TrainError> {
        let (loss, found) = self.find(network, samples, batch, &Rules::default())?;
        let truth: Vec<Boxes> = samples.iter().map(|s| s.label.clone()).collect();
        let score = self.evaluate(&truth, &found).mean;
        Measured { loss, score }.finite()
    }
}

impl Detector {
    /// The outputs of a batch of `n`, as maps.
    pub(super) fn outputs<K: Kernels>(
        &self,
        pass: &Pass<K>,
        n: usize,
    ) -> Result<Vec<Tensor<K, 5>>, TrainError> {
        let outputs = pass.outputs();
        let fits = |(o, head): (&&Value<K>, &Head)| {
            let [a, v, h, w] = self.dims(head);
            let dims = [n, a, v, h, w];
            (o.dims() == dims).then(|| o.to(dims))
        };
        let maps: Option<Vec<_>> = outputs.iter().zip(&self.heads).map(fits).collect();
        let maps = maps.filter(|m| m.len() == outputs.len() && m.len() == self.heads.len());
        maps.ok_or_else(|| TrainError::Request("another network than the detector's".into()))
    }
}

/// All values of some places, a row for each.
fn pick<K: Kernels>(out: Tensor<K, 5>, places: &[Found], device: &K::Device) -> Tensor<K, 2> {
    let [n, a, v, h, w] = out.dims();
    let all = places.iter().flat_map(|f| {
        let start = (f.sample * a + f.anchor) * v * h * w + f.row * w + f.column;
        (0..v).map(move |i| (start + i * h * w) as i64)
    });
    let all: Vec<i64> = all.collect();
    let m = places.len();
    let index = Tensor::<K, 1, Int>::from_data(TensorData::new(all, [m * v]), device);
    let out = out.reshape([n * a * v * h * w]);
    out.select(0, index).reshape([m, v])
}

/// A row of values.
pub(super) fn values<K: Kernels>(values: Vec<f32>, device: &K::Device) -> Tensor<K, 1> {
    let n = values.len();
    Tensor::from_data(TensorData::new(values, [n]), device)
}

/// `-(t ln p + (1 - t) ln(1 - p))`.
pub(super) fn cross_entropy<K: Kernels, const D: usize>(
    p: Tensor<K, D>,
    t: Tensor<K, D>,
) -> Tensor<K, D> {
    let p = p.clamp(SMALLEST, 1.0 - SMALLEST);
    let not = |x: Tensor<K, D>| x.neg() + 1.0;
    (t.clone() * p.clone().log() + not(t) * not(p).log()).neg()
}

/// Cross-entropy times the squared distance to the target.
pub(super) fn focal<K: Kernels>(p: Tensor<K, 1>, t: Tensor<K, 1>) -> Tensor<K, 1> {
    (p.clone() - t.clone()).square() * cross_entropy(p, t)
}

/// The bias of the convolution with `channels` that an output comes from.
fn bias(graph: &Graph, output: TensorId, channels: usize) -> Option<String> {
    let mut at = output;
    loop {
        let node = graph.nodes().find(|n| n.output == at)?;
        match &node.op {
            Op::Conv(c) => {
                return (c.bias.len() == channels).then(|| format!("{}.bias", node.name));
            }
            Op::Reshape | Op::Sigmoid | Op::Concat { .. } | Op::Slice { .. } => {
                at = *node.inputs.first()?;
            }
            _ => return None,
        }
    }
}
