//! How good a network is, for a front: on images, or against its dense self.

use crate::run::{RunOptions, floats, run_batch};
use crate::{Calibration, Error, MaskedModel, Model};
use serde_json::{Value, json};
use vta_net::quant::Exponents;
use vta_program::config::HwConfig;
use vta_tensor::host::Tensor;

/// Samples of noise that a network is measured with, where there are no others.
const SAMPLES: usize = 16;
/// Seed of these samples: others than those that scales are chosen by.
const SEED: u64 = 2;
/// Decibels that a ratio is cut off at: nothing differs.
const MOST: f64 = 300.0;

/// What a front measures networks by: the int8 program on the simulated device.
pub struct Measurement<'a> {
    /// What it is: `accuracy`, or `signal to noise`.
    name: &'static str,
    /// All that decides it, as a part of points.
    point: Value,
    score: Box<Score<'a>>,
}

type Score<'a> = dyn Fn(MaskedModel, Option<Exponents>, &HwConfig) -> Result<Scored, Error> + 'a;

/// How good a network is, and what it costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// From 0 to 1, or in decibels.
    pub score: f64,
    /// Cycles of one inference.
    pub cycles: u64,
}

impl<'a> Measurement<'a> {
    /// What a ratio of signal to noise is called; its unit is decibels.
    pub const SIGNAL_TO_NOISE: &'static str = "signal to noise";

    /// Without labels: how far the outputs of the int8 program are from those of the
    /// dense float network, as the ratio of signal to noise in decibels. Samples are
    /// those that scales are chosen by, else noise.
    ///
    /// # Errors
    /// Samples that do not fit the network.
    pub fn signal_to_noise(dense: &Model, calibration: Calibration) -> Result<Self, Error> {
        let samples = match &calibration {
            Calibration::Samples { samples, .. } => samples.clone(),
            _ => crate::samples::random(&dense.inputs(), SEED, SAMPLES).values,
        };
        let want = samples.iter().map(|s| {
            let outputs = dense.infer(s)?;
            Ok(outputs.iter().map(|t| floats(t, None)).collect())
        });
        let want: Vec<Vec<Vec<f32>>> = want.collect::<Result<_, Error>>()?;
        let measured = Calibration::samples(samples.clone());
        let point = json!({
            "of": Self::SIGNAL_TO_NOISE, "on": measured.point(), "calibration": calibration.point(),
        });
        let score = move |network: MaskedModel, exponents: Option<Exponents>, config: &HwConfig| {
            let calibration = exponents.map_or_else(|| calibration.clone(), Calibration::exponents);
            let program = network.quantise(&calibration)?.compile(config)?;
            let each = |_: &[Tensor], run: crate::Run| Ok::<_, Error>((run.cycles(), run.floats()));
            // Only the first is timed.
            let (_, runs) = run_batch(&program, &RunOptions::default(), false, &samples, each)?;
            let outputs = runs.iter().map(|(_, outputs)| outputs);
            let pairs = want
                .iter()
                .flatten()
                .flatten()
                .zip(outputs.flatten().flatten());
            Ok(Scored {
                score: ratio(pairs),
                cycles: runs.first().map_or(0, |(cycles, _)| *cycles),
            })
        };
        Ok(Self {
            name: Self::SIGNAL_TO_NOISE,
            point,
            score: Box::new(score),
        })
    }

    /// On images with labels. `more` is what else decides the score, as the anchors of a
    /// detector.
    #[cfg(feature = "data")]
    pub fn images<L: vta_data::Label, M: crate::metric::Metric<L>>(
        samples: &'a [vta_data::Sample<L>],
        metric: &'a M,
        calibration: Calibration,
        more: &str,
    ) -> Self {
        let point = json!({
            "of": metric.name(), "on": digest(samples), "more": more,
            "calibration": calibration.point(),
        });
        let score = move |network: MaskedModel, exponents: Option<Exponents>, config: &HwConfig| {
            let calibration = exponents.map_or_else(|| calibration.clone(), Calibration::exponents);
            let compiled = crate::evaluate::Compiled::new(network, &calibration, config)?;
            Ok(Scored {
                score: compiled.score(samples, metric)?.score,
                cycles: compiled.cycles(samples)?.sparse,
            })
        };
        Self {
            name: metric.name(),
            point,
            score: Box::new(score),
        }
    }

    /// What it is.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub(super) const fn point(&self) -> &Value {
        &self.point
    }

    pub(super) fn score(
        &self,
        network: MaskedModel,
        exponents: Option<Exponents>,
        config: &HwConfig,
    ) -> Result<Scored, Error> {
        (self.score)(network, exponents, config)
    }
}

/// The unit of scores of a [`Measurement`] by its name, and what they are multiplied by
/// to have it: what is from 0 to 1 is shown in percent.
pub fn unit_of(measure: &str) -> (&'static str, f64) {
    match measure == Measurement::SIGNAL_TO_NOISE {
        true => ("dB", 1.0),
        false => ("%", 100.0),
    }
}

/// Signal to noise of what is against what is wanted, in decibels.
fn ratio<'v>(pairs: impl Iterator<Item = (&'v f32, &'v f32)>) -> f64 {
    let (mut signal, mut noise) = (0.0, 0.0);
    for (want, is) in pairs {
        let (want, is) = (f64::from(*want), f64::from(*is));
        signal += want * want;
        noise += (want - is) * (want - is);
    }
    (10.0 * (signal / noise).log10()).clamp(-MOST, MOST)
}

/// The SHA-256 of images and what is known of them.
#[cfg(feature = "data")]
fn digest<L: vta_data::Label>(samples: &[vta_data::Sample<L>]) -> String {
    let mut bytes = Vec::new();
    for s in samples {
        let label = s.label.to_bytes();
        let lengths = s.image.dims().into_iter().chain([label.len()]);
        bytes.extend(lengths.flat_map(|n| (n as u64).to_le_bytes()));
        bytes.extend_from_slice(s.image.data());
        bytes.extend(label);
    }
    vta_program::program::sha256(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_noise_is_twenty_decibels() {
        let (want, is) = ([3.0, -4.0], [3.3, -4.4]);
        assert!((ratio(want.iter().zip(&is)) - 20.0).abs() < 1e-5);
        assert_eq!(ratio(want.iter().zip(&want)), MOST);
    }

    /// The dense network is better than one that has lost most blocks, and dearer.
    #[test]
    fn lost_blocks_are_noise() {
        let model = Model::zoo("lenet5", 1).expect("a network of the zoo");
        let by = Measurement::signal_to_noise(&model, Calibration::default()).expect("noise");
        let config = HwConfig::default();
        let score = |density: f64| {
            let masks = model.random_masks(density, 1).expect("a density");
            let masked = model.clone().mask(masks).expect("masks of it");
            by.score(masked, None, &config).expect("it runs")
        };
        let (dense, sparse) = (score(1.0), score(0.2));
        assert!(
            dense.score > 10.0 && sparse.score < 10.0,
            "{dense:?} {sparse:?}"
        );
        assert!(sparse.cycles < dense.cycles);
    }
}
