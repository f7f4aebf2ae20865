//! Directives: what each does to the first pass.

use super::assemble::{Assembler, Code, Part, Run, is_end, unknown};
use super::data::Fields;
use super::error::{AsmErrorKind, Fault};
use super::names::{Def, KINDS, Place, element, kind_name};
use super::text::{Arg, Stmt, Val};
use crate::program::{SegmentKind, Symbol};

/// The kind that an argument names.
fn kind_of<'a>(v: Option<&Val<'a>>, head: &'a str) -> Result<SegmentKind, Fault<'a>> {
    let names = KINDS.map(kind_name);
    let Some(v) = v else {
        let what = "a kind: insn, uop, inp, wgt, acc, out or raw";
        return Err(Fault::new(head, AsmErrorKind::Expected(what)));
    };
    let word = v.word().unwrap_or_default();
    match KINDS.iter().find(|&&k| kind_name(k) == word) {
        Some(&k) => Ok(k),
        None => Err(unknown("memory type", v.text(), &names)),
    }
}

impl<'a> Assembler<'a, '_> {
    /// `.region KIND NAME = first..end`
    pub(super) fn region(&mut self, f: Fields<'a, 'a>) -> Result<(), Fault<'a>> {
        let [kind, range] = f.args else {
            let what = "a kind and name = first..end";
            return Err(Fault::new(f.head, AsmErrorKind::Expected(what)));
        };
        let k = kind_of(kind.name.is_none().then_some(&kind.value), f.head)?;
        if matches!(k, SegmentKind::Insn | SegmentKind::Raw) {
            return Err(Fault::sort(
                kind.value.text(),
                ".region",
                "a scratchpad",
                kind_name(k),
            ));
        }
        match (range.name, &range.value) {
            (Some(name), Val::Range(_, from, to)) => {
                self.names.define(name, Def::Region(k, from, to))
            }
            (_, v) => Err(Fault::new(
                v.text(),
                AsmErrorKind::Expected("name = first..end"),
            )),
        }
    }

    /// `name:`
    pub(super) fn label(&mut self, name: &'a str) -> Result<(), Fault<'a>> {
        let Some(n) = self.part else {
            return Err(Fault::place(
                name,
                "a label",
                "needs data or a launch around it",
            ));
        };
        // Lengths are checked to fit 32 bits.
        let at = (self.parts[n].place, self.parts[n].len as u32);
        self.names.defs.insert(name, Def::Label(Some(at)));
        Ok(())
    }

    /// `.dram BYTES`
    pub(super) fn dram(&mut self, s: &'a Stmt<'a>) -> Result<(), Fault<'a>> {
        let Stmt::Call(head, args) = s else {
            return Ok(());
        };
        let [
            Arg {
                name: None,
                value: Val::Expr(e),
            },
        ] = &args[..]
        else {
            return Err(Fault::new(head, AsmErrorKind::Expected("bytes of DRAM")));
        };
        if self.dram.is_some() {
            let (what, name) = ("directive", (*head).to_owned());
            return Err(Fault::new(head, AsmErrorKind::Twice { what, name }));
        }
        let max = (0, u32::MAX.into());
        let n = self.names.within(e, "DRAM", max, &[])?;
        self.dram = Some(n as u32);
        Ok(())
    }

    fn close_launch(&mut self) {
        self.close_symbol();
        self.open = false;
    }

    fn close_symbol(&mut self) {
        if let Some(r) = self.runs.last_mut() {
            r.open_symbol = false;
        }
    }

    /// `.data NAME KIND [at ADDRESS] [bytes=N | len=N] [align=N]`
    pub(super) fn data(&mut self, f: Fields<'a, 'a>, n: usize) -> Result<(), Fault<'a>> {
        self.close_launch();
        // Whatever is wrong with it, the items that follow belong to it.
        let name = f.bare().next().and_then(Val::name);
        let missing = name.is_none();
        // Two bare words clash as names; here are the quoted ones.
        let quoted = matches!(f.bare().next(), Some(Val::Str(..)));
        let twice = name
            .clone()
            .filter(|n| quoted && self.parts.iter().any(|p| p.name == *n));
        self.parts
            .push(Part::new(name.unwrap_or_default(), f.head, n));
        self.part = Some(self.parts.len() - 1);
        if missing {
            return Err(Fault::new(
                f.head,
                AsmErrorKind::Expected("a name and a kind"),
            ));
        }
        if let Some(name) = twice {
            let what = "the data";
            return Err(Fault::new(f.head, AsmErrorKind::Twice { what, name }));
        }
        f.check(&["bytes", "len", "align"])?;
        let mut bare = f.bare().skip(1);
        let kind = kind_of(bare.next(), f.head)?;
        let here = self.parts.len() - 1;
        self.names.places[n].kind = kind;
        match (bare.next(), bare.next(), bare.next()) {
            (None, None, None) => {}
            (Some(at), Some(Val::Expr(e)), None) if at.word() == Some("at") => {
                let max = (0, u32::MAX.into());
                let addr = self.names.within(e, "the address", max, &[])?;
                self.parts[here].addr = Some(addr as u32);
            }
            (Some(v), ..) => {
                let what = "at ADDRESS, len=, bytes= or align=";
                return Err(Fault::new(v.text(), AsmErrorKind::Expected(what)));
            }
            (None, ..) => {}
        }
        let size = i128::from(element(&self.names.config, kind));
        let max = i128::from(u32::MAX);
        let bytes = f.number("bytes", (0, max), &self.names, &[])?;
        let len = f.number("len", (0, max / size), &self.names, &[])?;
        if let (Some(_), Some(_), Some(a)) = (bytes, len, f.get("len")) {
            let what = "either len or bytes";
            return Err(Fault::new(a.value.text(), AsmErrorKind::Expected(what)));
        }
        self.parts[here].declared = bytes.or(len.map(|n| n * size)).map(|n| n as u32);
        // A declared size is known before the data are.
        self.names.places[n].bytes = self.parts[here].declared;
        if let Some(n) = f.number("align", (1, 1 << 31), &self.names, &[])? {
            self.parts[here].align = n as u64;
        }
        Ok(())
    }

    /// `.launch NAME`: instructions follow; `.launch NAME at ADDRESS count=N`:
    /// they are there.
    pub(super) fn launch(&mut self, head: &'a str, args: &'a [Arg<'a>]) -> Result<(), Fault<'a>> {
        self.close_launch();
        let f = Fields { head, args };
        f.check(&["count"])?;
        let mut bare = f.bare();
        let Some(name) = bare.next().and_then(Val::name) else {
            return Err(Fault::new(head, AsmErrorKind::Expected("a name")));
        };
        if self.runs.iter().any(|r| r.name == name) {
            let what = "the launch";
            return Err(Fault::new(head, AsmErrorKind::Twice { what, name }));
        }
        let max = (0, i128::from(u32::MAX / 16));
        let count = f.number("count", max, &self.names, &[])?;
        let code = match (bare.next(), bare.next(), bare.next(), count) {
            (None, _, _, None) => self.inline(&name),
            (Some(at), Some(Val::Expr(e)), None, Some(n)) if at.word() == Some("at") => {
                Code::At(e, n as u32)
            }
            _ => {
                let what = "NAME, or NAME at ADDRESS count=N";
                return Err(Fault::new(head, AsmErrorKind::Expected(what)));
            }
        };
        self.open = matches!(code, Code::Inline(..));
        self.runs.push(Run {
            name,
            at: head,
            code,
            outputs: Vec::new(),
            symbols: Vec::new(),
            open_symbol: false,
        });
        Ok(())
    }

    /// A launch whose instructions follow: in the segment of instructions that
    /// is open, or in a new one.
    fn inline(&mut self, name: &str) -> Code<'a> {
        let open = self.part.filter(|&n| {
            let place = self.names.places.get(self.parts[n].place);
            place.is_some_and(|p| p.kind == SegmentKind::Insn)
        });
        let n = open.unwrap_or_else(|| {
            let taken = |name: &str| self.parts.iter().any(|p| p.name == name);
            let name = match taken("insns") {
                true => format!("insns_{name}"),
                false => "insns".to_owned(),
            };
            self.names.places.push(Place {
                kind: SegmentKind::Insn,
                bytes: None,
                addr: None,
            });
            self.parts
                .push(Part::new(name, "", self.names.places.len() - 1));
            self.parts.len() - 1
        });
        self.part = Some(n);
        // Lengths are checked to fit 32 bits.
        Code::Inline(n, self.parts[n].len as u32, 0)
    }

    /// `.output DATA` or `.output ADDRESS bytes=N`
    pub(super) fn output(&mut self, head: &'a str, args: &'a [Arg<'a>]) -> Result<(), Fault<'a>> {
        let f = Fields { head, args };
        f.check(&["bytes"])?;
        let mut bare = f.bare();
        let (Some(Val::Expr(e)), None) = (bare.next(), bare.next()) else {
            return Err(Fault::new(head, AsmErrorKind::Expected("one address")));
        };
        match self.runs.last_mut() {
            Some(r) => r.outputs.push((e, Fields { head, args })),
            None => return Err(Fault::place(head, head, "needs a `.launch` before it")),
        }
        Ok(())
    }

    /// `.symbol NAME` or `.symbol NAME first=N count=N`
    pub(super) fn symbol(&mut self, f: &Fields<'a, 'a>) -> Result<(), Fault<'a>> {
        f.check(&["first", "count"])?;
        let mut bare = f.bare();
        let (Some(name), None) = (bare.next().and_then(Val::name), bare.next()) else {
            return Err(Fault::new(f.head, AsmErrorKind::Expected("one name")));
        };
        let max = (0, u32::MAX.into());
        let first = f.number("first", max, &self.names, &[])?;
        let count = f.number("count", max, &self.names, &[])?;
        let Some(run) = self.runs.last_mut() else {
            return Err(Fault::place(f.head, f.head, "needs a `.launch` before it"));
        };
        let (first, count, grows) = match (first, count, &run.code) {
            (Some(f), Some(c), _) => (f as u32, c as u32, false),
            (None, None, Code::Inline(_, _, n)) if self.open => (*n, 0, true),
            _ => {
                let what = "first= and count= both, or a launch whose instructions follow";
                return Err(Fault::new(f.head, AsmErrorKind::Expected(what)));
            }
        };
        run.open_symbol = grows;
        run.symbols.push(Symbol { name, first, count });
        Ok(())
    }

    /// `.end launch` and `.end symbol`; `.for` takes its own end.
    pub(super) fn end(&mut self, f: &Fields<'a, 'a>) -> Result<(), Fault<'a>> {
        let open_symbol = self.runs.last().is_some_and(|r| r.open_symbol);
        if is_end(f.args, "launch") && self.open {
            self.close_launch();
        } else if is_end(f.args, "symbol") && open_symbol {
            self.close_symbol();
        } else {
            return Err(Fault::place(f.head, ".end", "has nothing to end here"));
        }
        Ok(())
    }
}
