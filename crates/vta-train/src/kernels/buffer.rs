//! Memory for maps: at whole cache lines, and used again.
//!
//! Each step makes and drops the same maps. From the system they would come as
//! pages that are cleared and mapped anew each time.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Values of a cache line.
const VALUES: usize = 16;

/// Lines that are kept for later, at most: 256 MiB.
const MOST_KEPT: usize = 1 << 22;

/// A cache line.
#[repr(C, align(64))]
#[derive(Debug, Clone, Copy)]
struct Line([f32; VALUES]);

/// What was dropped and may be used again.
#[derive(Debug)]
struct Kept {
    by_lines: BTreeMap<usize, Vec<Vec<Line>>>,
    /// Lines of all of them.
    lines: usize,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept {
    by_lines: BTreeMap::new(),
    lines: 0,
});

/// Values that begin at a cache line.
#[derive(Debug)]
pub struct Buffer {
    lines: Vec<Line>,
    len: usize,
}

impl Buffer {
    /// So many values of any content: all are to be written.
    pub fn any(len: usize) -> Self {
        let count = len.div_ceil(VALUES);
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        let old = kept.by_lines.get_mut(&count).and_then(Vec::pop);
        if old.is_some() {
            kept.lines -= count;
        }
        drop(kept);
        let lines = old.unwrap_or_else(|| vec![Line([0.0; VALUES]); count]);
        Self { lines, len }
    }

    /// So many zeros.
    pub fn zeros(len: usize) -> Self {
        let mut b = Self::any(len);
        b.fill(0.0);
        b
    }

    /// Its memory in bytes, whole lines.
    pub(crate) fn bytes(&self) -> usize {
        self.lines.len() * size_of::<Line>()
    }
}

impl From<&[f32]> for Buffer {
    fn from(values: &[f32]) -> Self {
        let mut b = Self::any(values.len());
        b.copy_from_slice(values);
        b
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: a line is 16 values without padding, and `len` is at most those of all lines.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above; the lines are borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.lines + lines.len() <= MOST_KEPT {
            kept.lines += lines.len();
            kept.by_lines.entry(lines.len()).or_default().push(lines);
        }
    }
}
