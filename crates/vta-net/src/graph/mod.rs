//! The float network: a graph of operators on `petgraph`.
//!
//! What an importer or the zoo builds and the quantiser reads. Constants are
//! already folded: weights sit in their operators, every tensor of the graph
//! is computed at run time and has fixed dimensions, batch (1) included.

mod builder;
pub(crate) mod canonical;
pub(crate) mod macs;
pub mod onnx;
mod shape;
pub mod zoo;

pub use builder::{Builder, ConvSpec};
pub use shape::{MAX_ELEMENTS, ShapeError};
pub use vta_tensor::Window;
pub use vta_tensor::host::{Function, HostOp};

use crate::weight::Weight;
use ndarray::{Array1, ArrayD, Ix2, Ix4};
use petgraph::graph::{DiGraph, NodeIndex};

/// A tensor of a [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TensorId(pub usize);

/// Name and dimensions of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name, unique in the graph.
    pub name: String,
    /// Dimensions, batch first where there is one.
    pub dims: Vec<usize>,
}

/// A convolution.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv {
    /// Name of the weight's initializer: the key of its mask.
    pub weight_name: String,
    /// `[co, ci / groups, kh, kw]`.
    pub weight: Weight<f32, Ix4>,
    /// `[co]`, zeros where the model has none.
    pub bias: Array1<f32>,
    /// The kernel's window.
    pub window: Window,
    /// Groups; `ci` groups are a depthwise convolution.
    pub groups: usize,
}

impl Conv {
    /// Whether each output channel reads one input channel, and there are several.
    pub fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.weight.dim().1 == 1
    }
}

/// A dense layer: `y = W x + b` for each row of `x`.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// Name of the weight's initializer: the key of its mask.
    pub weight_name: String,
    /// `[out, in]`.
    pub weight: Weight<f32, Ix2>,
    /// Whether the initializer is `[in, out]` in the file (MatMul, Gemm without `transB`).
    pub transposed: bool,
    /// `[out]`, zeros where the model has none.
    pub bias: Array1<f32>,
}

/// A constant operand, broadcast as ONNX does.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant {
    /// Name of the initializer.
    pub name: String,
    /// Values.
    pub values: ArrayD<f32>,
}

/// What a node computes. Names are ONNX's.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Convolution, input `[1, ci, h, w]`.
    Conv(Conv),
    /// Dense layer on the last dimension.
    Dense(Dense),
    /// Sum of two tensors, broadcast.
    Add,
    /// Product of two tensors, broadcast.
    Mul,
    /// Product of two matrices that are both computed.
    MatMul,
    /// Sum with a constant.
    AddConst(Constant),
    /// Product with a constant.
    MulConst(Constant),
    /// For each channel (dimension 1): `x * scale + shift`.
    Scale {
        /// `[c]`.
        scale: Array1<f32>,
        /// `[c]`.
        shift: Array1<f32>,
    },
    /// max(x, 0).
    Relu,
    /// x between two bounds.
    Clip {
        /// Lower bound.
        min: f32,
        /// Upper bound.
        max: f32,
    },
    /// x, or `alpha * x` below zero.
    LeakyRelu {
        /// Slope below zero.
        alpha: f32,
    },
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// Functions of single elements, one after the other.
    Elementwise(Vec<Function>),
    /// Softmax along an axis.
    Softmax {
        /// The axis.
        axis: usize,
    },
    /// Largest value in a window; padding does not count.
    MaxPool(Window),
    /// Mean of a window; global pooling has a window as large as the map.
    AveragePool {
        /// The window.
        window: Window,
        /// Whether padding counts as values.
        count_include_pad: bool,
    },
    /// Mean over axes; whether they stay as 1 follows from the output's dimensions.
    ReduceMean {
        /// The axes.
        axes: Vec<usize>,
    },
    /// One after the other along an axis.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// A range of an axis.
    Slice {
        /// The axis.
        axis: usize,
        /// First index.
        start: usize,
        /// Distance of indices; their number follows from the output's dimensions.
        step: usize,
    },
    /// Nearest neighbour upsampling of `[1, c, h, w]` by whole factors.
    Resize {
        /// Down, right.
        factor: [usize; 2],
    },
    /// The same elements in other dimensions.
    Reshape,
    /// Permuted axes: dimension `i` of the result is dimension `perm[i]`.
    Transpose {
        /// The permutation.
        perm: Vec<usize>,
    },
    /// Constant padding.
    Pad {
        /// Elements before and after, for each dimension.
        pads: Vec<(usize, usize)>,
        /// The constant.
        value: f32,
    },
    /// What the host alone does, in single precision.
    Host(HostOp),
}

impl Op {
    /// ONNX's name of the operator.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Conv(_) => "Conv",
            Self::Dense(_) => "Gemm",
            Self::Add | Self::AddConst(_) => "Add",
            Self::Mul | Self::MulConst(_) => "Mul",
            Self::MatMul => "MatMul",
            Self::Scale { .. } => "BatchNormalization",
            Self::Relu => "Relu",
            Self::Clip { .. } => "Clip",
            Self::LeakyRelu { .. } => "LeakyRelu",
            Self::Sigmoid => "Sigmoid",
            Self::Elementwise(functions) => match functions.as_slice() {
                [f] => f.name(),
                _ => "Elementwise",
            },
            Self::Softmax { .. } => "Softmax",
            Self::MaxPool(_) => "MaxPool",
            Self::AveragePool { .. } => "AveragePool",
            Self::ReduceMean { .. } => "ReduceMean",
            Self::Concat { .. } => "Concat",
            Self::Slice { .. } => "Slice",
            Self::Resize { .. } => "Resize",
            Self::Reshape => "Reshape",
            Self::Transpose { .. } => "Transpose",
            Self::Pad { .. } => "Pad",
            Self::Host(op) => op.name(),
        }
    }
}

/// One operator and its tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Name, unique in the graph.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// Operands, in ONNX's order without the constants.
    pub inputs: Vec<TensorId>,
    /// The result.
    pub output: TensorId,
}

/// Networks are equal when names, tensors (by id) and nodes (in order) are.
impl PartialEq for Graph {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.inputs == other.inputs
            && self.outputs == other.outputs
            && self.batch == other.batch
            && self.tensors == other.tensors
            && self.nodes().eq(other.nodes())
    }
}

/// A network. Nodes can be visited in an order in which operands come first.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// Name.
    pub name: String,
    /// Inputs of the network.
    pub inputs: Vec<TensorId>,
    /// Outputs of the network.
    pub outputs: Vec<TensorId>,
    /// Elements of the batch in the file: the network is that of one of them.
    pub batch: usize,
    tensors: Vec<TensorInfo>,
    dag: DiGraph<Node, TensorId>,
    producer: Vec<Option<NodeIndex>>,
}

impl Graph {
    /// An empty network.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            batch: 1,
            ..Self::default()
        }
    }

    /// Adds a tensor.
    pub fn add_tensor(&mut self, name: impl Into<String>, dims: &[usize]) -> TensorId {
        self.tensors.push(TensorInfo {
            name: name.into(),
            dims: dims.to_vec(),
        });
        self.producer.push(None);
        TensorId(self.tensors.len() - 1)
    }

    /// Adds a node whose operands were added before it: the graph stays free of circles.
    pub fn add_node(&mut self, node: Node) {
        let (inputs, output) = (node.inputs.clone(), node.output);
        let at = self.dag.add_node(node);
        for t in inputs {
            if let Some(p) = self.producer[t.0] {
                self.dag.add_edge(p, at, t);
            }
        }
        self.producer[output.0] = Some(at);
    }

    /// A tensor's name and dimensions.
    ///
    /// # Panics
    /// A tensor of another graph.
    pub fn tensor(&self, t: TensorId) -> &TensorInfo {
        &self.tensors[t.0]
    }

    /// All tensors, in the order of their ids.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// The nodes in the order in which they were added: operands come first.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.dag.node_weights()
    }

    /// The nodes, to change their operators in place.
    pub fn nodes_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.dag.node_weights_mut()
    }

    /// The node that computes a tensor; none for inputs of the network.
    ///
    /// # Panics
    /// A tensor of another graph.
    pub fn producer(&self, t: TensorId) -> Option<&Node> {
        self.producer[t.0].map(|n| &self.dag[n])
    }
}
