//! Operators on single elements, written over an operand that nobody else reads.

use super::Value;
use super::values::Values;
use crate::graph::{Node, Op};
use ndarray::Axis;

/// The result of an operator that changes each element by itself; none for all others.
pub(super) fn evaluate(node: &Node, at: usize, values: &mut Values) -> Option<Value> {
    let &x = node.inputs.first()?;
    match &node.op {
        Op::Relu => Some(each(values.own(node, at, x)?, |x| x.max(0.))),
        Op::Clip { min, max } => Some(each(values.own(node, at, x)?, |x| x.max(*min).min(*max))),
        Op::LeakyRelu { alpha } => {
            let slope = |x: f32| if x < 0. { alpha * x } else { x };
            Some(each(values.own(node, at, x)?, slope))
        }
        Op::Scale { scale, shift } => {
            let channels = *values.get(x)?.dims().get(1)?;
            if scale.len() != channels || shift.len() != channels {
                return None;
            }
            let mut y = values.own(node, at, x)?;
            for (i, mut y) in y.axis_iter_mut(Axis(1)).enumerate() {
                let (scale, shift) = (scale[i], shift[i]);
                y.mapv_inplace(|y| y * scale + shift);
            }
            Some(y)
        }
        Op::Add => pairs(node, at, values, |a, b| a + b),
        Op::Mul => pairs(node, at, values, |a, b| a * b),
        _ => None,
    }
}

fn each(mut y: Value, f: impl Fn(f32) -> f32) -> Value {
    match y.as_slice_memory_order_mut() {
        Some(y) => y.iter_mut().for_each(|y| *y = f(*y)),
        None => y.mapv_inplace(f),
    }
    y
}

/// A function of two tensors of the same dimensions in which their order does not matter.
fn pairs(
    node: &Node,
    at: usize,
    values: &mut Values,
    f: impl Fn(f32, f32) -> f32,
) -> Option<Value> {
    let &[a, b] = &node.inputs[..] else {
        return None;
    };
    let row_by_row = |t| {
        let value = values.get(t)?.as_f32()?;
        value.is_standard_layout().then(|| value.shape().to_vec())
    };
    if row_by_row(a)? != row_by_row(b)? {
        return None;
    }
    let (own, other) = if values.is_last(node, at, a) {
        (a, b)
    } else {
        (b, a)
    };
    let mut y = values.own(node, at, own)?;
    let other = values.get(other)?.as_f32()?.as_slice()?;
    y.as_slice_mut()?
        .iter_mut()
        .zip(other)
        .for_each(|(y, x)| *y = f(*y, *x));
    Some(y)
}
