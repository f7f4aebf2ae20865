//! What a program of a whole network holds besides launches: tensors in DRAM,
//! steps of the host, and layers.

use serde::{Deserialize, Serialize};
use vta_tensor::host::{DType, HostOp};

/// How a tensor lies in DRAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Row by row, little endian.
    Plain,
    /// int8 `[1, c, h, w]` or `[1, c]` as `[ceil(c / block)][h][w][block]`, the
    /// form of the device; channels past `c` are ignored when read, 0 when written.
    Blocked,
}

/// A tensor in DRAM.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Name of the tensor.
    pub tensor: String,
    /// Byte address.
    pub addr: u32,
    /// Dimensions.
    pub dims: Vec<usize>,
    /// Type of elements.
    pub dtype: DType,
    /// How it lies there.
    pub layout: Layout,
    /// Exponent of a step, for int8.
    pub exponent: Option<i32>,
}

/// A step of the host: reads tensors from DRAM, writes one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostStep {
    /// Name, unique among the steps.
    pub name: String,
    /// What it computes.
    pub op: HostOp,
    /// Operands.
    pub inputs: Vec<Region>,
    /// The result.
    pub output: Region,
}

/// A layer of the network, as it was compiled. Layers are in execution order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Name of the node; symbols of the launch have it too.
    pub name: String,
    /// Operators of the network in it (`Conv+Relu`).
    pub op: String,
    /// Where it runs, and which step of the program it is in.
    pub on: On,
    /// Index in `Program::steps`.
    pub step: u32,
    /// Why it runs there, where that needs a reason.
    pub why: String,
    /// 32x32 weight blocks that it has; 0 without weights.
    pub blocks: u64,
    /// Blocks that are in the program.
    pub kept: u64,
    /// Multiply-accumulates of the network's layer, padding and pruned blocks included.
    pub macs: u64,
    /// Cycles below which compute cannot go: kept GEMM steps and unavoidable ALU steps.
    pub compute_floor: u64,
    /// Cycles below which the memory cannot go: the larger of read beats
    /// (kept weights, needed inputs, once each) and store cycles.
    pub memory_floor: u64,
    /// The layer's result.
    pub output: Region,
    /// Where the layer's weights lie, which block each 16x16 (`block` x `block`) element is of.
    pub weights: Option<WeightMap>,
}

/// Where a layer runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum On {
    /// On VTA.
    Device,
    /// On the host.
    Host,
}

/// Weight elements of a layer in DRAM: for each, in order, which block it is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightMap {
    /// Byte address of the first element.
    pub addr: u32,
    /// Number of elements.
    pub count: u32,
    /// For masked layers: dimensions of the mask `[co, ci, kh, kw]` in 32x32 blocks, else empty.
    pub mask_dims: Vec<usize>,
    /// For masked layers: the mask, a digit `0` or `1` for each block, row by row.
    pub mask: String,
    /// For masked layers: the block index (row by row) of each element.
    pub block_of: Vec<u32>,
}
