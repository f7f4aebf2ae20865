//! The integer network: what the device computes, to the bit.
//!
//! Everything that VTA does is a [`QConv`] or a [`QOp::MaxPool`]: dense layers,
//! depthwise convolutions, average pools, sums and lone activations are
//! convolutions too. The rest is for the host.

use crate::graph::macs::pixels;
use crate::graph::{TensorId, Window};
use crate::weight::Weight;
use ndarray::Ix4;
use std::collections::BTreeMap;
use vta_tensor::host::HostOp;

/// A tensor of a [`QNet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QTensorId(pub usize);

/// Type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QType {
    /// int8: a value is `q * 2^exponent`, over its factor in [`QNet::factors`].
    Int8 {
        /// The exponent of a step.
        exponent: i32,
    },
    /// Single precision, on the host only.
    Float,
}

/// Name, dimensions and type of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QTensor {
    /// Name, unique in the network.
    pub name: String,
    /// Dimensions, batch (1) first: `[1, c, h, w]` or `[1, c]` on the device,
    /// any on the host.
    pub dims: Vec<usize>,
    /// Type.
    pub ty: QType,
}

/// By how much accumulators are shifted right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shift {
    /// One amount for the layer: an immediate.
    Layer(u8),
    /// An amount for each output channel: a register operand.
    Channel(Vec<u8>),
}

impl Shift {
    /// The amount for a channel.
    pub fn of(&self, channel: usize) -> u8 {
        match self {
            Self::Layer(s) => *s,
            Self::Channel(s) => s[channel],
        }
    }
}

/// A convolution and all that follows it on one output element.
///
/// With `half(s)` = `1 << (s - 1)`, or 0 for `s` = 0, an output of channel `c` is, in int32:
///
/// ```text
/// a = bias[c] + half(s) + (half(post_shift) << s) + sum of weight * input
/// a = max(a, sum of a >> k for k in leaky)              if leaky is there
/// a = a >> s                                            s = shift.of(c)
/// a = a + (residual << residual_shift)                  if there is a second operand
/// a = a >> post_shift                                   (half(post_shift) came with the bias)
/// output = a limited to clamp.0 ..= clamp.1
/// ```
///
/// The quantiser proves that no sum leaves int32. `half(post_shift)` is added
/// only when `post_shift` > 0.
#[derive(Debug, Clone, PartialEq)]
pub struct QConv {
    /// Name of the weight's initializer; empty where there is none.
    pub weight_name: String,
    /// `[co, ci / groups, kh, kw]`. A dense layer is `[out, in, 1, 1]`. Its mask, if
    /// it has one, says which blocks a sparse program leaves out.
    pub weight: Weight<i8, Ix4>,
    /// Sum's start, `[co]`.
    pub bias: Vec<i32>,
    /// The window.
    pub window: Window,
    /// Groups.
    pub groups: usize,
    /// The shift after the sum; at most 31.
    pub shift: Shift,
    /// `[k, ...]`: below zero the slope is the sum of `2^-k`.
    pub leaky: Option<Vec<u8>>,
    /// Left shift of the second operand; 0 to 6.
    pub residual_shift: u8,
    /// Shift after the second operand was added.
    pub post_shift: u8,
    /// Limits of the output, inside -128..=127.
    pub clamp: (i8, i8),
}

/// What a node computes.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "most nodes are convolutions, whose weights are far larger"
)]
pub enum QOp {
    /// Operands: input, and maybe a residual with the dimensions of the output. For the device.
    Conv(QConv),
    /// Largest value in a window; operand and result share an exponent. For the device.
    MaxPool(Window),
    /// For the host.
    Host(HostOp),
}

/// One node of the integer network.
#[derive(Debug, Clone, PartialEq)]
pub struct QNode {
    /// Name, unique in the network.
    pub name: String,
    /// The operators of the float network in it, as ONNX calls them, with `+` between (`Conv+Add+Relu`).
    pub source: String,
    /// What it computes.
    pub op: QOp,
    /// Operands.
    pub inputs: Vec<QTensorId>,
    /// The result.
    pub output: QTensorId,
    /// For host nodes: why the device does not do it (`softmax needs exp`).
    pub why: String,
}

/// An integer network. Inputs and outputs may be float: then host nodes convert.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QNet {
    /// Name.
    pub name: String,
    /// Tensors, by id.
    pub tensors: Vec<QTensor>,
    /// In the order of execution: operands come first.
    pub nodes: Vec<QNode>,
    /// Inputs of the network.
    pub inputs: Vec<QTensorId>,
    /// Outputs of the network.
    pub outputs: Vec<QTensorId>,
    /// By what the values of a tensor were multiplied before they were rounded, where
    /// it is not 1: weights around it have this factor too. Never where the host converts.
    pub factors: BTreeMap<QTensorId, f32>,
    /// The float network's tensor that a tensor stands for, where there is one.
    pub values_of: BTreeMap<QTensorId, TensorId>,
}

impl QNet {
    /// A tensor's name, dimensions and type.
    ///
    /// # Panics
    /// A tensor of another network.
    pub fn tensor(&self, t: QTensorId) -> &QTensor {
        &self.tensors[t.0]
    }

    /// What one step of an int8 tensor is in the float network; none if it is float.
    ///
    /// # Panics
    /// A tensor of another network.
    pub fn step(&self, t: QTensorId) -> Option<f64> {
        let QType::Int8 { exponent } = self.tensor(t).ty else {
            return None;
        };
        let factor = self.factors.get(&t).copied().unwrap_or(1.);
        Some(2_f64.powi(exponent) / f64::from(factor))
    }

    /// Multiply-accumulates of a node with weights of the network, zeros and
    /// padding included; 0 for all others, pools and sums as convolutions too.
    pub fn macs(&self, node: &QNode) -> u64 {
        match &node.op {
            QOp::Conv(c) if !c.weight_name.is_empty() => {
                c.weight.len() as u64 * pixels(&self.tensor(node.output).dims)
            }
            _ => 0,
        }
    }

    /// As [`QNet::macs`], without the weights in dropped blocks.
    pub fn kept_macs(&self, node: &QNode) -> u64 {
        match &node.op {
            QOp::Conv(c) if !c.weight_name.is_empty() => {
                c.weight.kept_len() as u64 * pixels(&self.tensor(node.output).dims)
            }
            _ => 0,
        }
    }

    /// Adds a tensor.
    pub fn add_tensor(&mut self, name: impl Into<String>, dims: &[usize], ty: QType) -> QTensorId {
        self.tensors.push(QTensor {
            name: name.into(),
            dims: dims.to_vec(),
            ty,
        });
        QTensorId(self.tensors.len() - 1)
    }
}
