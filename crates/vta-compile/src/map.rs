//! Maps of vectors: tensors as the device sees them.

use crate::cost::Rows;
use crate::fit::DoesNotFit;
use std::ops::{Range, RangeInclusive};
use vta_net::graph::Window;
use vta_net::quant::Map;
use vta_tensor::Axis;

/// Largest extent of a map, a window or its padding that is computed with, and
/// the most vectors of a map. DRAM holds no more; sums of several of them, and
/// their products with the few accumulators of a vector, stay in 32 bits.
const MAX_EXTENT: u32 = 1 << 28;

/// A size, as 32 bits in which sums of several cannot wrap.
///
/// # Errors
/// It is too large.
pub(crate) fn extent(what: &'static str, n: usize) -> Result<u32, DoesNotFit> {
    match u32::try_from(n) {
        Ok(n) if n <= MAX_EXTENT => Ok(n),
        _ => Err(DoesNotFit::TooLarge(what)),
    }
}

/// A map of vectors in DRAM: `[blocks][h][w]` elements of `block` int8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FMap {
    /// Whose stores and loads can meet: the tensor whose memory it is in.
    pub root: usize,
    /// First block, counted in the root.
    pub block: u32,
    /// Element index of the first vector.
    pub base: u32,
    /// Blocks of channels.
    pub blocks: u32,
    /// Rows.
    pub h: u32,
    /// Columns.
    pub w: u32,
}

/// Channels, rows and columns of a tensor on the device.
pub(crate) fn map_dims(dims: &[usize]) -> Option<(usize, usize, usize)> {
    Map::of(dims).map(|m| (m.c, m.h, m.w))
}

impl FMap {
    /// The map of `[c, h, w]` channels, rows and columns, somewhere.
    ///
    /// # Errors
    /// It is larger than DRAM.
    pub(crate) fn new((c, h, w): (usize, usize, usize), block: u32) -> Result<Self, DoesNotFit> {
        let map = Self {
            root: 0,
            block: 0,
            base: 0,
            blocks: extent("channels", c)?.div_ceil(block),
            h: extent("rows of a map", h)?,
            w: extent("columns of a map", w)?,
        };
        let plane = u64::from(map.h) * u64::from(map.w);
        let vectors = plane.checked_mul(map.blocks.into());
        match vectors {
            Some(n) if n <= MAX_EXTENT.into() => Ok(map),
            _ => Err(DoesNotFit::TooLarge("vectors of a map")),
        }
    }

    /// Vectors of one block.
    pub(crate) fn plane(&self) -> u32 {
        self.h * self.w
    }

    /// Vectors.
    pub(crate) fn vectors(&self) -> u64 {
        u64::from(self.blocks) * u64::from(self.plane())
    }

    /// All of it, as a transfer.
    pub(crate) fn rows(&self) -> Rows {
        Rows {
            dram: self.base,
            y: self.blocks,
            x: self.plane(),
            stride: self.plane(),
        }
    }
}

/// A part of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Area {
    /// Blocks of channels.
    pub blocks: Range<u32>,
    /// Rows.
    pub rows: Range<u32>,
    /// Columns.
    pub cols: Range<u32>,
}

/// Elements of a range.
pub(crate) fn len(r: &Range<u32>) -> u32 {
    r.end - r.start
}

/// Whether two ranges share an element.
pub(crate) fn meet(a: &Range<u32>, b: &Range<u32>) -> bool {
    a.start < b.end && b.start < a.end
}

/// The window of a convolution or a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KernelWindow {
    /// Rows, columns.
    pub kernel: [u32; 2],
    /// Down, right.
    pub stride: [u32; 2],
    /// Down, right.
    pub dilation: [u32; 2],
    /// Top, left.
    pub pads: [u32; 2],
}

impl KernelWindow {
    /// A window over a map with this result.
    ///
    /// # Errors
    /// Sizes with which positions would leave 32 bits.
    pub(crate) fn new(w: &Window, output: &FMap) -> Result<Self, DoesNotFit> {
        let each = |what, [a, b]: [usize; 2]| -> Result<_, DoesNotFit> {
            Ok([extent(what, a)?, extent(what, b)?])
        };
        let window = Self {
            kernel: each("kernel", w.kernel)?,
            stride: each("stride", w.stride)?,
            dilation: each("dilation", w.dilation)?,
            pads: each("padding", [w.pads[0], w.pads[1]])?,
        };
        for (axis, n) in [output.h, output.w].into_iter().enumerate() {
            let (k, s, d) = (
                window.kernel[axis],
                window.stride[axis],
                window.dilation[axis],
            );
            if k == 0 || s == 0 || d == 0 {
                return Err(DoesNotFit::TooLarge(
                    "a window of size, stride or dilation 0",
                ));
            }
            let reach = u64::from(k - 1) * u64::from(d);
            let last = u64::from(n.saturating_sub(1)) * u64::from(s);
            // Twice: a tile of a pool in a tile of a convolution.
            if reach.max(last) > 2 * u64::from(MAX_EXTENT) {
                return Err(DoesNotFit::TooLarge("positions of a window"));
            }
        }
        Ok(window)
    }

    /// Rows (axis 0) or columns (axis 1) from the first kernel position to the last.
    pub(crate) fn reach(&self, axis: usize) -> u32 {
        (self.kernel[axis] - 1) * self.dilation[axis]
    }

    /// Positions of an output axis of `n` for which kernel position `k` meets
    /// one of the input's `len` elements.
    pub(crate) fn valid(&self, axis: usize, n: u32, len: u32, k: u32) -> Range<u32> {
        let met = self
            .axis(axis)
            .outputs_met(k as usize, len as usize, n as usize);
        // Positions of an axis of `n`.
        let position = |p: usize| u32::try_from(p).map_or(n, |p| p.min(n));
        position(met.start)..position(met.end)
    }

    const fn axis(&self, axis: usize) -> Axis {
        Axis {
            kernel: self.kernel[axis] as usize,
            stride: self.stride[axis] as usize,
            dilation: self.dilation[axis] as usize,
            before: self.pads[axis] as usize,
            after: 0,
        }
    }

    /// As [`Axis::input`], in the device's 32 bits: the input position that kernel position `k` meets at output position
    /// `y`, which is one of [`Self::valid`].
    pub(crate) fn met(&self, axis: usize, y: u32, k: u32) -> u32 {
        y * self.stride[axis] + k * self.dilation[axis] - self.pads[axis]
    }

    /// As [`Axis::inputs_read`], from the first to the last: positions that outputs of a range, not empty, meet in an input axis of
    /// `len` with the kernel positions of a range.
    pub(crate) fn needed(
        &self,
        axis: usize,
        out: &Range<u32>,
        kernel: RangeInclusive<u32>,
        len: u32,
    ) -> Range<u32> {
        let (stride, pad) = (self.stride[axis], self.pads[axis]);
        let [first, last] = [*kernel.start(), *kernel.end()].map(|k| k * self.dilation[axis]);
        let lo = (out.start * stride + first).saturating_sub(pad).min(len);
        let hi = ((out.end - 1) * stride + last + 1)
            .saturating_sub(pad)
            .min(len);
        lo..hi.max(lo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The window of the device and the one that everybody shares see the same inputs.
    #[test]
    fn windows_meet_what_the_shared_window_meets() {
        for (kernel, stride, dilation, pad) in
            (1..4).flat_map(|k| (1..4).flat_map(move |s| (1..3).map(move |d| (k, s, d, k / 2))))
        {
            let shared = Window {
                kernel: [kernel; 2],
                stride: [stride; 2],
                dilation: [dilation; 2],
                pads: [pad; 4],
            };
            let inputs = 9;
            let axis = shared.axis(1);
            let Some(n) = axis.outputs(inputs) else {
                continue;
            };
            let map = FMap::new((1, n, n), 16).expect("it fits");
            let window = KernelWindow::new(&shared, &map).expect("it fits");
            for k in 0..kernel {
                for x in window.valid(1, map.w, 9, k as u32) {
                    let met = window.met(1, x, k as u32);
                    assert_eq!(axis.input(x as usize, k), Some(met as usize));
                }
            }
            for x in 0..map.w {
                let needed = window.needed(1, &(x..x + 1), 0..=kernel as u32 - 1, 9);
                let read: Vec<_> = axis.inputs_read(x as usize, inputs).collect();
                if let (Some(first), Some(last)) = (read.first(), read.last()) {
                    let read = *first as u32..*last as u32 + 1;
                    assert!(needed.start <= read.start && read.end <= needed.end, "{x}");
                    assert!(len(&needed) <= window.reach(1) + 1);
                }
            }
        }
    }

    #[test]
    fn what_would_leave_32_bits_is_refused() {
        assert!(FMap::new((16, 1 << 14, 1 << 14), 16).is_ok());
        let e = FMap::new((32, 1 << 14, 1 << 14), 16);
        assert_eq!(e, Err(DoesNotFit::TooLarge("vectors of a map")));
        let e = FMap::new((1, 1 << 33, 1), 16);
        assert_eq!(e, Err(DoesNotFit::TooLarge("rows of a map")));
        let map = FMap::new((1, 1, 1 << 20), 16).expect("it fits");
        let window = |stride| Window {
            kernel: [1, 1],
            stride: [1, stride],
            dilation: [1, 1],
            pads: [0; 4],
        };
        assert!(KernelWindow::new(&window(256), &map).is_ok());
        let e = KernelWindow::new(&window(1 << 12), &map);
        assert_eq!(e, Err(DoesNotFit::TooLarge("positions of a window")));
    }
}
