//! Normalisations that exporters write as means, squares and roots become one operator.

use super::Pass;
use crate::graph::{Function, HostOp, Node, Op, TensorId};

impl Pass {
    /// `(x - mean) / sqrt(variance + epsilon)` under its name; the rest is left unread.
    pub(super) fn merge_normalisations(&mut self) {
        for i in 0..self.builder.nodes.len() {
            if self.gone[i] {
                continue;
            }
            if let Some((x, op)) = self.normalisation(&self.builder.nodes[i]) {
                let node = &mut self.builder.nodes[i];
                node.op = Op::Host(op);
                node.inputs = vec![x];
            }
        }
        self.drop_unread();
    }

    fn normalisation(&self, node: &Node) -> Option<(TensorId, HostOp)> {
        let (Op::Mul, [a, b]) = (&node.op, &node.inputs[..]) else {
            return None;
        };
        self.divided(*a, *b).or_else(|| self.divided(*b, *a))
    }

    /// A deviation from the mean times the inverse of its size.
    fn divided(&self, d: TensorId, inverse: TensorId) -> Option<(TensorId, HostOp)> {
        let inverse = self.made_by(inverse)?;
        let Op::Elementwise(functions) = &inverse.op else {
            return None;
        };
        let (own, root) = match functions.as_slice() {
            [Function::Add { value }, root @ ..] => (Some(*value), root),
            root => (None, root),
        };
        if !matches!(
            root,
            [Function::Sqrt, Function::Reciprocal] | [Function::Pow { exponent: -0.5 }]
        ) {
            return None;
        }
        let (epsilon, variance) = match own {
            Some(epsilon) => (epsilon, self.made_by(inverse.inputs[0])?),
            None => self.plus_scalar(inverse.inputs[0])?,
        };
        let (Op::ReduceMean { axes }, &[square]) = (&variance.op, &variance.inputs[..]) else {
            return None;
        };
        if self.square(square)? != d {
            return None;
        }
        let (x, of) = self.centred(d)?;
        let kept = self.dims(variance.output).len() == self.dims(x).len();
        (of == *axes && kept).then(|| {
            let axes = axes.clone();
            (x, HostOp::Normalize { axes, epsilon })
        })
    }

    /// A number that is added to a node's result.
    fn plus_scalar(&self, t: TensorId) -> Option<(f32, &Node)> {
        let node = self.made_by(t)?;
        match &node.op {
            Op::AddConst(c) if c.values.len() == 1 => {
                Some((*c.values.iter().next()?, self.made_by(node.inputs[0])?))
            }
            _ => None,
        }
    }

    /// The tensor of which another is the square.
    fn square(&self, t: TensorId) -> Option<TensorId> {
        let node = self.made_by(t)?;
        match (&node.op, &node.inputs[..]) {
            (Op::Mul, [a, b]) => (a == b).then_some(*a),
            (Op::Elementwise(f), [x]) => match f.as_slice() {
                [Function::Pow { exponent: 2.0 }] => Some(*x),
                [Function::Product { left, right }] => {
                    (left.is_empty() && right.is_empty()).then_some(*x)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The tensor from which its mean was taken away, and the mean's axes.
    fn centred(&self, d: TensorId) -> Option<(TensorId, Vec<usize>)> {
        let sum = self.made_by(d)?;
        let (Op::Add, [a, b]) = (&sum.op, &sum.inputs[..]) else {
            return None;
        };
        [(*a, *b), (*b, *a)].into_iter().find_map(|(x, m)| {
            let minus = self.made_by(m)?;
            let is_minus = match &minus.op {
                Op::MulConst(c) => c.values.iter().all(|v| *v == -1.0),
                _ => false,
            };
            let mean = self.made_by(*minus.inputs.first()?)?;
            match &mean.op {
                Op::ReduceMean { axes } if is_minus && mean.inputs[..] == [x] => {
                    Some((x, axes.clone()))
                }
                _ => None,
            }
        })
    }
}
