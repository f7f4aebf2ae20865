//! The second half of the assembler: addresses, then bytes.

use super::assemble::{Assembler, Code, Item, PAGE, Part};
use super::data::{self, Fields, Position};
use super::error::{AsmErrorKind, Fault};
use super::insn;
use super::names::{Def, Names, Value};
use super::text::{Expr, Node, Stmt, Val};
use super::validate::Invalid;
use crate::program::{Launch, Program, Segment, Step};

/// Gives every part an address: the ones that the text fixes first, then the
/// others in order, each at the next free multiple of its alignment.
pub(super) fn place(a: &mut Assembler<'_, '_>) {
    let mut fixed = Vec::new();
    for p in &a.parts {
        let data = p.len;
        let bytes = p.declared.map_or(data, u64::from);
        if data > bytes {
            let name = p.name.clone();
            let e = Invalid::TooMuchData { name, data, bytes };
            a.faults.push(Fault::new(p.at, e.into()));
            continue;
        }
        // Data are limited, and declared lengths have 32 bits.
        a.names.places[p.place].bytes = Some(bytes as u32);
        a.names.places[p.place].addr = p.addr;
        if let Some(addr) = p.addr {
            fixed.push((u64::from(addr), u64::from(addr) + bytes));
        }
    }
    fixed.sort_unstable();
    let mut next = PAGE;
    for p in a.parts.iter().filter(|p| p.addr.is_none()) {
        let bytes = u64::from(a.names.places[p.place].bytes.unwrap_or(0));
        let mut at = next.next_multiple_of(p.align);
        for &(from, to) in &fixed {
            if at < to && from < at + bytes {
                at = to.next_multiple_of(p.align);
            }
        }
        next = at + bytes;
        match u32::try_from(at) {
            Ok(addr) => a.names.places[p.place].addr = Some(addr),
            Err(_) => {
                let what = "there is no room left in 32-bit addresses";
                a.faults
                    .push(Fault::new(p.at, AsmErrorKind::Arithmetic(what)));
            }
        }
    }
    overlaps(a);
}

/// Complains of parts that share bytes.
fn overlaps(a: &mut Assembler<'_, '_>) {
    let range = |p: &Part<'_>| {
        let place = &a.names.places[p.place];
        let addr = u64::from(place.addr.unwrap_or(0));
        (addr, addr + u64::from(place.bytes.unwrap_or(0)))
    };
    let mut order: Vec<_> = a.parts.iter().collect();
    order.sort_by_key(|p| range(p));
    for w in order.windows(2) {
        let [before, p] = w else { continue };
        let ((_, end), (addr, past)) = (range(before), range(p));
        let e = match a.dram {
            _ if addr < end => Invalid::Overlap {
                name: p.name.clone(),
                addr: addr as u32,
                before: before.name.clone(),
                end,
            },
            Some(dram_bytes) if past > u64::from(dram_bytes) => Invalid::PastDram {
                what: "segment",
                name: p.name.clone(),
                end: past,
                dram_bytes,
            },
            _ => continue,
        };
        a.faults.push(Fault::new(p.at, e.into()));
    }
}

/// The bytes of an item.
fn bytes<'a>(
    names: &Names<'a>,
    item: &Item<'a>,
    position: &Position,
) -> Result<Vec<u8>, Vec<Fault<'a>>> {
    let loops = &item.loops;
    let one = |f: Fault<'a>| vec![f];
    if let Some(b) = &item.ready {
        return Ok(b.clone());
    }
    let (head, args) = match item.stmt {
        Stmt::Data(h, text) => return data::line(h, text, names, loops).map_err(one),
        Stmt::Call(h, args) => (*h, args),
        Stmt::Label(_) | Stmt::Const(..) => return Ok(Vec::new()),
    };
    let f = Fields { head, args };
    match head {
        ".word" => match &args[..] {
            [a] if a.name.is_none() => match &a.value {
                Val::Expr(e) => names
                    .number(e, ".word", loops)
                    .map(|n| n.to_le_bytes().to_vec())
                    .map_err(one),
                v => Err(one(Fault::new(
                    v.text(),
                    AsmErrorKind::Expected("a number"),
                ))),
            },
            _ => Err(one(Fault::new(head, AsmErrorKind::Expected("one number")))),
        },
        "uop" => insn::assemble_uop(args, names, loops).map(|w| w.to_le_bytes().to_vec()),
        "zero" => data::run_bytes(&f, position, names, loops)
            .map(|n| vec![0; n as usize])
            .map_err(one),
        "fill" => data::fill(&f, position, names, loops).map_err(one),
        "random" => data::random(&f, position, names, loops).map_err(one),
        _ => insn::assemble(head, args, names, loops).map(|w| w.to_le_bytes().to_vec()),
    }
}

/// The address that an argument means.
fn address<'a>(names: &Names<'a>, e: &Expr<'a>) -> Result<u32, Fault<'a>> {
    let n = match names.eval(e, &[])? {
        Value::Num(n) | Value::Addr(n) => n,
        v @ Value::Index(..) => {
            return Err(Fault::sort(e.text, "this", "a DRAM address", &v.sort()));
        }
    };
    let max = i128::from(u32::MAX);
    u32::try_from(n).map_err(|_| Fault::outside(e.text, "the address", n, 0, max))
}

/// An output: an address and a length.
fn output<'a>(
    names: &Names<'a>,
    e: &Expr<'a>,
    f: &Fields<'a, 'a>,
) -> Result<(u32, u32), Fault<'a>> {
    let addr = address(names, e)?;
    let limits = (0, u32::MAX.into());
    if let Some(b) = f.number("bytes", limits, names, &[])? {
        return Ok((addr, b as u32));
    }
    let def = match e.node {
        Node::Name(n) => names.defs.get(n),
        _ => None,
    };
    match def {
        Some(Def::Data(n)) => Ok((addr, names.places[*n].bytes.unwrap_or(0))),
        _ => Err(Fault::new(
            e.text,
            AsmErrorKind::Expected("the name of data, or bytes="),
        )),
    }
}

/// Makes the program.
pub(super) fn emit(a: &mut Assembler<'_, '_>) -> Program {
    let mut segments = Vec::new();
    for p in &a.parts {
        let place = &a.names.places[p.place];
        let mut data = Vec::new();
        for i in &p.items {
            let position = Position {
                kind: place.kind,
                offset: data.len() as u64,
                bytes: p.declared,
            };
            match bytes(&a.names, i, &position) {
                Ok(b) => data.extend_from_slice(&b),
                Err(e) => a.faults.extend(e),
            }
        }
        segments.push(Segment {
            name: p.name.clone(),
            kind: place.kind,
            addr: place.addr.unwrap_or(0),
            bytes: place.bytes.unwrap_or(0),
            data,
        });
    }
    segments.sort_by_key(|s| (s.addr, u64::from(s.addr) + u64::from(s.bytes)));
    let mut steps = Vec::new();
    for r in &a.runs {
        let (insn_addr, insn_count) = match r.code {
            Code::Inline(part, offset, count) => {
                let place = &a.names.places[a.parts[part].place];
                (Ok(place.addr.unwrap_or(0) + offset), count)
            }
            Code::At(e, count) => (address(&a.names, e), count),
        };
        let mut launch = Launch {
            name: r.name.clone(),
            insn_addr: 0,
            insn_count,
            outputs: Vec::new(),
            symbols: r.symbols.clone(),
        };
        match insn_addr {
            Ok(n) => launch.insn_addr = n,
            Err(e) => a.faults.push(e),
        }
        for (e, f) in &r.outputs {
            match output(&a.names, e, f) {
                Ok(o) => launch.outputs.push(o),
                Err(e) => a.faults.push(e),
            }
        }
        steps.push(Step::Launch(launch));
    }
    let dram_bytes = a.dram.unwrap_or_else(|| needed(&segments, &steps));
    Program {
        config: a.names.config.clone(),
        dram_bytes,
        segments,
        steps,
        ..Program::default()
    }
}

/// Whole pages that hold all segments and outputs.
fn needed(segments: &[Segment], steps: &[Step]) -> u32 {
    let end = |&(addr, bytes): &(u32, u32)| u64::from(addr) + u64::from(bytes);
    let mut most = 0;
    for s in segments {
        most = most.max(end(&(s.addr, s.bytes)));
    }
    for step in steps {
        let Step::Launch(l) = step else { continue };
        let outputs = l.outputs.iter().map(end).max();
        let code = u64::from(l.insn_addr) + 16 * u64::from(l.insn_count);
        most = most.max(outputs.unwrap_or(0)).max(code);
    }
    u32::try_from(most.next_multiple_of(PAGE)).unwrap_or(u32::MAX)
}
