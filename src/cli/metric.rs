//! What outputs of networks are worth.

use super::CliError;
use ndarray::ArrayD;
use vta::data::Sample;
#[cfg(feature = "prune")]
use vta::data::{ApRule, Boxes, Detection};
use vta::graph::Graph;
#[cfg(feature = "prune")]
use vta::train::detect::{Detector, Rules};

/// What a network's outputs are worth, for images with labels `L`.
pub trait Metric<L>: Sync {
    /// What the outputs for one image say.
    type Answer: Send;

    /// What it measures: `accuracy`.
    fn name(&self) -> &'static str;

    /// Reads the outputs for one image, in the order of the network's.
    ///
    /// # Errors
    /// Outputs that are not what they should be.
    fn answer(&self, outputs: &[ArrayD<f32>]) -> Result<Self::Answer, CliError>;

    /// From 0 to 1, one answer for each sample.
    fn score(&self, answers: &[Self::Answer], samples: &[Sample<L>]) -> f64;
}

/// The share of images whose class is found: that of the largest output, the first of equals.
#[derive(Debug, Clone, Copy)]
pub struct Accuracy;

impl Accuracy {
    /// For a network and a set.
    ///
    /// # Errors
    /// Several outputs, or fewer values than classes.
    pub fn new(graph: &Graph, classes: usize) -> Result<Self, CliError> {
        let error = |what: String| CliError::new("eval", format!("{}: {what}", graph.name));
        let [output] = graph.outputs[..] else {
            let n = graph.outputs.len();
            return Err(error(format!("it has {n} outputs, a classifier has one")));
        };
        let dims = &graph.tensor(output).dims;
        if dims.iter().product::<usize>() < classes {
            let what = format!("its output {dims:?} is too small for {classes} classes");
            return Err(error(what));
        }
        Ok(Self)
    }
}

impl Metric<u16> for Accuracy {
    type Answer = usize;

    fn name(&self) -> &'static str {
        "accuracy"
    }

    fn answer(&self, outputs: &[ArrayD<f32>]) -> Result<usize, CliError> {
        let values = outputs.iter().flatten().enumerate();
        let best = values.fold((0, f32::NEG_INFINITY), |best, (i, v)| match *v > best.1 {
            true => (i, *v),
            false => best,
        });
        Ok(best.0)
    }

    fn score(&self, answers: &[usize], samples: &[Sample<u16>]) -> f64 {
        let pairs = answers.iter().zip(samples);
        let right = pairs.filter(|(a, s)| **a == usize::from(s.label)).count();
        right as f64 / samples.len().max(1) as f64
    }
}

/// Mean average precision at an overlap of 0.5, as in Pascal VOC.
#[cfg(feature = "prune")]
#[derive(Debug, Clone)]
pub struct MeanAp(Detector);

#[cfg(feature = "prune")]
impl MeanAp {
    /// Of a detector, over a set with these classes.
    ///
    /// # Errors
    /// Other classes.
    pub fn new(detector: Detector, classes: &[String]) -> Result<Self, CliError> {
        if detector.classes() != classes {
            let (want, got) = (detector.classes().join(", "), classes.join(", "));
            let what = format_args!("the detector finds {want}, the data have {got}");
            return Err(CliError::new("eval", what));
        }
        Ok(Self(detector))
    }
}

#[cfg(feature = "prune")]
impl Metric<Boxes> for MeanAp {
    type Answer = Vec<Detection>;

    fn name(&self) -> &'static str {
        "mAP@0.5"
    }

    fn answer(&self, outputs: &[ArrayD<f32>]) -> Result<Vec<Detection>, CliError> {
        Ok(self.0.decode(outputs, &Rules::default())?)
    }

    fn score(&self, answers: &[Vec<Detection>], samples: &[Sample<Boxes>]) -> f64 {
        let truth: Vec<Boxes> = samples.iter().map(|s| s.label.clone()).collect();
        let classes = self.0.classes().len();
        vta::data::evaluate(&truth, answers, classes, 0.5, ApRule::default()).mean
    }
}
