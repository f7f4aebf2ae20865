//! Operators that move elements or name their dimensions anew.

use super::super::args;
use super::super::error::{Fault, Problem, Res};
use super::super::import::Importer;
use super::super::node::{OnnxNode, Value, axis};
use super::range::picked;
use super::{alias, unsupported};
use crate::graph::shape::{MAX_ELEMENTS, ShapeError, broadcast, elements};
use crate::graph::{Constant, HostOp, Op, TensorId};
use ndarray::{ArrayD, Axis, IxDyn};

pub(super) fn concat(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    if !n.has("axis") {
        return Err(Fault::form("attribute axis is missing"));
    }
    let computed = (0..n.inputs.len()).find_map(|i| n.tensor(i).ok());
    let first = computed.ok_or(Problem::Operand(0))?;
    let axis = axis(n.int("axis", 1)?, im.dims(first).len())?;
    if n.inputs.len() == 1 {
        return alias(im, n);
    }
    if n.inputs
        .iter()
        .flatten()
        .any(|v| matches!(v, Value::Const(_)))
    {
        return with_constants(im, n, axis);
    }
    let xs = (0..n.inputs.len())
        .map(|i| n.tensor(i))
        .collect::<Res<Vec<_>>>()?;
    im.result(n, Op::Concat { axis }, &xs)
}

/// Constants among computed tensors: these are padded with zeros where the
/// constants are, and the constants are added.
fn with_constants(im: &mut Importer, n: &OnnxNode<'_>, axis: usize) -> Res<()> {
    let mut parts: Vec<(TensorId, usize, usize)> = Vec::new();
    let mut before = 0;
    let mut at = 0;
    let mut constants = Vec::new();
    for (i, value) in n.inputs.iter().enumerate() {
        let value = value.as_ref().ok_or(Problem::Operand(i))?;
        let dims = match value {
            Value::Tensor(t) => im.dims(*t).to_vec(),
            Value::Const(c) => c.dims().to_vec(),
        };
        let wrong = || n.fault(i, Problem::Form(format!("{dims:?} has no axis {axis}")));
        let len = *dims.get(axis).ok_or_else(wrong)?;
        match (value, parts.last_mut()) {
            (Value::Tensor(t), _) => parts.push((*t, std::mem::take(&mut before), 0)),
            (Value::Const(_), Some(last)) => last.2 += len,
            (Value::Const(_), None) => before += len,
        }
        if let Value::Const(c) = value {
            constants.push((i, at, c.clone()));
        }
        at += len;
    }
    let mut padded = Vec::with_capacity(parts.len());
    for (t, before, after) in parts {
        let mut pads = vec![(0, 0); im.dims(t).len()];
        pads[axis] = (before, after);
        padded.push(if (before, after) == (0, 0) {
            t
        } else {
            im.step(n, Op::Pad { pads, value: 0.0 }, &[t])?
        });
    }
    let joined = match padded.as_slice() {
        [only] => *only,
        all => im.step(n, Op::Concat { axis }, all)?,
    };
    let full = im.dims(joined).to_vec();
    im.budget.take(&full)?;
    let mut sum = ArrayD::<f32>::zeros(IxDyn(&full));
    for (i, at, c) in &constants {
        let values = im.finite(c)?;
        let mut place = sum.slice_axis_mut(Axis(axis), (*at..*at + c.dims()[axis]).into());
        if place.shape() != values.shape() {
            let (left, right) = (full, values.shape().to_vec());
            return Err(n.fault(*i, ShapeError::Mismatch { left, right }.into()));
        }
        place.assign(&values);
    }
    let constant = Constant {
        name: constants[0].2.origin.clone(),
        values: sum,
    };
    im.result(n, Op::AddConst(constant), &[joined])
}

pub(super) fn flatten(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let to = args::flatten(n, im.dims(x))?;
    im.reshape(n, x, &to)
}

pub(super) fn reshape(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let to = args::reshape(n, im.dims(x))?;
    im.reshape(n, x, &to)
}

pub(super) fn squeeze(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let to = args::squeeze(n, im.dims(x))?;
    im.reshape(n, x, &to)
}

pub(super) fn unsqueeze(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let to = args::unsqueeze(n, im.dims(x))?;
    im.reshape(n, x, &to)
}

pub(super) fn expand(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let mut x = n.tensor(0)?;
    let wrong = |d: &i64| Fault::value("a dimension", d);
    let shape = n.constant(1)?.to_ints()?;
    let shape: Vec<usize> = shape
        .iter()
        .map(|d| usize::try_from(*d).map_err(|_| wrong(d)))
        .collect::<Res<_>>()?;
    let to = broadcast(im.dims(x), &shape)?;
    sized(&to)?;
    let from = im.dims(x).to_vec();
    let aligned = [vec![1; to.len() - from.len()], from].concat();
    x = im.step_to(n, Op::Reshape, &[x], Some(&aligned))?;
    for (axis, len) in to.iter().enumerate() {
        if aligned[axis] != *len {
            x = picked(im, n, x, axis, &vec![0; *len])?;
        }
    }
    im.reshape(n, x, &to)
}

/// Refuses dimensions beyond what any tensor may have, before there are indices for them.
fn sized(dims: &[usize]) -> Res<()> {
    match elements(dims) {
        Some(n) if n <= MAX_ELEMENTS => Ok(()),
        _ => Err(ShapeError::Elements {
            dims: dims.to_vec(),
        }
        .into()),
    }
}

pub(super) fn tile(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let mut x = n.tensor(0)?;
    let dims = im.dims(x).to_vec();
    let repeats = n.constant(1)?.to_ints()?;
    let count = |(d, r): (&usize, &i64)| usize::try_from(*r).ok().and_then(|r| d.checked_mul(r));
    let to: Option<Vec<usize>> = dims.iter().zip(&repeats).map(count).collect();
    let to = to.filter(|t| t.len() == repeats.len() && t.len() == dims.len());
    let to = to.ok_or_else(|| Fault::value("the repeats", &repeats))?;
    sized(&to)?;
    for (axis, len) in to.iter().enumerate() {
        if *len != dims[axis] {
            let indices: Vec<usize> = (0..*len).map(|i| i % dims[axis]).collect();
            x = picked(im, n, x, axis, &indices)?;
        }
    }
    im.reshape(n, x, &to)
}

/// The block size of depth to space, and a map's dimensions.
fn blocks(im: &Importer, n: &OnnxNode<'_>) -> Res<(usize, [usize; 4])> {
    let size = n.int("blocksize", 0)?;
    let size = usize::try_from(size)
        .ok()
        .filter(|s| (1..=1 << 12).contains(s));
    let size =
        size.ok_or_else(|| Fault::form("attribute blocksize is missing or makes no sense"))?;
    match *im.dims(n.tensor(0)?) {
        [b, c, h, w] => Ok((size, [b, c, h, w])),
        ref dims => Err(Fault::value("the operand's dimensions", dims)),
    }
}

pub(super) fn depth_to_space(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let (s, [b, c, h, w]) = blocks(im, n)?;
    if c % (s * s) != 0 {
        return Err(Fault::value(
            format!("the number of channels for blocks of {s}"),
            c,
        ));
    }
    let c = c / (s * s);
    let (split, perm) = match n.string("mode", "DCR")?.as_str() {
        "DCR" => (vec![b, s, s, c, h, w], vec![0, 3, 4, 1, 5, 2]),
        "CRD" => (vec![b, c, s, s, h, w], vec![0, 1, 4, 2, 5, 3]),
        other => return Err(unsupported("mode", other)),
    };
    let dims = vec![b, c, h * s, w * s];
    im.result(
        n,
        Op::Host(HostOp::Rearrange { split, perm, dims }),
        &[n.tensor(0)?],
    )
}

pub(super) fn space_to_depth(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let (s, [b, c, h, w]) = blocks(im, n)?;
    if h % s != 0 || w % s != 0 {
        return Err(Fault::value(format!("the size for blocks of {s}"), (h, w)));
    }
    let perm = match n.string("mode", "DCR")?.as_str() {
        "DCR" => vec![0, 3, 5, 1, 2, 4],
        "CRD" => vec![0, 1, 3, 5, 2, 4],
        other => return Err(unsupported("mode", other)),
    };
    let op = HostOp::Rearrange {
        split: vec![b, c, h / s, s, w / s, s],
        perm,
        dims: vec![b, s * s * c, h / s, w / s],
    };
    im.result(n, Op::Host(op), &[n.tensor(0)?])
}

pub(super) fn transpose(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let perm = args::permutation(n, im.dims(x).len())?;
    im.result(n, Op::Transpose { perm }, &[x])
}

pub(super) fn pad(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let mut x = n.tensor(0)?;
    let dims = im.dims(x).to_vec();
    let rank = dims.len();
    let mode = n.string("mode", "constant")?;
    let flat = n.ints_or_input("pads", 1, 11)?;
    let flat = flat.ok_or_else(|| Fault::form("the pads are missing"))?;
    let value = if n.opset < 11 {
        n.float("value", 0.0)?
    } else {
        n.optional_scalar(2)?.unwrap_or(0.0)
    };
    let at = match n.optional_ints(3)? {
        Some(a) => a.iter().map(|a| axis(*a, rank)).collect::<Res<_>>()?,
        None => (0..rank).collect::<Vec<_>>(),
    };
    if flat.len() != 2 * at.len() {
        return Err(Fault::value("the number of pads", flat.len()));
    }
    if value.is_nan() {
        return Err(Fault::value("the padding", value));
    }
    let most = MAX_ELEMENTS as i64;
    if let Some(p) = flat.iter().find(|p| !(-most..=most).contains(*p)) {
        return Err(Fault::value("a pad", p));
    }
    let mut pads = vec![(0, 0); rank];
    for (i, a) in at.iter().enumerate() {
        pads[*a] = (flat[i], flat[i + at.len()]);
    }
    // Negative pads cut off.
    for (axis, (before, after)) in pads.iter_mut().enumerate() {
        let start = (-*before).max(0) as usize;
        let end = dims[axis] as i64 - (-*after).max(0);
        let len = end - start as i64;
        if len <= 0 {
            return Err(Fault::form(format!(
                "nothing is left of axis {axis} of {dims:?}"
            )));
        }
        let kept: Vec<usize> = (start..start + len as usize).collect();
        x = picked(im, n, x, axis, &kept)?;
        (*before, *after) = ((*before).max(0), (*after).max(0));
    }
    let pads: Vec<(usize, usize)> = pads.iter().map(|p| (p.0 as usize, p.1 as usize)).collect();
    let sizes = im.dims(x).iter().zip(&pads).map(|(d, p)| d + p.0 + p.1);
    let to: Vec<usize> = sizes.collect();
    sized(&to)?;
    if !["constant", "reflect", "edge", "wrap"].contains(&mode.as_str()) {
        return Err(unsupported("mode", &mode));
    }
    if mode == "constant" {
        return match pads.iter().all(|p| *p == (0, 0)) {
            true => im.reshape(n, x, &to),
            false => im.result(n, Op::Pad { pads, value }, &[x]),
        };
    }
    for (axis, (before, after)) in pads.iter().enumerate() {
        let len = im.dims(x)[axis];
        let index = |i: i64| outside(i, len as i64, &mode);
        let indices: Option<Vec<usize>> = (-(*before as i64)..(len + after) as i64)
            .map(index)
            .collect();
        let wrong = || {
            unsupported(
                "mode",
                &format!("{mode} with pads {before}, {after} of {len}"),
            )
        };
        let indices = indices.ok_or_else(wrong)?;
        x = picked(im, n, x, axis, &indices)?;
    }
    im.reshape(n, x, &to)
}

/// The element that stands at an index outside of a line.
fn outside(i: i64, len: i64, mode: &str) -> Option<usize> {
    let at = match mode {
        "edge" => i.clamp(0, len - 1),
        "wrap" => i.rem_euclid(len),
        "reflect" if len == 1 => return (i == 0).then_some(0),
        "reflect" => {
            let period = 2 * (len - 1);
            let at = i.rem_euclid(period);
            at.min(period - at)
        }
        _ => return None,
    };
    usize::try_from(at).ok()
}
