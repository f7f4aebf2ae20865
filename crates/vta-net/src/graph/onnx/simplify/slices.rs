//! Slices that a concatenation puts together again.

use super::Pass;
use crate::graph::{Op, TensorId};

impl Pass {
    /// Where all parts of a tensor stand in a concatenation one after the other, the
    /// tensor stands there. Who else reads a part still does.
    pub(super) fn join_slices(&mut self) {
        for i in 0..self.builder.nodes.len() {
            let Op::Concat { axis } = self.builder.nodes[i].op else {
                continue;
            };
            if self.gone[i] {
                continue;
            }
            let inputs = self.builder.nodes[i].inputs.clone();
            let mut joined = Vec::with_capacity(inputs.len());
            let mut rest = inputs.as_slice();
            while let [first, behind @ ..] = rest {
                match self.whole(rest, axis) {
                    Some((of, count)) => {
                        joined.push(of);
                        rest = &rest[count..];
                    }
                    None => {
                        joined.push(*first);
                        rest = behind;
                    }
                }
            }
            self.builder.nodes[i].inputs = joined;
        }
        self.drop_unread();
    }

    /// The tensor of which the first of these are all parts in order, and their number.
    fn whole(&self, parts: &[TensorId], axis: usize) -> Option<(TensorId, usize)> {
        let slice = |t: TensorId| {
            let node = self.made_by(t)?;
            match node.op {
                Op::Slice {
                    axis: along,
                    start,
                    step: 1,
                } if along == axis => Some((node.inputs[0], start)),
                _ => None,
            }
        };
        let (of, _) = slice(*parts.first()?)?;
        let extent = self.dims(of)[axis];
        let mut at = 0;
        for (k, t) in parts.iter().enumerate() {
            let (from, start) = slice(*t)?;
            if from != of || start != at {
                return None;
            }
            at += self.dims(*t)[axis];
            if at == extent {
                return Some((of, k + 1));
            }
        }
        None
    }
}
