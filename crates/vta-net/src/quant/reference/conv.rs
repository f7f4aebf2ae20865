//! A convolution in integers.
//!
//! Products are summed in two ways, by the number of outputs that share an
//! input: as a matrix product over gathered inputs, or plane by plane. The
//! sums wrap; [`super::super::check()`] has proven that they cannot.

use super::super::net::QConv;
use super::super::shape::Map;
use ndarray::Axis;

/// Pixels whose gathered inputs are held at once: they should stay in the cache.
const PIXELS: usize = 64;

/// A convolution on given maps.
#[derive(Debug)]
pub(crate) struct ConvPlan<'a> {
    pub conv: &'a QConv,
    input: Map,
    output: Map,
    /// The weights, widened.
    weight: Vec<i16>,
}

impl<'a> ConvPlan<'a> {
    /// The convolution of `input` that makes `output`, both checked.
    pub fn new(conv: &'a QConv, input: Map, output: Map) -> Self {
        Self {
            conv,
            input,
            output,
            weight: conv.weight.iter().map(|w| i16::from(*w)).collect(),
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

    fn pad(&self, x: &[i8]) -> Vec<i16> {
        let [top, left, _, _] = self.conv.window.pads;
        let ([hp, wp], Map { c, h, w }) = (self.padded(), self.input);
        let mut padded = vec![0_i16; c * hp * wp];
        for (row, x) in x.chunks_exact(w).enumerate() {
            let at = ((row / h) * hp + row % h + top) * wp + left;
            for (to, from) in padded[at..at + w].iter_mut().zip(x) {
                *to = i16::from(*from);
            }
        }
        padded
    }

    /// Sums `[co][ho][wo]` as products of weight rows and gathered inputs.
    fn matrix(&self, padded: &[i16]) -> Vec<i32> {
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
        let mut gathered = vec![0_i16; PIXELS.min(plane) * length];
        for group in 0..self.conv.groups {
            let input = &padded[group * ci * hp * wp..];
            let first = group * outputs;
            for start in (0..plane).step_by(PIXELS) {
                let pixels = start..(start + PIXELS).min(plane);
                for (p, row) in pixels.clone().zip(gathered.chunks_exact_mut(length)) {
                    let (oy, ox) = (p / self.output.w, p % self.output.w);
                    let x = &input[oy * window.stride[0] * wp + ox * window.stride[1]..];
                    for (to, at) in row.iter_mut().zip(&offsets) {
                        *to = x[*at];
                    }
                }
                let mut c = 0;
                while c < outputs {
                    // Four rows at a time; the last ones may repeat a row.
                    let rows = [0, 1, 2, 3].map(|i| first + (c + i).min(outputs - 1));
                    let w = rows.map(|r| &self.weight[r * length..][..length]);
                    for (p, x) in pixels.clone().zip(gathered.chunks_exact(length)) {
                        let four = dot4(x, w);
                        for (r, sum) in rows.iter().zip(four) {
                            sums[r * plane + p] = sum;
                        }
                    }
                    c += 4;
                }
            }
        }
        sums
    }

    /// Sums `[co][ho][wo]`, one weight times one plane at a time.
    fn planes(&self, padded: &[i16]) -> Vec<i32> {
        let [hp, wp] = self.padded();
        let (plane, window) = (self.output.plane(), &self.conv.window);
        let ([sy, sx], [dy, dx]) = (window.stride, window.dilation);
        let (outputs, ci) = (self.output.c / self.conv.groups, self.conv.weight.dim().1);
        let mut sums = vec![0_i32; self.output.c * plane];
        for (c, sums) in sums.chunks_exact_mut(plane).enumerate() {
            let weight = self.conv.weight.index_axis(Axis(0), c);
            for ((i, ky, kx), w) in weight.indexed_iter() {
                let w = i32::from(*w);
                let channel = c / outputs * ci + i;
                for (oy, sums) in sums.chunks_exact_mut(self.output.w).enumerate() {
                    let row = (channel * hp + oy * sy + ky * dy) * wp + kx * dx;
                    let x = &padded[row..];
                    let add = |(sum, x): (&mut i32, &i16)| {
                        *sum = sum.wrapping_add(w.wrapping_mul(i32::from(*x)));
                    };
                    if sx == 1 {
                        sums.iter_mut().zip(x).for_each(add);
                    } else {
                        sums.iter_mut().zip(x.iter().step_by(sx)).for_each(add);
                    }
                }
            }
        }
        sums
    }
}

fn dot4(x: &[i16], w: [&[i16]; 4]) -> [i32; 4] {
    let n = x.len();
    let [w0, w1, w2, w3] = w.map(|w| &w[..n]);
    let mut s = [0_i32; 4];
    for i in 0..n {
        let x = i32::from(x[i]);
        s[0] = s[0].wrapping_add(x.wrapping_mul(i32::from(w0[i])));
        s[1] = s[1].wrapping_add(x.wrapping_mul(i32::from(w1[i])));
        s[2] = s[2].wrapping_add(x.wrapping_mul(i32::from(w2[i])));
        s[3] = s[3].wrapping_add(x.wrapping_mul(i32::from(w3[i])));
    }
    s
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
