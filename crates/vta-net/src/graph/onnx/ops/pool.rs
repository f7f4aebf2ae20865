//! Pooling and means.

use super::super::error::{Fault, Res};
use super::super::import::Importer;
use super::super::node::{OnnxNode, Value, axes};
use super::conv::{Padding, image_size, padded, window};
use crate::graph::{Op, TensorId, Window};

/// A pool's window, and what `ceil_mode` adds below and at the right.
struct Pool {
    window: Window,
    /// Bottom, right.
    added: [usize; 2],
}

fn pool(im: &Importer, n: &OnnxNode<'_>) -> Res<Pool> {
    let size = image_size(im, n)?;
    let (open, padding) = window(n, None)?;
    let stated = padded(open, &padding, size);
    let mut window = stated;
    if n.int("ceil_mode", 0)? != 0 && matches!(padding, Padding::Explicit(_)) {
        window = stated.ceil_mode(size);
    }
    let added = [2, 3].map(|i| window.pads[i] - stated.pads[i]);
    for (i, size) in size.into_iter().enumerate() {
        check(n, &window, i, size)?;
    }
    Ok(Pool { window, added })
}

/// Every window must meet the input.
fn check(n: &OnnxNode<'_>, window: &Window, i: usize, size: usize) -> Res<()> {
    let axis = window.axis(i);
    if (axis.before, axis.after) == (0, 0) {
        return Ok(());
    }
    // Where no window fits, shape inference says so.
    let Some(span) = axis.span() else {
        return Ok(());
    };
    if axis.before >= span || axis.after >= span {
        let text = format!("padding {:?} is not smaller than the window", window.pads);
        return Err(Fault::form(format!("{text} ({})", n.op())));
    }
    let Some(count) = axis.outputs(size) else {
        return Ok(());
    };
    match axis.output_on_padding(size, count) {
        None => Ok(()),
        Some(o) => Err(Fault::form(format!("window {o} lies in the padding alone"))),
    }
}

pub(super) fn max_pool(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let pool = pool(im, n)?;
    im.result(n, Op::MaxPool(pool.window), &[n.tensor(0)?])
}

pub(super) fn average_pool(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let Pool { mut window, added } = pool(im, n)?;
    let mut x = n.tensor(0)?;
    let mut count_include_pad = n.int("count_include_pad", 0)? != 0 && window.pads != [0; 4];
    if count_include_pad && added != [0; 2] {
        // The file's padding counts, what ceil_mode adds does not.
        let [top, left, bottom, right] = window.pads;
        let (bottom, right) = (bottom - added[0], right - added[1]);
        if [top, left, bottom, right] != [0; 4] {
            let pads = vec![(0, 0), (0, 0), (top, bottom), (left, right)];
            x = im.step(n, Op::Pad { pads, value: 0.0 }, &[x])?;
        }
        window.pads = [0, 0, added[0], added[1]];
        count_include_pad = false;
    }
    let op = Op::AveragePool {
        window,
        count_include_pad,
    };
    im.result(n, op, &[x])
}

pub(super) fn global(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let rank = im.dims(x).len();
    let mean = n.op() == "GlobalAveragePool";
    if mean && rank != 4 {
        return means(im, n, x, (2..rank).collect(), true);
    }
    let window = Window::whole(image_size(im, n)?);
    let op = if mean {
        Op::AveragePool {
            window,
            count_include_pad: false,
        }
    } else {
        Op::MaxPool(window)
    };
    im.result(n, op, &[x])
}

pub(super) fn reduce_mean(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let rank = im.dims(x).len();
    let over = match n.ints_or_input("axes", 1, 18)? {
        Some(a) if !a.is_empty() => axes(&a, rank)?,
        _ if n.int("noop_with_empty_axes", 0)? != 0 => {
            im.bind(n, 0, Value::Tensor(x));
            return Ok(());
        }
        _ => (0..rank).collect(),
    };
    let keep = n.int("keepdims", 1)? != 0;
    means(im, n, x, over, keep)
}

/// A mean over axes; over the maps of an image it is a global pool.
fn means(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    x: TensorId,
    axes: Vec<usize>,
    keep: bool,
) -> Res<()> {
    let dims = im.dims(x).to_vec();
    let kept = |i: &usize| keep || !axes.contains(i);
    let to: Vec<usize> = (0..dims.len())
        .filter(kept)
        .map(|i| if axes.contains(&i) { 1 } else { dims[i] })
        .collect();
    if let ([1, _, h, w], [2, 3]) = (dims.as_slice(), axes.as_slice()) {
        let op = Op::AveragePool {
            window: Window::whole([*h, *w]),
            count_include_pad: false,
        };
        if keep {
            return im.result(n, op, &[x]);
        }
        let y = im.step(n, op, &[x])?;
        return im.result_to(n, 0, Op::Reshape, &[y], Some(&to));
    }
    im.result_to(n, 0, Op::ReduceMean { axes }, &[x], Some(&to))
}
