//! Several operators as one: what lies between only the step itself sees.

use super::{DType, HostError, HostOp, Tensor};
use serde::{Deserialize, Serialize};

/// Most operators in a step.
pub const MAX_FUSED: usize = 1024;

/// An operator of a fused step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FusedOp {
    /// What it computes; not fused itself.
    pub op: HostOp,
    /// Its operands: first the step's are counted, then the results of the operators before.
    pub inputs: Vec<usize>,
}

/// What follows from the operands of each operator in turn, for the last.
fn walk<T>(
    fused: &HostOp,
    ops: &[FusedOp],
    count: usize,
    mut result: impl FnMut(&HostOp, &[usize], &[T]) -> Result<T, HostError>,
) -> Result<T, HostError> {
    if !(1..=MAX_FUSED).contains(&ops.len()) {
        return Err(fused.wrong(format!("{} operators in one", ops.len())));
    }
    let mut made: Vec<T> = Vec::with_capacity(ops.len());
    for (i, one) in ops.iter().enumerate() {
        if matches!(one.op, HostOp::Fused { .. }) {
            return Err(fused.wrong("fused operators in each other"));
        }
        if let Some(t) = one.inputs.iter().find(|t| **t >= count + i) {
            return Err(fused.wrong(format!("operand {t} of operator {i} is not there yet")));
        }
        let value = result(&one.op, &one.inputs, &made)?;
        made.push(value);
    }
    made.pop().ok_or_else(|| fused.wrong("no operators"))
}

pub(super) fn dtype(fused: &HostOp, ops: &[FusedOp], inputs: &[DType]) -> Result<DType, HostError> {
    walk(fused, ops, inputs.len(), |op, of, made: &[DType]| {
        let all = [inputs, made].concat();
        let operands: Vec<DType> = of.iter().map(|t| all[*t]).collect();
        op.dtype(&operands)
    })
}

pub(super) fn dims(
    fused: &HostOp,
    ops: &[FusedOp],
    inputs: &[&[usize]],
) -> Result<Vec<usize>, HostError> {
    walk(fused, ops, inputs.len(), |op, of, made: &[Vec<usize>]| {
        let at = |t: &usize| match t.checked_sub(inputs.len()) {
            None => inputs[*t],
            Some(t) => &made[t],
        };
        let operands: Vec<&[usize]> = of.iter().map(at).collect();
        op.dims(&operands)
    })
}

pub(super) fn run(
    fused: &HostOp,
    ops: &[FusedOp],
    inputs: &[&Tensor],
) -> Result<Tensor, HostError> {
    walk(fused, ops, inputs.len(), |op, of, made: &[Tensor]| {
        let at = |t: &usize| match t.checked_sub(inputs.len()) {
            None => inputs[*t],
            Some(t) => &made[t],
        };
        let operands: Vec<&Tensor> = of.iter().map(at).collect();
        op.run(&operands)
    })
}
