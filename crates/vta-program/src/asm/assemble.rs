//! Text to program: the first pass finds what stands where and how long it
//! is; `emit` then gives out addresses and makes the bytes.

use super::data::{self, Fields, Position};
use super::error::{AsmErrorKind, AsmErrors, Fault, Nearest, locate};
use super::names::{Def, Loops, Names, Place};
use super::text::{Arg, Expr, Stmt, Val, parse};
use super::validate::{self, MAX_DATA, validate};
use super::{AsmOptions, Invalid, config, emit, insn};
use crate::config::HwConfig;
use crate::program::{Program, SegmentKind, Symbol};
use std::rc::Rc;

/// Where automatic placement begins, and what it aligns to: the hardware
/// never answers a read at address 0.
pub(super) const PAGE: u64 = 4096;
/// Most statements after loops are unrolled.
const MAX_STATEMENTS: u64 = 1 << 22;
const TOO_MANY: &str = "the program has too many statements";
/// Deepest nesting of loops.
const MAX_LOOPS: usize = 16;

const DIRECTIVES: [&str; 10] = [
    ".config", ".dram", ".region", ".data", ".launch", ".output", ".symbol", ".for", ".end",
    ".word",
];
const DATA: [&str; 9] = [
    "uop", "zero", "fill", "random", "npy", "i8", "i32", "u32", "hex",
];

/// A statement that makes bytes.
pub(super) struct Item<'a> {
    /// The statement.
    pub stmt: &'a Stmt<'a>,
    /// The loop variables around it.
    pub loops: Rc<Loops<'a>>,
    /// The bytes, if they were needed to know how many there are.
    pub ready: Option<Vec<u8>>,
}

/// A segment that is being put together.
pub(super) struct Part<'a> {
    /// Its name.
    pub name: String,
    /// Its directive; empty if a launch made it.
    pub at: &'a str,
    /// Its place in [`Names::places`].
    pub place: usize,
    /// Its address, if the text gives one.
    pub addr: Option<u32>,
    /// What its address is a multiple of, if the text gives none.
    pub align: u64,
    /// Its length, if the text gives one.
    pub declared: Option<u32>,
    /// What makes its data.
    pub items: Vec<Item<'a>>,
    /// Bytes of its data.
    pub len: u64,
}

impl<'a> Part<'a> {
    /// An empty segment.
    pub const fn new(name: String, at: &'a str, place: usize) -> Self {
        Self {
            name,
            at,
            place,
            addr: None,
            align: PAGE,
            declared: None,
            items: Vec::new(),
            len: 0,
        }
    }
}

/// Where a launch's instructions are.
pub(super) enum Code<'a> {
    /// Here: part, byte offset, instructions so far.
    Inline(usize, u32, u32),
    /// At an address: the argument and the count.
    At(&'a Expr<'a>, u32),
}

/// A launch that is being put together.
pub(super) struct Run<'a> {
    /// Its name.
    pub name: String,
    /// Its directive.
    pub at: &'a str,
    /// Its instructions.
    pub code: Code<'a>,
    /// Addresses, and the arguments with the lengths.
    pub outputs: Vec<(&'a Expr<'a>, Fields<'a, 'a>)>,
    /// Its symbols.
    pub symbols: Vec<Symbol>,
    /// Whether the last symbol is still growing.
    pub open_symbol: bool,
}

/// What the first pass knows.
pub(super) struct Assembler<'a, 'o> {
    opts: &'o AsmOptions<'o>,
    /// All names.
    pub names: Names<'a>,
    /// All segments, in order of the text.
    pub parts: Vec<Part<'a>>,
    /// All launches.
    pub runs: Vec<Run<'a>>,
    /// Bytes of DRAM, if the text says.
    pub dram: Option<u32>,
    /// Part that items go to.
    pub part: Option<usize>,
    /// Whether the last launch is still growing.
    pub open: bool,
    fuel: u64,
    data_bytes: u64,
    /// All mistakes so far.
    pub faults: Vec<Fault<'a>>,
}

/// Assembles a program.
///
/// # Errors
/// Every mistake found, with its line and column. Mistakes in sizes or
/// grammar hide those in values.
pub fn assemble(source: &str, opts: &AsmOptions<'_>) -> Result<Program, AsmErrors> {
    let (stmts, faults) = parse(source);
    if !faults.is_empty() {
        return Err(locate(source, faults));
    }
    match program(source, &stmts, opts) {
        Ok(p) => Ok(p),
        Err(faults) => Err(locate(source, faults)),
    }
}

fn program<'a>(
    source: &'a str,
    stmts: &'a [Stmt<'a>],
    opts: &AsmOptions<'_>,
) -> Result<Program, Vec<Fault<'a>>> {
    let mut a = Assembler {
        opts,
        names: Names::new(HwConfig::default()),
        parts: Vec::new(),
        runs: Vec::new(),
        dram: None,
        part: None,
        open: false,
        fuel: MAX_STATEMENTS,
        data_bytes: 0,
        faults: Vec::new(),
    };
    a.configure(stmts);
    a.define(stmts);
    a.block(stmts, &Rc::from([]));
    if a.faults.is_empty() {
        emit::place(&mut a);
    }
    if !a.faults.is_empty() {
        return Err(a.faults);
    }
    let p = emit::emit(&mut a);
    if !a.faults.is_empty() {
        return Err(a.faults);
    }
    match validate(&p) {
        Ok(()) => Ok(p),
        Err(e) => {
            let launch = match &e {
                Invalid::PastDram { name, .. } => Some(name),
                Invalid::Symbol { launch, .. } => Some(launch),
                _ => None,
            };
            let run = a.runs.iter().find(|r| Some(&r.name) == launch);
            Err(vec![Fault::new(run.map_or(source, |r| r.at), e.into())])
        }
    }
}

/// A name that nothing has.
pub(super) fn unknown<'a>(what: &'static str, at: &'a str, known: &[&str]) -> Fault<'a> {
    Fault::new(
        at,
        AsmErrorKind::Unknown {
            what,
            name: at.into(),
            nearest: Nearest::of(at, known.iter().copied()),
        },
    )
}

fn call<'a>(s: &'a Stmt<'a>, head: &str) -> Option<Fields<'a, 'a>> {
    match s {
        Stmt::Call(h, args) if *h == head => Some(Fields { head: h, args }),
        _ => None,
    }
}

impl<'a> Assembler<'a, '_> {
    fn fail(&mut self, r: Result<(), Fault<'a>>) {
        self.faults.extend(r.err());
    }

    /// Finds the configuration: sizes of elements depend on it.
    fn configure(&mut self, stmts: &'a [Stmt<'a>]) {
        let mut seen = false;
        for f in stmts.iter().filter_map(|s| call(s, ".config")) {
            let (what, name) = ("directive", f.head.to_owned());
            match config::parse(&f) {
                _ if seen => self
                    .faults
                    .push(Fault::new(f.head, AsmErrorKind::Twice { what, name })),
                Ok(c) => self.names.config = c,
                Err(e) => self.faults.push(e),
            }
            seen = true;
        }
        if let Some(c) = &self.opts.config {
            match validate::config(c) {
                Ok(()) => self.names.config = c.clone(),
                Err(e) => self.faults.push(Fault::new("", e.into())),
            }
        }
    }

    /// Collects names, so that they can be used before they are defined.
    fn define(&mut self, stmts: &'a [Stmt<'a>]) {
        let mut parts = 0;
        for s in stmts {
            let done = match s {
                Stmt::Label(n) => self.names.define(n, Def::Label(None)),
                Stmt::Const(n, e) => self.names.define(n, Def::Const(e)),
                Stmt::Call(".region", args) => self.region(Fields {
                    head: s.head(),
                    args,
                }),
                Stmt::Call(".data", args) => {
                    let word = args.first().and_then(|a| a.value.word());
                    parts += 1;
                    match word {
                        Some(w) => self.names.define(w, Def::Data(parts - 1)),
                        None => Ok(()),
                    }
                }
                _ => Ok(()),
            };
            self.fail(done);
        }
        // Places of `.data` come first; those made for launches follow.
        self.names.places = vec![
            Place {
                kind: SegmentKind::Raw,
                bytes: None,
                addr: None,
            };
            parts
        ];
    }

    /// First pass: what stands where, and how long it is.
    fn block(&mut self, stmts: &'a [Stmt<'a>], loops: &Rc<Loops<'a>>) {
        let mut n = 0;
        let mut named = 0;
        while let Some(s) = stmts.get(n) {
            n += 1;
            self.fuel = self.fuel.saturating_sub(1);
            if self.fuel == 0 {
                let what = AsmErrorKind::Arithmetic(TOO_MANY);
                return self.faults.push(Fault::new(s.head(), what));
            }
            let in_loop = !loops.is_empty();
            let done = match s {
                Stmt::Const(..) if !in_loop => Ok(()),
                Stmt::Label(name) if !in_loop => self.label(name),
                Stmt::Call(".config" | ".region", _) if !in_loop => Ok(()),
                Stmt::Call(".dram", _) if !in_loop => self.dram(s),
                Stmt::Call(".data", args) if !in_loop => {
                    named += 1;
                    self.data(
                        Fields {
                            head: s.head(),
                            args,
                        },
                        named - 1,
                    )
                }
                Stmt::Call(".launch", args) if !in_loop => self.launch(s.head(), args),
                Stmt::Call(".output", args) if !in_loop => self.output(s.head(), args),
                Stmt::Call(".symbol", args) if !in_loop => self.symbol(&Fields {
                    head: s.head(),
                    args,
                }),
                Stmt::Call(".for", args) => match body(stmts, n) {
                    Some(end) => {
                        let f = Fields {
                            head: s.head(),
                            args,
                        };
                        let r = self.unroll(&f, &stmts[n..end], loops);
                        n = end + 1;
                        r
                    }
                    None => Err(Fault::place(s.head(), ".for", "has no `.end for`")),
                },
                Stmt::Call(".end", args) => self.end(&Fields {
                    head: s.head(),
                    args,
                }),
                Stmt::Label(_) | Stmt::Const(..) => Err(Fault::place(
                    s.head(),
                    "a name",
                    "cannot be defined in a loop",
                )),
                Stmt::Call(h, _) if DIRECTIVES.contains(h) && *h != ".word" => {
                    Err(Fault::place(h, h, "cannot stand in a loop"))
                }
                _ => self.item(s, loops),
            };
            self.fail(done);
        }
    }

    /// `.for NAME = first..end`: the body once for each number.
    fn unroll(
        &mut self,
        f: &Fields<'a, 'a>,
        body: &'a [Stmt<'a>],
        loops: &Rc<Loops<'a>>,
    ) -> Result<(), Fault<'a>> {
        if loops.len() == MAX_LOOPS {
            return Err(Fault::place(f.head, ".for", "is nested too deeply"));
        }
        let [
            Arg {
                name: Some(name),
                value: Val::Range(_, from, to),
            },
        ] = f.args
        else {
            let what = "name = first..end";
            return Err(Fault::new(f.head, AsmErrorKind::Expected(what)));
        };
        let mut n = self.names.number(from, "the first", loops)?;
        let to = self.names.number(to, "the end", loops)?;
        let known = self.faults.len();
        self.fuel = self.fuel.saturating_sub(body.len() as u64);
        while n < to && self.fuel > 0 && self.faults.len() == known {
            self.fuel = self.fuel.saturating_sub(1);
            let mut inner = loops.to_vec();
            inner.push((name, n));
            self.block(body, &Rc::from(inner));
            n += 1;
        }
        match self.fuel {
            0 => Err(Fault::new(f.head, AsmErrorKind::Arithmetic(TOO_MANY))),
            _ => Ok(()),
        }
    }

    /// A statement that makes bytes.
    fn item(&mut self, s: &'a Stmt<'a>, loops: &Rc<Loops<'a>>) -> Result<(), Fault<'a>> {
        let head = s.head();
        let is_word = head == ".word";
        let is_insn = is_word || insn::is_insn(head);
        if !is_insn && !DATA.contains(&head) {
            let (what, known): (_, Vec<_>) = match head.starts_with('.') {
                true => ("directive", DIRECTIVES.to_vec()),
                false => ("statement", insn::mnemonics().chain(DATA).collect()),
            };
            // The part after the dot says nothing about which instruction was meant.
            let name = match head.starts_with('.') {
                true => head,
                false => head.split('.').next().unwrap_or(head),
            };
            return Err(unknown(what, name, &known));
        }
        let Some(n) = self.part else {
            return Err(match is_insn {
                true => Fault::place(head, head, "needs a `.launch` before it"),
                false => Fault::place(head, head, "needs a `.data` before it"),
            });
        };
        if self.open && !is_insn {
            return Err(Fault::place(
                head,
                head,
                "is data, and cannot stand in a launch",
            ));
        }
        let part = &self.parts[n];
        let place = &self.names.places[part.place];
        let position = Position {
            kind: place.kind,
            offset: part.len,
            bytes: part.declared,
        };
        let mut ready = None;
        let bytes = match s {
            _ if is_insn => 16,
            Stmt::Data(h, text) => data::line_bytes(h, text)?,
            Stmt::Call("uop", _) => 4,
            Stmt::Call("npy", args) => {
                let b = self.file(&Fields { head, args })?;
                ready.insert(b).len() as u64
            }
            Stmt::Call(_, args) => {
                let f = Fields { head, args };
                if head == "zero" {
                    f.check(&["bytes"])?;
                }
                data::run_bytes(&f, &position, &self.names, loops)?
            }
            Stmt::Label(_) | Stmt::Const(..) => 0,
        };
        self.data_bytes += bytes;
        if self.data_bytes > MAX_DATA {
            let e = Invalid::DataLimit(self.data_bytes);
            return Err(Fault::new(head, e.into()));
        }
        let part = &mut self.parts[n];
        part.len += bytes;
        part.items.push(Item {
            stmt: s,
            loops: Rc::clone(loops),
            ready,
        });
        if let Some(r) = self.runs.last_mut()
            && let Code::Inline(_, _, count) = &mut r.code
            && self.open
        {
            *count += 1;
            if let Some(s) = r.symbols.last_mut().filter(|_| r.open_symbol) {
                s.count += 1;
            }
        }
        Ok(())
    }

    /// `npy "path"`
    fn file(&self, f: &Fields<'a, 'a>) -> Result<Vec<u8>, Fault<'a>> {
        f.check(&[])?;
        let mut bare = f.bare();
        let (Some(Val::Str(at, path)), None) = (bare.next(), bare.next()) else {
            let what = "a path in quotes";
            return Err(Fault::new(f.head, AsmErrorKind::Expected(what)));
        };
        let bad = |why| {
            let path = path.clone();
            Fault::new(at, AsmErrorKind::File { path, why })
        };
        let bytes = match self.opts.read {
            Some(read) => read(path).map_err(|e| bad(e.to_string()))?,
            None => return Err(bad("files cannot be read here".into())),
        };
        data::npy(&bytes).map_err(bad)
    }
}

/// The statement that ends a loop's body.
fn body(stmts: &[Stmt<'_>], from: usize) -> Option<usize> {
    let mut depth = 1;
    for (n, s) in stmts.iter().enumerate().skip(from) {
        match s {
            Stmt::Call(".for", _) => depth += 1,
            Stmt::Call(".end", args) if is_end(args, "for") => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(n);
        }
    }
    None
}

/// Whether `.end` ends this.
pub(super) fn is_end(args: &[Arg<'_>], of: &str) -> bool {
    matches!(args, [a] if a.name.is_none() && a.value.word() == Some(of))
}
