//! A limit of cycles that simulated networks are held against.

/// The fraction of a limit that is to be used at least.
const NEAR: f64 = 0.99;

/// At most so many cycles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(pub u64);

impl Limit {
    /// Whether it is met, with at most a hundredth of it left.
    pub fn used_up_by(self, cycles: u64) -> bool {
        (NEAR * self.0 as f64) as u64 <= cycles && cycles <= self.0
    }

    /// Whether a network serves it better than another one of `than` cycles: of
    /// those that meet it the one that leaves least of it, else the nearest.
    pub const fn prefers(self, cycles: u64, than: u64) -> bool {
        if than <= self.0 {
            cycles <= self.0 && cycles > than
        } else {
            cycles < than
        }
    }
}
