//! Backgrounds: two colours in a texture.

use super::super::{Image, Random};
use super::colour::{Colour, Range, any, apart};

/// Backgrounds are darker than shapes: else edges of either sign must be
/// learned, which takes a small network far more images.
const DARK: Range = 0..=144;

/// A square image of a texture, and the colours in it.
pub(super) fn background(random: &mut Random, side: usize) -> (Image, Vec<Colour>) {
    let first = any(random, &DARK);
    let second = apart(random, &DARK, &[first], 60);
    let mix = match random.below(4) {
        0 => gradient(random, side),
        1 => stripes(random, side),
        2 => checks(random, side),
        _ => clouds(random, side),
    };
    let mut data = Vec::with_capacity(3 * mix.len());
    for (a, b) in first.iter().zip(&second) {
        let (a, b) = (i32::from(*a), i32::from(*b));
        data.extend(mix.iter().map(|m| ((a * (256 - m) + b * m) / 256) as u8));
    }
    // The size is one of two constants.
    let image = Image::new(3, side, side, data).expect("a square of three planes");
    let middle = [0, 1, 2].map(|c| ((u16::from(first[c]) + u16::from(second[c])) / 2) as u8);
    (image, vec![first, middle, second])
}

/// A direction and a place along it for each pixel, in steps of 1/64 pixel.
fn ramp(random: &mut Random, side: usize) -> impl Iterator<Item = i32> {
    let (a, b) = (random.between(-64, 64), random.between(-64, 64));
    let length = ((a * a + b * b) as u32).isqrt().max(1) as i32;
    let side = side as i32;
    (0..side * side).map(move |i| (a * (i % side) + b * (i / side)) * 64 / length)
}

/// Up and down between 0 and 256, once in a period.
fn wave(at: i32, period: i32) -> i32 {
    let at = at.rem_euclid(period) * 512 / period;
    if at < 256 { at } else { 512 - at }
}

fn gradient(random: &mut Random, side: usize) -> Vec<i32> {
    let period = random.between(side as i32 * 96, side as i32 * 192);
    let start = random.between(0, period);
    let all = ramp(random, side).map(|at| wave(at + start, period));
    all.collect()
}

fn stripes(random: &mut Random, side: usize) -> Vec<i32> {
    let period = random.between(4 * 64, 12 * 64);
    let start = random.between(0, period);
    ramp(random, side)
        .map(|at| wave(at + start, period))
        .collect()
}

fn checks(random: &mut Random, side: usize) -> Vec<i32> {
    let size = random.between(3, 8);
    let (x0, y0) = (random.between(0, size), random.between(0, size));
    let side = side as i32;
    let dark = |i: i32| ((i % side + x0) / size + (i / side + y0) / size) % 2;
    (0..side * side).map(|i| 64 + 128 * dark(i)).collect()
}

/// Random values on a grid, interpolated.
fn clouds(random: &mut Random, side: usize) -> Vec<i32> {
    let cell = random.between(4, 10) as usize;
    let n = side / cell + 2;
    let mut grid = vec![0; n * n];
    random.fill(&mut grid);
    let mut out = Vec::with_capacity(side * side);
    for y in 0..side {
        for x in 0..side {
            let (column, row) = (x / cell, y / cell);
            let (u, v) = ((x % cell) as i32, (y % cell) as i32);
            let at = |r: usize, c: usize| i32::from(grid[(row + r) * n + column + c]);
            let cell = cell as i32;
            let top = at(0, 0) * (cell - u) + at(0, 1) * u;
            let bottom = at(1, 0) * (cell - u) + at(1, 1) * u;
            out.push((top * (cell - v) + bottom * v) / (cell * cell));
        }
    }
    out
}
