//! NumPy's `.npy` files: one array of numbers.
//!
//! Format: `numpy.lib.format` of NumPy's documentation, versions 1.0 to 3.0.
//! Arrays of records, complex numbers, strings and objects are refused.

use crate::numbers::half;
use nom::branch::alt;
use nom::bytes::complete::{is_not, tag};
use nom::character::complete::{char, multispace0, u64 as whole};
use nom::combinator::{all_consuming, map, opt, value};
use nom::multi::separated_list0;
use nom::sequence::{delimited, preceded, separated_pair, terminated};
use nom::{IResult, Parser};

const MAGIC: &[u8] = b"\x93NUMPY";
/// Data begin at a multiple of it.
const ALIGN: usize = 64;

/// An array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Npy {
    /// Its shape; empty for a single number.
    pub dims: Vec<usize>,
    /// The type of its elements.
    pub element: Element,
    /// Its elements in logical order (the last index is fastest), little-endian.
    pub bytes: Vec<u8>,
}

/// The type of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// Two's complement of so many bytes.
    Int(usize),
    /// Without a sign, of so many bytes.
    Uint(usize),
    /// IEEE 754 of so many bytes, 2, 4 or 8.
    Float(usize),
}

impl Element {
    /// Bytes of an element.
    pub const fn size(self) -> usize {
        match self {
            Self::Int(n) | Self::Uint(n) | Self::Float(n) => n,
        }
    }
}

/// Why bytes are no array.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NpyError {
    /// They do not begin as such a file does.
    #[error("it does not begin with \\x93NUMPY")]
    Magic,
    /// A version that is not known.
    #[error("version {0}.{1} is not known")]
    Version(u8, u8),
    /// The header cannot be read.
    #[error("its header is {0}")]
    Header(&'static str),
    /// The header does not say this.
    #[error("its header has no `{0}`")]
    Missing(&'static str),
    /// Elements that are no numbers, or of a size that numbers do not have.
    #[error("elements of type `{0}` cannot be read")]
    Element(String),
    /// More or fewer bytes than the shape needs.
    #[error("{got} bytes of data, its shape needs {needed}")]
    Size {
        /// Those of the shape; `usize::MAX` if no file is so large.
        needed: usize,
        /// Those that are there.
        got: usize,
    },
}

/// A value in the header's dictionary.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Text(String),
    Flag(bool),
    Numbers(Vec<u64>),
}

impl Npy {
    /// Reads an array.
    ///
    /// # Errors
    /// Bytes that are none, or one of something else than numbers.
    pub fn read(file: &[u8]) -> Result<Self, NpyError> {
        let rest = file.strip_prefix(MAGIC).ok_or(NpyError::Magic)?;
        let cut = NpyError::Header("cut off");
        let (length, rest) = match rest {
            [1, 0, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
            [2 | 3, 0, a, b, c, d, rest @ ..] => {
                (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest)
            }
            [1..=3, 0, ..] => return Err(cut),
            [major, minor, ..] => return Err(NpyError::Version(*major, *minor)),
            _ => return Err(cut),
        };
        let (header, data) = rest.split_at_checked(length).ok_or(cut)?;
        let entries = entries(header)?;
        let find = |key: &'static str| {
            let found = entries.iter().rev().find(|e| e.0 == key);
            found.map(|e| &e.1).ok_or(NpyError::Missing(key))
        };
        let (element, swapped) = match find("descr")? {
            Value::Text(t) => element(t)?,
            other => return Err(NpyError::Element(format!("{other:?}"))),
        };
        let Value::Flag(fortran) = find("fortran_order")? else {
            return Err(NpyError::Missing("fortran_order"));
        };
        let Value::Numbers(dims) = find("shape")? else {
            return Err(NpyError::Missing("shape"));
        };
        let dims: Vec<usize> = dims
            .iter()
            .map(|d| usize::try_from(*d).unwrap_or(usize::MAX))
            .collect();
        let sizes = dims
            .iter()
            .try_fold(element.size(), |n, d| n.checked_mul(*d));
        let (needed, got) = (sizes.unwrap_or(usize::MAX), data.len());
        if needed != got {
            return Err(NpyError::Size { needed, got });
        }
        let mut bytes = match fortran {
            true => transposed(data, &dims, element.size()),
            false => data.to_vec(),
        };
        if swapped {
            let elements = bytes.chunks_exact_mut(element.size());
            elements.for_each(<[u8]>::reverse);
        }
        Ok(Self {
            dims,
            element,
            bytes,
        })
    }

    /// Elements in single precision, rounded to the nearest.
    pub fn floats(&self) -> Vec<f32> {
        let n = self.element.size();
        let wide = |b: &[u8], fill: u8| {
            let mut all = [fill; 8];
            all[..n].copy_from_slice(b);
            all
        };
        let one = |b: &[u8]| match self.element {
            Element::Float(2) => half(u16::from_le_bytes([b[0], b[1]])),
            Element::Float(4) => f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            Element::Float(_) => f64::from_le_bytes(wide(b, 0)) as f32,
            Element::Uint(_) => u64::from_le_bytes(wide(b, 0)) as f32,
            Element::Int(_) => {
                let sign = if b[n - 1] < 0x80 { 0 } else { 0xff };
                i64::from_le_bytes(wide(b, sign)) as f32
            }
        };
        self.bytes.chunks_exact(n).map(one).collect()
    }

    /// The array as a file, of version 1.0 where its header is that short.
    pub fn write(&self) -> Vec<u8> {
        let kind = match self.element {
            Element::Int(_) => 'i',
            Element::Uint(_) => 'u',
            Element::Float(_) => 'f',
        };
        let size = self.element.size();
        let order = if size == 1 { '|' } else { '<' };
        let dims: String = self.dims.iter().map(|d| format!("{d}, ")).collect();
        let dims = match self.dims.len() {
            0 | 1 => dims.trim_end(),
            _ => dims.trim_end_matches(", "),
        };
        let mut header = format!(
            "{{'descr': '{order}{kind}{size}', 'fortran_order': False, 'shape': ({dims}), }}"
        );
        let short = u16::try_from(header.len() + ALIGN).is_ok();
        let before = MAGIC.len() + if short { 4 } else { 6 };
        let end = (before + header.len() + 1).next_multiple_of(ALIGN);
        header.extend(std::iter::repeat_n(' ', end - before - header.len() - 1));
        header.push('\n');
        let mut file = MAGIC.to_vec();
        match short {
            true => {
                file.extend([1, 0]);
                file.extend((header.len() as u16).to_le_bytes());
            }
            false => {
                file.extend([2, 0]);
                file.extend((header.len() as u32).to_le_bytes());
            }
        }
        file.extend(header.as_bytes());
        file.extend(&self.bytes);
        file
    }

    /// Single precision numbers as an array of this shape.
    pub fn of_floats(dims: &[usize], values: impl Iterator<Item = f32>) -> Self {
        Self {
            dims: dims.to_vec(),
            element: Element::Float(4),
            bytes: values.flat_map(f32::to_le_bytes).collect(),
        }
    }
}

/// What a type string means, and whether its elements are big-endian.
fn element(text: &str) -> Result<(Element, bool), NpyError> {
    let unknown = || NpyError::Element(text.into());
    let mut chars = text.chars();
    let (order, kind) = (chars.next(), chars.next());
    let size: usize = chars.as_str().parse().map_err(|_| unknown())?;
    let element = match (kind, size) {
        (Some('i'), 1 | 2 | 4 | 8) => Element::Int(size),
        (Some('u'), 1 | 2 | 4 | 8) => Element::Uint(size),
        (Some('f'), 2 | 4 | 8) => Element::Float(size),
        _ => return Err(unknown()),
    };
    match order {
        Some('<' | '|') => Ok((element, false)),
        Some('>') => Ok((element, true)),
        _ => Err(unknown()),
    }
}

/// Elements whose first index is fastest, in the other order.
fn transposed(data: &[u8], dims: &[usize], size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    let mut index = vec![0; dims.len()];
    for _ in 0..data.len() / size {
        let at = index
            .iter()
            .zip(dims)
            .rev()
            .fold(0, |at, (i, d)| at * d + i);
        out.extend(&data[at * size..(at + 1) * size]);
        for (i, d) in index.iter_mut().zip(dims).rev() {
            *i += 1;
            if *i < *d {
                break;
            }
            *i = 0;
        }
    }
    out
}

/// The entries of the header's dictionary.
fn entries(header: &[u8]) -> Result<Vec<(String, Value)>, NpyError> {
    let what = "no dictionary of text, True or False, and tuples of numbers";
    let text = std::str::from_utf8(header).map_err(|_| NpyError::Header(what))?;
    let parsed = all_consuming(spaced(dictionary)).parse(text);
    let (_, entries) = parsed.map_err(|_| NpyError::Header(what))?;
    Ok(entries)
}

fn spaced<'a, O>(
    inner: impl Parser<&'a str, Output = O, Error = nom::error::Error<&'a str>>,
) -> impl Parser<&'a str, Output = O, Error = nom::error::Error<&'a str>> {
    delimited(multispace0, inner, multispace0)
}

/// Items with commas between, and maybe one behind the last.
fn list<'a, O>(
    item: impl Parser<&'a str, Output = O, Error = nom::error::Error<&'a str>>,
) -> impl Parser<&'a str, Output = Vec<O>, Error = nom::error::Error<&'a str>> {
    terminated(
        separated_list0(char(','), item),
        preceded(opt(char(',')), multispace0),
    )
}

fn dictionary(text: &str) -> IResult<&str, Vec<(String, Value)>> {
    let entry = separated_pair(spaced(quoted), char(':'), spaced(any));
    delimited(char('{'), list(entry), char('}')).parse(text)
}

fn any(text: &str) -> IResult<&str, Value> {
    alt((
        map(quoted, Value::Text),
        value(Value::Flag(true), tag("True")),
        value(Value::Flag(false), tag("False")),
        map(tuple, Value::Numbers),
    ))
    .parse(text)
}

fn quoted(text: &str) -> IResult<&str, String> {
    let of = |mark, not| delimited(char(mark), opt(is_not(not)), char(mark));
    let found = alt((of('\'', "'\\"), of('"', "\"\\")));
    map(found, |t: Option<&str>| t.unwrap_or_default().to_owned()).parse(text)
}

fn tuple(text: &str) -> IResult<&str, Vec<u64>> {
    // Python 2 marks long numbers.
    let number = spaced(terminated(whole, opt(char('L'))));
    delimited(char('('), list(number), char(')')).parse(text)
}
