//! The graph: zoo, ONNX in and out.
#[path = "graph/shared.rs"]
mod shared;
#[path = "graph/zoo.rs"]
mod zoo;
#[path = "graph/roundtrip.rs"]
mod roundtrip;
