//! Real models and data, where they are at hand.
#![allow(dead_code)] // every test takes a part

use std::{fs, path::Path};
use vta::graph::{Graph, onnx};

/// The models, by name.
pub const MODELS: [&str; 5] = [
    "resnet8_cifar10",
    "dscnn_kws",
    "autoencoder_toycar",
    "ultraface_rfb_320",
    "mnist",
];

/// A shared file; nothing if there is no such folder at all.
pub fn shared(path: &str) -> Option<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if !folder.exists() {
        return None;
    }
    let path = folder.join(path);
    let bytes = fs::read(&path);
    Some(bytes.unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

/// A model.
pub fn model(name: &str) -> Option<Graph> {
    let bytes = shared(&format!("models/{name}.onnx"))?;
    Some(onnx::import(&bytes, name).unwrap_or_else(|e| panic!("{name}: {e}")))
}
