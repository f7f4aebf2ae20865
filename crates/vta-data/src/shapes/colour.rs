//! Colours that can be told apart.

use super::super::Random;

/// Red, green, blue.
pub(super) type Colour = [u8; 3];

/// What values a colour may have.
pub(super) type Range = std::ops::RangeInclusive<i32>;

/// Any colour of a range.
pub(super) fn any(random: &mut Random, range: &Range) -> Colour {
    [0; 3].map(|_: u8| random.between(*range.start(), *range.end()).clamp(0, 255) as u8)
}

/// How different two colours are: the sum over the channels, 0 to 765.
fn distance(a: &Colour, b: &Colour) -> i32 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs())
        .sum()
}

/// A colour of a range, at least `least` away from others, or the farthest of some trials.
pub(super) fn apart(random: &mut Random, range: &Range, others: &[Colour], least: i32) -> Colour {
    let (mut best, mut most) = ([0; 3], -1);
    for _ in 0..32 {
        let colour = any(random, range);
        let nearest = others.iter().map(|o| distance(o, &colour)).min();
        let nearest = nearest.unwrap_or(i32::MAX);
        if nearest > most {
            (best, most) = (colour, nearest);
        }
        if most >= least {
            break;
        }
    }
    best
}
