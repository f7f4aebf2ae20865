//! What outputs of networks are worth.

use crate::Error;
use crate::evaluate::EvaluateError;
use ndarray::ArrayD;
use vta_data::Sample;
#[cfg(feature = "train")]
use vta_data::{ApRule, Boxes, Detection};
use vta_net::graph::Graph;
#[cfg(feature = "train")]
use vta_train::detect::{Detector, Rules};

/// What a network's outputs are worth, for images with labels `L`.
pub trait Metric<L>: Sync {
    /// What the outputs for one image say: a class, or boxes.
    type Prediction: Send;

    /// What it measures: `accuracy`.
    fn name(&self) -> &'static str;

    /// Reads the outputs for one image, in the order of the network's.
    ///
    /// # Errors
    /// Outputs that are not what they should be.
    fn predict(&self, outputs: &[ArrayD<f32>]) -> Result<Self::Prediction, Error>;

    /// From 0 to 1, one prediction for each sample.
    fn score(&self, predictions: &[Self::Prediction], samples: &[Sample<L>]) -> f64;
}

/// The share of images whose class is found: that of the largest output, the first of equals.
#[derive(Debug, Clone, Copy)]
pub struct Accuracy;

impl Accuracy {
    /// For a network and a set.
    ///
    /// # Errors
    /// Several outputs, or fewer values than classes.
    pub fn new(graph: &Graph, classes: usize) -> Result<Self, Error> {
        let network = graph.name.clone();
        let [output] = graph.outputs[..] else {
            let outputs = graph.outputs.len();
            return Err(EvaluateError::Outputs { network, outputs }.into());
        };
        let output = graph.tensor(output).dims.clone();
        if output.iter().product::<usize>() < classes {
            let error = EvaluateError::TooSmall {
                network,
                output,
                classes,
            };
            return Err(error.into());
        }
        Ok(Self)
    }
}

impl Metric<u16> for Accuracy {
    type Prediction = usize;

    fn name(&self) -> &'static str {
        "accuracy"
    }

    fn predict(&self, outputs: &[ArrayD<f32>]) -> Result<usize, Error> {
        let values = outputs.iter().flatten().enumerate();
        let best = values.fold((0, f32::NEG_INFINITY), |best, (i, v)| match *v > best.1 {
            true => (i, *v),
            false => best,
        });
        Ok(best.0)
    }

    fn score(&self, predictions: &[usize], samples: &[Sample<u16>]) -> f64 {
        let pairs = predictions.iter().zip(samples);
        let right = pairs.filter(|(a, s)| **a == usize::from(s.label)).count();
        right as f64 / samples.len().max(1) as f64
    }
}

/// Mean average precision at an overlap of 0.5, as in Pascal VOC.
#[cfg(feature = "train")]
#[derive(Debug, Clone)]
pub struct MeanAp(Detector);

#[cfg(feature = "train")]
impl MeanAp {
    /// Of a detector, over a set with these classes.
    ///
    /// # Errors
    /// Other classes.
    pub fn new(detector: Detector, classes: &[String]) -> Result<Self, Error> {
        if detector.classes() != classes {
            let error = EvaluateError::Classes {
                detector: detector.classes().to_vec(),
                data: classes.to_vec(),
            };
            return Err(error.into());
        }
        Ok(Self(detector))
    }
}

#[cfg(feature = "train")]
impl Metric<Boxes> for MeanAp {
    type Prediction = Vec<Detection>;

    fn name(&self) -> &'static str {
        "mAP@0.5"
    }

    fn predict(&self, outputs: &[ArrayD<f32>]) -> Result<Vec<Detection>, Error> {
        Ok(self.0.decode(outputs, &Rules::default())?)
    }

    fn score(&self, predictions: &[Vec<Detection>], samples: &[Sample<Boxes>]) -> f64 {
        let truth: Vec<Boxes> = samples.iter().map(|s| s.label.clone()).collect();
        let classes = self.0.classes().len();
        vta_data::evaluate(&truth, predictions, classes, 0.5, ApRule::default()).mean
    }
}
