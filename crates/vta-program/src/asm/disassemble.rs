//! Program to text.

use super::names::{element, kind_name};
use super::text::{is_word, quote};
use super::validate::{Invalid, validate};
use super::{config, data, insn};
use crate::config::HwConfig;
use crate::program::{Launch, Program, Segment, SegmentKind};
use std::collections::BTreeMap;

/// The text of a program; [`super::assemble`] makes the same program of it.
///
/// Instructions are printed where a launch runs them, other bytes as data.
///
/// # Errors
/// The program is not [valid](super::validate).
pub fn disassemble(p: &Program) -> Result<String, Invalid> {
    validate(p)?;
    let d = Disassembler {
        p,
        inline: inline(p),
    };
    let mut out = format!("{}\n.dram {:#x}\n", config::text(&p.config), p.dram_bytes);
    for s in &p.segments {
        d.segment(&mut out, s);
    }
    if !d.inline {
        for l in p.launches() {
            out += &format!(
                "\n.launch {} at {:#x} count={}\n",
                quote(&l.name),
                l.insn_addr,
                l.insn_count
            );
            d.outputs(&mut out, l);
            for s in &l.symbols {
                out += &explicit(s);
            }
        }
    }
    Ok(out)
}

fn explicit(s: &crate::program::Symbol) -> String {
    let name = quote(&s.name);
    format!("  .symbol {name} first={} count={}\n", s.first, s.count)
}

/// The segment of instructions whose data hold all of a launch.
fn home<'p>(p: &'p Program, l: &Launch) -> Option<&'p Segment> {
    let end = u64::from(l.insn_addr) + 16 * u64::from(l.insn_count);
    p.segments.iter().find(|s| {
        s.kind == SegmentKind::Insn
            && s.addr <= l.insn_addr
            && end <= u64::from(s.addr) + s.data.len() as u64
            && l.insn_count > 0
    })
}

/// Whether all launches can be written around their instructions: each in one
/// segment, in order, none sharing instructions with another.
fn inline(p: &Program) -> bool {
    let mut next = 0;
    p.launches().all(|l| {
        let first = u64::from(l.insn_addr);
        let fits = first >= next && home(p, l).is_some();
        next = first + 16 * u64::from(l.insn_count);
        fits
    })
}

/// Whether all symbols of a launch can be written between its instructions.
fn symbols_inline(l: &Launch) -> bool {
    let mut next = 0;
    l.symbols.iter().all(|s| {
        let fits = s.count > 0 && s.first >= next;
        next = s.first.saturating_add(s.count);
        fits
    })
}

struct Disassembler<'p> {
    p: &'p Program,
    inline: bool,
}

impl Disassembler<'_> {
    /// Byte addresses of the words that launches run, with the launch that
    /// begins there, in one segment.
    fn words(&self, s: &Segment) -> BTreeMap<u64, Option<&Launch>> {
        let (from, to) = (u64::from(s.addr), u64::from(s.addr) + s.data.len() as u64);
        let mut words = BTreeMap::new();
        for l in self.p.launches() {
            let first = u64::from(l.insn_addr);
            let end = first + 16 * u64::from(l.insn_count);
            let skipped = from.saturating_sub(first).next_multiple_of(16);
            for at in (first + skipped..end.min(to)).step_by(16) {
                let begins = (at == first).then_some(l);
                let word = words.entry(at).or_insert(begins);
                *word = word.or(begins);
            }
        }
        words
    }

    fn segment(&self, out: &mut String, s: &Segment) {
        *out += &format!("\n.data {} {}", quote(&s.name), kind_name(s.kind));
        *out += &format!(" at {:#x}", s.addr);
        if s.bytes as usize != s.data.len() {
            *out += &format!(" bytes={}", s.bytes);
        }
        *out += "\n";
        let words = self.words(s);
        let end = s.data.len();
        let mut open: Option<(&Launch, u32)> = None;
        let mut at = 0;
        while at < end {
            let addr = u64::from(s.addr) + at as u64;
            let bits = s.data.get(at..at + 16).and_then(|b| b.try_into().ok());
            let word = words.get(&addr).zip(bits.map(u128::from_le_bytes));
            let Some((begins, word)) = word else {
                // Data up to the next word that a launch runs.
                let next = words.range(addr + 1..).next();
                let next = next.map_or(end, |(&a, _)| (a - u64::from(s.addr)) as usize);
                data::data_text(out, &self.p.config, s.kind, &s.data[at..next]);
                at = next;
                continue;
            };
            if let Some(l) = begins.filter(|_| self.inline) {
                self.begin(out, l);
                open = Some((l, 0));
            }
            if let Some((l, n)) = open.filter(|(l, _)| symbols_inline(l)) {
                symbols(out, l, n);
            }
            *out += &format!("  {}\n", self.word(word));
            at += 16;
            if let Some((l, n)) = &mut open {
                *n += 1;
                if *n == l.insn_count {
                    *out += ".end launch\n";
                    open = None;
                }
            }
        }
    }

    fn begin(&self, out: &mut String, l: &Launch) {
        *out += &format!(".launch {}\n", quote(&l.name));
        self.outputs(out, l);
        if !symbols_inline(l) {
            for s in &l.symbols {
                *out += &explicit(s);
            }
        }
    }

    fn outputs(&self, out: &mut String, l: &Launch) {
        for &(addr, bytes) in &l.outputs {
            let whole = |s: &&Segment| s.addr == addr && s.bytes == bytes && is_word(&s.name);
            *out += &match self.p.segments.iter().find(whole) {
                Some(s) => format!("  .output {}\n", s.name),
                None => format!("  .output {addr:#x} bytes={bytes}\n"),
            };
        }
    }

    /// A word, with the names of the data that it loads and stores.
    fn word(&self, word: u128) -> String {
        insn::insn_text_with(word, |kind, base| dram_name(self.p, kind, base))
    }
}

/// The name of an element in DRAM, if it is one of a segment of its kind.
fn dram_name(p: &Program, kind: SegmentKind, base: u128) -> Option<String> {
    let size = u128::from(element(&p.config as &HwConfig, kind));
    let addr = base * size;
    // Segments are in order of address.
    let after = p.segments.partition_point(|s| u128::from(s.addr) <= addr);
    let s = p.segments.get(after.checked_sub(1)?)?;
    let offset = addr - u128::from(s.addr);
    let inside = offset + size <= u128::from(s.bytes) && offset.is_multiple_of(size);
    if s.kind != kind || !inside || !is_word(&s.name) {
        return None;
    }
    Some(match offset / size {
        0 => s.name.clone(),
        n => format!("{}[{n}]", s.name),
    })
}

/// Symbols that end or begin before the `n`th instruction.
fn symbols(out: &mut String, l: &Launch, n: u32) {
    if let Some(s) = l.symbols.iter().find(|s| s.first == n) {
        *out += &format!("  .symbol {}\n", quote(&s.name));
    } else if l.symbols.iter().any(|s| s.first + s.count == n) {
        *out += "  .end symbol\n";
    }
}
