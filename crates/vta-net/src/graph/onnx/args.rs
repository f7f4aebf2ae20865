//! What operators on dimensions ask for, from attributes or operands: shared by folding and lowering.

use super::error::{Fault, Res};
use super::node::{OnnxNode, axes, axis};
use crate::graph::shape::elements;

/// Dimensions that a `Reshape` asks for.
pub(super) fn reshape(n: &OnnxNode<'_>, from: &[usize]) -> Res<Vec<usize>> {
    let mut spec = n.constant(1)?.to_ints()?;
    let allow_zero = n.int("allowzero", 0)? != 0;
    if n.batch > 1 && spec.first() == Some(&(n.batch as i64)) {
        // The batch as it is written in the file.
        spec[0] = 1;
    }
    let wrong = || Fault::value(format!("the shape to which {from:?} is reshaped"), &spec);
    let mut open = None;
    let mut to = Vec::with_capacity(spec.len());
    for (i, d) in spec.iter().enumerate() {
        to.push(match d {
            0 if !allow_zero => *from.get(i).ok_or_else(wrong)?,
            -1 if open.is_none() => {
                open = Some(i);
                1
            }
            d => usize::try_from(*d).map_err(|_| wrong())?,
        });
    }
    let total = elements(from).ok_or_else(wrong)?;
    let known = elements(&to).ok_or_else(wrong)?;
    match open {
        Some(i) if known > 0 && total % known == 0 => to[i] = total / known,
        None if known == total => {}
        _ => return Err(wrong()),
    }
    Ok(to)
}

/// Dimensions after `Flatten`.
pub(super) fn flatten(n: &OnnxNode<'_>, from: &[usize]) -> Res<Vec<usize>> {
    let at = n.int("axis", 1)?;
    let at = if at == from.len() as i64 {
        from.len()
    } else {
        axis(at, from.len())?
    };
    Ok(vec![
        from[..at].iter().product(),
        from[at..].iter().product(),
    ])
}

/// Dimensions after `Squeeze`.
pub(super) fn squeeze(n: &OnnxNode<'_>, from: &[usize]) -> Res<Vec<usize>> {
    let at = match n.ints_or_input("axes", 1, 13)? {
        Some(a) => axes(&a, from.len())?,
        None => (0..from.len()).filter(|i| from[*i] == 1).collect(),
    };
    if let Some(i) = at.iter().find(|i| from[**i] != 1) {
        return Err(Fault::value(format!("squeezed dimension {i}"), from[*i]));
    }
    let kept = (0..from.len()).filter(|i| !at.contains(i));
    Ok(kept.map(|i| from[i]).collect())
}

/// Dimensions after `Unsqueeze`.
pub(super) fn unsqueeze(n: &OnnxNode<'_>, from: &[usize]) -> Res<Vec<usize>> {
    let at = n.ints_or_input("axes", 1, 13)?;
    let at = at.ok_or_else(|| Fault::form("the axes are missing"))?;
    let rank = from.len() + at.len();
    let at = axes(&at, rank)?;
    let mut rest = from.iter();
    let dims = (0..rank).map(|i| {
        if at.contains(&i) {
            1
        } else {
            rest.next().copied().unwrap_or(1)
        }
    });
    Ok(dims.collect())
}

/// The permutation of a `Transpose`.
pub(super) fn permutation(n: &OnnxNode<'_>, rank: usize) -> Res<Vec<usize>> {
    let Some(perm) = n.ints("perm")? else {
        return Ok((0..rank).rev().collect());
    };
    let wrong = || Fault::value(format!("the permutation of {rank} dimensions"), &perm);
    let sorted = axes(&perm, rank).map_err(|_| wrong())?;
    if sorted.len() != rank {
        return Err(wrong());
    }
    perm.iter().map(|p| axis(*p, rank)).collect()
}

/// A range of one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub axis: usize,
    pub start: usize,
    pub len: usize,
    pub step: i64,
}

impl Range {
    /// Whether it is the whole axis. The step of a single index says nothing.
    pub fn is_all(&self, dims: &[usize]) -> bool {
        let in_order = self.step == 1 || self.len <= 1;
        self.start == 0 && in_order && self.len == dims[self.axis]
    }

    /// Its indices.
    pub fn indices(&self) -> Vec<usize> {
        let index = |i: usize| (self.start as i64 + i as i64 * self.step) as usize;
        (0..self.len).map(index).collect()
    }
}

/// The ranges that a `Slice` takes.
pub(super) fn slice(n: &OnnxNode<'_>, dims: &[usize]) -> Res<Vec<Range>> {
    let missing = || Fault::form("starts or ends are missing");
    let starts = n.ints_or_input("starts", 1, 10)?.ok_or_else(missing)?;
    let ends = n.ints_or_input("ends", 2, 10)?.ok_or_else(missing)?;
    let count = starts.len();
    let at = match n.ints_or_input("axes", 3, 10)? {
        Some(a) => a.iter().map(|a| axis(*a, dims.len())).collect::<Res<_>>()?,
        None => (0..count).collect::<Vec<_>>(),
    };
    let steps = match n.opset {
        10.. => n.optional_ints(4)?.unwrap_or_else(|| vec![1; count]),
        _ => vec![1; count],
    };
    let fits = ends.len() == count && at.len() == count && steps.len() == count;
    if !fits || at.iter().any(|a| *a >= dims.len()) {
        return Err(Fault::value("the number of starts", count));
    }
    let mut sorted = at.clone();
    sorted.sort_unstable();
    if sorted.windows(2).any(|w| w[0] == w[1]) {
        return Err(Fault::value("the axes", at));
    }
    let mut out = Vec::with_capacity(count);
    for i in 0..count {
        let (size, step) = (dims[at[i]] as i64, steps[i]);
        if step == 0 || step == i64::MIN {
            return Err(Fault::value("a step", step));
        }
        let wrap = |v: i64| if v < 0 { v.saturating_add(size) } else { v };
        let (start, end) = if size == 0 {
            (0, 0)
        } else if step > 0 {
            (wrap(starts[i]).clamp(0, size), wrap(ends[i]).clamp(0, size))
        } else {
            (
                wrap(starts[i]).clamp(0, size - 1),
                wrap(ends[i]).clamp(-1, size - 1),
            )
        };
        let distance = if step > 0 { end - start } else { start - end };
        let len = if distance <= 0 {
            0
        } else {
            distance.unsigned_abs().div_ceil(step.unsigned_abs()) as usize
        };
        out.push(Range {
            axis: at[i],
            start: start.max(0) as usize,
            len,
            step,
        });
    }
    Ok(out)
}

/// The axis and the sizes of the parts of a `Split`.
pub(super) fn split(n: &OnnxNode<'_>, dims: &[usize]) -> Res<(usize, Vec<usize>)> {
    let at = axis(n.int("axis", 0)?, dims.len())?;
    let size = dims[at];
    let count = n.proto.output.len().max(1);
    let parts = match n.ints_or_input("split", 1, 13)? {
        Some(parts) => {
            let sizes: Option<Vec<usize>> =
                parts.iter().map(|p| usize::try_from(*p).ok()).collect();
            let total = |s: &Vec<usize>| s.iter().try_fold(0usize, |a, b| a.checked_add(*b));
            sizes
                .filter(|s| s.len() == count && total(s) == Some(size))
                .ok_or_else(|| Fault::value(format!("the split of {size}"), parts))?
        }
        None => {
            let each = size.div_ceil(count);
            let even = n.has("num_outputs") || size.is_multiple_of(count);
            let last = size.checked_sub(each * (count - 1));
            match last {
                Some(last) if even => [vec![each; count - 1], vec![last]].concat(),
                _ => return Err(Fault::value(format!("the parts of {size}"), count)),
            }
        }
    };
    Ok((at, parts))
}
