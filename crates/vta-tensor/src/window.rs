//! Windows: what convolutions and pools see of a map.
//!
//! The one place that knows how many outputs a window makes, which outputs a
//! kernel position meets, and which inputs an output reads. An output `o`
//! meets, with kernel position `k`, input `o * stride + k * dilation - before`,
//! which is padding where it is not one of the input's. The integer reference
//! of `vta-net` has loops of its own, on purpose: it is what this is held against.

use std::ops::Range;

/// A two-dimensional window: kernel, stride, dilation and padding.
///
/// ```
/// use vta_tensor::Window;
///
/// let window = Window::square(3, 2, 1);
/// assert_eq!(window.output(224, 224), Some([112, 112]));
/// // The first row reads padding, then rows 0 and 1.
/// assert!(window.axis(0).inputs_read(0, 224).eq([0, 1]));
/// // The kernel's first row meets padding there, so it starts at the second.
/// assert_eq!(window.axis(0).outputs_met(0, 224, 112), 1..112);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Rows, columns.
    pub kernel: [usize; 2],
    /// Down, right.
    pub stride: [usize; 2],
    /// Down, right.
    pub dilation: [usize; 2],
    /// Top, left, bottom, right; bottom and right hold what `ceil_mode` adds.
    pub pads: [usize; 4],
}

/// A window along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Axis {
    /// Kernel positions.
    pub kernel: usize,
    /// Inputs from one output to the next.
    pub stride: usize,
    /// Inputs from one kernel position to the next.
    pub dilation: usize,
    /// Padding before the first input.
    pub before: usize,
    /// Padding after the last input.
    pub after: usize,
}

impl Window {
    /// The window of a 1x1 convolution.
    pub const POINT: Self = Self::square(1, 1, 0);

    /// A square window without dilation.
    pub const fn square(kernel: usize, stride: usize, pad: usize) -> Self {
        Self {
            kernel: [kernel; 2],
            stride: [stride; 2],
            dilation: [1; 2],
            pads: [pad; 4],
        }
    }

    /// A window without dilation.
    pub const fn undilated(kernel: [usize; 2], stride: [usize; 2], pads: [usize; 4]) -> Self {
        Self {
            kernel,
            stride,
            dilation: [1; 2],
            pads,
        }
    }

    /// The window that sees a whole map of this size at once.
    pub const fn whole(map: [usize; 2]) -> Self {
        Self {
            kernel: map,
            ..Self::POINT
        }
    }

    /// Along rows (`axis` 0) or columns (1).
    ///
    /// # Panics
    /// Another axis.
    pub const fn axis(&self, axis: usize) -> Axis {
        Axis {
            kernel: self.kernel[axis],
            stride: self.stride[axis],
            dilation: self.dilation[axis],
            before: self.pads[axis],
            after: self.pads[axis + 2],
        }
    }

    /// The window with other padding along an axis.
    const fn set_pads(&mut self, axis: usize, pads: Axis) {
        self.pads[axis] = pads.before;
        self.pads[axis + 2] = pads.after;
    }

    /// Rows and columns of the result for an input of this size; none when no
    /// window fits, or with a kernel, stride or dilation of zero.
    pub fn output(&self, height: usize, width: usize) -> Option<[usize; 2]> {
        Some([self.axis(0).outputs(height)?, self.axis(1).outputs(width)?])
    }

    /// The window with what ONNX's `ceil_mode` adds below and at the right for
    /// an input of `[height, width]`.
    pub fn ceil_mode(mut self, size: [usize; 2]) -> Self {
        for (i, size) in size.into_iter().enumerate() {
            self.set_pads(i, self.axis(i).ceil_mode(size));
        }
        self
    }

    /// The window with ONNX's `auto_pad` `SAME_UPPER` or `SAME_LOWER` for an
    /// input of `[height, width]`.
    pub fn same(mut self, size: [usize; 2], upper: bool) -> Self {
        for (i, size) in size.into_iter().enumerate() {
            self.set_pads(i, self.axis(i).same(size, upper));
        }
        self
    }

    /// The window with more padding: top, left, bottom, right.
    pub fn padded(mut self, pads: [usize; 4]) -> Self {
        for (sum, more) in self.pads.iter_mut().zip(pads) {
            *sum += more;
        }
        self
    }
}

impl Axis {
    /// Inputs from the first that an output meets to the last, both included;
    /// none without kernel positions.
    pub fn span(&self) -> Option<usize> {
        let last = self.kernel.checked_sub(1)?;
        last.checked_mul(self.dilation)?.checked_add(1)
    }

    /// Outputs for so many inputs; none when no window fits, or with a kernel,
    /// stride or dilation of zero.
    pub fn outputs(&self, inputs: usize) -> Option<usize> {
        if self.stride == 0 || self.dilation == 0 {
            return None;
        }
        let padded = inputs.checked_add(self.before)?.checked_add(self.after)?;
        Some(padded.checked_sub(self.span()?)? / self.stride + 1)
    }

    /// With as much padding more at the end as ONNX's `ceil_mode` asks for:
    /// the last window may reach over the padded input, but must start inside
    /// of the input or of the padding before it.
    fn ceil_mode(mut self, inputs: usize) -> Self {
        let Some(span) = self.span() else { return self };
        let padded = inputs + self.before + self.after;
        if self.stride == 0 || padded < span {
            return self;
        }
        let mut count = (padded - span).div_ceil(self.stride) + 1;
        if (count - 1) * self.stride >= inputs + self.before {
            count -= 1;
        }
        let end = (count - 1) * self.stride + span;
        self.after = self.after.max(end.saturating_sub(inputs + self.before));
        self
    }

    /// With as much padding as makes one output for each stride begun; what is
    /// odd goes to the end (`upper`) or to the start.
    fn same(mut self, inputs: usize, upper: bool) -> Self {
        let span = self.span().unwrap_or_default();
        let last = (inputs.div_ceil(self.stride).max(1) - 1) * self.stride;
        let total = (last + span).saturating_sub(inputs);
        let (less, more) = (total / 2, total - total / 2);
        (self.before, self.after) = if upper { (less, more) } else { (more, less) };
        self
    }

    /// The outputs, of `outputs`, for which kernel position `k` meets one of
    /// the inputs and not padding; maybe an empty range.
    pub fn outputs_met(&self, k: usize, inputs: usize, outputs: usize) -> Range<usize> {
        let offset = k * self.dilation;
        let first = self.before.saturating_sub(offset).div_ceil(self.stride);
        let end = (inputs + self.before).saturating_sub(offset);
        let end = end.div_ceil(self.stride).min(outputs);
        first.min(end)..end
    }

    /// The input that output `o` meets with kernel position `k`; none before the first.
    pub fn input(&self, o: usize, k: usize) -> Option<usize> {
        (o * self.stride + k * self.dilation).checked_sub(self.before)
    }

    /// The inputs that output `o` reads, those on padding left out.
    pub fn inputs_read(self, o: usize, inputs: usize) -> impl Iterator<Item = usize> {
        (0..self.kernel)
            .filter_map(move |k| self.input(o, k))
            .filter(move |at| *at < inputs)
    }

    /// The first output, of `outputs`, that reads padding alone.
    pub fn output_on_padding(&self, inputs: usize, outputs: usize) -> Option<usize> {
        let span = self.span().unwrap_or_default();
        // Only windows at the ends can miss it; those between reach over it or lie in it.
        let ends = |o: &usize| {
            let start = o * self.stride;
            start < self.before || start + span > self.before + inputs
        };
        // The first kernel position at or behind the padding.
        let meets = |o: usize| {
            let k = self
                .before
                .saturating_sub(o * self.stride)
                .div_ceil(self.dilation);
            k < self.kernel && self.input(o, k).is_some_and(|at| at < inputs)
        };
        (0..outputs).filter(ends).find(|o| !meets(*o))
    }
}
