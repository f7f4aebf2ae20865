//! Other sizes: the mean of the area when shrinking, bilinear when growing.

use super::{Fault, Image};

/// What a pixel of the new row is made of: weights of pixels from `first` on.
struct Tap {
    first: usize,
    weights: Vec<u32>,
}

/// Taps of an axis; the weights of each sum to the second value.
fn taps(from: usize, to: usize) -> (Vec<Tap>, u32) {
    if to <= from {
        return (area(from, to), from as u32);
    }
    (bilinear(from, to), 2 * to as u32)
}

/// Pixel `i` covers `i * from .. (i + 1) * from`, if each old pixel is `to` long.
fn area(from: usize, to: usize) -> Vec<Tap> {
    let tap = |i: usize| {
        let (begin, end) = (i * from, (i + 1) * from);
        let first = begin / to;
        let last = end.div_ceil(to);
        let weight = |j: usize| (end.min((j + 1) * to) - begin.max(j * to)) as u32;
        Tap {
            first,
            weights: (first..last).map(weight).collect(),
        }
    };
    (0..to).map(tap).collect()
}

/// The centre of pixel `i` between the centres of two old pixels, in units of
/// `1 / (2 * to)` of an old pixel; the border pixel goes on outside.
fn bilinear(from: usize, to: usize) -> Vec<Tap> {
    let unit = 2 * to as i64;
    let tap = |i: usize| {
        let at = (2 * i as i64 + 1) * from as i64 - to as i64;
        let at = at.clamp(0, (from as i64 - 1) * unit);
        let (first, part) = ((at / unit) as usize, (at % unit) as u32);
        let weights = match part {
            0 => vec![unit as u32],
            part => vec![unit as u32 - part, part],
        };
        Tap { first, weights }
    };
    (0..to).map(tap).collect()
}

/// The image with another size.
///
/// Each axis for itself: if it shrinks, a new pixel is the mean of the area
/// that it covers; if it grows, it is interpolated between the centres of two
/// old pixels. Integer arithmetic, rounded once (halves up): the same bytes on
/// every machine.
///
/// # Errors
/// A size without pixels, or with too many.
pub fn resize(image: &Image, height: usize, width: usize) -> Result<Image, Fault> {
    let [channels, from_h, from_w] = image.dims();
    if (from_h, from_w) == (height, width) {
        return Ok(image.clone());
    }
    Image::check(channels, height, width)?;
    let ((columns, sum_x), (rows, sum_y)) = (taps(from_w, width), taps(from_h, height));
    let unit = u64::from(sum_x) * u64::from(sum_y);
    let mut data = Vec::with_capacity(channels * height * width);
    for c in 0..channels {
        let plane = image.plane(c);
        // The rows of the old image that the current new row needs.
        let mut done: Vec<(usize, Vec<u32>)> = Vec::new();
        for row in &rows {
            done.retain(|(y, _)| *y >= row.first);
            for y in row.first..row.first + row.weights.len() {
                if done.last().is_none_or(|(last, _)| *last < y) {
                    done.push((y, across(&plane[y * from_w..(y + 1) * from_w], &columns)));
                }
            }
            for x in 0..width {
                let terms = row.weights.iter().zip(&done);
                let sum: u64 = terms
                    .map(|(w, (_, old))| u64::from(*w) * u64::from(old[x]))
                    .sum();
                data.push(((2 * sum + unit) / (2 * unit)) as u8);
            }
        }
    }
    Image::new(channels, height, width, data)
}

/// A row through the taps of its columns.
fn across(row: &[u8], columns: &[Tap]) -> Vec<u32> {
    let tap = |t: &Tap| {
        let terms = t.weights.iter().zip(&row[t.first..]);
        terms.map(|(w, v)| w * u32::from(*v)).sum()
    };
    columns.iter().map(tap).collect()
}
