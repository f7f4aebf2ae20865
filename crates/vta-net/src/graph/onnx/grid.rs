//! Quantised tensors of the file: which real values their integers stand for.

use super::error::Res;
use super::graph_builder::GraphBuilder;
use super::import::Importer;
use super::node::OnnxNode;
use crate::graph::{Function, HostOp, Op, TensorId};

/// Integers `q` that stand for `(q - zero) * scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Grid {
    pub scale: f32,
    pub zero: f32,
}

impl Grid {
    /// Integers that stand for themselves.
    pub const NUMBERS: Self = Self {
        scale: 1.0,
        zero: 0.0,
    };

    /// The real value of an integer.
    pub fn real(self, q: f32) -> f32 {
        (q - self.zero) * self.scale
    }

    /// From real values to integers.
    fn functions(self) -> Vec<Function> {
        let mut all = vec![
            Function::Mul {
                value: self.scale.recip(),
            },
            Function::Round,
        ];
        if self.zero != 0.0 {
            all.push(Function::Add { value: self.zero });
        }
        all
    }
}

/// Whether results are among the operands' elements, whatever these stand for.
pub(super) fn moves(op: &Op) -> bool {
    matches!(
        op,
        Op::Reshape
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::Concat { .. }
            | Op::Resize { .. }
            | Op::MaxPool(_)
            | Op::Host(HostOp::Gather { .. } | HostOp::Rearrange { .. })
    )
}

/// Operators of the file that only move the integers of quantised tensors.
pub(super) fn moves_integers(op: &str) -> bool {
    matches!(
        op,
        "Reshape"
            | "Flatten"
            | "Squeeze"
            | "Unsqueeze"
            | "Transpose"
            | "Slice"
            | "Split"
            | "Concat"
            | "Gather"
            | "Expand"
            | "Tile"
            | "Identity"
            | "MaxPool"
            | "GlobalMaxPool"
            | "DepthToSpace"
            | "SpaceToDepth"
    )
}

impl GraphBuilder {
    /// Whether the elements of a tensor are integers in the file, also where they were
    /// only moved, added or multiplied since.
    pub fn is_integer(&self, t: TensorId) -> bool {
        let mut open = vec![t];
        while let Some(t) = open.pop() {
            if self.integers.contains(&t) {
                continue;
            }
            match self.made_by(t) {
                Some(n) if moves(&n.op) || matches!(n.op, Op::Add | Op::Mul) => {
                    open.extend(&n.inputs);
                }
                _ => return false,
            }
        }
        true
    }

    /// The grid of a quantised tensor, also where its elements were only moved since.
    pub fn grid(&self, t: TensorId) -> Option<Grid> {
        let mut t = t;
        loop {
            if let Some(known) = self.grids.get(&t) {
                return *known;
            }
            let node = self.made_by(t).filter(|n| moves(&n.op))?;
            let (first, rest) = node.inputs.split_first()?;
            if !rest.is_empty() {
                let all = self.grid(*first);
                return all.filter(|_| rest.iter().all(|r| self.grid(*r) == all));
            }
            t = *first;
        }
    }
}

impl Importer {
    /// The grid of a tensor, if it is quantised.
    pub fn grid(&self, t: TensorId) -> Option<Grid> {
        self.builder.grid(t)
    }

    /// Says that a tensor is quantised.
    pub fn set_grid(&mut self, t: TensorId, grid: Grid) {
        self.builder.grids.insert(t, Some(grid));
    }

    /// The same tensor under another name, which stands for its real values.
    pub fn ungridded(&mut self, n: &OnnxNode<'_>, t: TensorId) -> Res<TensorId> {
        let dims = self.dims(t).to_vec();
        let y = self.step_to(n, Op::Reshape, &[t], Some(&dims))?;
        self.builder.grids.insert(y, None);
        Ok(y)
    }

    /// The integers of a quantised tensor; any other stays.
    pub fn numbers(&mut self, n: &OnnxNode<'_>, t: TensorId) -> Res<TensorId> {
        match self.grid(t).filter(|g| *g != Grid::NUMBERS) {
            None => Ok(t),
            Some(grid) => {
                let y = self.step(n, Op::Elementwise(grid.functions()), &[t])?;
                self.builder.grids.insert(y, None);
                Ok(y)
            }
        }
    }

    /// The integers of a quantised output of the network, under its name.
    pub fn output_numbers(&mut self, name: &str, t: TensorId) -> Res<TensorId> {
        match self.grid(t).filter(|g| *g != Grid::NUMBERS) {
            None => Ok(t),
            Some(grid) => {
                let op = Op::Elementwise(grid.functions());
                let fresh = self.builder.tensor_names.fresh(name);
                let y = self.builder.push(name, fresh, op, &[t], None)?;
                self.builder.grids.insert(y, None);
                Ok(y)
            }
        }
    }
}
