//! Initial contents of DRAM: statement to bytes, bytes to statements.

use super::error::{AsmErrorKind, Fault, Nearest};
use super::insn::uop_text;
use super::names::{Loops, Names, element};
use super::text::{Arg, Literal, hex, values};
use super::validate::MAX_DATA;
use crate::config::HwConfig;
use crate::program::SegmentKind;
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use vta_tensor::npy::{Element, Npy};

/// Arguments of a statement: one value at most without a name, the others with.
pub(super) struct Fields<'s, 'a> {
    /// The statement's word.
    pub head: &'a str,
    /// The arguments.
    pub args: &'s [Arg<'a>],
}

impl<'s, 'a> Fields<'s, 'a> {
    /// Complains of names that are not in `known`, and of repeated ones.
    pub fn check(&self, known: &[&str]) -> Result<(), Fault<'a>> {
        for (n, a) in self.args.iter().enumerate() {
            let Some(name) = a.name else { continue };
            if !known.contains(&name) {
                return Err(Fault::new(
                    name,
                    AsmErrorKind::NoField {
                        insn: self.head.into(),
                        name: name.into(),
                        nearest: Nearest::of(name, known.iter().copied()),
                    },
                ));
            }
            if self.args[..n].iter().any(|b| b.name == Some(name)) {
                let (what, name_) = ("field", name.to_owned());
                return Err(Fault::new(name, AsmErrorKind::Twice { what, name: name_ }));
            }
        }
        Ok(())
    }

    /// The argument with this name.
    pub fn get(&self, name: &str) -> Option<&'s Arg<'a>> {
        self.args.iter().find(|a| a.name == Some(name))
    }

    /// The number with this name, within limits.
    pub fn number(
        &self,
        name: &str,
        limits: (i128, i128),
        names: &Names<'a>,
        loops: &Loops<'a>,
    ) -> Result<Option<i128>, Fault<'a>> {
        match self.get(name).map(|a| &a.value) {
            None => Ok(None),
            Some(super::text::Val::Expr(e)) => names.within(e, name, limits, loops).map(Some),
            Some(v) => Err(Fault::new(v.text(), AsmErrorKind::Expected("a number"))),
        }
    }

    /// Values without a name.
    pub fn bare(&self) -> impl Iterator<Item = &'s super::text::Val<'a>> {
        self.args
            .iter()
            .filter(|a| a.name.is_none())
            .map(|a| &a.value)
    }
}

/// Where a data statement stands.
pub(super) struct Position {
    /// What the segment holds.
    pub kind: SegmentKind,
    /// Bytes before this statement.
    pub offset: u64,
    /// Bytes of the segment, if they are declared.
    pub bytes: Option<u32>,
}

/// The bytes that `zero`, `fill` and `random` make: `N` elements, `bytes=N`
/// bytes, or what is left of the segment.
pub(super) fn run_bytes<'a>(
    f: &Fields<'_, 'a>,
    position: &Position,
    names: &Names<'a>,
    loops: &Loops<'a>,
) -> Result<u64, Fault<'a>> {
    let max = i128::from(MAX_DATA);
    let size = u64::from(element(&names.config, position.kind));
    let mut bare = f.bare();
    let first = bare.next();
    if let Some(v) = bare.next() {
        return Err(Fault::new(v.text(), AsmErrorKind::Expected("one count")));
    }
    match (first, f.number("bytes", (0, max), names, loops)?) {
        (None, Some(n)) => Ok(n as u64),
        (Some(super::text::Val::Expr(e)), None) => {
            let n = names.within(e, "the count", (0, max / i128::from(size)), loops)?;
            Ok(n as u64 * size)
        }
        (None, None) => match position.bytes {
            Some(b) => Ok(u64::from(b).saturating_sub(position.offset)),
            None => Err(Fault::new(
                f.head,
                AsmErrorKind::Expected("a count, as the data have no len or bytes"),
            )),
        },
        (Some(v), _) => Err(Fault::new(v.text(), AsmErrorKind::Expected("one count"))),
    }
}

/// Bytes of a value in data of this kind.
const fn value_bytes(kind: SegmentKind) -> u64 {
    match kind {
        SegmentKind::Acc | SegmentKind::Uop => 4,
        _ => 1,
    }
}

/// Smallest and largest value of so many bytes; unsigned ones may be given too.
const fn limits(bytes: u64) -> (i128, i128) {
    match bytes {
        4 => (i32::MIN as i128, i32::MAX as i128),
        _ => (i8::MIN as i128, i8::MAX as i128),
    }
}

fn push(out: &mut Vec<u8>, v: i128, bytes: u64) {
    // Values were checked, so the low bytes are all there is.
    out.extend_from_slice(&v.to_le_bytes()[..bytes as usize]);
}

/// `random [N] seed=S min=A max=B`: each value between `min` and `max`, both
/// included, from ChaCha8 with this seed.
pub(super) fn random<'a>(
    f: &Fields<'_, 'a>,
    position: &Position,
    names: &Names<'a>,
    loops: &Loops<'a>,
) -> Result<Vec<u8>, Fault<'a>> {
    f.check(&["seed", "min", "max", "bytes"])?;
    let bytes = run_bytes(f, position, names, loops)?;
    let each = value_bytes(position.kind);
    let (low, high) = limits(each);
    let Some(seed) = f.number("seed", (0, u64::MAX.into()), names, loops)? else {
        return Err(Fault::new(f.head, AsmErrorKind::Expected("seed=")));
    };
    let min = f.number("min", (low, high), names, loops)?.unwrap_or(-8);
    let max = f.number("max", (min, high), names, loops)?.unwrap_or(7);
    if min > max {
        return Err(Fault::outside(f.head, "min", min, low, max));
    }
    let span = (max - min + 1) as u128;
    let mut rng = ChaCha8Rng::seed_from_u64(seed as u64);
    let mut out = Vec::with_capacity(bytes as usize);
    while (out.len() as u64) < bytes {
        let v = min + ((u128::from(rng.next_u64()) * span) >> 64) as i128;
        push(&mut out, v, each);
    }
    out.truncate(bytes as usize);
    Ok(out)
}

/// `fill [N] value=V`.
pub(super) fn fill<'a>(
    f: &Fields<'_, 'a>,
    position: &Position,
    names: &Names<'a>,
    loops: &Loops<'a>,
) -> Result<Vec<u8>, Fault<'a>> {
    f.check(&["value", "bytes"])?;
    let bytes = run_bytes(f, position, names, loops)?;
    let each = value_bytes(position.kind);
    let Some(v) = f.number("value", limits(each), names, loops)? else {
        return Err(Fault::new(f.head, AsmErrorKind::Expected("value=")));
    };
    let mut out = Vec::with_capacity(bytes as usize);
    while (out.len() as u64) < bytes {
        push(&mut out, v, each);
    }
    out.truncate(bytes as usize);
    Ok(out)
}

/// Bytes that an `i8`, `i32`, `u32` or `hex` line makes.
pub(super) fn line_bytes<'a>(head: &str, text: &'a str) -> Result<u64, Fault<'a>> {
    let each = match head {
        "hex" => return Ok(hex(text)?.len() as u64),
        "i8" => 1,
        _ => 4,
    };
    let mut count = 0;
    values(text, |_| {
        count += each;
        Ok(())
    })?;
    Ok(count)
}

/// The bytes of an `i8`, `i32`, `u32` or `hex` line.
pub(super) fn line<'a>(
    head: &str,
    text: &'a str,
    names: &Names<'a>,
    loops: &Loops<'a>,
) -> Result<Vec<u8>, Fault<'a>> {
    let (bytes, min, max) = match head {
        "hex" => return hex(text),
        "i8" => (1, i128::from(i8::MIN), i128::from(i8::MAX)),
        "i32" => (4, i128::from(i32::MIN), i128::from(i32::MAX)),
        _ => (4, 0, i128::from(u32::MAX)),
    };
    let mut out = Vec::new();
    values(text, |v| {
        let (at, v) = match v {
            Literal::Num(at, n) => (at, n.into()),
            Literal::Expr(e) => (e.text, names.number(&e, head, loops)?),
        };
        if v < min || v > max {
            return Err(Fault::outside(at, "the value", v, min, max));
        }
        push(&mut out, v, bytes);
        Ok(())
    })?;
    Ok(out)
}

/// The bytes of the array in a `.npy` file, in logical order, little-endian.
pub(super) fn npy(file: &[u8]) -> Result<Vec<u8>, String> {
    let array = Npy::read(file).map_err(|e| format!("not a .npy array: {e}"))?;
    match array.element {
        Element::Int(1 | 4) | Element::Uint(1 | 4) => Ok(array.bytes),
        _ => Err("not a .npy file of int8, uint8, int32 or uint32".into()),
    }
}

/// Shortest run of zeros that is written as `zero`.
const ZEROS: usize = 64;

/// Data as statements, one a line.
pub(super) fn data_text(out: &mut String, c: &HwConfig, kind: SegmentKind, data: &[u8]) {
    let size = element(c, kind) as usize;
    let mut rest = data;
    while !rest.is_empty() {
        let zeros = rest.iter().take_while(|&&b| b == 0).count();
        let whole = zeros / size * size;
        if whole >= ZEROS || (whole > 0 && whole == rest.len()) {
            *out += &format!("  zero {}\n", whole / size);
            rest = &rest[whole..];
            continue;
        }
        let n = row(out, c, kind, rest);
        rest = &rest[n..];
    }
}

/// One line of data; the bytes that it holds.
fn row(out: &mut String, c: &HwConfig, kind: SegmentKind, data: &[u8]) -> usize {
    use std::fmt::Write;
    let word = |b: &[u8]| b.try_into().map_or(0, u32::from_le_bytes);
    let take = |n: usize| &data[..n.min(data.len())];
    // Writing to a string cannot fail.
    let n = match kind {
        SegmentKind::Inp | SegmentKind::Wgt | SegmentKind::Out => {
            let row = take(c.block as usize);
            *out += "  i8";
            for &b in row {
                let _ = write!(out, " {}", b as i8);
            }
            row.len()
        }
        SegmentKind::Uop if data.len() >= 4 => {
            let _ = write!(out, "  {}", uop_text(word(&data[..4])));
            4
        }
        SegmentKind::Acc if data.len() >= 4 => {
            let row = take(4 * c.block as usize).chunks_exact(4);
            let n = 4 * row.len();
            *out += "  i32";
            for b in row {
                let _ = write!(out, " {}", word(b) as i32);
            }
            n
        }
        _ => {
            let row = take(32);
            *out += "  hex ";
            for b in row {
                let _ = write!(out, "{b:02x}");
            }
            row.len()
        }
    };
    *out += "\n";
    n
}
