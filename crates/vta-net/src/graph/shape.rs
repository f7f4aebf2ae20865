//! Dimensions of results.

use super::{Op, Window};
use vta_tensor::host::HostError;

/// Most elements that a tensor may have: a bound on memory, far above what networks need.
pub const MAX_ELEMENTS: usize = 1 << 28;

/// Why an operator cannot work on its operands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The operator takes another number of operands.
    #[error("takes {want} operands, not {got}")]
    Operands {
        /// As it should be.
        want: usize,
        /// As it is.
        got: usize,
    },
    /// The operand should have another number of dimensions.
    #[error("needs {want} dimensions with batch 1, but the operand is {dims:?}")]
    Rank {
        /// As it should be.
        want: usize,
        /// The operand's dimensions.
        dims: Vec<usize>,
    },
    /// Two sizes that should be equal are not.
    #[error("{what} should be {want}, but is {got}")]
    Size {
        /// Which size.
        what: &'static str,
        /// As it should be.
        want: usize,
        /// As it is.
        got: usize,
    },
    /// Groups do not divide channels.
    #[error("{groups} groups do not divide {channels} channels")]
    Groups {
        /// The groups.
        groups: usize,
        /// The channels, of input or output.
        channels: usize,
    },
    /// A window without elements, with a zero step, or larger than what it moves over.
    #[error(
        "a window of {:?} with stride {:?}, dilation {:?} and padding {:?} does not fit {height} x {width}",
        .window.kernel, .window.stride, .window.dilation, .window.pads
    )]
    Window {
        /// The window.
        window: Box<Window>,
        /// Rows of the input.
        height: usize,
        /// Columns of the input.
        width: usize,
    },
    /// Dimensions that cannot be broadcast to each other.
    #[error("{left:?} and {right:?} cannot be broadcast")]
    Broadcast {
        /// First operand.
        left: Vec<usize>,
        /// Second operand.
        right: Vec<usize>,
    },
    /// An axis, or a range of one, that the operand does not have.
    #[error("{what} does not suit {dims:?}")]
    Axis {
        /// The axis or range.
        what: String,
        /// The operand's dimensions.
        dims: Vec<usize>,
    },
    /// Operands whose dimensions differ.
    #[error("{left:?} and {right:?} do not suit each other")]
    Mismatch {
        /// First operand.
        left: Vec<usize>,
        /// Another operand.
        right: Vec<usize>,
    },
    /// What the host does not take.
    #[error(transparent)]
    Host(#[from] HostError),
    /// No elements, or more than [`MAX_ELEMENTS`].
    #[error("a tensor of {dims:?} is empty or too large (at most {MAX_ELEMENTS} elements)")]
    Elements {
        /// The dimensions.
        dims: Vec<usize>,
    },
}

/// Number of elements, none when a product overflows.
pub(crate) fn elements(dims: &[usize]) -> Option<usize> {
    dims.iter().try_fold(1usize, |n, d| n.checked_mul(*d))
}

/// Dimensions of two operands broadcast to each other as ONNX does.
pub(crate) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, ShapeError> {
    vta_tensor::host::broadcast(a, b).ok_or_else(|| ShapeError::Broadcast {
        left: a.to_vec(),
        right: b.to_vec(),
    })
}

/// Dimensions of an operator's result, by those of its operands.
///
/// Where they do not follow (`Reshape`, `Slice`, `ReduceMean`), `given` says
/// them, and they are checked.
///
/// # Errors
/// Why the operator cannot work on the operands.
pub(crate) fn infer(
    op: &Op,
    inputs: &[&[usize]],
    given: Option<&[usize]>,
) -> Result<Vec<usize>, ShapeError> {
    if let Op::Host(op) = op {
        return Ok(op.dims(inputs)?);
    }
    let want = match op {
        Op::Add | Op::Mul | Op::MatMul => 2,
        Op::Concat { .. } => inputs.len().max(1),
        _ => 1,
    };
    if inputs.len() != want {
        let got = inputs.len();
        return Err(ShapeError::Operands { want, got });
    }
    let dims = result(op, inputs, given)?;
    match elements(&dims) {
        Some(1..=MAX_ELEMENTS) => Ok(dims),
        _ => Err(ShapeError::Elements { dims }),
    }
}

fn size(what: &'static str, want: usize, got: usize) -> Result<(), ShapeError> {
    if want == got {
        Ok(())
    } else {
        Err(ShapeError::Size { what, want, got })
    }
}

fn axis_error(what: impl Into<String>, dims: &[usize]) -> ShapeError {
    ShapeError::Axis {
        what: what.into(),
        dims: dims.to_vec(),
    }
}

/// `[1, c, h, w]` taken apart.
fn image(dims: &[usize]) -> Result<[usize; 3], ShapeError> {
    match *dims {
        [1, c, h, w] => Ok([c, h, w]),
        _ => Err(ShapeError::Rank {
            want: 4,
            dims: dims.to_vec(),
        }),
    }
}

fn windowed(
    window: &Window,
    channels: usize,
    h: usize,
    w: usize,
) -> Result<Vec<usize>, ShapeError> {
    let [ho, wo] = window.output(h, w).ok_or(ShapeError::Window {
        window: Box::new(*window),
        height: h,
        width: w,
    })?;
    Ok(vec![1, channels, ho, wo])
}

fn result(op: &Op, inputs: &[&[usize]], given: Option<&[usize]>) -> Result<Vec<usize>, ShapeError> {
    let x = inputs[0];
    let given = || given.ok_or_else(|| axis_error("a result without dimensions", x));
    match op {
        Op::Conv(conv) => {
            let [c, h, w] = image(x)?;
            let (co, ci, kh, kw) = conv.weight.dim();
            let groups = conv.groups;
            if groups == 0 || co % groups != 0 {
                let channels = co;
                return Err(ShapeError::Groups { groups, channels });
            }
            if c % groups != 0 {
                let channels = c;
                return Err(ShapeError::Groups { groups, channels });
            }
            size("the input's number of channels in a group", ci, c / groups)?;
            size("the kernel's number of rows", conv.window.kernel[0], kh)?;
            size("the kernel's number of columns", conv.window.kernel[1], kw)?;
            size("the number of bias values", co, conv.bias.len())?;
            windowed(&conv.window, co, h, w)
        }
        Op::Dense(dense) => {
            let (out, width) = dense.weight.dim();
            let (last, lead) = x
                .split_last()
                .ok_or_else(|| axis_error("a dense layer", x))?;
            size("the last dimension", width, *last)?;
            size("the number of bias values", out, dense.bias.len())?;
            Ok([lead, &[out]].concat())
        }
        Op::Add | Op::Mul => broadcast(x, inputs[1]),
        Op::AddConst(c) | Op::MulConst(c) => broadcast(x, c.values.shape()),
        Op::MatMul => {
            let y = inputs[1];
            if x.len() < 2 || y.len() < 2 || x[x.len() - 1] != y[y.len() - 2] {
                return Err(ShapeError::Mismatch {
                    left: x.to_vec(),
                    right: y.to_vec(),
                });
            }
            let mut dims = broadcast(&x[..x.len() - 2], &y[..y.len() - 2])?;
            dims.extend([x[x.len() - 2], y[y.len() - 1]]);
            Ok(dims)
        }
        Op::Scale { scale, shift } => {
            let c = *x.get(1).ok_or_else(|| axis_error("a channel", x))?;
            size("the number of scales", c, scale.len())?;
            size("the number of shifts", c, shift.len())?;
            Ok(x.to_vec())
        }
        Op::Relu | Op::Clip { .. } | Op::LeakyRelu { .. } | Op::Sigmoid | Op::Elementwise(_) => {
            Ok(x.to_vec())
        }
        Op::Softmax { axis } => {
            if *axis >= x.len() {
                return Err(axis_error(format!("axis {axis}"), x));
            }
            Ok(x.to_vec())
        }
        Op::MaxPool(window) | Op::AveragePool { window, .. } => {
            let [c, h, w] = image(x)?;
            windowed(window, c, h, w)
        }
        Op::ReduceMean { axes } => {
            let kept: Vec<usize> = (0..x.len())
                .map(|i| if axes.contains(&i) { 1 } else { x[i] })
                .collect();
            let dropped: Vec<usize> = (0..x.len())
                .filter(|i| !axes.contains(i))
                .map(|i| x[i])
                .collect();
            let dims = given()?;
            if axes.iter().any(|a| *a >= x.len()) || (dims != kept && dims != dropped) {
                return Err(axis_error(format!("a mean over {axes:?} to {dims:?}"), x));
            }
            Ok(dims.to_vec())
        }
        Op::Concat { axis } => {
            let mut dims = x.to_vec();
            let at = dims
                .get_mut(*axis)
                .ok_or_else(|| axis_error(format!("axis {axis}"), x))?;
            for y in &inputs[1..] {
                let equal = y.len() == x.len() && (0..x.len()).all(|i| i == *axis || x[i] == y[i]);
                let sum = equal.then(|| at.checked_add(y[*axis])).flatten();
                *at = sum.ok_or_else(|| ShapeError::Mismatch {
                    left: x.to_vec(),
                    right: y.to_vec(),
                })?;
            }
            Ok(dims)
        }
        Op::Slice { axis, start, step } => {
            let dims = given()?;
            let wrong = || axis_error(format!("a slice to {dims:?}"), x);
            let same = dims.len() == x.len() && *axis < x.len() && *step > 0;
            if !same || (0..x.len()).any(|i| i != *axis && dims[i] != x[i]) {
                return Err(wrong());
            }
            let last = dims[*axis]
                .checked_sub(1)
                .and_then(|n| n.checked_mul(*step))
                .and_then(|n| n.checked_add(*start));
            match last {
                Some(last) if last < x[*axis] => Ok(dims.to_vec()),
                _ => Err(wrong()),
            }
        }
        Op::Resize { factor } => {
            let [c, h, w] = image(x)?;
            let scaled = |n: usize, f: usize| {
                n.checked_mul(f)
                    .ok_or_else(|| axis_error(format!("a factor of {f}"), x))
            };
            Ok(vec![1, c, scaled(h, factor[0])?, scaled(w, factor[1])?])
        }
        Op::Reshape => {
            let dims = given()?;
            if elements(dims).is_none() || elements(dims) != elements(x) {
                return Err(axis_error(format!("a reshape to {dims:?}"), x));
            }
            Ok(dims.to_vec())
        }
        Op::Transpose { perm } => {
            let mut sorted = perm.clone();
            sorted.sort_unstable();
            if !sorted.iter().copied().eq(0..x.len()) {
                return Err(axis_error(format!("a permutation {perm:?}"), x));
            }
            Ok(perm.iter().map(|p| x[*p]).collect())
        }
        Op::Pad { pads, .. } => {
            if pads.len() != x.len() {
                return Err(axis_error(format!("a padding of {pads:?}"), x));
            }
            let padded = x
                .iter()
                .zip(pads)
                .map(|(n, (before, after))| n.checked_add(*before)?.checked_add(*after));
            padded
                .collect::<Option<_>>()
                .ok_or_else(|| axis_error(format!("a padding of {pads:?}"), x))
        }
        Op::Host(op) => Ok(op.dims(inputs)?),
    }
}
