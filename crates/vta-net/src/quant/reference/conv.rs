//! A convolution in integers.
//!
//! Products are summed in two ways, by the number of outputs that share an
//! input: as a matrix product over gathered inputs, or plane by plane. Both
//! compute in single precision, where whole numbers up to 2^24 are exact and so
//! is every sum of them in any order: sums that could be larger are made of
//! parts. Parts are added in int32; [`super::super::check()`] has proven that
//! they fit.

use super::super::net::QConv;
use super::super::shape::Map;
use crate::kernels::matrix::{Layout, product};
use ndarray::Axis;

/// Pixels whose gathered inputs are held at once: they should stay in the cache.
const PIXELS: usize = 256;

/// Products of two int8 whose sum is exact in single precision, whatever they are.
const EXACT: usize = (1 << 24) / (128 * 128);

/// A convolution on given maps.
#[derive(Debug)]
pub(crate) struct ConvPlan<'a> {
    pub conv: &'a QConv,
    input: Map,
    output: Map,
    /// The weights, widened.
    weight: Vec<f32>,
    /// Products of an output that are summed at once.
    part: usize,
}

impl<'a> ConvPlan<'a> {
    /// The convolution of `input` that makes `output`, both checked.
    pub fn new(conv: &'a QConv, input: Map, output: Map) -> Self {
        let weight: Vec<f32> = conv.weight.iter().map(|w| f32::from(*w)).collect();
        let length = (weight.len() / output.c.max(1)).max(1);
        let bound = |w: &[f32]| 128. * w.iter().map(|w| f64::from(w.abs())).sum::<f64>();
        let exact = weight
            .chunks(length)
            .all(|w| bound(w) <= f64::from(1 << 24));
        Self {
            conv,
            input,
            output,
            weight,
            part: if exact { length } else { EXACT },
        }
    }

    /// Sums of products `[co][ho][wo]` of an input `[c][h][w]`.
    pub fn sums(&self, x: &[i8]) -> Vec<i32> {
        let padded = self.pad(x);
        if self.output.c / self.conv.groups >= 4 {
            self.matrix(&padded)
        } else {
            self.planes(&padded)
        }
    }

    /// Rows and columns of the padded input.
    fn padded(&self) -> [usize; 2] {
        let [top, left, bottom, right] = self.conv.window.pads;
        [self.input.h + top + bottom, self.input.w + left + right]
    }

    fn pad(&self, x: &[i8]) -> Vec<f32> {
        let [top, left, _, _] = self.conv.window.pads;
        let ([hp, wp], Map { c, h, w }) = (self.padded(), self.input);
        let mut padded = vec![0_f32; c * hp * wp];
        for (row, x) in x.chunks_exact(w).enumerate() {
            let at = ((row / h) * hp + row % h + top) * wp + left;
            for (to, from) in padded[at..at + w].iter_mut().zip(x) {
                *to = f32::from(*from);
            }
        }
        padded
    }

    /// Sums `[co][ho][wo]` as products of weight rows and gathered inputs.
    fn matrix(&self, padded: &[f32]) -> Vec<i32> {
        let (_, ci, kh, kw) = self.conv.weight.dim();
        let ([hp, wp], window) = (self.padded(), &self.conv.window);
        let (length, plane) = (ci * kh * kw, self.output.plane());
        let outputs = self.output.c / self.conv.groups;
        let mut offsets = Vec::with_capacity(length);
        for c in 0..ci {
            for ky in 0..kh {
                for kx in 0..kw {
                    let y = c * hp + ky * window.dilation[0];
                    offsets.push(y * wp + kx * window.dilation[1]);
                }
            }
        }
        let mut sums = vec![0_i32; self.output.c * plane];
        let mut gathered = vec![0_f32; PIXELS.min(plane) * length];
        let mut products = vec![0_f32; PIXELS.min(plane) * outputs];
        for group in 0..self.conv.groups {
            let input = &padded[group * ci * hp * wp..];
            let weight = &self.weight[group * outputs * length..][..outputs * length];
            let sums = &mut sums[group * outputs * plane..][..outputs * plane];
            for start in (0..plane).step_by(PIXELS) {
                let pixels = start..(start + PIXELS).min(plane);
                let n = pixels.len();
                for (row, at) in gathered.chunks_exact_mut(n).zip(&offsets) {
                    self.gather(&input[*at..], pixels.clone(), row);
                }
                for first in (0..length).step_by(self.part) {
                    let part = self.part.min(length - first);
                    product(
                        (&mut products, Layout::by_rows(outputs, n, n)),
                        (&weight[first..], Layout::by_rows(outputs, part, length)),
                        (&gathered[first * n..], Layout::by_rows(part, n, n)),
                        false,
                    );
                    let rows = sums.chunks_exact_mut(plane).zip(products.chunks_exact(n));
                    for (sums, products) in rows {
                        add(&mut sums[pixels.clone()], products);
                    }
                }
            }
        }
        sums
    }

    /// What one kernel position meets at some pixels of the output, from where it
    /// meets the first of the map on.
    fn gather(&self, x: &[f32], pixels: std::ops::Range<usize>, out: &mut [f32]) {
        let ([_, wp], [sy, sx], wo) = (self.padded(), self.conv.window.stride, self.output.w);
        let mut done = 0;
        while done < out.len() {
            let (oy, ox) = ((pixels.start + done) / wo, (pixels.start + done) % wo);
            let n = (wo - ox).min(out.len() - done);
            let (to, from) = (&mut out[done..done + n], &x[oy * sy * wp + ox * sx..]);
            if sx == 1 {
                to.copy_from_slice(&from[..n]);
            } else {
                let from = from.iter().step_by(sx);
                to.iter_mut().zip(from).for_each(|(t, f)| *t = *f);
            }
            done += n;
        }
    }

    /// Sums `[co][ho][wo]`, one weight times one plane at a time.
    fn planes(&self, padded: &[f32]) -> Vec<i32> {
        let [hp, wp] = self.padded();
        let (plane, window) = (self.output.plane(), &self.conv.window);
        let ([sy, sx], [dy, dx]) = (window.stride, window.dilation);
        let (outputs, ci) = (self.output.c / self.conv.groups, self.conv.weight.dim().1);
        let mut sums = vec![0_i32; self.output.c * plane];
        let mut products = vec![0_f32; plane];
        for (c, sums) in sums.chunks_exact_mut(plane).enumerate() {
            let weight = self.conv.weight.index_axis(Axis(0), c);
            let mut summed = 0;
            for ((i, ky, kx), w) in weight.indexed_iter() {
                let w = f32::from(*w);
                let channel = c / outputs * ci + i;
                for (oy, sums) in products.chunks_exact_mut(self.output.w).enumerate() {
                    let row = (channel * hp + oy * sy + ky * dy) * wp + kx * dx;
                    let x = &padded[row..];
                    if sx == 1 {
                        sums.iter_mut().zip(x).for_each(|(s, x)| *s += w * x);
                    } else {
                        let x = x.iter().step_by(sx);
                        sums.iter_mut().zip(x).for_each(|(s, x)| *s += w * x);
                    }
                }
                summed += 1;
                if summed == self.part {
                    add(sums, &products);
                    products.fill(0.);
                    summed = 0;
                }
            }
            add(sums, &products);
            products.fill(0.);
        }
        sums
    }
}

/// Adds whole numbers.
fn add(sums: &mut [i32], products: &[f32]) {
    for (sum, p) in sums.iter_mut().zip(products) {
        // Exact, and far inside int32.
        *sum = sum.wrapping_add(*p as i32);
    }
}

/// What follows the sums of products, for all elements of an output.
pub(crate) fn finish_all(conv: &QConv, sums: &[i32], residual: Option<&[i8]>) -> Vec<i8> {
    let plane = (sums.len() / conv.bias.len().max(1)).max(1);
    let mut y = vec![0; sums.len()];
    for (c, (sums, y)) in sums.chunks(plane).zip(y.chunks_mut(plane)).enumerate() {
        let residual = residual.map(|r| &r[c * plane..][..plane]);
        for (i, (sum, y)) in sums.iter().zip(y).enumerate() {
            *y = finish(conv, c, *sum, residual.map(|r| r[i]));
        }
    }
    y
}

/// What follows the sum of products, as [`QConv`] says.
fn finish(conv: &QConv, channel: usize, products: i32, residual: Option<i8>) -> i8 {
    let shift = conv.shift.of(channel);
    let mut a = conv.bias[channel] + half(shift) + (half(conv.post_shift) << shift) + products;
    if let Some(leaky) = &conv.leaky {
        a = a.max(leaky.iter().map(|k| a >> k).sum());
    }
    a >>= shift;
    if let Some(r) = residual {
        a += i32::from(r) << conv.residual_shift;
    }
    a >>= conv.post_shift;
    a.clamp(conv.clamp.0.into(), conv.clamp.1.into()) as i8
}

const fn half(shift: u8) -> i32 {
    if shift == 0 { 0 } else { 1 << (shift - 1) }
}
