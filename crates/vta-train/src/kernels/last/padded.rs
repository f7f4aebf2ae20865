//! An image with zeros around it.

use std::cell::RefCell;

/// Sizes of an image and of the zeros around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Padded {
    rows: usize,
    columns: usize,
    pub(super) channels: usize,
    /// Above and left.
    pub(super) before: [usize; 2],
    /// Below and right.
    after: [usize; 2],
}

thread_local! {
    /// The image at work.
    static IMAGE: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

impl Padded {
    pub(super) fn new(
        [rows, columns]: [usize; 2],
        channels: usize,
        before: [usize; 2],
        after: [usize; 2],
    ) -> Self {
        Self {
            rows,
            columns,
            channels,
            before,
            after,
        }
    }

    /// Values of a row.
    pub(super) fn row(&self) -> usize {
        (self.before[1] + self.columns + self.after[1]) * self.channels
    }

    /// Calls with the image in its zeros.
    pub(super) fn with<R>(&self, image: &[f32], f: impl FnOnce(&[f32]) -> R) -> R {
        if self.before == [0, 0] && self.after == [0, 0] {
            return f(image);
        }
        let row = self.row();
        let length = (self.before[0] + self.rows + self.after[0]) * row;
        // Not borrowed while `f` runs: it may be entered again on this thread.
        let mut all = IMAGE.take();
        if all.len() < length {
            all.resize(length, 0.0);
        }
        let (above, rest) = all[..length].split_at_mut(self.before[0] * row);
        let (inside, below) = rest.split_at_mut(self.rows * row);
        above.fill(0.0);
        below.fill(0.0);
        let width = self.columns * self.channels;
        let left = self.before[1] * self.channels;
        if width > 0 {
            for (to, from) in inside.chunks_exact_mut(row).zip(image.chunks_exact(width)) {
                to[..left].fill(0.0);
                to[left..left + width].copy_from_slice(from);
                to[left + width..].fill(0.0);
            }
        }
        let result = f(&all[..length]);
        IMAGE.replace(all);
        result
    }
}
