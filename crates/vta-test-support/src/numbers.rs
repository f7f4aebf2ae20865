//! Numbers that follow from a seed, or from bytes that a fuzzer chooses.

/// A stream of numbers: the bytes that were given, then what follows from a seed.
#[derive(Debug, Clone)]
pub struct Numbers {
    bytes: Vec<u8>,
    at: usize,
    state: u64,
}

impl Numbers {
    /// What follows from a seed.
    pub const fn new(seed: u64) -> Self {
        Self {
            bytes: Vec::new(),
            at: 0,
            state: seed,
        }
    }

    /// Each choice takes the next of these bytes; when they are used up, what
    /// follows from their sum.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let sum = bytes.iter().fold(0u64, |sum, b| {
            sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*b)
        });
        Self {
            bytes: bytes.to_vec(),
            at: 0,
            state: sum,
        }
    }

    /// The next number, of all 64 bits (splitmix64). It takes no byte.
    pub const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A choice among `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        if let Some(byte) = self.bytes.get(self.at)
            && n <= 256
        {
            self.at += 1;
            return usize::from(*byte) % n;
        }
        (self.next() % n as u64) as usize
    }

    /// A number of a range that is not empty.
    pub fn within(&mut self, range: std::ops::RangeInclusive<usize>) -> usize {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Integers of 8 bits.
    pub fn int8(&mut self, n: usize) -> Vec<i8> {
        let words = (0..n.div_ceil(8)).flat_map(|_| self.next().to_le_bytes());
        words.take(n).map(u8::cast_signed).collect()
    }
}
