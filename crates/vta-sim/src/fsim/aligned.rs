//! Bytes that start at a cache line, so that no vector load crosses one.

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;

/// A fixed number of bytes, zero at first. Pages are not touched before they
/// are written: a core of which a program uses little costs little.
#[derive(Debug)]
pub(super) struct Aligned {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Aligned {
    pub(super) fn zeroed(len: usize) -> Self {
        let bytes = vec![0; len + LINE];
        // A failed alignment only costs speed.
        let start = bytes.as_ptr().align_offset(LINE).min(LINE);
        Self { bytes, start, len }
    }
}

impl Clone for Aligned {
    fn clone(&self) -> Self {
        let mut new = Self::zeroed(self.len);
        new.copy_from_slice(self);
        new
    }
}

impl Deref for Aligned {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.len]
    }
}

impl DerefMut for Aligned {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.len]
    }
}
