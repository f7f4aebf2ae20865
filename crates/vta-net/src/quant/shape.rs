//! Dimensions of maps.

/// A device tensor's dimensions: `[1, c, h, w]`, or `[1, c]` as a map of one pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Map {
    /// Channels.
    pub c: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
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
