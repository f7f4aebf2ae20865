//! Which nodes of a graph become one node of the integer network, and where each runs.
//!
//! Independent of values: no exponent is known here.

mod build;
mod dense;
mod fuse;
mod leaky;
mod merge;
mod weights;

use crate::graph::canonical::Affine;
use crate::graph::{Graph, Node, TensorId, Window};
use vta_tensor::host::{Function, HostOp};

pub(crate) use build::plan;
pub use leaky::slope;
pub(crate) use weights::{Layout, Weights};

/// What holds a tensor's values where they are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Int8,
    Float,
}

/// A tensor: those of the graph, with their ids, and then some that only the plan has.
#[derive(Debug, Clone)]
pub(crate) struct PlanTensor {
    pub name: String,
    pub dims: Vec<usize>,
    /// The graph's tensor that has the same values.
    pub like: TensorId,
    /// Set when its step is planned.
    pub form: Form,
}

/// What a step does.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// A convolution of the device; operands are input and maybe residual.
    Linear(Box<Linear>),
    /// Max pooling of the device.
    MaxPool(Window),
    /// Moves int8 elements, on the host; a padding constant is in real units.
    Move(HostOp),
    /// Functions of single elements from int8 to int8, on the host, by a table.
    Table(Vec<Function>),
    /// Float operators of the host, one after the other.
    Float(Vec<HostOp>),
}

/// A node of the integer network to be.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub name: String,
    /// Operators, with `+` between.
    pub source: String,
    pub kind: Kind,
    pub inputs: Vec<TensorId>,
    pub output: TensorId,
    /// Why the host does it.
    pub why: String,
}

/// A convolution in real numbers, and what follows it.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    pub weights: Weights,
    /// Per output channel, after the sum.
    pub fold: Vec<Affine>,
    /// Convolutions of the same input that are part of the sum.
    pub branches: Vec<Branch>,
    pub window: Window,
    pub groups: usize,
    /// The slope below zero as powers of two.
    pub leaky: Option<Vec<u8>>,
    pub clip: (f32, f32),
    /// The graph's tensor before slope, residual and limits.
    pub before: TensorId,
    pub weight_name: String,
    pub keep_dense: bool,
}

/// A convolution that is added to another one of the same input.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    pub weights: Weights,
    pub fold: Vec<Affine>,
    pub window: Window,
    pub groups: usize,
    /// The graph's tensor with its sums.
    pub before: TensorId,
}

impl Linear {
    /// The graph's tensors whose sum is there before slope, residual and limits.
    pub fn befores(&self) -> Vec<TensorId> {
        let branches = self.branches.iter().map(|b| b.before);
        std::iter::once(self.before).chain(branches).collect()
    }
}

/// The plan of a whole graph.
#[derive(Debug)]
pub(crate) struct Plan<'g> {
    pub graph: &'g Graph,
    /// The graph's nodes, to be found by index.
    pub nodes: Vec<&'g Node>,
    pub tensors: Vec<PlanTensor>,
    /// In the order of execution.
    pub steps: Vec<Step>,
}

impl Plan<'_> {
    pub fn tensor(&self, t: TensorId) -> &PlanTensor {
        &self.tensors[t.0]
    }

    /// Whether a step needs its operands in int8.
    pub const fn reads_int8(kind: &Kind) -> bool {
        matches!(
            kind,
            Kind::Linear(_) | Kind::MaxPool(_) | Kind::Move(_) | Kind::Table(_)
        )
    }

    /// The tensors that exist in int8, computed so or converted.
    pub fn in_int8(&self) -> Vec<bool> {
        let mut int8: Vec<bool> = self.tensors.iter().map(|_| false).collect();
        for step in self.steps.iter().filter(|s| Self::reads_int8(&s.kind)) {
            int8[step.output.0] = true;
            for t in &step.inputs {
                int8[t.0] = true;
            }
        }
        int8
    }

    /// Takes away what nobody reads.
    fn sweep(&mut self) {
        let mut read = vec![false; self.tensors.len()];
        for t in &self.graph.outputs {
            read[t.0] = true;
        }
        let mut keep = vec![false; self.steps.len()];
        for (step, keep) in self.steps.iter().zip(&mut keep).rev() {
            *keep = read[step.output.0];
            if *keep {
                step.inputs.iter().for_each(|t| read[t.0] = true);
            }
        }
        let mut keep = keep.into_iter();
        self.steps.retain(|_| keep.next().unwrap_or(true));
    }
}
