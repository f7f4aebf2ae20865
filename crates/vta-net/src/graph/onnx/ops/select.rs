//! Operators that choose elements by their values.

use super::super::error::{Fault, Res};
use super::super::import::Importer;
use super::super::node::{OnnxNode, axis};
use crate::graph::{Constant, HostOp, Op};
use ndarray::{ArrayD, IxDyn};

pub(super) fn choose(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let operands = [
        im.tensor_of(n, 0)?,
        im.tensor_of(n, 1)?,
        im.tensor_of(n, 2)?,
    ];
    im.result(n, Op::Host(HostOp::Where), &operands)
}

pub(super) fn arg_max(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let mut x = n.tensor(0)?;
    let dims = im.dims(x).to_vec();
    let axis = axis(n.int("axis", 0)?, dims.len())?;
    if n.op() == "ArgMin" {
        let minus = Op::MulConst(Importer::scalar(n, "minus", -1.0));
        x = im.step(n, minus, &[x])?;
    }
    let op = Op::Host(HostOp::ArgMax {
        axis,
        select_last_index: n.int("select_last_index", 0)? != 0,
    });
    if n.int("keepdims", 1)? != 0 {
        return im.result(n, op, &[x]);
    }
    let y = im.step(n, op, &[x])?;
    let mut to = dims;
    to.remove(axis);
    im.reshape(n, y, &to)
}

pub(super) fn top_k(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let dims = im.dims(x).to_vec();
    let axis = axis(n.int("axis", -1)?, dims.len())?;
    let k = match n.opset {
        ..10 => n.int("k", 0)?,
        _ => match n.constant(1)?.to_ints()?[..] {
            [k] => k,
            ref other => return Err(Fault::value("k", other)),
        },
    };
    let k = usize::try_from(k)
        .ok()
        .filter(|k| (1..=dims[axis]).contains(k));
    let k = k.ok_or_else(|| Fault::form(format!("k is not among 1 to {}", dims[axis])))?;
    let largest = n.int("largest", 1)? != 0;
    for (i, indices) in [false, true].into_iter().enumerate() {
        if n.output(i).is_empty() {
            continue;
        }
        let op = Op::Host(HostOp::TopK {
            axis,
            k,
            largest,
            indices,
        });
        im.result_to(n, i, op, &[x], None)?;
    }
    Ok(())
}

/// A triangle of each matrix; the rest becomes 0.
pub(super) fn trilu(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let dims = im.dims(x).to_vec();
    let [.., rows, columns] = dims[..] else {
        return Err(Fault::form(format!("{dims:?} is no matrix")));
    };
    let k = match n.optional_ints(1)? {
        Some(k) => k.first().copied().unwrap_or(0),
        None => 0,
    };
    let upper = n.int("upper", 1)? != 0;
    im.budget.take(&[rows, columns])?;
    let values = ArrayD::from_shape_fn(IxDyn(&[rows, columns]), |at| {
        let over = at[1] as i64 - at[0] as i64;
        let kept = if upper { over >= k } else { over <= k };
        f32::from(u8::from(kept))
    });
    let mask = Constant {
        name: format!("{}.triangle", n.name),
        values,
    };
    im.result(n, Op::MulConst(mask), &[x])
}
