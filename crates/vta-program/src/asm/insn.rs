//! One instruction or micro-op: text to word, word to text.
//!
//! Both directions walk the field tables of `isa`, so that they cannot
//! disagree on a name, a width or a default.

use super::error::{AsmErrorKind, Fault, Nearest};
use super::names::{Loops, Names, Value, element, kind_name};
use super::text::{Arg, Val};
use crate::isa::{FORMATS, Field, Insn, Kind, UOP_FIELDS};
use crate::program::SegmentKind;

/// `memory_type` that upstream writes in a STORE.
const STORE_MEMORY_TYPE: i128 = 4;

/// The dependency flags and `reset_reg` in assembly text.
const SHORT: [(&str, &str); 8] = [
    ("reset", "reset_reg"),
    ("pop_prev", "pop_prev_dep"),
    ("pop_next", "pop_next_dep"),
    ("push_prev", "push_prev_dep"),
    ("push_next", "push_next_dep"),
    ("dst", "dst_idx"),
    ("src", "src_idx"),
    ("wgt", "wgt_idx"),
];

fn long_name(name: &str) -> &str {
    SHORT.iter().find(|s| s.0 == name).map_or(name, |s| s.1)
}

fn short_name(name: &'static str) -> &'static str {
    SHORT.iter().find(|s| s.1 == name).map_or(name, |s| s.0)
}

/// What a field holds when it is not written; `word` has the fields that are.
fn default(format: &str, fields: &[Field], f: &Field, word: u128) -> i128 {
    let other = |name| {
        let f = fields.iter().find(|f| f.name == name);
        f.map_or(0, |f| f.get(word))
    };
    match (format, f.name) {
        (_, "y_size" | "iter_out" | "iter_in") => 1,
        (_, "x_stride") => other("x_size"),
        (_, "uop_end") => other("uop_bgn") + 1,
        ("store", "memory_type") => STORE_MEMORY_TYPE,
        _ => 0,
    }
}

/// The fields that a line names, and their values.
struct Given<'t> {
    fields: &'t [Field],
    word: u128,
    given: Vec<&'static str>,
}

impl Given<'_> {
    fn set<'a>(&mut self, at: &'a str, name: &'a str, f: &Field, v: i128) -> Result<(), Fault<'a>> {
        if self.given.contains(&f.name) {
            let (what, name_) = ("field", name.to_owned());
            return Err(Fault::new(name, AsmErrorKind::Twice { what, name: name_ }));
        }
        self.given.push(f.name);
        match f.set(self.word, v) {
            Ok(w) => self.word = w,
            Err(e) => return Err(Fault::new(at, e.into())),
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Option<Field> {
        let name = long_name(name);
        let named = |f: &&Field| {
            f.name == name && !matches!(f.kind, Kind::Opcode | Kind::Reserved | Kind::Enum(_))
        };
        self.fields.iter().find(named).copied()
    }

    fn unknown<'a>(&self, insn: &str, at: &'a str) -> Fault<'a> {
        let known = self.fields.iter().filter(|f| self.find(f.name).is_some());
        let known = known.map(|f| short_name(f.name)).chain(["uop"]);
        let nearest = Nearest::of(at, known);
        let (insn, name) = (insn.to_owned(), at.to_owned());
        Fault::new(
            at,
            AsmErrorKind::NoField {
                insn,
                name,
                nearest,
            },
        )
    }
}

/// The scratchpad of a LOAD or STORE: the kinds whose indices it takes, and
/// the kind of its elements in DRAM.
fn memory(format: &str, sub: &str) -> Option<(&'static [SegmentKind], SegmentKind)> {
    use SegmentKind::{Acc, Inp, Out, Uop, Wgt};
    match (format, sub) {
        ("store", _) => Some((&[Acc, Out], Out)),
        (_, "uop") => Some((&[Uop], Uop)),
        (_, "inp") => Some((&[Inp], Inp)),
        (_, "wgt") => Some((&[Wgt], Wgt)),
        (_, "acc") => Some((&[Acc, Out], Acc)),
        _ => None,
    }
}

fn index<'a>(
    v: Value,
    kinds: &[SegmentKind],
    at: &'a str,
    name: &'static str,
) -> Result<i128, Fault<'a>> {
    match v {
        Value::Num(n) => Ok(n),
        Value::Index(k, n) if kinds.contains(&k) => Ok(n),
        v => {
            let takes: Vec<_> = kinds.iter().map(|&k| kind_name(k)).collect();
            let takes = match takes.is_empty() {
                true => "a number".to_owned(),
                false => format!("an index of {}", takes.join(" or ")),
            };
            Err(Fault::sort(at, name, &takes, &v.sort()))
        }
    }
}

fn dram_base<'a>(
    names: &Names<'a>,
    v: Value,
    kind: SegmentKind,
    at: &'a str,
) -> Result<i128, Fault<'a>> {
    let bytes = element(&names.config, kind);
    match v {
        Value::Num(n) => Ok(n),
        Value::Addr(a) if a % i128::from(bytes) == 0 => Ok(a / i128::from(bytes)),
        Value::Addr(addr) => Err(Fault::new(
            at,
            AsmErrorKind::Unaligned {
                field: "dram_base",
                addr,
                bytes,
                kind: kind_name(kind),
            },
        )),
        v => Err(Fault::sort(at, "dram_base", "a DRAM address", &v.sort())),
    }
}

/// Sets the fields of a line.
fn operands<'a>(
    g: &mut Given<'_>,
    (insn, sub): (&str, &str),
    args: &[Arg<'a>],
    names: &Names<'a>,
    loops: &Loops<'a>,
) -> Vec<Fault<'a>> {
    let mut faults = Vec::new();
    let pads = memory(insn, sub);
    for a in args {
        let done = match (a.name, &a.value) {
            (None, v) => match v.word().map(|w| (w, g.find(w))) {
                Some((w, Some(f))) if f.kind == Kind::Flag => g.set(w, w, &f, 1),
                Some((w, _)) => Err(g.unknown(insn, w)),
                None => Err(Fault::new(
                    v.text(),
                    AsmErrorKind::Expected("a flag or field=value"),
                )),
            },
            (Some(n @ "uop"), v) if g.find("uop_bgn").is_some() => uop_range(g, n, v, names, loops),
            (Some(n), v) => match (g.find(n), v) {
                (None, _) => Err(g.unknown(insn, n)),
                (Some(f), Val::Expr(e)) => names
                    .eval(e, loops)
                    .and_then(|v| match (f.name, pads) {
                        ("dram_base", Some((_, kind))) => dram_base(names, v, kind, e.text),
                        ("sram_base", Some((kinds, _))) => index(v, kinds, e.text, f.name),
                        ("uop_bgn" | "uop_end", _) => index(v, &[SegmentKind::Uop], e.text, f.name),
                        ("dst_idx", _) => {
                            index(v, &[SegmentKind::Acc, SegmentKind::Out], e.text, f.name)
                        }
                        ("src_idx", _) => {
                            index(v, &[SegmentKind::Inp, SegmentKind::Acc], e.text, f.name)
                        }
                        ("wgt_idx", _) => index(v, &[SegmentKind::Wgt], e.text, f.name),
                        _ => index(v, &[], e.text, f.name),
                    })
                    .and_then(|v| g.set(e.text, n, &f, v)),
                (Some(_), v) => Err(Fault::new(v.text(), AsmErrorKind::Expected("one value"))),
            },
        };
        faults.extend(done.err());
    }
    faults
}

/// `uop=a..b`, or the name of a region of the uop scratchpad.
fn uop_range<'a>(
    g: &mut Given<'_>,
    name: &'a str,
    v: &Val<'a>,
    names: &Names<'a>,
    loops: &Loops<'a>,
) -> Result<(), Fault<'a>> {
    let (Some(bgn), Some(end)) = (g.find("uop_bgn"), g.find("uop_end")) else {
        return Ok(());
    };
    match v {
        Val::Range(_, a, b) => {
            let bound = |e, name| match names.eval(e, loops) {
                Ok(v) => index(v, &[SegmentKind::Uop], e.text, name),
                Err(e) => Err(e),
            };
            let (from, to) = (bound(a, "uop_bgn")?, bound(b, "uop_end")?);
            g.set(a.text, name, &bgn, from)?;
            g.set(b.text, name, &end, to)
        }
        Val::Expr(e) => match names.region(e) {
            Some(r) => {
                let r = r?;
                index(
                    Value::Index(r.kind, r.from),
                    &[SegmentKind::Uop],
                    e.text,
                    "uop",
                )?;
                g.set(e.text, name, &bgn, r.from)?;
                g.set(e.text, name, &end, r.to)
            }
            None => Err(Fault::new(
                e.text,
                AsmErrorKind::Expected("first..end or a region of uop"),
            )),
        },
        Val::Str(t, _) => Err(Fault::new(t, AsmErrorKind::Expected("first..end"))),
    }
}

/// Whether a statement's word is an instruction's, right or wrong.
pub(super) fn is_insn(head: &str) -> bool {
    let name = head.split('.').next();
    FORMATS.iter().any(|f| Some(f.0) == name)
}

/// The words that an instruction can begin with.
pub(super) fn mnemonics() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().map(|f| f.0)
}

/// The word of an instruction.
pub(super) fn assemble<'a>(
    head: &'a str,
    args: &[Arg<'a>],
    names: &Names<'a>,
    loops: &Loops<'a>,
) -> Result<u128, Vec<Fault<'a>>> {
    let (name, sub) = match head.split_once('.') {
        Some((n, s)) => (n, Some(s)),
        None => (head, None),
    };
    let Some(&(format, opcode, fields)) = FORMATS.iter().find(|f| f.0 == name) else {
        return Err(vec![Fault::new(
            head,
            AsmErrorKind::Unknown {
                what: "instruction",
                name: head.into(),
                nearest: Nearest::of(name, mnemonics()),
            },
        )]);
    };
    let mut g = Given {
        fields,
        word: opcode.into(),
        given: Vec::new(),
    };
    let mut faults = Vec::new();
    let choice = fields.iter().find_map(|f| match f.kind {
        Kind::Enum(values) => Some((f, values)),
        _ => None,
    });
    match (choice, sub) {
        (Some((f, values)), Some(sub)) => match values.iter().find(|v| v.1 == sub) {
            Some(&(bits, _)) => faults.extend(g.set(sub, sub, f, bits.into()).err()),
            None => faults.push(Fault::new(
                sub,
                AsmErrorKind::Unknown {
                    what: f.name,
                    name: sub.into(),
                    nearest: Nearest::of(sub, values.iter().map(|v| v.1)),
                },
            )),
        },
        (Some(_), None) if format == "load" => faults.push(Fault::new(
            head,
            AsmErrorKind::Expected("a memory type: load.uop, load.wgt, load.inp or load.acc"),
        )),
        (Some(_), None) => faults.push(Fault::new(
            head,
            AsmErrorKind::Expected("an operation: alu.min, alu.max, alu.add or alu.shr"),
        )),
        (None, Some(sub)) => faults.push(Fault::new(
            sub,
            AsmErrorKind::Unknown {
                what: "form of an instruction",
                name: head.into(),
                nearest: Nearest(Some(name.into())),
            },
        )),
        (None, None) => {}
    }
    faults.extend(operands(
        &mut g,
        (format, sub.unwrap_or("")),
        args,
        names,
        loops,
    ));
    if !faults.is_empty() {
        return Err(faults);
    }
    // `imm=` alone means that the immediate is used.
    if g.given.contains(&"imm") && !g.given.contains(&"use_imm") {
        g.given.push("use_imm");
        if let Some(w) = g.find("use_imm").and_then(|f| f.set(g.word, 1).ok()) {
            g.word = w;
        }
    }
    let mut word = g.word;
    for f in fields.iter().filter(|f| !g.given.contains(&f.name)) {
        if matches!(f.kind, Kind::Opcode | Kind::Reserved | Kind::Enum(_)) {
            continue;
        }
        match f.set(word, default(format, fields, f, word)) {
            Ok(w) => word = w,
            Err(e) => return Err(vec![Fault::new(head, e.into())]),
        }
    }
    Ok(word)
}

/// The word of a micro-op.
pub(super) fn assemble_uop<'a>(
    args: &[Arg<'a>],
    names: &Names<'a>,
    loops: &Loops<'a>,
) -> Result<u32, Vec<Fault<'a>>> {
    let mut g = Given {
        fields: UOP_FIELDS,
        word: 0,
        given: Vec::new(),
    };
    let faults = operands(&mut g, ("uop", ""), args, names, loops);
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(g.word as u32)
}

/// A micro-op as text.
pub(super) fn uop_text(word: u32) -> String {
    let mut out = String::from("uop");
    for f in UOP_FIELDS {
        out += &format!(" {}={}", short_name(f.name), f.get(word.into()));
    }
    out
}

/// An instruction word as text: what the hardware reads in it.
///
/// A word that does not decode, or has reserved bits set, is a `.word` with a
/// comment that says why.
pub fn insn_text(word: u128) -> String {
    insn_text_with(word, |_, _| None)
}

/// The same, with names for the DRAM elements of a kind.
pub(super) fn insn_text_with(
    word: u128,
    dram_name: impl Fn(SegmentKind, u128) -> Option<String>,
) -> String {
    let insn = match Insn::decode(word) {
        Ok(i) => i,
        Err(e) => {
            return format!(
                ".word {word:#034x}  # not decoded: {} is {}",
                e.field, e.value
            );
        }
    };
    let text = fields_text(word, &insn, dram_name);
    match insn.encode() {
        Ok(w) if w == word => text,
        _ => format!(".word {word:#034x}  # reserved bits set; read as: {text}"),
    }
}

fn fields_text(
    word: u128,
    insn: &Insn,
    dram_name: impl Fn(SegmentKind, u128) -> Option<String>,
) -> String {
    let name = insn.name();
    let fields = FORMATS
        .iter()
        .find(|f| f.0 == name)
        .map_or(&[][..], |f| f.2);
    let get = |name| {
        fields
            .iter()
            .find(|f| f.name == name)
            .map_or(0, |f| f.get(word))
    };
    let mut sub = "";
    let mut flags = String::new();
    let mut out = String::new();
    for f in fields {
        let v = f.get(word);
        let same = v == default(name, fields, f, word);
        match (f.name, f.kind) {
            (_, Kind::Opcode | Kind::Reserved) => {}
            (_, Kind::Enum(values)) => {
                let named = values.iter().find(|n| i128::from(n.0) == v);
                sub = named.map_or("", |n| n.1);
            }
            ("uop_bgn", _) => {
                let end = get("uop_end");
                if (v, end) != (0, 1) {
                    out += &format!(" uop={v}..{end}");
                }
            }
            ("uop_end" | "use_imm", _) => {}
            ("imm", _) if get("use_imm") == 1 => out += &format!(" imm={v}"),
            ("imm", _) if v != 0 => out += &format!(" use_imm=0 imm={v}"),
            ("reset_reg", _) if v == 1 => out += " reset",
            (_, Kind::Flag) if v == 1 => flags += &format!(" {}", short_name(f.name)),
            _ if same => {}
            ("dram_base", _) => {
                let kind = memory(name, sub).map(|m| m.1);
                let named = kind.and_then(|k| dram_name(k, v as u128));
                out += &format!(" dram_base={}", named.unwrap_or_else(|| v.to_string()));
            }
            _ => out += &format!(" {}={v}", f.name),
        }
    }
    let dot = if sub.is_empty() { "" } else { "." };
    format!("{name}{dot}{sub}{out}{flags}")
}
