//! A convolution in integers, as plain as loops can be.

use vta_net::quant::QConv;

/// A map `[c][h][w]`.
pub struct Map {
    pub c: usize,
    pub h: usize,
    pub w: usize,
    pub data: Vec<i8>,
}

impl Map {
    /// A value; padding is zero.
    fn get(&self, c: usize, y: i64, x: i64) -> i64 {
        let inside = (0..self.h as i64).contains(&y) && (0..self.w as i64).contains(&x);
        if inside {
            self.data[(c * self.h + y as usize) * self.w + x as usize].into()
        } else {
            0
        }
    }
}

/// The convolution of `input`, with 64-bit sums.
pub fn conv(q: &QConv, input: &Map, residual: Option<&Map>) -> Map {
    let (co, ci, kh, kw) = q.weight.dim();
    let size = |n: usize, i: usize| {
        let span = (q.window.kernel[i] - 1) * q.window.dilation[i] + 1;
        (n + q.window.pads[i] + q.window.pads[i + 2] - span) / q.window.stride[i] + 1
    };
    let (ho, wo) = (size(input.h, 0), size(input.w, 1));
    let mut data = Vec::new();
    for c in 0..co {
        let group = c / (co / q.groups);
        let s = q.shift.of(c);
        for oy in 0..ho {
            for ox in 0..wo {
                let mut a = i64::from(q.bias[c]);
                if s > 0 {
                    a += 1 << (s - 1);
                }
                if q.post_shift > 0 {
                    a += 1 << (q.post_shift - 1 + s);
                }
                for i in 0..ci {
                    for ky in 0..kh {
                        for kx in 0..kw {
                            let at = |o: usize, k: usize, axis: usize| {
                                (o * q.window.stride[axis] + k * q.window.dilation[axis]) as i64
                                    - q.window.pads[axis] as i64
                            };
                            let x = input.get(group * ci + i, at(oy, ky, 0), at(ox, kx, 1));
                            a += i64::from(q.weight[[c, i, ky, kx]]) * x;
                        }
                    }
                }
                if let Some(leaky) = &q.leaky {
                    let mut below = 0;
                    for k in leaky {
                        below += a >> k;
                    }
                    a = if a > below { a } else { below };
                }
                a >>= s;
                if let Some(r) = residual {
                    a += r.get(c, oy as i64, ox as i64) * (1 << q.residual_shift);
                }
                a >>= q.post_shift;
                data.push(a.max(q.clamp.0.into()).min(q.clamp.1.into()) as i8);
            }
        }
    }
    Map {
        c: co,
        h: ho,
        w: wo,
        data,
    }
}
