//! Sums, products and extremes over axes.

use super::super::error::{Fault, Res};
use super::super::import::Importer;
use super::super::node::{OnnxNode, Value, axes, axis};
use super::pool::means;
use crate::graph::{Function, HostOp, Op, TensorId, Window};
use vta_tensor::host::Reduction;

/// The axes of a reduction; none where it leaves its operand alone.
pub(super) fn over(n: &OnnxNode<'_>, rank: usize) -> Res<Option<Vec<usize>>> {
    let since = if n.op() == "ReduceSum" { 13 } else { 18 };
    Ok(match n.ints_or_input("axes", 1, since)? {
        Some(a) if !a.is_empty() => Some(axes(&a, rank)?),
        _ if n.int("noop_with_empty_axes", 0)? != 0 => None,
        _ => Some((0..rank).collect()),
    })
}

pub(super) fn reduce(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let dims = im.dims(x).to_vec();
    let Some(axes) = over(n, dims.len())? else {
        im.bind(n, 0, Value::Tensor(x));
        return Ok(());
    };
    let keep = n.int("keepdims", 1)? != 0;
    let over = Over { axes, keep };
    let one = |f| Op::Elementwise(vec![f]);
    let square = || one(Function::Pow { exponent: 2.0 });
    match n.op() {
        "ReduceMax" => over.of(im, n, x, Reduction::Max, None),
        "ReduceMin" => over.of(im, n, x, Reduction::Min, None),
        "ReduceProd" => over.of(im, n, x, Reduction::Prod, None),
        "ReduceSum" => over.of(im, n, x, Reduction::Sum, None),
        "ReduceL1" => {
            let y = im.step(n, one(Function::Abs), &[x])?;
            over.of(im, n, y, Reduction::Sum, None)
        }
        "ReduceL2" => {
            let y = im.step(n, square(), &[x])?;
            over.of(im, n, y, Reduction::Sum, Some(Function::Sqrt))
        }
        "ReduceSumSquare" => {
            let y = im.step(n, square(), &[x])?;
            over.of(im, n, y, Reduction::Sum, None)
        }
        "ReduceLogSum" => over.of(im, n, x, Reduction::Sum, Some(Function::Log)),
        _ => log_sum_exp(im, n, x, over),
    }
}

/// Axes, and whether they stay as 1.
struct Over {
    axes: Vec<usize>,
    keep: bool,
}

impl Over {
    /// The dimensions of a result.
    fn dims(&self, from: &[usize]) -> Vec<usize> {
        let kept = (0..from.len()).filter(|i| self.keep || !self.axes.contains(i));
        kept.map(|i| if self.axes.contains(&i) { 1 } else { from[i] })
            .collect()
    }

    /// A reduction, and a function behind it, as the node's result.
    fn of(
        self,
        im: &mut Importer,
        n: &OnnxNode<'_>,
        x: TensorId,
        reduction: Reduction,
        then: Option<Function>,
    ) -> Res<()> {
        let dims = im.dims(x).to_vec();
        let to = self.dims(&dims);
        let map = match (&dims[..], &self.axes[..]) {
            ([1, _, h, w], [2, 3]) => Some([*h, *w]),
            _ => None,
        };
        let y = match (map, reduction) {
            (Some(size), Reduction::Max) => im.step(n, Op::MaxPool(Window::whole(size)), &[x])?,
            (Some([h, w]), Reduction::Sum) => {
                let y = means(im, n, x, &self.axes)?;
                let count = Importer::scalar(n, "count", (h * w) as f32);
                im.step(n, Op::MulConst(count), &[y])?
            }
            _ => {
                let axes = self.axes;
                im.step(n, Op::Host(HostOp::Reduce { reduction, axes }), &[x])?
            }
        };
        let y = match then {
            Some(f) => im.step(n, Op::Elementwise(vec![f]), &[y])?,
            None => y,
        };
        im.reshape(n, y, &to)
    }
}

/// The largest value is taken out before, so that nothing overflows.
fn log_sum_exp(im: &mut Importer, n: &OnnxNode<'_>, x: TensorId, over: Over) -> Res<()> {
    let minus = || Op::MulConst(Importer::scalar(n, "minus", -1.0));
    let reduce = |reduction| {
        Op::Host(HostOp::Reduce {
            reduction,
            axes: over.axes.clone(),
        })
    };
    let to = over.dims(im.dims(x));
    let top = im.step(n, reduce(Reduction::Max), &[x])?;
    let below = im.step(n, minus(), &[top])?;
    let rest = im.step(n, Op::Add, &[x, below])?;
    let rest = im.step(n, Op::Elementwise(vec![Function::Exp]), &[rest])?;
    let sum = im.step(n, reduce(Reduction::Sum), &[rest])?;
    let sum = im.step(n, Op::Elementwise(vec![Function::Log]), &[sum])?;
    let y = im.step(n, Op::Add, &[sum, top])?;
    im.reshape(n, y, &to)
}

pub(super) fn cum_sum(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let dims = im.dims(x).to_vec();
    let at = n.constant(1)?.to_ints()?;
    let at = at
        .first()
        .ok_or_else(|| Fault::form("the axis is missing"))?;
    let axis = axis(*at, dims.len())?;
    let extent = dims[axis];
    let exclusive = n.int("exclusive", 0)? != 0;
    let reverse = n.int("reverse", 0)? != 0;
    im.budget.take(&[extent, extent])?;
    let counts = |o: usize, i: usize| {
        let (first, second) = if reverse { (o, i) } else { (i, o) };
        first < second || (!exclusive && first == second)
    };
    let pairs = (0..extent).flat_map(|o| (0..extent).map(move |i| (o, i)));
    let (indices, weights) = pairs
        .map(|(o, i)| (i, f32::from(u8::from(counts(o, i)))))
        .unzip();
    let op = HostOp::Interpolate {
        axis,
        taps: extent,
        indices,
        weights,
    };
    im.result(n, Op::Host(op), &[x])
}
