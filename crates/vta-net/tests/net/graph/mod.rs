//! The graph: zoo, ONNX in and out.

mod errors;
mod forms;
mod model;
mod mutation;
mod operators;
mod proto;
mod roundtrip;
mod shared;
mod zoo;
