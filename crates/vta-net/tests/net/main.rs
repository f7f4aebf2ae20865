//! Networks: the graph and ONNX, masks, quantisation.

mod graph;
mod quant;
mod sparse;
