//! `Semaphore` (core/Semaphore.scala): an 8-bit token counter.

/// A counter of tokens from one unit to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Semaphore {
    cnt: u8,
    /// Posts that found 255 tokens.
    dropped: u32,
}

impl Semaphore {
    /// `sready`: a token is there.
    pub const fn sready(self) -> bool {
        self.cnt != 0
    }

    /// Tokens.
    pub const fn count(self) -> u8 {
        self.cnt
    }

    /// Posts that were dropped.
    pub const fn dropped(self) -> u32 {
        self.dropped
    }

    /// One clock edge. A post at 255 is dropped; a post and a wait cancel.
    pub const fn tick(&mut self, spost: bool, swait: bool) {
        if spost && !swait {
            if self.cnt == u8::MAX {
                self.dropped += 1;
            } else {
                self.cnt += 1;
            }
        } else if swait && !spost {
            self.cnt = self.cnt.saturating_sub(1);
        }
    }
}
