//! Generator: the instruction-set description in, Rust source and `docs/isa.md` out.
//!
//! The output is committed; `tests/tidy.rs` compares it with a fresh one and
//! rewrites it when `VTA_BLESS=1` is set.

use super::spec::{EnumSpec, FieldSpec, FormatSpec, KindSpec, Spec};
use std::fmt::Write;

const HEADER: &str =
    "Generated from isa/vta.isa and isa/uop.isa; `VTA_BLESS=1 cargo test --test tidy` rewrites it.";

fn camel(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    lower
        .split('_')
        .map(|p| p[..1].to_ascii_uppercase() + &p[1..])
        .collect()
}

fn uint(width: u32) -> &'static str {
    match width {
        1..=8 => "u8",
        9..=16 => "u16",
        17..=32 => "u32",
        33..=64 => "u64",
        _ => "u128",
    }
}

fn rust_type(f: &FieldSpec) -> String {
    match &f.kind {
        KindSpec::Flag => "bool".into(),
        KindSpec::Int => uint(f.width).replace('u', "i"),
        KindSpec::Enum(e) => e.clone(),
        _ => uint(f.width).into(),
    }
}

fn stored(f: &FieldSpec) -> bool {
    !matches!(f.kind, KindSpec::Opcode | KindSpec::Reserved)
}

fn emit_enum(out: &mut String, e: &EnumSpec) {
    let name = &e.name;
    let _ = writeln!(
        out,
        "/// Values of a `{}` field; the others are illegal.\n#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]\n#[repr(u8)]\npub enum {name} {{",
        e.width
    );
    for (v, n) in &e.values {
        let _ = writeln!(out, "    /// `{n}`.\n    {} = {v},", camel(n));
    }
    let list: Vec<String> = e
        .values
        .iter()
        .map(|(_, n)| format!("Self::{}", camel(n)))
        .collect();
    let _ = writeln!(
        out,
        "}}\nimpl {name} {{\n    /// All values, in order of their encoding.\n    pub const ALL: [Self; {}] = [{}];\n\n    /// The name in assembly text.\n    pub const fn name(self) -> &'static str {{\n        match self {{",
        list.len(),
        list.join(", ")
    );
    for (_, n) in &e.values {
        let _ = writeln!(out, "            Self::{} => \"{n}\",", camel(n));
    }
    let _ = writeln!(
        out,
        "        }}\n    }}\n\n    /// The value with this encoding, if it is legal.\n    pub const fn from_bits(bits: u128) -> Option<Self> {{\n        match bits {{"
    );
    for (v, n) in &e.values {
        let _ = writeln!(out, "            {v} => Some(Self::{}),", camel(n));
    }
    let _ = writeln!(out, "            _ => None,\n        }}\n    }}\n}}\n");
}

fn emit_format(out: &mut String, spec: &Spec, f: &FormatSpec) {
    let (name, word) = (camel(&f.name), uint(f.bits));
    let table = format!("{}_FIELDS", f.name);
    let _ = writeln!(
        out,
        "/// {}\n#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]\npub struct {name} {{",
        // Brackets would be links.
        f.text.replace('[', "\\[")
    );
    for field in f.fields.iter().filter(|x| stored(x)) {
        let _ = writeln!(
            out,
            "    /// Bits {}..={}: {}.\n    pub {}: {},",
            field.lsb,
            field.lsb + field.width - 1,
            field.text,
            field.name,
            rust_type(field)
        );
    }
    let _ = writeln!(
        out,
        "}}\n\n/// Fields of {}, least significant first.\npub const {table}: &[Field] = &[",
        f.name
    );
    for field in &f.fields {
        let kind = match &field.kind {
            KindSpec::Uint => "Kind::Uint".into(),
            KindSpec::Int => "Kind::Int".into(),
            KindSpec::Flag => "Kind::Flag".into(),
            KindSpec::Opcode => "Kind::Opcode".into(),
            KindSpec::Reserved => "Kind::Reserved".into(),
            KindSpec::Enum(e) => {
                let e = spec.enums.iter().find(|x| x.name == *e);
                let values = e.map(|e| e.values.clone()).unwrap_or_default();
                let list: Vec<String> = values
                    .iter()
                    .map(|(v, n)| format!("({v}, \"{n}\")"))
                    .collect();
                format!("Kind::Enum(&[{}])", list.join(", "))
            }
        };
        let _ = writeln!(
            out,
            "    Field {{ name: \"{}\", lsb: {}, width: {}, kind: {kind}, text: \"{}\" }},",
            field.name, field.lsb, field.width, field.text
        );
    }
    let _ = writeln!(out, "];\n\nimpl {name} {{");
    if let Some(op) = f.opcode {
        let _ = writeln!(
            out,
            "    /// The opcode.\n    pub const OPCODE: u8 = {op};\n"
        );
    }
    let _ = writeln!(
        out,
        "    /// The fields with these bits; reserved bits are dropped.\n    ///\n    /// # Errors\n    /// The field whose bits have no meaning.\n    pub const fn from_bits(w: {word}) -> Result<Self, Illegal> {{\n        Ok(Self {{"
    );
    for field in f.fields.iter().filter(|x| stored(x)) {
        let bits = format!("(w >> {}) & {:#x}", field.lsb, mask(field.width));
        let value = match &field.kind {
            KindSpec::Flag => format!("{bits} != 0"),
            KindSpec::Int => {
                let t = uint(field.width);
                let s = t.replace('u', "i");
                format!("(({bits}) as {t}) as {s}")
            }
            KindSpec::Enum(e) => format!(
                "match {e}::from_bits({bits}) {{ Some(v) => v, None => return Err(Illegal {{ field: \"{}\", value: ({bits}) as u64 }}) }}",
                field.name
            ),
            _ => format!("({bits}) as {}", uint(field.width)),
        };
        let _ = writeln!(out, "            {}: {value},", field.name);
    }
    let _ = writeln!(
        out,
        "        }})\n    }}\n\n    /// The bits of these fields; reserved bits are zero.\n    ///\n    /// # Errors\n    /// The field whose value is wider than its bits.\n    pub const fn to_bits(&self) -> Result<{word}, FieldRange> {{\n        let w = {};",
        f.opcode.unwrap_or(0)
    );
    for field in f.fields.iter().filter(|x| stored(x)) {
        let value = match &field.kind {
            KindSpec::Int => format!("(self.{} as {}) as {word}", field.name, uint(field.width)),
            _ => format!("self.{} as {word}", field.name),
        };
        let full = rust_type(field).trim_start_matches(['u', 'i']).parse() == Ok(field.width);
        let checked = matches!(field.kind, KindSpec::Uint) && !full;
        let _ = writeln!(out, "        let v = {value};");
        if checked {
            let _ = writeln!(
                out,
                "        if v > {0:#x} {{ return Err(FieldRange {{ field: \"{1}\", value: v as i128, min: 0, max: {0:#x} }}); }}",
                mask(field.width),
                field.name
            );
        }
        let _ = writeln!(out, "        let w = w | (v << {});", field.lsb);
    }
    let _ = writeln!(out, "        Ok(w)\n    }}\n}}\n");
}

fn mask(width: u32) -> u128 {
    if width >= 128 {
        u128::MAX
    } else {
        (1 << width) - 1
    }
}

/// The Rust source of `generated.rs`, unformatted.
pub fn rust(specs: &[Spec]) -> String {
    let mut out = format!(
        "// {HEADER}\n//! The formats as types, field tables, encoder and decoder.\n#![allow(clippy::identity_op)] // shifts by 0 keep every field alike\n\nuse super::{{Field, FieldRange, Illegal, Kind}};\n\n"
    );
    for spec in specs {
        for (name, bits) in &spec.consts {
            let _ = writeln!(out, "/// Width in bits.\npub const {name}: u32 = {bits};");
        }
        out.push('\n');
        for e in &spec.enums {
            emit_enum(&mut out, e);
        }
        for f in &spec.formats {
            emit_format(&mut out, spec, f);
        }
    }
    let insns: Vec<&FormatSpec> = specs
        .iter()
        .flat_map(|s| &s.formats)
        .filter(|f| f.opcode.is_some())
        .collect();
    out.push_str("/// A decoded instruction.\n#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]\npub enum Insn {\n");
    for f in &insns {
        let n = camel(&f.name);
        let _ = writeln!(out, "    /// {}\n    {n}({n}),", f.name);
    }
    out.push_str("}\n\nimpl Insn {\n    /// Decodes a word as the fetch unit does (`FetchDecode` in core/Decode.scala).\n    ///\n    /// # Errors\n    /// The field that makes the word an unknown instruction.\n    pub const fn decode(w: u128) -> Result<Self, Illegal> {\n        match (w & 0x7) as u8 {\n");
    for f in &insns {
        let n = camel(&f.name);
        let _ = writeln!(
            out,
            "            {n}::OPCODE => match {n}::from_bits(w) {{ Ok(i) => Ok(Self::{n}(i)), Err(e) => Err(e) }},"
        );
    }
    out.push_str("            other => Err(Illegal { field: \"opcode\", value: other as u64 }),\n        }\n    }\n\n    /// Encodes the instruction.\n    ///\n    /// # Errors\n    /// The field whose value is wider than its bits.\n    pub const fn encode(&self) -> Result<u128, FieldRange> {\n        match self {\n");
    for f in &insns {
        let _ = writeln!(
            out,
            "            Self::{}(i) => i.to_bits(),",
            camel(&f.name)
        );
    }
    out.push_str("        }\n    }\n\n    /// The lower-case name in assembly text.\n    pub const fn name(&self) -> &'static str {\n        match self {\n");
    for f in &insns {
        let _ = writeln!(
            out,
            "            Self::{}(_) => \"{}\",",
            camel(&f.name),
            f.name.to_ascii_lowercase()
        );
    }
    out.push_str("        }\n    }\n}\n\n/// Every instruction format: lower-case name, opcode, fields.\npub const FORMATS: &[(&str, u8, &[Field])] = &[\n");
    for f in &insns {
        let _ = writeln!(
            out,
            "    (\"{}\", {}::OPCODE, {}_FIELDS),",
            f.name.to_ascii_lowercase(),
            camel(&f.name),
            f.name
        );
    }
    out.push_str("];\n");
    out
}

/// The text of `docs/isa.md`.
pub fn markdown(specs: &[Spec]) -> String {
    let mut out = format!(
        "# Instruction set\n\n<!-- {HEADER} -->\n\nAn instruction is a 128-bit little-endian word, a micro-op a 32-bit one. Bit 0 is the least significant bit.\nField names are those of upstream's `include/vta/hw_spec.h`; widths those of `core/ISA.scala`, the same in every configuration.\n\n## Widths\n\n| name | bits |\n| --- | --- |\n"
    );
    for (name, bits) in specs.iter().flat_map(|s| &s.consts) {
        let _ = writeln!(out, "| `{name}` | {bits} |");
    }
    for spec in specs {
        for f in &spec.formats {
            let _ = write!(out, "\n## {}", f.name);
            if let Some(op) = f.opcode {
                let _ = write!(out, " (opcode {op})");
            }
            let _ = write!(
                out,
                "\n\n{}\n\n| bits | field | width | values | meaning |\n| --- | --- | --- | --- | --- |\n",
                f.text
            );
            for field in &f.fields {
                let hi = field.lsb + field.width - 1;
                let range = if hi == field.lsb {
                    format!("{hi}")
                } else {
                    format!("{hi}:{}", field.lsb)
                };
                let values = match &field.kind {
                    KindSpec::Opcode => field.text.clone(),
                    KindSpec::Reserved => "any".into(),
                    KindSpec::Flag => "0, 1".into(),
                    KindSpec::Int => {
                        let h = 1i128 << (field.width - 1);
                        format!("{} to {}", -h, h - 1)
                    }
                    KindSpec::Enum(e) => {
                        let e = spec.enums.iter().find(|x| x.name == *e);
                        let values = e.map(|e| e.values.clone()).unwrap_or_default();
                        let list: Vec<String> =
                            values.iter().map(|(v, n)| format!("{v} {n}")).collect();
                        list.join(", ")
                    }
                    KindSpec::Uint => format!("0 to {}", mask(field.width)),
                };
                let width = if field.width_name.parse::<u32>().is_ok() {
                    field.width_name.clone()
                } else {
                    format!("`{}`", field.width_name)
                };
                let meaning = match field.kind {
                    KindSpec::Opcode => "selects the format",
                    _ => &field.text,
                };
                let _ = writeln!(
                    out,
                    "| {range} | `{}` | {width} | {values} | {meaning} |",
                    field.name
                );
            }
        }
    }
    out
}
