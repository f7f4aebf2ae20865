//! What scales are chosen by.

use crate::monitor::{Phase, Watch};
use crate::{Error, files};
use serde_json::{Value, json};
use std::path::Path;
use vta_net::graph::Graph;
use vta_net::quant::{self, Exponents, QNet, QuantError, QuantOptions};
use vta_program::program::sha256;
use vta_tensor::host::Tensor;

/// Samples of noise that are made where there are no others.
const NOISE_SAMPLES: usize = 2;
/// Seed of these samples.
const NOISE_SEED: u64 = 1;

/// Largest file of exponents that is read, in bytes.
const MAX_EXPONENTS: u64 = 64 << 20;

/// What scales are chosen by. Without anything it is noise: enough to count
/// cycles, not for values that matter.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Calibration {
    /// These exponents, with which the network was trained; biases as they are.
    Exponents {
        /// The exponents.
        exponents: Exponents,
        /// In words, where they are from.
        from: String,
    },
    /// Samples: for each, an `F32` tensor for each input.
    Samples {
        /// The samples.
        samples: Vec<Vec<Tensor>>,
        /// In words, whose they are.
        whose: String,
    },
    /// Normal noise of unit variance.
    Noise {
        /// Seed of the generator.
        seed: u64,
        /// Number of samples.
        samples: usize,
    },
}

impl Default for Calibration {
    fn default() -> Self {
        Self::Noise {
            seed: NOISE_SEED,
            samples: NOISE_SAMPLES,
        }
    }
}

impl Calibration {
    /// By samples: for each, an `F32` tensor for each input of the network.
    pub fn samples(samples: Vec<Vec<Tensor>>) -> Self {
        Self::Samples {
            samples,
            whose: "the caller".into(),
        }
    }

    /// With exponents, with which the network was trained.
    pub fn exponents(exponents: Exponents) -> Self {
        Self::Exponents {
            exponents,
            from: "training".into(),
        }
    }

    /// With the exponents of a file, as `vta prune` writes it.
    ///
    /// # Errors
    /// A file that cannot be read or is something else.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = files::read(path, MAX_EXPONENTS)?;
        let text = String::from_utf8_lossy(&bytes);
        let exponents = Exponents::from_json(&text).map_err(|e| Error::from(e).of(path))?;
        Ok(Self::Exponents {
            exponents,
            from: path.display().to_string(),
        })
    }

    /// The integer network of a graph.
    pub(crate) fn quantise(&self, graph: &Graph, watch: &Watch) -> Result<QNet, Error> {
        watch.go_on()?;
        let observe = |observed: &dyn Fn() -> Result<quant::Calibration, QuantError>| {
            let seen = {
                let _span = tracing::info_span!("calibrate").entered();
                let _phase = watch.phase(Phase::Calibrate, None);
                observed()?
            };
            watch.go_on()?;
            let _span = tracing::info_span!("quantise").entered();
            let _phase = watch.phase(Phase::Quantise, None);
            Ok::<_, Error>(quant::quantise(graph, &seen, &QuantOptions::default())?)
        };
        let net = match self {
            Self::Exponents { exponents, .. } => quant::quantise_with(graph, exponents, None)?,
            Self::Samples { samples, .. } => {
                observe(&|| quant::Calibration::observe(graph, samples.clone()))?
            }
            Self::Noise { seed, samples } => {
                observe(&|| quant::Calibration::noise(graph, *seed, *samples))?
            }
        };
        watch.go_on()?;
        Ok(net)
    }

    /// What decides it, as a part of points of rows: its content, not where it is from.
    pub(crate) fn point(&self) -> Value {
        match self {
            Self::Exponents { exponents, .. } => {
                json!({ "exponents": sha256(exponents.to_json().as_bytes()) })
            }
            Self::Samples { samples, .. } => {
                let mut bytes = Vec::new();
                for tensor in samples.iter().flatten() {
                    bytes.extend(format!("{:?}", tensor.dims()).into_bytes());
                    match tensor {
                        Tensor::F32(a) => bytes.extend(a.iter().flat_map(|v| v.to_le_bytes())),
                        Tensor::I8(a) => bytes.extend(a.iter().flat_map(|v| v.to_le_bytes())),
                    }
                }
                json!({ "samples": sha256(&bytes) })
            }
            Self::Noise { seed, samples } => json!({ "noise": samples, "seed": seed }),
        }
    }

    /// In words.
    pub fn describe(&self) -> String {
        match self {
            Self::Exponents { from, .. } => from.clone(),
            Self::Samples { samples, whose } => match samples.len() {
                1 => format!("1 sample of {whose}"),
                n => format!("{n} samples of {whose}"),
            },
            Self::Noise { seed, .. } => {
                format!("noise (seed {seed}); --calib FILE takes real samples")
            }
        }
    }
}
