//! Reader of the instruction-set description (`isa/*.isa`).
//!
//! The description is data: named widths, names of field values, and formats
//! whose fields follow each other from the least significant bit up. Encoder,
//! decoder, printer and `docs/isa.md` are generated from it (see `emit`).

use nom::{
    IResult, Parser,
    bytes::complete::{is_not, take_while1},
    character::complete::{char, digit1, space0, space1},
    combinator::{all_consuming, map_res, opt},
    multi::separated_list1,
    sequence::{delimited, preceded},
};

/// A whole description file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spec {
    /// Named widths, in file order.
    pub consts: Vec<(String, u32)>,
    /// Names for the values of a field.
    pub enums: Vec<EnumSpec>,
    /// Instruction or word formats.
    pub formats: Vec<FormatSpec>,
}

/// Names for the values of a field; values that are not listed are illegal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnumSpec {
    /// Type name.
    pub name: String,
    /// Width, as written (a name or a number).
    pub width: String,
    /// `(value, name)` pairs.
    pub values: Vec<(u32, String)>,
}

/// One format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatSpec {
    /// Upper-case name.
    pub name: String,
    /// Opcode, for instructions.
    pub opcode: Option<u32>,
    /// Total width in bits.
    pub bits: u32,
    /// What it does.
    pub text: String,
    /// Fields, least significant first.
    pub fields: Vec<FieldSpec>,
}

/// What the bits of a field mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KindSpec {
    /// Unsigned integer.
    Uint,
    /// Two's complement integer.
    Int,
    /// One bit.
    Flag,
    /// The opcode itself.
    Opcode,
    /// Ignored by the hardware.
    Reserved,
    /// A value of a named enumeration.
    Enum(String),
}

/// One field of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSpec {
    /// Name, upstream's.
    pub name: String,
    /// Position of the least significant bit.
    pub lsb: u32,
    /// Width in bits.
    pub width: u32,
    /// Width as written (a name or a number).
    pub width_name: String,
    /// Meaning of the bits.
    pub kind: KindSpec,
    /// What it is for.
    pub text: String,
}

/// A line of a description that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct SpecError {
    /// 1-based line.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

enum Line {
    Const(String, u32),
    Enum(EnumSpec),
    Insn(String, u32, String),
    Word(String, String, String),
    Field {
        name: String,
        width: String,
        kind: String,
        text: String,
    },
}

fn word(i: &str) -> IResult<&str, String> {
    take_while1(|c: char| c.is_ascii_alphanumeric() || c == '_')
        .map(str::to_owned)
        .parse(i)
}

fn number(i: &str) -> IResult<&str, u32> {
    map_res(digit1, str::parse).parse(i)
}

fn text(i: &str) -> IResult<&str, String> {
    delimited(char('"'), is_not("\""), char('"'))
        .map(str::to_owned)
        .parse(i)
}

fn line(i: &str) -> IResult<&str, Line> {
    let (r, indent) = space0(i)?;
    if !indent.is_empty() {
        let (r, (name, _, width)) = (word, space1, word).parse(r)?;
        let (r, kind) = opt(preceded(space1, word)).parse(r)?;
        let (r, text) = preceded(space1, text).parse(r)?;
        let kind = kind.unwrap_or_else(|| "uint".into());
        let field = Line::Field {
            name,
            width,
            kind,
            text,
        };
        return Ok((r, field));
    }
    let (r, keyword) = word(r)?;
    let (r, _) = space1(r)?;
    match keyword.as_str() {
        "const" => {
            let (r, (name, _, bits)) = (word, space1, number).parse(r)?;
            Ok((r, Line::Const(name, bits)))
        }
        "enum" => {
            let value = (number, char('='), word).map(|(v, _, n)| (v, n));
            let (r, (name, _, width, _)) = (word, space1, word, space1).parse(r)?;
            let (r, values) = separated_list1(space1, value).parse(r)?;
            let e = EnumSpec {
                name,
                width,
                values,
            };
            Ok((r, Line::Enum(e)))
        }
        "insn" => {
            let (r, (name, _, opcode, _, text)) = (word, space1, number, space1, text).parse(r)?;
            Ok((r, Line::Insn(name, opcode, text)))
        }
        "word" => {
            let (r, (name, _, bits, _, text)) = (word, space1, word, space1, text).parse(r)?;
            Ok((r, Line::Word(name, bits, text)))
        }
        _ => nom::combinator::fail().parse(i),
    }
}

impl Spec {
    /// Reads a description.
    ///
    /// # Errors
    /// The first line that does not follow the grammar, names an unknown width
    /// or enumeration, or closes a format of the wrong total width.
    pub fn parse(source: &str) -> Result<Self, SpecError> {
        let mut spec = Spec::default();
        let mut last = 0;
        for (n, raw) in source.lines().enumerate() {
            let at = |what: String| SpecError { line: n + 1, what };
            last = n + 1;
            if raw.trim().is_empty() || raw.trim_start().starts_with('#') {
                continue;
            }
            let (_, parsed) = all_consuming(line)
                .parse(raw.trim_end())
                .map_err(|_| at(format!("not understood: {}", raw.trim())))?;
            match parsed {
                Line::Const(name, bits) => spec.consts.push((name, bits)),
                Line::Enum(e) => {
                    spec.width(&e.width).map_err(&at)?;
                    spec.enums.push(e);
                }
                Line::Insn(name, opcode, text) => {
                    spec.check_width().map_err(&at)?;
                    let bits = spec.width("INST_BITS").map_err(&at)?;
                    spec.formats.push(FormatSpec {
                        name,
                        opcode: Some(opcode),
                        bits,
                        text,
                        fields: Vec::new(),
                    });
                }
                Line::Word(name, bits, text) => {
                    spec.check_width().map_err(&at)?;
                    let bits = spec.width(&bits).map_err(&at)?;
                    spec.formats.push(FormatSpec {
                        name,
                        opcode: None,
                        bits,
                        text,
                        fields: Vec::new(),
                    });
                }
                Line::Field {
                    name,
                    width: width_name,
                    kind,
                    text,
                } => {
                    let width = spec.width(&width_name).map_err(&at)?;
                    let kind = spec.kind(&kind).map_err(&at)?;
                    let Some(format) = spec.formats.last_mut() else {
                        return Err(at("field outside a format".into()));
                    };
                    let lsb = format.fields.last().map_or(0, |f| f.lsb + f.width);
                    format.fields.push(FieldSpec {
                        name,
                        lsb,
                        width,
                        width_name,
                        kind,
                        text,
                    });
                }
            }
        }
        spec.check_width()
            .map_err(|what| SpecError { line: last, what })?;
        Ok(spec)
    }

    /// The value of a width given as a number or as the name of a constant.
    pub fn width(&self, name: &str) -> Result<u32, String> {
        name.parse().or_else(|_| {
            let found = self.consts.iter().find(|(n, _)| n == name);
            found
                .map(|c| c.1)
                .ok_or_else(|| format!("unknown width {name}"))
        })
    }

    fn kind(&self, name: &str) -> Result<KindSpec, String> {
        Ok(match name {
            "uint" => KindSpec::Uint,
            "int" => KindSpec::Int,
            "flag" => KindSpec::Flag,
            "opcode" => KindSpec::Opcode,
            "reserved" => KindSpec::Reserved,
            other if self.enums.iter().any(|e| e.name == other) => KindSpec::Enum(other.into()),
            other => return Err(format!("unknown kind {other}")),
        })
    }

    fn check_width(&self) -> Result<(), String> {
        let Some(f) = self.formats.last() else {
            return Ok(());
        };
        let total: u32 = f.fields.iter().map(|f| f.width).sum();
        if total != f.bits {
            return Err(format!("{} has {total} bits, not {}", f.name, f.bits));
        }
        Ok(())
    }
}
