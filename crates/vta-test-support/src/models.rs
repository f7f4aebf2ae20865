//! Real models, where they are at hand.

use super::shared;
use std::fs;
use vta_net::graph::{Graph, onnx};

/// The models, by name.
pub const MODELS: [&str; 5] = [
    "resnet8_cifar10",
    "dscnn_kws",
    "autoencoder_toycar",
    "ultraface_rfb_320",
    "mnist",
];

/// The bytes of a shared file, see [`shared()`].
///
/// # Panics
///
/// As [`shared()`], or if the file cannot be read.
pub fn bytes(path: &str) -> Option<Vec<u8>> {
    let path = shared(path)?;
    Some(fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

/// A model of [`MODELS`], imported; nothing where the models are not at hand.
///
/// # Panics
///
/// As [`bytes`], or if the model cannot be imported.
pub fn model(name: &str) -> Option<Graph> {
    let bytes = bytes(&format!("models/{name}.onnx"))?;
    Some(onnx::import(&bytes, name).unwrap_or_else(|e| panic!("{name}: {e}")))
}
