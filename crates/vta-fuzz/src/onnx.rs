//! Bytes of ONNX models.

use crate::networks::{small, survives, through};
use vta_compile::Sparsity;
use vta_net::graph::onnx::import;
use vta_program::config::HwConfig;

pub(crate) fn run(data: &[u8]) {
    let graph = match import(data, "fuzz.onnx") {
        Ok(graph) => graph,
        Err(e) => return assert!(e.to_string().starts_with("fuzz.onnx"), "{e}"),
    };
    if !small(&graph) {
        return;
    }
    survives(&graph);
    through(&graph, &HwConfig::de10(), Sparsity::Dense);
}
