//! The graph: zoo, ONNX in and out.
#[path = "graph/roundtrip.rs"]
mod roundtrip;
#[path = "graph/shared.rs"]
mod shared;
#[path = "graph/zoo.rs"]
mod zoo;
