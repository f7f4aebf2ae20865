//! The graph: zoo, ONNX in and out.
#[path = "graph/errors.rs"]
mod errors;
#[path = "graph/model.rs"]
mod model;
#[path = "graph/mutation.rs"]
mod mutation;
#[path = "graph/operators/mod.rs"]
mod operators;
#[path = "graph/proto.rs"]
mod proto;
#[path = "graph/roundtrip.rs"]
mod roundtrip;
#[path = "graph/shared.rs"]
mod shared;
#[path = "graph/zoo.rs"]
mod zoo;
