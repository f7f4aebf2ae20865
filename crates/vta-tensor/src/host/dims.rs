//! Dimensions and types of results: what an operator accepts.

use super::{DType, HostError, HostOp, MAX_FUNCTIONS, fused};
use crate::window::Window;

/// Most elements of a tensor.
pub const MAX_ELEMENTS: usize = 1 << 30;

/// Largest size of an exponent of a step.
pub const MAX_EXPONENT: i32 = 126;

/// Number of elements; none if there are more than [`MAX_ELEMENTS`].
pub fn elements(dims: &[usize]) -> Option<usize> {
    // A zero somewhere does not make the rest small.
    let sized = dims
        .iter()
        .try_fold(1usize, |n, &d| n.checked_mul(d.max(1)));
    sized
        .filter(|&n| n <= MAX_ELEMENTS)
        .map(|n| if dims.contains(&0) { 0 } else { n })
}

/// Dimensions of two operands stretched over each other, as ONNX does: aligned
/// at the end, and a 1 is as long as the other wants. None where they do not fit.
pub fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let at = |d: &[usize], i: usize| (i + d.len()).checked_sub(rank).map_or(1, |i| d[i]);
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

impl HostOp {
    /// Name, as ONNX has it where it has one.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Quantize { .. } => "Quantize",
            Self::Dequantize { .. } => "Dequantize",
            Self::Copy => "Copy",
            Self::Im2col(_) => "Im2col",
            Self::Reshape { .. } => "Reshape",
            Self::Transpose { .. } => "Transpose",
            Self::Slice { .. } => "Slice",
            Self::Concat { .. } => "Concat",
            Self::Resize { .. } | Self::ResizeLinear { .. } => "Resize",
            Self::Pad { .. } => "Pad",
            Self::MaxPool(_) => "MaxPool",
            Self::AveragePool { .. } => "AveragePool",
            Self::ReduceMean { .. } => "ReduceMean",
            Self::Add => "Add",
            Self::Mul => "Mul",
            Self::MatMul => "MatMul",
            Self::AddConst { .. } => "AddConst",
            Self::MulConst { .. } => "MulConst",
            Self::Clip { .. } => "Clip",
            Self::LeakyRelu { .. } => "LeakyRelu",
            Self::Sigmoid => "Sigmoid",
            Self::Elementwise { .. } => "Elementwise",
            Self::Table { .. } => "Table",
            Self::Softmax { .. } => "Softmax",
            Self::LogSoftmax { .. } => "LogSoftmax",
            Self::Constant { .. } => "Constant",
            Self::Gather { .. } | Self::Take { .. } => "Gather",
            Self::Rearrange { .. } => "Rearrange",
            Self::Interpolate { .. } => "Interpolate",
            Self::Normalize { .. } => "Normalize",
            Self::Reduce { reduction, .. } => reduction.name(),
            Self::ArgMax { .. } => "ArgMax",
            Self::TopK { .. } => "TopK",
            Self::Pairwise { function } => function.name(),
            Self::Where => "Where",
            Self::GatherElements { .. } => "GatherElements",
            Self::GatherNd { .. } => "GatherND",
            Self::Lrn { .. } => "LRN",
            Self::Fused { .. } => "Fused",
            Self::Recurrent(r) => r.cell.name(),
        }
    }

    pub(super) fn wrong(&self, what: impl Into<String>) -> HostError {
        HostError::Dims {
            op: self.name(),
            what: what.into(),
        }
    }

    /// Type of the result for operands of these types.
    ///
    /// # Errors
    /// A number or types of operands that the operator does not take.
    pub fn dtype(&self, inputs: &[DType]) -> Result<DType, HostError> {
        let op = self.name();
        self.check_count(inputs.len())?;
        if let Self::Fused { ops } = self {
            return fused::dtype(self, ops, inputs);
        }
        let only = |expected: DType, result: DType| match inputs.iter().position(|&t| t != expected)
        {
            None => Ok(result),
            Some(operand) => Err(HostError::Type {
                op,
                operand,
                expected,
                found: inputs[operand],
            }),
        };
        match self {
            Self::Quantize { .. } => only(DType::F32, DType::I8),
            Self::Dequantize { .. } => only(DType::I8, DType::F32),
            Self::Table { .. } => only(DType::I8, DType::I8),
            Self::Copy
            | Self::Im2col(_)
            | Self::Reshape { .. }
            | Self::Transpose { .. }
            | Self::Slice { .. }
            | Self::Concat { .. }
            | Self::Resize { .. }
            | Self::ResizeLinear { .. }
            | Self::Pad { .. }
            | Self::Gather { .. }
            | Self::Rearrange { .. }
            | Self::MaxPool(_) => match inputs.iter().position(|&t| t != inputs[0]) {
                None => Ok(inputs[0]),
                Some(operand) => Err(HostError::TypesDiffer {
                    op,
                    operand,
                    first: inputs[0],
                    found: inputs[operand],
                }),
            },
            _ => only(DType::F32, DType::F32),
        }
    }

    fn check_count(&self, found: usize) -> Result<(), HostError> {
        let (fits, expected) = match self {
            Self::Concat { .. } => (found >= 1, "1 or more"),
            Self::Add
            | Self::Mul
            | Self::MatMul
            | Self::Pairwise { .. }
            | Self::Take { .. }
            | Self::GatherElements { .. }
            | Self::GatherNd { .. } => (found == 2, "2"),
            Self::Where => (found == 3, "3"),
            Self::Constant { .. } => (found == 0, "no"),
            Self::Fused { .. } => (true, "any"),
            Self::Recurrent(r) => r.cell.operands(found),
            _ => (found == 1, "1"),
        };
        if fits {
            return Ok(());
        }
        Err(HostError::Operands {
            op: self.name(),
            expected,
            found,
        })
    }

    /// Dimensions of the result for operands of these dimensions.
    ///
    /// # Errors
    /// A number or dimensions of operands that the operator does not take, or
    /// parameters that make no sense for them.
    pub fn dims(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, HostError> {
        self.check_count(inputs.len())?;
        inputs.iter().try_for_each(|d| self.check_size(d))?;
        if let Self::Fused { ops } = self {
            return fused::dims(self, ops, inputs);
        }
        let dims = self.infer(inputs)?;
        self.check_size(&dims)?;
        Ok(dims)
    }

    fn check_size(&self, dims: &[usize]) -> Result<(), HostError> {
        if dims.contains(&0) {
            return Err(self.wrong(format!("a tensor {dims:?} has no elements")));
        }
        match elements(dims) {
            Some(_) => Ok(()),
            None => Err(HostError::TooLarge {
                op: self.name(),
                dims: dims.to_vec(),
                limit: MAX_ELEMENTS,
            }),
        }
    }

    fn infer(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, HostError> {
        if let Self::Constant { dims, values } = self {
            return match elements(dims) == Some(values.len()) {
                true => Ok(dims.clone()),
                false => Err(self.wrong(format!("{} values for {dims:?}", values.len()))),
            };
        }
        let x = inputs[0];
        let axis_of = |axis: usize| match x.get(axis) {
            Some(&d) => Ok(d),
            None => Err(self.wrong(format!("axis {axis} of a tensor {x:?}"))),
        };
        match self {
            Self::Quantize { exponent } | Self::Dequantize { exponent } => {
                if exponent.unsigned_abs() > MAX_EXPONENT as u32 {
                    return Err(HostError::Exponent {
                        op: self.name(),
                        exponent: *exponent,
                    });
                }
                Ok(x.to_vec())
            }
            Self::Copy | Self::Clip { .. } | Self::LeakyRelu { .. } | Self::Sigmoid => {
                Ok(x.to_vec())
            }
            Self::Elementwise { functions } => {
                let count = functions.iter().try_fold(0, |n, f| Some(n + f.count()?));
                match count.filter(|n| (1..=MAX_FUNCTIONS).contains(n)) {
                    Some(_) => Ok(x.to_vec()),
                    None => Err(self.wrong(format!("not 1 to {MAX_FUNCTIONS} functions"))),
                }
            }
            Self::Table { values } => match values.len() {
                256 => Ok(x.to_vec()),
                n => Err(self.wrong(format!("a table of {n} values"))),
            },
            Self::Im2col(window) => {
                let [c, h, w] = self.windows(x, window)?;
                let [kh, kw] = window.kernel;
                match kh.checked_mul(kw).and_then(|t| t.checked_mul(c)) {
                    Some(channels) => Ok(vec![1, channels, h, w]),
                    None => Err(self.wrong(format!("a kernel of {:?}", window.kernel))),
                }
            }
            Self::MaxPool(window) => {
                let [c, h, w] = self.windows(x, window)?;
                Ok(vec![1, c, h, w])
            }
            Self::AveragePool { .. } => {
                let window = self.window().unwrap_or(Window::POINT);
                let [c, h, w] = self.windows(x, &window)?;
                Ok(vec![1, c, h, w])
            }
            Self::Reshape { dims } => match (elements(dims), elements(x)) {
                (Some(to), Some(from)) if to == from => Ok(dims.clone()),
                _ => Err(self.wrong(format!(
                    "{x:?} and {dims:?} differ in their number of elements"
                ))),
            },
            Self::Transpose { perm } => {
                let mut sorted = perm.clone();
                sorted.sort_unstable();
                if !sorted.iter().copied().eq(0..x.len()) {
                    return Err(self.wrong(format!("{perm:?} does not permute the axes of {x:?}")));
                }
                Ok(perm.iter().map(|&p| x[p]).collect())
            }
            Self::Slice {
                axis,
                start,
                len,
                step,
            } => {
                let extent = axis_of(*axis)?;
                let last = len.checked_sub(1).and_then(|n| n.checked_mul(*step));
                let last = last.and_then(|n| n.checked_add(*start));
                if *step == 0 || last.is_none_or(|last| last >= extent) {
                    return Err(self.wrong(format!(
                        "{len} indices from {start}, {step} apart, of axis {axis} of {x:?}"
                    )));
                }
                let mut dims = x.to_vec();
                dims[*axis] = *len;
                Ok(dims)
            }
            Self::Concat { axis } => {
                let mut sum = axis_of(*axis)?;
                for d in &inputs[1..] {
                    let same =
                        d.len() == x.len() && (0..x.len()).all(|i| i == *axis || d[i] == x[i]);
                    let longer = d.get(*axis).and_then(|n| sum.checked_add(*n));
                    match longer.filter(|_| same) {
                        Some(n) => sum = n,
                        None => {
                            return Err(self
                                .wrong(format!("{x:?} and {d:?} differ outside of axis {axis}")));
                        }
                    }
                }
                let mut dims = x.to_vec();
                dims[*axis] = sum;
                Ok(dims)
            }
            Self::Resize { factor } | Self::ResizeLinear { factor, .. } => {
                let [c, h, w] = self.image(x)?;
                match (h.checked_mul(factor[0]), w.checked_mul(factor[1])) {
                    (Some(h), Some(w)) => Ok(vec![1, c, h, w]),
                    _ => Err(self.wrong(format!("{factor:?} times {x:?}"))),
                }
            }
            Self::Pad { pads, .. } => {
                if pads.len() != x.len() {
                    return Err(self.wrong(format!("{} pads for {x:?}", pads.len())));
                }
                let sums = x.iter().zip(pads).map(|(&d, &(before, after))| {
                    d.checked_add(before).and_then(|d| d.checked_add(after))
                });
                let sums: Option<Vec<usize>> = sums.collect();
                sums.ok_or_else(|| self.wrong(format!("pads {pads:?}")))
            }
            Self::ReduceMean { axes } | Self::Reduce { axes, .. } => {
                let mut dims = x.to_vec();
                for &a in axes {
                    axis_of(a)?;
                    dims[a] = 1;
                }
                Ok(dims)
            }
            Self::Add | Self::Mul | Self::Pairwise { .. } => self.stretched(x, inputs[1]),
            Self::AddConst { dims, values } | Self::MulConst { dims, values } => {
                if dims.contains(&0) || elements(dims) != Some(values.len()) {
                    return Err(
                        self.wrong(format!("a constant {dims:?} with {} values", values.len()))
                    );
                }
                self.stretched(x, dims)
            }
            Self::MatMul => {
                let y = inputs[1];
                let ([batch_x @ .., m, k], [batch_y @ .., l, n]) = (x, y) else {
                    return Err(self.wrong(format!("{x:?} times {y:?}")));
                };
                match broadcast(batch_x, batch_y).filter(|_| k == l) {
                    Some(mut dims) => {
                        dims.extend([*m, *n]);
                        Ok(dims)
                    }
                    None => Err(self.wrong(format!("{x:?} times {y:?}"))),
                }
            }
            Self::Softmax { axis } | Self::LogSoftmax { axis } => {
                axis_of(*axis)?;
                Ok(x.to_vec())
            }
            Self::Normalize { axes, .. } => {
                axes.iter().try_for_each(|a| axis_of(*a).map(drop))?;
                Ok(x.to_vec())
            }
            Self::Lrn { size, .. } => {
                axis_of(1)?;
                match size {
                    0 => Err(self.wrong("sums of no channels")),
                    _ => Ok(x.to_vec()),
                }
            }
            Self::ArgMax { axis, .. } => {
                axis_of(*axis)?;
                let mut dims = x.to_vec();
                dims[*axis] = 1;
                Ok(dims)
            }
            Self::TopK { axis, k, .. } => {
                if *k > axis_of(*axis)? {
                    return Err(self.wrong(format!("{k} values of axis {axis} of {x:?}")));
                }
                let mut dims = x.to_vec();
                dims[*axis] = *k;
                Ok(dims)
            }
            Self::Gather { axis, indices } => {
                let extent = axis_of(*axis)?;
                if let Some(i) = indices.iter().find(|i| **i >= extent) {
                    return Err(self.wrong(format!("index {i} of axis {axis} of {x:?}")));
                }
                let mut dims = x.to_vec();
                dims[*axis] = indices.len();
                Ok(dims)
            }
            Self::Interpolate {
                axis,
                taps,
                indices,
                weights,
            } => {
                let extent = axis_of(*axis)?;
                if *taps == 0
                    || indices.len() != weights.len()
                    || !indices.len().is_multiple_of(*taps)
                {
                    return Err(self.wrong(format!(
                        "{} indices and {} weights for sums of {taps}",
                        indices.len(),
                        weights.len()
                    )));
                }
                if let Some(i) = indices.iter().find(|i| **i >= extent) {
                    return Err(self.wrong(format!("index {i} of axis {axis} of {x:?}")));
                }
                let mut dims = x.to_vec();
                dims[*axis] = indices.len() / taps;
                Ok(dims)
            }
            Self::Rearrange { split, perm, dims } => {
                let mut sorted = perm.clone();
                sorted.sort_unstable();
                let all = [elements(x), elements(split), elements(dims)];
                if all[0].is_none() || all.iter().any(|n| *n != all[0]) {
                    return Err(self.wrong(format!(
                        "{x:?}, {split:?} and {dims:?} differ in their number of elements"
                    )));
                }
                if !sorted.iter().copied().eq(0..split.len()) {
                    return Err(self.wrong(format!("{perm:?} does not permute {split:?}")));
                }
                Ok(dims.clone())
            }
            Self::Where => {
                let both = self.stretched(inputs[1], inputs[2])?;
                self.stretched(x, &both)
            }
            Self::Take { axis } => {
                axis_of(*axis)?;
                Ok([&x[..*axis], inputs[1], &x[axis + 1..]].concat())
            }
            Self::GatherElements { axis } => {
                axis_of(*axis)?;
                let of = inputs[1];
                let fits = of.len() == x.len() && (0..x.len()).all(|i| i == *axis || of[i] <= x[i]);
                match fits {
                    true => Ok(of.to_vec()),
                    false => Err(self.wrong(format!("indices {of:?} for {x:?}"))),
                }
            }
            Self::GatherNd { batch_dims } => {
                let of = inputs[1];
                let wrong = || self.wrong(format!("indices {of:?} for {x:?}"));
                let (depth, lead) = of.split_last().ok_or_else(wrong)?;
                let from = batch_dims.checked_add(*depth).ok_or_else(wrong)?;
                if from > x.len()
                    || *batch_dims > lead.len()
                    || x[..*batch_dims] != lead[..*batch_dims]
                {
                    return Err(wrong());
                }
                Ok([lead, &x[from..]].concat())
            }
            Self::Recurrent(r) => r.dims(inputs).map_err(|what| self.wrong(what)),
            // It has no operand, and was answered.
            Self::Constant { dims, .. } => Ok(dims.clone()),
            // They were walked through.
            Self::Fused { .. } => Ok(x.to_vec()),
        }
    }

    fn stretched(&self, a: &[usize], b: &[usize]) -> Result<Vec<usize>, HostError> {
        broadcast(a, b).ok_or_else(|| self.wrong(format!("{a:?} and {b:?} do not stretch")))
    }

    /// `[1, c, h, w]` as `[c, h, w]`.
    fn image(&self, x: &[usize]) -> Result<[usize; 3], HostError> {
        match *x {
            [1, c, h, w] => Ok([c, h, w]),
            _ => Err(self.wrong(format!("{x:?} is not [1, c, h, w]"))),
        }
    }

    /// Channels, and positions of a window down and right.
    fn windows(&self, x: &[usize], window: &Window) -> Result<[usize; 3], HostError> {
        let [c, h, w] = self.image(x)?;
        let Window {
            kernel,
            stride,
            dilation,
            pads,
        } = window;
        match window.output(h, w) {
            Some([ho, wo]) => Ok([c, ho, wo]),
            None => Err(self.wrong(format!(
                "no window of {kernel:?}, stride {stride:?}, dilation {dilation:?}, pads {pads:?} in {x:?}"
            ))),
        }
    }
}
