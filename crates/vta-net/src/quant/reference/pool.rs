//! Max pooling in integers.

use super::super::shape::Map;
use crate::graph::Window;

/// The largest value in each window; padding does not count, and a window of nothing but padding is -128.
pub(super) fn max_pool(x: &[i8], input: Map, output: Map, window: &Window) -> Vec<i8> {
    let [top, left, _, _] = window.pads;
    let mut y = Vec::with_capacity(output.c * output.plane());
    // Positions of the map that meet the window at an output index.
    let met = |o: usize, i: usize, before: usize, n: usize| {
        let first = o * window.stride[i];
        (0..window.kernel[i])
            .filter_map(move |k| (first + k * window.dilation[i]).checked_sub(before))
            .filter(move |at| *at < n)
    };
    for plane in x.chunks_exact(input.plane()) {
        for oy in 0..output.h {
            for ox in 0..output.w {
                let mut most = i8::MIN;
                for iy in met(oy, 0, top, input.h) {
                    for ix in met(ox, 1, left, input.w) {
                        most = most.max(plane[iy * input.w + ix]);
                    }
                }
                y.push(most);
            }
        }
    }
    y
}
