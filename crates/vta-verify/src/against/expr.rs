//! What an accumulator holds, as an expression of the launch's operands.
//!
//! Lanes of a vector go through the same arithmetic side by side, so one
//! expression stands for all of them.

use std::cell::Cell;
use std::rc::Rc;

/// A vector of 8-bit operands: a pixel of a block of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Vector {
    /// The block of channels, of all tensors ([`super::tensors::Tensors`]).
    pub plane: u32,
    /// Row by row.
    pub pixel: u32,
}

/// A product of a GEMM step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Term {
    pub inp: Vector,
    /// The weight element: its byte address over the bytes of one.
    pub wgt: u32,
}

/// A shared expression.
pub(super) type Value = Rc<Expr>;

/// An expression, and how deep it is.
#[derive(Debug)]
pub(super) struct Expr {
    pub kind: Kind,
    depth: u32,
}

/// What an expression is.
#[derive(Debug)]
pub(super) enum Kind {
    /// What cannot be followed, and why.
    Opaque(&'static str),
    /// 32-bit constants, one for each lane.
    Const(Box<[i32]>),
    /// Products added to a value.
    Sum {
        base: Value,
        terms: Vec<Term>,
        /// For which node, block and pixel it was found right.
        proven: Cell<Option<Proven>>,
    },
    /// A constant added.
    AddImm(Value, i32),
    /// A sum.
    Add(Value, Value),
    /// Shifted right.
    Shr(Value, u8),
    /// Shifted right, each lane by its own amount of a [`Kind::Const`].
    ShrLanes(Value, Value),
    /// The smaller of value and constant.
    Min(Value, i32),
    /// The larger of value and constant.
    Max(Value, i32),
    /// The larger of two values.
    Larger(Value, Value),
}

/// A sum that is that of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proven {
    pub node: usize,
    pub block: usize,
    pub y: usize,
    pub x: usize,
}

/// Deepest expression that is followed: a pool compares one position after the other.
const MOST_DEPTH: u32 = 1 << 16;

impl Kind {
    fn operands(&self) -> [Option<&Value>; 2] {
        match self {
            Self::Opaque(_) | Self::Const(_) => [None, None],
            Self::Sum { base: v, .. }
            | Self::AddImm(v, _)
            | Self::Shr(v, _)
            | Self::Min(v, _)
            | Self::Max(v, _) => [Some(v), None],
            Self::Add(a, b) | Self::ShrLanes(a, b) | Self::Larger(a, b) => [Some(a), Some(b)],
        }
    }

    /// The expression; what cannot be followed makes all that is made of it so.
    pub fn value(self) -> Value {
        let operands = self.operands();
        let opaque = operands.iter().flatten().find_map(|v| match v.kind {
            Self::Opaque(why) => Some(why),
            _ => None,
        });
        let depth = operands.iter().flatten().map(|v| v.depth + 1).max();
        let depth = depth.unwrap_or(0);
        let kind = match opaque {
            Some(why) => Self::Opaque(why),
            None if depth > MOST_DEPTH => Self::Opaque("arithmetic that is too long to follow"),
            None => self,
        };
        let depth = match kind {
            Self::Opaque(_) => 0,
            _ => depth,
        };
        Rc::new(Expr { kind, depth })
    }
}

impl Drop for Expr {
    /// Long chains are taken apart in a loop: one call in the other would need their length of stack.
    fn drop(&mut self) {
        let mut rest = Vec::new();
        take_operands(&mut self.kind, &mut rest);
        while let Some(value) = rest.pop() {
            if let Ok(mut e) = Rc::try_unwrap(value) {
                take_operands(&mut e.kind, &mut rest);
            }
        }
    }
}

/// Moves the operands out where there are more expressions below them.
fn take_operands(kind: &mut Kind, to: &mut Vec<Value>) {
    let deep = kind.operands().into_iter().flatten().any(|v| v.depth > 0);
    if !deep {
        return;
    }
    match std::mem::replace(kind, Kind::Opaque("")) {
        Kind::Opaque(_) | Kind::Const(_) => {}
        Kind::Sum { base: v, .. }
        | Kind::AddImm(v, _)
        | Kind::Shr(v, _)
        | Kind::Min(v, _)
        | Kind::Max(v, _) => to.push(v),
        Kind::Add(a, b) | Kind::ShrLanes(a, b) | Kind::Larger(a, b) => to.extend([a, b]),
    }
}

/// An accumulator: a value, and products that were added since.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    base: Value,
    terms: Vec<Term>,
}

impl Slot {
    /// An accumulator that holds a value.
    pub const fn new(base: Value) -> Self {
        Self {
            base,
            terms: Vec::new(),
        }
    }

    /// Another value.
    pub fn set(&mut self, value: Value) {
        self.base = value;
        self.terms.clear();
    }

    /// Adds a product; `most` are followed.
    pub fn add(&mut self, term: Term, most: usize) {
        if self.terms.len() < most {
            self.terms.push(term);
        } else if self.terms.len() == most {
            self.set(Kind::Opaque("more products than a sum of this network has").value());
        }
    }

    /// What it holds.
    pub fn value(&mut self) -> Value {
        if !self.terms.is_empty() {
            self.base = Kind::Sum {
                base: self.base.clone(),
                terms: std::mem::take(&mut self.terms),
                proven: Cell::new(None),
            }
            .value();
        }
        self.base.clone()
    }
}
