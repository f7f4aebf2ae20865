//! One form for everything that follows a sum: limits outside, then a shift,
//! then what is shifted.
//!
//! Limits and shifts keep the order of values, so a limit inside of a shift is
//! the shifted limit outside, two shifts are one by both, and both may change
//! places with the larger of two values.

use super::expr::{Kind, Proven, Term, Value};
use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;

/// Most lanes of a vector.
const LANES: usize = 64;

/// `min(max(of >> shift, limits.0), limits.1)`, for the first `lanes` lanes.
#[derive(Debug, Clone)]
pub(super) struct Canonical {
    pub limits: (i32, i32),
    pub shift: [u8; LANES],
    pub lanes: usize,
    pub of: Core,
}

/// What is shifted and limited.
#[derive(Debug, Clone)]
pub(super) enum Core {
    /// Nothing yet.
    Open,
    /// Constants, products and other values added up.
    Linear(Box<Linear>),
    /// The larger of a value and the sum of its shifts.
    Slope(Value, Vec<u8>),
    /// The largest of values.
    Largest(Vec<Value>),
}

/// A sum.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    pub constant: [i32; LANES],
    /// Values with products ([`Kind::Sum`]).
    pub sums: Vec<Value>,
    /// Values that are no sums.
    pub nested: Vec<Value>,
}

impl Linear {
    /// Where it is noted that the products are those of a convolution.
    pub fn proven(&self) -> Option<&Cell<Option<Proven>>> {
        match self.sums.as_slice() {
            [one] => match &one.kind {
                Kind::Sum { proven, .. } => Some(proven),
                _ => None,
            },
            _ => None,
        }
    }

    /// All products.
    pub fn terms(&self) -> impl Iterator<Item = Term> {
        self.sums
            .iter()
            .flat_map(|v| match &v.kind {
                Kind::Sum { terms, .. } => terms.as_slice(),
                _ => &[],
            })
            .copied()
    }
}

/// Most values that one form is made of: windows of a pool, terms of a slope.
const MOST_VALUES: usize = 1 << 16;

const TOO_MANY: &str = "arithmetic that is too long to follow";

impl Canonical {
    /// No limits, no shift.
    pub const fn open(lanes: usize) -> Self {
        Self {
            limits: (i32::MIN, i32::MAX),
            shift: [0; LANES],
            lanes,
            of: Core::Open,
        }
    }

    /// Whether it changes nothing of what is inside.
    pub fn is_plain(&self) -> bool {
        self.limits == (i32::MIN, i32::MAX) && self.shift[..self.lanes].iter().all(|s| *s == 0)
    }

    /// A limit inside of what is there.
    ///
    /// # Errors
    /// Lanes whose limits then differ.
    fn limit(&mut self, by: i32, upper: bool) -> Result<(), &'static str> {
        let mut shifted = self.shift[..self.lanes].iter().map(|&s| by >> s.min(31));
        let Some(by) = shifted.next() else {
            return Ok(());
        };
        if shifted.any(|other| other != by) {
            return Err("a limit before a shift that differs between channels");
        }
        let (lo, hi) = self.limits;
        let by = by.clamp(lo, hi);
        match upper {
            true => self.limits.1 = by,
            false => self.limits.0 = by,
        }
        Ok(())
    }

    /// The smaller of what is inside and a constant.
    ///
    /// # Errors
    /// Lanes whose limits then differ.
    pub fn min(&mut self, by: i32) -> Result<(), &'static str> {
        self.limit(by, true)
    }

    /// The larger of what is inside and a constant.
    ///
    /// # Errors
    /// Lanes whose limits then differ.
    pub fn max(&mut self, by: i32) -> Result<(), &'static str> {
        self.limit(by, false)
    }

    /// What is inside shifted right.
    pub fn shr(&mut self, by: impl Fn(usize) -> u8) {
        let lanes = self.shift[..self.lanes].iter_mut().enumerate();
        lanes.for_each(|(lane, s)| *s = (*s + by(lane)).min(31));
    }

    /// Puts a value inside of what is there.
    ///
    /// # Errors
    /// Arithmetic that has no such form.
    pub fn with(mut self, value: &Value) -> Result<Self, &'static str> {
        let mut at = value.clone();
        loop {
            let next = match &at.kind {
                Kind::Opaque(why) => return Err(why),
                Kind::Min(v, by) => {
                    self.min(*by)?;
                    v.clone()
                }
                Kind::Max(v, by) => {
                    self.max(*by)?;
                    v.clone()
                }
                Kind::Shr(v, by) => {
                    self.shr(|_| *by);
                    v.clone()
                }
                Kind::ShrLanes(v, by) => {
                    let Kind::Const(amounts) = &by.kind else {
                        return Err("a shift by something that is no constant");
                    };
                    self.shr(|lane| amounts.get(lane).map_or(0, |a| *a as u8));
                    v.clone()
                }
                Kind::Larger(..) => {
                    self.of = largest(&at)?;
                    return Ok(self);
                }
                Kind::Const(_) | Kind::Sum { .. } | Kind::AddImm(..) | Kind::Add(..) => {
                    self.of = Core::Linear(Box::new(linear(&at)?));
                    return Ok(self);
                }
            };
            at = next;
        }
    }
}

/// A sum's constants, products and the rest.
fn linear(value: &Value) -> Result<Linear, &'static str> {
    let mut sum = Linear {
        constant: [0; LANES],
        sums: Vec::new(),
        nested: Vec::new(),
    };
    let mut rest = vec![value.clone()];
    let mut seen = 0;
    while let Some(v) = rest.pop() {
        seen += 1;
        if seen > MOST_VALUES {
            return Err(TOO_MANY);
        }
        match &v.kind {
            Kind::Opaque(why) => return Err(why),
            Kind::Const(lanes) => {
                let pairs = sum.constant.iter_mut().zip(lanes);
                pairs.for_each(|(to, c)| *to = to.wrapping_add(*c));
            }
            Kind::AddImm(of, by) => {
                let constants = sum.constant.iter_mut();
                constants.for_each(|c| *c = c.wrapping_add(*by));
                rest.push(of.clone());
            }
            Kind::Add(a, b) => rest.extend([a.clone(), b.clone()]),
            Kind::Sum { base, .. } => {
                rest.push(base.clone());
                sum.sums.push(v.clone());
            }
            _ => sum.nested.push(v),
        }
    }
    Ok(sum)
}

/// The shifts of which a value is the sum, all of one value.
fn shifts_of(value: &Value, of: &Value) -> Option<Vec<u8>> {
    let (mut rest, mut shifts) = (vec![value.clone()], Vec::new());
    while let Some(v) = rest.pop() {
        match &v.kind {
            Kind::Shr(x, by) if Rc::ptr_eq(x, of) => shifts.push(*by),
            Kind::Add(a, b) => rest.extend([a.clone(), b.clone()]),
            _ => return None,
        }
        if shifts.len() + rest.len() > 64 {
            return None;
        }
    }
    shifts.sort_unstable();
    Some(shifts)
}

/// A slope below zero, or the largest of several values.
fn largest(value: &Value) -> Result<Core, &'static str> {
    let mut all = Vec::new();
    let mut rest = vec![value.clone()];
    let mut seen = 0;
    while let Some(v) = rest.pop() {
        seen += 1;
        if seen > MOST_VALUES {
            return Err(TOO_MANY);
        }
        let Kind::Larger(a, b) = &v.kind else {
            all.push(v);
            continue;
        };
        for (x, y) in [(a, b), (b, a)] {
            if seen == 1
                && let Some(shifts) = shifts_of(y, x)
            {
                return Ok(Core::Slope(x.clone(), shifts));
            }
        }
        rest.extend([a.clone(), b.clone()]);
    }
    let mut known = HashSet::new();
    all.retain(|v| known.insert(Rc::as_ptr(v)));
    Ok(Core::Largest(all))
}
