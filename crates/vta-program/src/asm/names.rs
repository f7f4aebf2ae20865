//! What names stand for, and the values of expressions.

use super::error::{AsmErrorKind, Fault, Nearest};
use super::text::{Expr, Node, Op};
use crate::config::{HwConfig, Scratchpad};
use crate::program::SegmentKind;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Deepest chain of constants that use each other.
const MAX_DEPTH: usize = 64;

/// A value and what it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// A plain number.
    Num(i128),
    /// A byte address in DRAM.
    Addr(i128),
    /// An index in a scratchpad.
    Index(SegmentKind, i128),
}

impl Value {
    /// In words, for a message.
    pub fn sort(self) -> String {
        match self {
            Self::Num(_) => "a number".into(),
            Self::Addr(_) => "a DRAM address".into(),
            Self::Index(k, _) => format!("an index of {}", kind_name(k)),
        }
    }
}

/// A named range of a scratchpad.
#[derive(Debug, Clone, Copy)]
pub(super) struct Region {
    /// The scratchpad.
    pub kind: SegmentKind,
    /// First element.
    pub from: i128,
    /// One past the last element.
    pub to: i128,
}

/// A piece of DRAM, as far as it is known.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// What it holds.
    pub kind: SegmentKind,
    /// Its length, once it is known.
    pub bytes: Option<u32>,
    /// Its address, once it is known.
    pub addr: Option<u32>,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Def<'a> {
    /// `name = value`.
    Const(&'a Expr<'a>),
    /// `.region`.
    Region(SegmentKind, &'a Expr<'a>, &'a Expr<'a>),
    /// `.data`: its place.
    Data(usize),
    /// `name:`: place and byte offset, once they are known.
    Label(Option<(usize, u32)>),
}

/// The loop variables around a statement, innermost last.
pub(super) type Loops<'a> = [(&'a str, i128)];

/// All names of a file.
#[derive(Debug)]
pub(super) struct Names<'a> {
    /// The hardware.
    pub config: HwConfig,
    /// The definitions.
    pub defs: BTreeMap<&'a str, Def<'a>>,
    /// The pieces of DRAM.
    pub places: Vec<Place>,
    known: RefCell<BTreeMap<&'a str, Value>>,
}

/// The name of a kind.
pub(super) const fn kind_name(kind: SegmentKind) -> &'static str {
    match kind {
        SegmentKind::Insn => "insn",
        SegmentKind::Uop => "uop",
        SegmentKind::Inp => "inp",
        SegmentKind::Wgt => "wgt",
        SegmentKind::Acc => "acc",
        SegmentKind::Out => "out",
        SegmentKind::Raw => "raw",
    }
}

/// All kinds.
pub(super) const KINDS: [SegmentKind; 7] = [
    SegmentKind::Insn,
    SegmentKind::Uop,
    SegmentKind::Inp,
    SegmentKind::Wgt,
    SegmentKind::Acc,
    SegmentKind::Out,
    SegmentKind::Raw,
];

/// The scratchpad whose elements a kind has; none for what is not of one.
const fn scratchpad(kind: SegmentKind) -> Option<Scratchpad> {
    match kind {
        SegmentKind::Uop => Some(Scratchpad::Uop),
        SegmentKind::Inp => Some(Scratchpad::Inp),
        SegmentKind::Wgt => Some(Scratchpad::Wgt),
        SegmentKind::Acc => Some(Scratchpad::Acc),
        SegmentKind::Out => Some(Scratchpad::Out),
        SegmentKind::Insn | SegmentKind::Raw => None,
    }
}

/// Bytes of an element of this kind.
pub(super) const fn element(c: &HwConfig, kind: SegmentKind) -> u32 {
    match scratchpad(kind) {
        Some(pad) => c.elem_bytes(pad),
        None if matches!(kind, SegmentKind::Insn) => 16,
        None => 1,
    }
}

/// Elements of a scratchpad; `None` for what is not one.
pub(super) fn depth(c: &HwConfig, kind: SegmentKind) -> Option<u32> {
    scratchpad(kind).map(|pad| c.depth(pad))
}

impl<'a> Names<'a> {
    /// No names yet.
    pub fn new(config: HwConfig) -> Self {
        Self {
            config,
            defs: BTreeMap::new(),
            places: Vec::new(),
            known: RefCell::default(),
        }
    }

    /// Gives a name a meaning.
    pub fn define(&mut self, name: &'a str, def: Def<'a>) -> Result<(), Fault<'a>> {
        if self.defs.insert(name, def).is_some() {
            let (what, name_) = ("the name", name.to_owned());
            return Err(Fault::new(name, AsmErrorKind::Twice { what, name: name_ }));
        }
        Ok(())
    }

    fn def(&self, name: &'a str, loops: &Loops<'a>) -> Result<&Def<'a>, Fault<'a>> {
        self.defs.get(name).ok_or_else(|| {
            let known = self.defs.keys().chain(loops.iter().map(|l| &l.0));
            let nearest = Nearest::of(name, known.copied());
            let (what, owned) = ("name", name.to_owned());
            Fault::new(
                name,
                AsmErrorKind::Unknown {
                    what,
                    name: owned,
                    nearest,
                },
            )
        })
    }

    /// The value of an expression.
    pub fn eval(&self, e: &Expr<'a>, loops: &Loops<'a>) -> Result<Value, Fault<'a>> {
        self.eval_at(e, loops, MAX_DEPTH)
    }

    /// The value of an expression that must be a plain number.
    pub fn number(&self, e: &Expr<'a>, what: &str, loops: &Loops<'a>) -> Result<i128, Fault<'a>> {
        match self.eval(e, loops)? {
            Value::Num(n) => Ok(n),
            v => Err(Fault::sort(e.text, what, "a number", &v.sort())),
        }
    }

    /// A plain number within limits.
    pub fn within(
        &self,
        e: &Expr<'a>,
        what: &str,
        (min, max): (i128, i128),
        loops: &Loops<'a>,
    ) -> Result<i128, Fault<'a>> {
        let n = self.number(e, what, loops)?;
        if n < min || n > max {
            return Err(Fault::outside(e.text, what, n, min, max));
        }
        Ok(n)
    }

    /// The region that this expression names, if it does.
    pub fn region(&self, e: &Expr<'a>) -> Option<Result<Region, Fault<'a>>> {
        let Node::Name(name) = e.node else {
            return None;
        };
        match self.defs.get(name)? {
            Def::Region(kind, from, to) => Some(self.bounds(*kind, from, to, MAX_DEPTH)),
            _ => None,
        }
    }

    fn bounds(
        &self,
        kind: SegmentKind,
        from: &Expr<'a>,
        to: &Expr<'a>,
        fuel: usize,
    ) -> Result<Region, Fault<'a>> {
        let max = depth(&self.config, kind).map_or(0, i128::from);
        let bound = |e: &Expr<'a>, min| match self.eval_at(e, &[], fuel)? {
            Value::Num(n) if n >= min && n <= max => Ok(n),
            Value::Index(k, n) if k == kind && n >= min && n <= max => Ok(n),
            Value::Num(n) => Err(Fault::outside(e.text, "a region's bound", n, min, max)),
            v => Err(Fault::sort(e.text, "a region", "a number", &v.sort())),
        };
        let from = bound(from, 0)?;
        let to = bound(to, from)?;
        Ok(Region { kind, from, to })
    }

    fn place(&self, at: &'a str, n: usize) -> Result<(&Place, i128, i128), Fault<'a>> {
        let unknown = |what| Fault::new(at, AsmErrorKind::Arithmetic(what));
        let p = self.places.get(n);
        let p = p.ok_or_else(|| unknown("the place is not known here"))?;
        let addr = p
            .addr
            .ok_or_else(|| unknown("addresses are not known before all sizes are"))?;
        let bytes = p.bytes.unwrap_or(0);
        Ok((p, addr.into(), bytes.into()))
    }

    fn name(&self, name: &'a str, loops: &Loops<'a>, fuel: usize) -> Result<Value, Fault<'a>> {
        if let Some(&(_, n)) = loops.iter().rev().find(|l| l.0 == name) {
            return Ok(Value::Num(n));
        }
        if let Some(&v) = self.known.borrow().get(name) {
            return Ok(v);
        }
        let value = match self.def(name, loops)? {
            Def::Const(e) => self.eval_at(e, &[], fuel)?,
            Def::Region(kind, from, to) => {
                Value::Index(*kind, self.bounds(*kind, from, to, fuel)?.from)
            }
            Def::Data(n) => Value::Addr(self.place(name, *n)?.1),
            Def::Label(at) => {
                let (n, offset) = at.ok_or_else(|| {
                    Fault::new(
                        name,
                        AsmErrorKind::Arithmetic("addresses are not known before all sizes are"),
                    )
                })?;
                Value::Addr(self.place(name, n)?.1 + i128::from(offset))
            }
        };
        self.known.borrow_mut().insert(name, value);
        Ok(value)
    }

    fn attr(
        &self,
        (name, attr): (&'a str, &'a str),
        loops: &Loops<'a>,
        fuel: usize,
    ) -> Result<Value, Fault<'a>> {
        let no_field = |known: &[&'static str]| {
            Fault::new(
                attr,
                AsmErrorKind::NoField {
                    insn: name.into(),
                    name: attr.into(),
                    nearest: Nearest::of(attr, known.iter().copied()),
                },
            )
        };
        match self.def(name, loops)? {
            Def::Region(kind, from, to) => {
                let r = self.bounds(*kind, from, to, fuel)?;
                match attr {
                    "len" => Ok(Value::Num(r.to - r.from)),
                    "end" => Ok(Value::Index(r.kind, r.to)),
                    _ => Err(no_field(&["len", "end"])),
                }
            }
            Def::Data(n) => {
                let p = self.places.get(*n);
                let sizes = p.and_then(|p| Some((p.kind, p.bytes?)));
                match (attr, sizes) {
                    ("len", Some((kind, bytes))) => {
                        Ok(Value::Num((bytes / element(&self.config, kind)).into()))
                    }
                    ("bytes", Some((_, bytes))) => Ok(Value::Num(bytes.into())),
                    ("addr", _) => Ok(Value::Num(self.place(name, *n)?.1)),
                    ("end", _) => {
                        let (_, addr, bytes) = self.place(name, *n)?;
                        Ok(Value::Addr(addr + bytes))
                    }
                    ("len" | "bytes", None) => Err(Fault::new(
                        name,
                        AsmErrorKind::Arithmetic("the size is not known here"),
                    )),
                    _ => Err(no_field(&["len", "bytes", "addr", "end"])),
                }
            }
            Def::Label(_) if attr == "addr" => match self.name(name, loops, fuel)? {
                Value::Addr(n) => Ok(Value::Num(n)),
                v => Ok(v),
            },
            Def::Label(_) => Err(no_field(&["addr"])),
            Def::Const(_) => Err(no_field(&[])),
        }
    }

    fn index(
        &self,
        name: &'a str,
        e: &Expr<'a>,
        loops: &Loops<'a>,
        fuel: usize,
    ) -> Result<Value, Fault<'a>> {
        let n = match self.eval_at(e, loops, fuel)? {
            Value::Num(n) => n,
            v => return Err(Fault::sort(e.text, "[ ]", "a number", &v.sort())),
        };
        let check = |len: i128| {
            if n < 0 || n >= len {
                return Err(Fault::outside(e.text, "the index", n, 0, len - 1));
            }
            Ok(n)
        };
        match self.def(name, loops)? {
            Def::Region(kind, from, to) => {
                let r = self.bounds(*kind, from, to, fuel)?;
                Ok(Value::Index(r.kind, r.from + check(r.to - r.from)?))
            }
            Def::Data(place) => {
                let (p, addr, bytes) = self.place(name, *place)?;
                let size = i128::from(element(&self.config, p.kind));
                Ok(Value::Addr(addr + check(bytes / size)? * size))
            }
            Def::Const(_) | Def::Label(_) => {
                Err(Fault::sort(name, "[ ]", "a region or data", "another name"))
            }
        }
    }

    fn eval_at(&self, e: &Expr<'a>, loops: &Loops<'a>, fuel: usize) -> Result<Value, Fault<'a>> {
        let Some(fuel) = fuel.checked_sub(1) else {
            return Err(Fault::new(
                e.text,
                AsmErrorKind::Arithmetic("this value needs itself, or too many other names"),
            ));
        };
        match &e.node {
            Node::Num(n) => Ok(Value::Num(*n)),
            Node::Name(n) => self.name(n, loops, fuel),
            Node::Attr(n, a) => self.attr((n, a), loops, fuel),
            Node::Index(n, i) => self.index(n, i, loops, fuel),
            Node::Neg(x) => binary(
                e.text,
                Value::Num(0),
                Op::Sub,
                self.eval_at(x, loops, fuel)?,
            ),
            Node::Chain(first, more) => {
                let mut v = self.eval_at(first, loops, fuel)?;
                for (op, x) in more {
                    v = binary(e.text, v, *op, self.eval_at(x, loops, fuel)?)?;
                }
                Ok(v)
            }
        }
    }
}

fn binary<'a>(at: &'a str, a: Value, op: Op, b: Value) -> Result<Value, Fault<'a>> {
    use Value::{Addr, Index, Num};
    let arith = |x: i128, y: i128| {
        let r = match op {
            Op::Add => x.checked_add(y),
            Op::Sub => x.checked_sub(y),
            Op::Mul => x.checked_mul(y),
            Op::Div | Op::Rem if y == 0 => {
                return Err(Fault::new(at, AsmErrorKind::Arithmetic("division by zero")));
            }
            Op::Div => x.checked_div(y),
            Op::Rem => x.checked_rem(y),
            Op::Shl if (0..64).contains(&y) => x.checked_mul(1 << y),
            Op::Shr if (0..128).contains(&y) => Some(x >> y),
            Op::Shl | Op::Shr => None,
        };
        r.ok_or_else(|| Fault::new(at, AsmErrorKind::Arithmetic("the value is too large")))
    };
    match (a, op, b) {
        (Num(x), _, Num(y)) => arith(x, y).map(Num),
        (Addr(x), Op::Add | Op::Sub, Num(y)) | (Num(x), Op::Add, Addr(y)) => arith(x, y).map(Addr),
        (Index(k, x), Op::Add | Op::Sub, Num(y)) | (Num(x), Op::Add, Index(k, y)) => {
            arith(x, y).map(|n| Index(k, n))
        }
        (Addr(x), Op::Sub, Addr(y)) => arith(x, y).map(Num),
        (Index(k, x), Op::Sub, Index(l, y)) if k == l => arith(x, y).map(Num),
        _ => Err(Fault::new(
            at,
            AsmErrorKind::Arithmetic("addresses and indices can only be moved by a number"),
        )),
    }
}
