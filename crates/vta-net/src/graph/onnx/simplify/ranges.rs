//! What changes nothing goes: limits that a tensor has already, zeros that are
//! added, ones that are multiplied by.

use super::Pass;
use crate::graph::onnx::grid::moves;
use crate::graph::{Constant, Function, Op, TensorId};

/// Bounds that all values of a tensor have.
#[derive(Debug, Clone, Copy)]
struct Range {
    low: f32,
    high: f32,
}

const ANY: Range = Range {
    low: f32::NEG_INFINITY,
    high: f32::INFINITY,
};

impl Range {
    const fn within(self, min: f32, max: f32) -> bool {
        self.low >= min && self.high <= max
    }

    fn clipped(self, min: f32, max: f32) -> Self {
        let within = |x: f32| x.max(min).min(max);
        Self {
            low: within(self.low),
            high: within(self.high),
        }
    }

    const fn with(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }
}

fn all(c: &Constant, value: f32) -> bool {
    c.values.iter().all(|v| *v == value)
}

impl Pass {
    /// Takes away nodes whose results are their operands.
    pub(super) fn drop_neutral(&mut self) {
        let mut ranges = vec![ANY; self.builder.tensors.len()];
        for i in 0..self.builder.nodes.len() {
            if self.gone[i] {
                continue;
            }
            self.read_what_stands(i);
            let node = &self.builder.nodes[i];
            let output = node.output;
            let of: Vec<Range> = node.inputs.iter().map(|t| ranges[t.0]).collect();
            ranges[output.0] = range(&node.op, &of);
            let Some(&x) = node.inputs.first() else {
                continue;
            };
            let nothing = match &node.op {
                Op::Relu => of[0].within(0.0, f32::INFINITY),
                Op::Clip { min, max } => of[0].within(*min, *max),
                Op::AddConst(c) => all(c, 0.0),
                Op::MulConst(c) => all(c, 1.0),
                _ => false,
            };
            let same = self.dims(x) == self.dims(output);
            if nothing && same && self.takes_the_place(x, output) {
                self.stands_for[output.0] = x;
                self.gone[i] = true;
            }
        }
        self.settle();
    }

    /// Outputs are what stands for them.
    pub(super) fn settle(&mut self) {
        for t in &mut self.builder.outputs {
            *t = self.stands_for[t.0];
        }
        self.drop_unread();
    }

    /// Whether the elements of a tensor are moved only by this node.
    pub(super) fn alone(&self, t: TensorId, reader: usize) -> bool {
        self.readers
            .all(t)
            .is_some_and(|r| r.iter().all(|n| *n == reader))
    }
}

/// The bounds of a result.
fn range(op: &Op, of: &[Range]) -> Range {
    let first = of.first().copied().unwrap_or(ANY);
    match op {
        Op::Relu => first.clipped(0.0, f32::INFINITY),
        Op::Clip { min, max } => first.clipped(*min, *max),
        Op::Sigmoid | Op::Softmax { .. } => ANY.clipped(0.0, 1.0),
        Op::Elementwise(functions) => match functions.last() {
            Some(Function::Sigmoid | Function::HardSigmoid { .. }) => ANY.clipped(0.0, 1.0),
            Some(Function::Clip { min, max }) => ANY.clipped(*min, *max),
            Some(Function::Tanh | Function::Erf) => ANY.clipped(-1.0, 1.0),
            _ => ANY,
        },
        Op::AveragePool {
            window,
            count_include_pad,
        } => match *count_include_pad && window.pads != [0; 4] {
            true => first.with(ANY.clipped(0.0, 0.0)),
            false => first,
        },
        Op::ReduceMean { .. } => first,
        Op::Pad { value, .. } => first.with(Range {
            low: *value,
            high: *value,
        }),
        op if moves(op) => of.iter().copied().reduce(Range::with).unwrap_or(ANY),
        _ => ANY,
    }
}
