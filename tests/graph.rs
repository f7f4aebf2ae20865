//! The graph: zoo, ONNX in and out.
#[path = "graph/zoo.rs"]
mod zoo;
