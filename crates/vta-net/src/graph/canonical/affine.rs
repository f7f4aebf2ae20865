//! Factors and sums of channels, which weights before them can take in.

use crate::graph::{Constant, Op};
use ndarray::{Array1, ArrayViewMut, Axis, RemoveAxis};

/// What an operator does to each channel: `x * scale + shift`, one of which
/// may be missing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Affine {
    scale: Option<Array1<f32>>,
    shift: Option<Array1<f32>>,
}

impl Affine {
    /// The operator as an affine step of an operand of dimensions `dims`, whose
    /// channels are along `axis`; none if it is something else.
    pub fn of(op: &Op, dims: &[usize], axis: usize) -> Option<Self> {
        let (scale, shift) = match op {
            Op::Scale { scale, shift } if axis == 1 => (Some(scale.clone()), Some(shift.clone())),
            Op::MulConst(c) => (Some(per_channel(c, dims, axis)?), None),
            Op::AddConst(c) => (None, Some(per_channel(c, dims, axis)?)),
            _ => return None,
        };
        Some(Self { scale, shift })
    }

    /// Puts it into the weight, whose first axis counts the channels, and bias before it.
    pub fn fold<D: RemoveAxis>(
        &self,
        mut weight: ArrayViewMut<'_, f32, D>,
        bias: &mut Array1<f32>,
    ) {
        if let Some(scale) = &self.scale {
            for (mut weight, s) in weight.axis_iter_mut(Axis(0)).zip(scale) {
                weight.mapv_inplace(|w| w * s);
            }
            *bias *= scale;
        }
        if let Some(shift) = &self.shift {
            *bias += shift;
        }
    }
}

/// The values of a constant along one axis, if it depends on no other.
fn per_channel(constant: &Constant, dims: &[usize], axis: usize) -> Option<Array1<f32>> {
    let channels = *dims.get(axis)?;
    let shape = constant.values.shape();
    // Dimensions are aligned at the end.
    let missing = dims.len().checked_sub(shape.len())?;
    let mut others = shape.iter().enumerate();
    if others.any(|(i, n)| *n != 1 && i + missing != axis) {
        return None;
    }
    let values: Array1<f32> = constant.values.iter().copied().collect();
    match values.len() {
        1 => Some(Array1::from_elem(channels, values[0])),
        n if n == channels => Some(values),
        _ => None,
    }
}
