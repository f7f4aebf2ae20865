//! Parts of all points, for several machines.

use super::ConfigsError;
use std::fmt;
use std::str::FromStr;

/// A part of all points: each of `of` parts has the points whose number is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    index: usize,
    of: usize,
}

impl Shard {
    /// All points.
    pub const ALL: Self = Self { index: 0, of: 1 };

    /// Whether a point is in it, by its number.
    pub const fn has(self, n: usize) -> bool {
        n % self.of == self.index
    }
}

/// Written as `I/N`, from `1/N` to `N/N`.
impl FromStr for Shard {
    type Err = ConfigsError;

    fn from_str(text: &str) -> Result<Self, ConfigsError> {
        let parts = text.split_once('/');
        let numbers = parts.and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        let valid = numbers.filter(|(i, of): &(usize, usize)| (1..=*of).contains(i));
        let (i, of) = valid.ok_or_else(|| ConfigsError::Shard { text: text.into() })?;
        Ok(Self { index: i - 1, of })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_all_and_no_point_is_in_two() {
        let parts: Vec<Shard> = (1..=3)
            .map(|i| format!("{i}/3").parse().expect("a part"))
            .collect();
        for n in 0..10 {
            assert_eq!(parts.iter().filter(|p| p.has(n)).count(), 1);
        }
        assert_eq!("1/1".parse(), Ok(Shard::ALL));
        for bad in ["", "1", "0/2", "3/2", "1/0", "a/b", "-1/2", "1/2/3"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }
}
