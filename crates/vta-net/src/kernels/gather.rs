//! What a kernel position meets: rows of pixels, with zeros where padding is.

use super::conv::Geometry;
use std::ops::Range;

/// Some rows of the output of some images: a block of columns of the gathered matrix.
#[derive(Debug, Clone)]
pub struct Tile {
    /// Images, counted from the first of the slice.
    pub images: Range<usize>,
    /// Rows of the output.
    pub rows: Range<usize>,
}

impl Tile {
    /// Pixels of the output.
    pub fn pixels(&self, g: &Geometry) -> usize {
        self.images.len() * self.rows.len() * g.output[1]
    }
}

/// For each kernel position, the valid range of rows and columns.
#[derive(Debug)]
pub struct Reach {
    rows: Vec<Range<usize>>,
    columns: Vec<Range<usize>>,
}

impl Reach {
    /// Of a convolution.
    pub fn new(g: &Geometry) -> Self {
        let of = |i: usize| {
            let axis = g.window.axis(i);
            (0..axis.kernel).map(move |k| axis.outputs_met(k, g.input[i], g.output[i]))
        };
        Self {
            rows: of(0).collect(),
            columns: of(1).collect(),
        }
    }
}

/// Gathers what the weights of one output channel meet: a row for each of the
/// channels `channels` and kernel positions, a column for each pixel of the tile.
pub fn gather(
    g: &Geometry,
    reach: &Reach,
    x: &[f32],
    channels: Range<usize>,
    tile: &Tile,
    columns: &mut [f32],
) {
    let plane = g.input[0] * g.input[1];
    let per_image = tile.rows.len() * g.output[1];
    let mut rows = columns.chunks_exact_mut(tile.pixels(g));
    for c in channels {
        for ky in 0..g.window.kernel[0] {
            for kx in 0..g.window.kernel[1] {
                let Some(row) = rows.next() else { return };
                for (image, out) in tile.images.clone().zip(row.chunks_exact_mut(per_image)) {
                    let at = (image * g.ci + c) * plane;
                    one(g, reach, &x[at..at + plane], [ky, kx], &tile.rows, out);
                }
            }
        }
    }
}

/// One kernel position over the rows of one plane.
fn one(
    g: &Geometry,
    reach: &Reach,
    x: &[f32],
    [ky, kx]: [usize; 2],
    rows: &Range<usize>,
    out: &mut [f32],
) {
    let width = g.output[1];
    let (valid, cols) = (&reach.rows[ky], &reach.columns[kx]);
    let (begin, end) = (valid.start.max(rows.start), valid.end.min(rows.end));
    if begin >= end || cols.is_empty() {
        out.fill(0.0);
        return;
    }
    out[..(begin - rows.start) * width].fill(0.0);
    out[(end - rows.start) * width..].fill(0.0);
    let w = &g.window;
    let start = |oy: usize| {
        let iy = oy * w.stride[0] + ky * w.dilation[0] - w.pads[0];
        iy * g.input[1] + cols.start * w.stride[1] + kx * w.dilation[1] - w.pads[1]
    };
    if w.stride == [1, 1] && width == g.input[1] {
        // Rows follow each other in both: one copy, then zeros at the edges.
        let first = (begin - rows.start) * width + cols.start;
        let last = (end - 1 - rows.start) * width + cols.end;
        let from = start(begin);
        out[first..last].copy_from_slice(&x[from..from + last - first]);
        if cols.len() < width {
            for row in out.chunks_exact_mut(width) {
                row[..cols.start].fill(0.0);
                row[cols.end..].fill(0.0);
            }
        }
        return;
    }
    for oy in begin..end {
        let row = &mut out[(oy - rows.start) * width..][..width];
        row[..cols.start].fill(0.0);
        row[cols.end..].fill(0.0);
        let row = &mut row[cols.clone()];
        let from = &x[start(oy)..];
        if w.stride[1] == 1 {
            row.copy_from_slice(&from[..row.len()]);
        } else {
            row.iter_mut()
                .zip(from.iter().step_by(w.stride[1]))
                .for_each(|(o, x)| *o = *x);
        }
    }
}

/// The reverse: adds gathered columns to the pixels that they came from.
pub fn scatter(
    g: &Geometry,
    reach: &Reach,
    columns: &[f32],
    channels: Range<usize>,
    tile: &Tile,
    x: &mut [f32],
) {
    let plane = g.input[0] * g.input[1];
    let per_image = tile.rows.len() * g.output[1];
    let (width, w) = (g.output[1], &g.window);
    let mut rows = columns.chunks_exact(tile.pixels(g));
    for c in channels {
        for ky in 0..w.kernel[0] {
            for kx in 0..w.kernel[1] {
                let Some(row) = rows.next() else { return };
                let (valid, cols) = (&reach.rows[ky], &reach.columns[kx]);
                let begin = valid.start.max(tile.rows.start);
                let end = valid.end.min(tile.rows.end);
                if cols.is_empty() {
                    continue;
                }
                for (image, from) in tile.images.clone().zip(row.chunks_exact(per_image)) {
                    let at = (image * g.ci + c) * plane;
                    let x = &mut x[at..at + plane];
                    for oy in begin..end {
                        let from = &from[(oy - tile.rows.start) * width..][..width][cols.clone()];
                        let iy = oy * w.stride[0] + ky * w.dilation[0] - w.pads[0];
                        let ix = cols.start * w.stride[1] + kx * w.dilation[1] - w.pads[1];
                        let to = &mut x[iy * g.input[1] + ix..];
                        if w.stride[1] == 1 {
                            to.iter_mut().zip(from).for_each(|(x, v)| *x += v);
                        } else {
                            to.iter_mut()
                                .step_by(w.stride[1])
                                .zip(from)
                                .for_each(|(x, v)| *x += v);
                        }
                    }
                }
            }
        }
    }
}
