//! Numbers on the command line: decimal, or hexadecimal with `0x`.

use std::fmt::Display;
use std::str::FromStr;

/// A number with something wrong.
type Parsed<T> = Result<T, String>;

fn any(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        // `from_str_radix` takes a sign, an address has none.
        Some(hex) if hex.starts_with('+') => None,
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None if text.starts_with('+') => None,
        None => u64::from_str(text).ok(),
    }
}

fn within<T: TryFrom<u64> + Display + PartialOrd>(text: &str, min: u64, max: T) -> Parsed<T> {
    let number = any(text).filter(|n| *n >= min);
    let number = number.and_then(|n| T::try_from(n).ok());
    number.filter(|n| *n <= max).ok_or_else(|| {
        format!("not a number from {min} to {max} (decimal, or hexadecimal with 0x)")
    })
}

/// A 32-bit number.
pub fn word(text: &str) -> Parsed<u32> {
    within(text, 0, u32::MAX)
}

/// A 32-bit count of at least one.
pub fn count(text: &str) -> Parsed<u32> {
    within(text, 1, u32::MAX)
}

/// A 64-bit count of at least one.
pub fn long_count(text: &str) -> Parsed<u64> {
    within(text, 1, u64::MAX)
}

/// A 64-bit number.
pub fn long(text: &str) -> Parsed<u64> {
    within(text, 0, u64::MAX)
}

/// A number above 0.
pub fn positive(text: &str) -> Parsed<f64> {
    let number: Option<f64> = text.parse().ok();
    let positive = number.filter(|x| *x > 0.0 && x.is_finite());
    positive.ok_or_else(|| "not a number above 0".into())
}

/// A fraction from 0 to 1.
pub fn fraction(text: &str) -> Parsed<f64> {
    let number: Option<f64> = text.parse().ok();
    let fraction = number.filter(|x| (0.0..=1.0).contains(x));
    fraction.ok_or_else(|| "not a number from 0 to 1".into())
}

/// The size of an image: `WIDTHxHEIGHT`, or one number for a square; height first in the result.
#[cfg(any(feature = "train", test))]
pub fn size(text: &str) -> Parsed<[usize; 2]> {
    let (width, height) = text.split_once('x').unwrap_or((text, text));
    let side = |text: &str| within(text, 1, 1u32 << 15).map(|n| n as usize);
    let sides = side(height).and_then(|h| Ok([h, side(width)?]));
    sides.map_err(|e| format!("not WIDTHxHEIGHT, or one number for a square: {e}"))
}

/// A region of DRAM: `ADDRESS:BYTES`.
pub fn region(text: &str) -> Parsed<(u32, u32)> {
    let parts = text.split_once(':');
    let (addr, bytes) = parts.ok_or("not ADDRESS:BYTES, two numbers with a colon")?;
    Ok((word(addr)?, word(bytes)?))
}

/// A simulator by its name.
pub fn simulator() -> impl clap::builder::TypedValueParser<Value = vta::Simulator> {
    use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
    let names = [
        PossibleValue::new("fsim").help("What instructions compute; counts no cycles"),
        PossibleValue::new("tsim").help("What the hardware does in each cycle"),
    ];
    PossibleValuesParser::new(names).map(|name| match name.as_str() {
        "fsim" => vta::Simulator::Fsim,
        _ => vta::Simulator::Tsim,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_and_hexadecimal() {
        assert_eq!(word("4096"), Ok(4096));
        assert_eq!(word("0x1000"), Ok(4096));
        assert_eq!(word("0xffffffff"), Ok(u32::MAX));
        assert_eq!(region("0x10:16"), Ok((16, 16)));
        assert_eq!(size("160x128"), Ok([128, 160]));
        assert_eq!(size("96"), Ok([96, 96]));
        for bad in ["", "96x", "0", "1x2x3", "99999"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        for bad in ["", "0x", "-1", "+1", "0x+1", "1e3", "0x100000000", "1 "] {
            assert!(word(bad).is_err(), "{bad}");
        }
        assert!(count("0").is_err());
        assert_eq!(positive("2.5"), Ok(2.5));
        for bad in ["0", "-1", "nan", "inf", "x"] {
            assert!(positive(bad).is_err(), "{bad}");
        }
    }
}
