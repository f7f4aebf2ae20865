//! Tokens that know when they were given.

/// A semaphore, whose posts and waits come in the order of time; those of one
/// cycle in any order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tokens {
    count: u8,
    /// Cycle of the last post.
    posted: u64,
    /// The last post found 255 tokens.
    full: bool,
}

impl Tokens {
    /// From which cycle on a token can be taken, if no other comes; none if there is none.
    pub const fn from(self) -> Option<u64> {
        match self.count {
            0 => None,
            // At most one is given in a cycle: those before are older.
            1 => Some(self.posted + 1),
            _ => Some(0),
        }
    }

    /// Whether posts of the next cycles will not find it full.
    pub const fn has_room(self) -> bool {
        self.count < 250
    }

    /// A token is given in a cycle.
    pub const fn post(&mut self, cycle: u64) {
        self.full = self.count == u8::MAX;
        self.posted = cycle;
        self.count = self.count.saturating_add(1);
    }

    /// A token is taken in a cycle.
    pub const fn wait(&mut self, cycle: u64) {
        if self.full && self.posted == cycle {
            // Post and wait of one cycle cancel.
            self.full = false;
        } else {
            self.count = self.count.saturating_sub(1);
        }
    }
}
