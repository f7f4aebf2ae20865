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
    /// Since when there is one, while there is one.
    since: u64,
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

    /// Tokens.
    pub const fn count(self) -> u8 {
        self.count
    }

    /// Since when there is a token, while there is one.
    pub const fn since(self) -> Option<u64> {
        match self.count {
            0 => None,
            _ => Some(self.since),
        }
    }

    /// Whether posts of the next cycles will not find it full.
    pub const fn has_room(self) -> bool {
        self.count < 250
    }

    /// A token is given in a cycle.
    pub const fn post(&mut self, cycle: u64) {
        if self.count == 0 {
            self.since = cycle + 1;
        }
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

#[cfg(test)]
mod tests {
    use super::Tokens;
    use crate::tsim::semaphore::Semaphore;
    use chacha20::{
        ChaCha8Rng,
        rand_core::{Rng, SeedableRng},
    };

    /// Whatever the order in which a cycle's post and wait are handled.
    #[test]
    fn tokens_count_as_the_semaphore() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut tokens, mut sem) = (Tokens::default(), Semaphore::default());
        let mut full = 0;
        for cycle in 0..20_000 {
            // Phases in which posts, then waits are more frequent.
            let bias = if cycle / 2000 % 2 == 0 { 200 } else { 60 };
            let ready = tokens.from().is_some_and(|from| from <= cycle);
            assert_eq!(ready, sem.sready(), "cycle {cycle}");
            let post = rng.next_u32() % 256 < bias;
            let wait = ready && rng.next_u32() % 256 < 256 - bias;
            full += u32::from(sem.count() == u8::MAX && post);
            sem.tick(post, wait);
            let wait_first = rng.next_u32() % 2 == 0;
            if wait && wait_first {
                tokens.wait(cycle);
            }
            if post {
                tokens.post(cycle);
            }
            if wait && !wait_first {
                tokens.wait(cycle);
            }
            assert_eq!(tokens.count, sem.count(), "cycle {cycle}");
        }
        assert!(full > 100, "it was full");
    }
}
