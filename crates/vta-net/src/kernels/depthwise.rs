//! Convolutions of one channel for each group: a plane at a time.

use super::conv::Geometry;
use rayon::prelude::*;

/// Whether each output channel reads one input channel, and each input channel makes one.
pub const fn is_depthwise(g: &Geometry) -> bool {
    g.groups == g.ci && g.groups == g.co
}

/// `y [n, c, ho, wo]` from `x [n, c, h, w]`, `weight [c, 1, kh, kw]` and `bias [c]`.
///
/// # Panics
/// Another convolution, or slices of other sizes: a mistake in the caller.
pub fn forward(g: &Geometry, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let (plane, positions) = (g.out_plane(), g.depth());
    assert!(is_depthwise(g) && bias.len() == g.co);
    assert_eq!(x.len(), g.n * g.ci * g.in_plane());
    assert_eq!(weight.len(), g.co * positions);
    let mut y = vec![0.; g.n * g.co * plane];
    if y.is_empty() {
        return y;
    }
    let padded = Padded::new(g);
    y.par_chunks_mut(plane)
        .zip(x.par_chunks(g.in_plane()))
        .enumerate()
        .for_each_init(Vec::new, |data, (i, (y, x))| {
            let c = i % g.co;
            padded.fill(g, x, data);
            let weight = &weight[c * positions..][..positions];
            padded.sums(g, data, weight, bias[c], y);
        });
    y
}

/// How a plane lies with its padding: each row in as many parts as the stride, so
/// that what one kernel position meets is without gaps.
struct Padded {
    rows: usize,
    /// Elements of a part.
    part: usize,
    /// Parts of a row.
    parts: usize,
}

impl Padded {
    fn new(g: &Geometry) -> Self {
        let w = &g.window;
        let [top, left, bottom, right] = w.pads;
        let parts = w.stride[1].max(1);
        Self {
            rows: g.input[0] + top + bottom,
            part: (g.input[1] + left + right).div_ceil(parts),
            parts,
        }
    }

    fn fill(&self, g: &Geometry, x: &[f32], data: &mut Vec<f32>) {
        let [top, left, ..] = g.window.pads;
        let row = self.part * self.parts;
        data.clear();
        data.resize(self.rows * row, 0.);
        let rows = data.chunks_exact_mut(row).skip(top);
        for (to, from) in rows.zip(x.chunks_exact(g.input[1])) {
            if self.parts == 1 {
                to[left..left + from.len()].copy_from_slice(from);
                continue;
            }
            for p in 0..self.parts {
                // The first column of the input that is in this part, and its place there.
                let first = (p + self.parts - left % self.parts) % self.parts;
                let at = p * self.part + (left + first) / self.parts;
                let from = from.iter().skip(first).step_by(self.parts);
                to[at..].iter_mut().zip(from).for_each(|(t, f)| *t = *f);
            }
        }
    }

    fn sums(&self, g: &Geometry, data: &[f32], weight: &[f32], bias: f32, y: &mut [f32]) {
        let ([kh, kw], w) = (g.window.kernel, &g.window);
        for (oy, y) in y.chunks_exact_mut(g.output[1]).enumerate() {
            y.fill(bias);
            for ky in 0..kh {
                let row = (oy * w.stride[0] + ky * w.dilation[0]) * self.part * self.parts;
                for kx in 0..kw {
                    let column = kx * w.dilation[1];
                    let at = row + column % self.parts * self.part + column / self.parts;
                    let weight = weight[ky * kw + kx];
                    let x = &data[at..at + y.len()];
                    y.iter_mut().zip(x).for_each(|(y, x)| *y += weight * x);
                }
            }
        }
    }
}
