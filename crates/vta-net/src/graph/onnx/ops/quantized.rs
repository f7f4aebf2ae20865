//! Quantised tensors that are computed.

use super::super::constant::{Const, ty};
use super::super::error::{Fault, Res};
use super::super::import::Importer;
use super::super::node::OnnxNode;
use super::alias;
use super::elementwise::limited;
use crate::graph::Op;

/// Quantisation of a computed tensor is dropped: calibration chooses anew. But
/// where the zero point is the lowest value, it stands for a ReLU or clip that
/// the quantiser of the file has merged into it.
pub(super) fn quantize(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let (to, zero) = match n.optional_constant(2)? {
        Some(c) => (c.ty, one(c)),
        None => (ty::UINT8, Some(0)),
    };
    // Scales for each channel are for weights: then there is nothing merged.
    let scale = n.optional_scalar(1).unwrap_or_default();
    let (low, high) = ty::range(to);
    let maybe_negative = matches!(
        im.builder.producer(x),
        Some(
            Op::Conv(_)
                | Op::Dense(_)
                | Op::MatMul
                | Op::Add
                | Op::AddConst(_)
                | Op::Mul
                | Op::MulConst(_)
                | Op::Scale { .. }
        )
    );
    match (scale, zero) {
        (Some(scale), Some(zero)) if zero == low && scale > 0.0 && maybe_negative => {
            limited(im, n, x, 0.0, (high - low) as f32 * scale)
        }
        _ => alias(im, n),
    }
}

/// The value of a constant that has only one.
fn one(c: &Const) -> Option<i64> {
    match c.to_ints().ok()?.as_slice() {
        [v] => Some(*v),
        _ => None,
    }
}

/// The other half of a pair is dropped, too. But integers that are an input of
/// the network are numbers of their own: there it is computed.
pub(super) fn dequantize(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    if !im.builder.is_int(x) {
        return alias(im, n);
    }
    let scale = n.optional_scalar(1)?;
    let scale = scale.ok_or_else(|| Fault::form("the scale is missing"))?;
    if !scale.is_finite() || scale <= 0.0 {
        return Err(Fault::value("the scale", scale));
    }
    let zero = n.optional_scalar(2)?.unwrap_or(0.0);
    let mut y = x;
    if zero != 0.0 {
        let shift = Importer::scalar(n, "zero", -zero);
        y = im.step(n, Op::AddConst(shift), &[x])?;
    }
    let factor = Importer::scalar(n, "scale", scale);
    im.result(n, Op::MulConst(factor), &[y])
}
