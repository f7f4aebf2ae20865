//! Dimensions of maps and windows.

use crate::graph::Window;

/// A device tensor's dimensions: `[1, c, h, w]`, or `[1, c]` as a map of one pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Map {
    pub c: usize,
    pub h: usize,
    pub w: usize,
}

impl Map {
    /// Reads `[1, c, h, w]` or `[1, c]`; anything else is not a map.
    pub fn of(dims: &[usize]) -> Option<Self> {
        match *dims {
            [1, c] => Some(Self { c, h: 1, w: 1 }),
            [1, c, h, w] => Some(Self { c, h, w }),
            _ => None,
        }
    }

    /// Elements of one channel.
    pub const fn plane(self) -> usize {
        self.h * self.w
    }
}

/// Rows and columns that a window makes of a map; none where it does not fit or is malformed.
pub(crate) fn window_output(h: usize, w: usize, window: &Window) -> Option<[usize; 2]> {
    let [top, left, bottom, right] = window.pads;
    let one = |n: usize, before: usize, after: usize, i: usize| {
        let (k, s, d) = (window.kernel[i], window.stride[i], window.dilation[i]);
        let span = k.checked_sub(1)?.checked_mul(d)?.checked_add(1)?;
        let room = n.checked_add(before)?.checked_add(after)?;
        (s > 0 && d > 0).then_some(())?;
        Some(room.checked_sub(span)? / s + 1)
    };
    Some([one(h, top, bottom, 0)?, one(w, left, right, 1)?])
}

/// The window of a 1x1 convolution.
pub(crate) const POINT: Window = Window {
    kernel: [1, 1],
    stride: [1, 1],
    dilation: [1, 1],
    pads: [0; 4],
};
