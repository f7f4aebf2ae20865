//! Sets of scratchpad elements.

/// A set of small numbers, as bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set(Vec<u64>);

impl Set {
    /// The empty set of numbers below `depth`.
    pub fn new(depth: u32) -> Self {
        Self(vec![0; (depth as usize).div_ceil(64)])
    }

    pub fn insert(&mut self, i: u32) {
        self.0[i as usize / 64] |= 1 << (i % 64);
    }

    pub fn contains(&self, i: u32) -> bool {
        self.0[i as usize / 64] >> (i % 64) & 1 != 0
    }

    /// Adds `from..to`.
    pub fn insert_range(&mut self, from: u32, to: u32) {
        for i in from..to {
            self.insert(i);
        }
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Its numbers, from the smallest.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().enumerate().flat_map(|(at, &word)| {
            let next = |w: &u64| Some(w & (w - 1)).filter(|w| *w != 0);
            let words = std::iter::successors(Some(word).filter(|w| *w != 0), next);
            words.map(move |w| at as u32 * 64 + w.trailing_zeros())
        })
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: &Self) {
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a |= b;
        }
    }

    /// The smallest number that is here and not there.
    pub fn first_outside(&self, other: &Self) -> Option<u32> {
        let words = self.0.iter().zip(&other.0).enumerate();
        let mut outside = words.filter_map(|(at, (a, b))| {
            let w = a & !b;
            (w != 0).then(|| at as u32 * 64 + w.trailing_zeros())
        });
        outside.next()
    }

    /// The largest number.
    fn max(&self) -> Option<u32> {
        let at = self.0.iter().rposition(|w| *w != 0)?;
        Some(at as u32 * 64 + 63 - self.0[at].leading_zeros())
    }

    /// Adds the numbers of another, each `by` larger; none leaves the set's range.
    fn extend_shifted(&mut self, other: &Self, by: u32) {
        let (words, bits) = (by as usize / 64, by % 64);
        for (i, &w) in other.0.iter().enumerate() {
            if w == 0 {
                continue;
            }
            if let Some(to) = self.0.get_mut(i + words) {
                *to |= w << bits;
            }
            if bits != 0
                && let Some(to) = self.0.get_mut(i + words + 1)
            {
                *to |= w >> (64 - bits);
            }
        }
    }

    /// All sums of a number of the one and a number of the other. None if a
    /// sum is `depth` or more.
    pub fn sums(&self, other: &Self, depth: u32) -> Option<Self> {
        let top = match (self.max(), other.max()) {
            (Some(a), Some(b)) => a + b,
            _ => return Some(Self::new(depth)),
        };
        if top >= depth {
            return None;
        }
        let (few, many) = if self.len() <= other.len() {
            (self, other)
        } else {
            (other, self)
        };
        let mut out = Self::new(depth);
        for i in few.iter() {
            out.extend_shifted(many, i);
        }
        Some(out)
    }

    /// `0, step, 2 * step, ...`, `count` of them. None if one is `depth` or more.
    pub fn progression(count: u64, step: u32, depth: u32) -> Option<Self> {
        let mut out = Self::new(depth);
        out.insert(0);
        if step == 0 {
            return Some(out);
        }
        for i in 1..count {
            let at = i.checked_mul(step.into()).filter(|at| *at < depth.into())?;
            out.insert(at as u32);
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(all: &[u32], depth: u32) -> Set {
        let mut s = Set::new(depth);
        all.iter().for_each(|i| s.insert(*i));
        s
    }

    proptest! {
        #[test]
        fn sums_are_all_sums(a in prop::collection::vec(0u32..300, 0..9), b in prop::collection::vec(0u32..300, 0..9)) {
            let mut all: Vec<u32> = a.iter().flat_map(|x| b.iter().map(move |y| x + y)).collect();
            all.sort_unstable();
            all.dedup();
            let (sa, sb) = (set(&a, 512), set(&b, 512));
            match sa.sums(&sb, 512) {
                Some(s) => {
                    prop_assert_eq!(s.iter().collect::<Vec<_>>(), all.clone());
                    prop_assert_eq!(s.len(), all.len());
                    let mut both = sa.clone();
                    both.extend(&s);
                    let first = all.iter().copied().find(|i| !sa.contains(*i));
                    prop_assert_eq!(both.first_outside(&sa), first);
                }
                None => prop_assert!(all.iter().any(|i| *i >= 512)),
            }
        }

        #[test]
        fn progressions(count in 1u64..20, step in 0u32..20) {
            let all: Vec<u32> = (0..count as u32).map(|i| i * step).collect();
            match Set::progression(count, step, 128) {
                Some(s) => prop_assert_eq!(s, set(&all, 128)),
                None => prop_assert!(all.iter().any(|i| *i >= 128)),
            }
        }
    }
}
