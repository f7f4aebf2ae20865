//! Pooling and means.

use super::super::error::{Fault, Res};
use super::super::import::Importer;
use super::super::node::{OnnxNode, Value};
use super::conv::{Image, Padding, padded, window};
use super::reduce;
use crate::graph::{Op, TensorId, Window};

/// A pool's window, and what `ceil_mode` adds below and at the right.
struct Pool {
    image: Image,
    window: Window,
    /// Bottom, right.
    added: [usize; 2],
}

fn pool(im: &mut Importer, n: &OnnxNode<'_>) -> Res<Pool> {
    let image = Image::of(im, n)?;
    let size = image.size;
    let (open, padding) = window(n, None, image.line)?;
    let stated = padded(open, &padding, size);
    let mut window = stated;
    if n.int("ceil_mode", 0)? != 0 && matches!(padding, Padding::Explicit(_)) {
        window = stated.ceil_mode(size);
    }
    let added = [2, 3].map(|i| window.pads[i] - stated.pads[i]);
    for (i, size) in size.into_iter().enumerate() {
        check(n, &window, i, size)?;
    }
    Ok(Pool {
        image,
        window,
        added,
    })
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
    if !n.output(1).is_empty() {
        return Err(Fault::form(
            "indices of the largest values as a result are not supported",
        ));
    }
    pool.image.result(im, n, Op::MaxPool(pool.window))
}

pub(super) fn average_pool(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let Pool {
        mut image,
        mut window,
        added,
    } = pool(im, n)?;
    let mut count_include_pad = n.int("count_include_pad", 0)? != 0 && window.pads != [0; 4];
    if count_include_pad && added != [0; 2] {
        // The file's padding counts, what ceil_mode adds does not.
        let [top, left, bottom, right] = window.pads;
        let (bottom, right) = (bottom - added[0], right - added[1]);
        if [top, left, bottom, right] != [0; 4] {
            let pads = vec![(0, 0), (0, 0), (top, bottom), (left, right)];
            image.x = im.step(n, Op::Pad { pads, value: 0.0 }, &[image.x])?;
        }
        window.pads = [0, 0, added[0], added[1]];
        count_include_pad = false;
    }
    let op = Op::AveragePool {
        window,
        count_include_pad,
    };
    image.result(im, n, op)
}

pub(super) fn global(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let rank = im.dims(x).len();
    if n.op() == "GlobalAveragePool" {
        let axes: Vec<usize> = (2..rank).collect();
        let y = means(im, n, x, &axes)?;
        let to = im.dims(y).to_vec();
        return im.reshape(n, y, &to);
    }
    let image = Image::of(im, n)?;
    image.result(im, n, Op::MaxPool(Window::whole(image.size)))
}

pub(super) fn reduce_mean(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let x = n.tensor(0)?;
    let dims = im.dims(x).to_vec();
    let Some(over) = reduce::over(n, dims.len())? else {
        im.bind(n, 0, Value::Tensor(x));
        return Ok(());
    };
    let keep = n.int("keepdims", 1)? != 0;
    let to: Vec<usize> = (0..dims.len())
        .filter(|i| keep || !over.contains(i))
        .map(|i| if over.contains(&i) { 1 } else { dims[i] })
        .collect();
    if !keep && !is_map(&dims, &over) {
        return im.result_to(n, 0, Op::ReduceMean { axes: over }, &[x], Some(&to));
    }
    let y = means(im, n, x, &over)?;
    im.reshape(n, y, &to)
}

/// Whether axes are the positions of `[1, c, h, w]`.
fn is_map(dims: &[usize], axes: &[usize]) -> bool {
    matches!((dims, axes), ([1, _, _, _], [2, 3]))
}

/// A mean over axes, which stay as 1; over the positions of a map it is a global pool.
pub(super) fn means(
    im: &mut Importer,
    n: &OnnxNode<'_>,
    x: TensorId,
    axes: &[usize],
) -> Res<TensorId> {
    let dims = im.dims(x).to_vec();
    let mut to = dims.clone();
    for a in axes {
        to[*a] = 1;
    }
    if !is_map(&dims, axes) {
        let op = Op::ReduceMean {
            axes: axes.to_vec(),
        };
        return im.step_to(n, op, &[x], Some(&to));
    }
    let op = Op::AveragePool {
        window: Window::whole([dims[2], dims[3]]),
        count_include_pad: false,
    };
    im.step(n, op, &[x])
}
