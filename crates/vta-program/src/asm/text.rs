//! The grammar of a line: labels, constants, statements with arguments, expressions.
//!
//! Every node keeps the slice of the source that it came from, so that a
//! mistake found later still has its place.

use super::error::{AsmErrorKind, Fault};
use nom::{
    IResult, Offset, Parser,
    bytes::complete::{tag, take_while, take_while_m_n},
    character::complete::{char, space0},
    combinator::{opt, recognize, verify},
    error::{ErrorKind, ParseError},
    sequence::pair,
};
use vta_tensor::printable::is_unprintable;

/// Deepest nesting of parentheses.
const MAX_DEPTH: usize = 32;

/// The grammar's error: what was expected where.
#[derive(Debug)]
pub(super) struct Bad<'a> {
    at: &'a str,
    expected: &'static str,
}

impl<'a> ParseError<&'a str> for Bad<'a> {
    fn from_error_kind(at: &'a str, _: ErrorKind) -> Self {
        Self {
            at,
            expected: "a statement",
        }
    }
    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
    fn or(self, other: Self) -> Self {
        if other.at.len() < self.at.len() {
            other
        } else {
            self
        }
    }
}

type Parsed<'a, T> = IResult<&'a str, T, Bad<'a>>;

fn expected<'a, T>(at: &'a str, expected: &'static str) -> Parsed<'a, T> {
    Err(nom::Err::Error(Bad { at, expected }))
}

/// An operator between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Shl,
    Shr,
}

/// An expression.
#[derive(Debug, Clone)]
pub(super) struct Expr<'a> {
    /// Where it stands.
    pub text: &'a str,
    /// What it is.
    pub node: Node<'a>,
}

/// What an expression is made of.
#[derive(Debug, Clone)]
pub(super) enum Node<'a> {
    /// A literal.
    Num(i128),
    /// A name.
    Name(&'a str),
    /// `name.attribute`.
    Attr(&'a str, &'a str),
    /// `name[index]`.
    Index(&'a str, Box<Expr<'a>>),
    /// `-x`.
    Neg(Box<Expr<'a>>),
    /// Operands of one precedence, left to right.
    Chain(Box<Expr<'a>>, Vec<(Op, Expr<'a>)>),
}

/// A value of an argument.
#[derive(Debug, Clone)]
pub(super) enum Val<'a> {
    /// An expression.
    Expr(Expr<'a>),
    /// `from..to`.
    Range(&'a str, Expr<'a>, Expr<'a>),
    /// A quoted string: where, and what it says.
    Str(&'a str, String),
}

impl<'a> Val<'a> {
    /// Where it stands.
    pub const fn text(&self) -> &'a str {
        match self {
            Self::Expr(e) => e.text,
            Self::Range(t, ..) | Self::Str(t, _) => t,
        }
    }

    /// A bare word or a quoted string: a name.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Expr(Expr {
                node: Node::Name(n),
                ..
            }) => Some((*n).to_owned()),
            Self::Str(_, s) => Some(s.clone()),
            _ => None,
        }
    }

    /// A bare word.
    pub const fn word(&self) -> Option<&'a str> {
        match self {
            Self::Expr(Expr {
                node: Node::Name(n),
                ..
            }) => Some(n),
            _ => None,
        }
    }
}

/// An argument: `value` or `name=value`.
#[derive(Debug, Clone)]
pub(super) struct Arg<'a> {
    /// The name before `=`.
    pub name: Option<&'a str>,
    /// The value.
    pub value: Val<'a>,
}

/// A statement.
#[derive(Debug, Clone)]
pub(super) enum Stmt<'a> {
    /// `name:`
    Label(&'a str),
    /// `name = value`
    Const(&'a str, Expr<'a>),
    /// A directive, an instruction, or data: its word and its arguments.
    Call(&'a str, Vec<Arg<'a>>),
    /// `i8`, `i32`, `u32` or `hex` and the rest of the line, read again when
    /// it is needed: data can be long.
    Data(&'a str, &'a str),
}

impl<'a> Stmt<'a> {
    /// The word that the statement begins with.
    pub const fn head(&self) -> &'a str {
        match self {
            Self::Label(h) | Self::Const(h, _) | Self::Call(h, _) | Self::Data(h, _) => h,
        }
    }
}

/// Whether a string can be written as a bare word.
pub(super) fn is_word(s: &str) -> bool {
    word(s).is_ok_and(|(rest, _)| rest.is_empty())
}

/// A name as text: a bare word, or quoted.
pub(super) fn quote(s: &str) -> String {
    if is_word(s) {
        return s.to_owned();
    }
    let mut out = String::from("\"");
    for c in s.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_unprintable(c) => {
                out.extend(c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    out + "\""
}

fn word(i: &str) -> Parsed<'_, &str> {
    recognize(pair(
        take_while_m_n(1, 1, |c: char| c.is_ascii_alphabetic() || c == '_'),
        take_while(|c: char| c.is_ascii_alphanumeric() || c == '_'),
    ))
    .parse(i)
    .or_else(|_: nom::Err<Bad<'_>>| expected(i, "a name"))
}

fn string(i: &str) -> Parsed<'_, (&str, String)> {
    let (body, _) = char('"').parse(i)?;
    let mut out = String::new();
    let mut chars = body.char_indices();
    while let Some((n, c)) = chars.next() {
        match c {
            '"' => {
                let rest = &body[n + 1..];
                return Ok((rest, (&i[..i.offset(rest)], out)));
            }
            '\\' => match chars.next() {
                Some((_, c @ ('"' | '\\'))) => out.push(c),
                Some((n, 'u')) => {
                    let code = body[n + 1..]
                        .strip_prefix('{')
                        .and_then(|s| s.split_once('}'))
                        .and_then(|(h, _)| Some((h, u32::from_str_radix(h, 16).ok()?)));
                    let Some((hex, c)) = code.and_then(|(h, c)| Some((h, char::from_u32(c)?)))
                    else {
                        return expected(&body[n..], "\\u{hexadecimal code}");
                    };
                    out.push(c);
                    // Skip the braces and the digits, all of them ASCII.
                    chars.by_ref().take(hex.len() + 2).for_each(drop);
                }
                _ => return expected(&body[n..], "\\\", \\\\ or \\u{code}"),
            },
            c => out.push(c),
        }
    }
    expected(i, "a closing quote")
}

fn number(i: &str) -> Parsed<'_, i128> {
    let digits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (rest, text) = verify(take_while(digits), |s: &str| {
        s.starts_with(|c: char| c.is_ascii_digit())
    })
    .parse(i)?;
    let clean: String = text.chars().filter(|&c| c != '_').collect();
    let value = match clean.get(..2) {
        Some("0x") => i128::from_str_radix(&clean[2..], 16),
        Some("0b") => i128::from_str_radix(&clean[2..], 2),
        _ => clean.parse(),
    };
    match value {
        Ok(v) => Ok((rest, v)),
        // A 128-bit word with its top bit set.
        Err(_) => match clean
            .strip_prefix("0x")
            .map(|h| u128::from_str_radix(h, 16))
        {
            Some(Ok(v)) => Ok((rest, v as i128)),
            _ => expected(i, "a number"),
        },
    }
}

/// White space that belongs to the expression: only where it cannot end it.
fn gap(i: &str, spaces: bool) -> &str {
    if spaces {
        i.trim_start_matches([' ', '\t'])
    } else {
        i
    }
}

fn atom(i: &str, spaces: bool, depth: usize) -> Parsed<'_, Expr<'_>> {
    if depth == 0 {
        return expected(i, "fewer parentheses");
    }
    let done = |rest: &'_ str, node| {
        let text = &i[..i.len() - rest.len()];
        (text, node)
    };
    let (rest, (text, node)) = if let Some(rest) = i.strip_prefix('-') {
        let (rest, e) = atom(gap(rest, spaces), spaces, depth - 1)?;
        (rest, done(rest, Node::Neg(Box::new(e))))
    } else if let Some(rest) = i.strip_prefix('(') {
        let (rest, e) = expr(gap(rest, true), true, depth - 1)?;
        let rest = gap(rest, true);
        match rest.strip_prefix(')') {
            Some(rest) => (rest, done(rest, e.node)),
            None => return expected(rest, "`)`"),
        }
    } else if i.starts_with(|c: char| c.is_ascii_digit()) {
        let (rest, n) = number(i)?;
        (rest, done(rest, Node::Num(n)))
    } else {
        let Ok((rest, name)) = word(i) else {
            return expected(i, "a value");
        };
        if let Some(inner) = rest.strip_prefix('[') {
            let (rest, e) = expr(gap(inner, true), true, depth - 1)?;
            let rest = gap(rest, true);
            match rest.strip_prefix(']') {
                Some(rest) => (rest, done(rest, Node::Index(name, Box::new(e)))),
                None => return expected(rest, "`]`"),
            }
        } else if let Some(after) = rest.strip_prefix('.').filter(|r| !r.starts_with('.')) {
            let (rest, attr) = word(after)?;
            (rest, done(rest, Node::Attr(name, attr)))
        } else {
            (rest, done(rest, Node::Name(name)))
        }
    };
    Ok((rest, Expr { text, node }))
}

fn chain<'a>(
    i: &'a str,
    spaces: bool,
    ops: &[(&str, Op)],
    operand: impl Fn(&'a str) -> Parsed<'a, Expr<'a>>,
) -> Parsed<'a, Expr<'a>> {
    let (mut rest, first) = operand(i)?;
    let mut more = Vec::new();
    loop {
        let at = gap(rest, spaces);
        let found = ops
            .iter()
            .find_map(|&(t, op)| at.strip_prefix(t).map(|r| (r, op)));
        let Some((after, op)) = found else { break };
        let (r, e) = operand(gap(after, spaces))?;
        more.push((op, e));
        rest = r;
    }
    if more.is_empty() {
        return Ok((rest, first));
    }
    let text = &i[..i.offset(rest)];
    let node = Node::Chain(Box::new(first), more);
    Ok((rest, Expr { text, node }))
}

/// An expression; with `spaces`, white space may stand around its operators.
fn expr(i: &str, spaces: bool, depth: usize) -> Parsed<'_, Expr<'_>> {
    chain(i, spaces, &[("<<", Op::Shl), (">>", Op::Shr)], |i| {
        chain(i, spaces, &[("+", Op::Add), ("-", Op::Sub)], |i| {
            let ops = [("*", Op::Mul), ("/", Op::Div), ("%", Op::Rem)];
            chain(i, spaces, &ops, |i| atom(i, spaces, depth))
        })
    })
}

fn value(i: &str) -> Parsed<'_, Val<'_>> {
    if i.starts_with('"') {
        let (rest, (text, s)) = string(i)?;
        return Ok((rest, Val::Str(text, s)));
    }
    let (rest, from) = expr(i, false, MAX_DEPTH)?;
    match rest.strip_prefix("..") {
        None => Ok((rest, Val::Expr(from))),
        Some(after) => {
            let (rest, to) = expr(after, false, MAX_DEPTH)?;
            Ok((rest, Val::Range(&i[..i.offset(rest)], from, to)))
        }
    }
}

fn arg(i: &str) -> Parsed<'_, Arg<'_>> {
    let named = (word, space0, char('='), space0);
    let (rest, name) = opt(named).parse(i)?;
    let (rest, value) = value(rest)?;
    let name = name.map(|n| n.0);
    Ok((rest, Arg { name, value }))
}

fn at_end(i: &str) -> bool {
    i.is_empty() || i.starts_with(['#', ';'])
}

/// What separates arguments: white space, with a comma if you like.
fn separator(i: &str) -> Parsed<'_, ()> {
    let (rest, _) = (space0, opt(char(',')), space0).parse(i)?;
    if rest.len() == i.len() && !at_end(rest) {
        return expected(i, "white space or the end of the line");
    }
    Ok((rest, ()))
}

fn args(i: &str) -> Parsed<'_, Vec<Arg<'_>>> {
    let mut out = Vec::new();
    let (mut rest, ()) = separator(i)?;
    while !at_end(rest) {
        let (r, a) = arg(rest)?;
        out.push(a);
        (rest, ()) = separator(r)?;
    }
    Ok((rest, out))
}

fn statement(i: &str) -> Parsed<'_, Stmt<'_>> {
    let dotted = (opt(char('.')), word, opt((char('.'), word)));
    let Ok((rest, head)) = recognize(dotted).parse(i) else {
        return expected(i, "a statement");
    };
    if matches!(head, "i8" | "i32" | "u32" | "hex") && !gap(rest, true).starts_with('=') {
        let end = rest.find(['#', ';']).unwrap_or(rest.len());
        return Ok((&rest[end..], Stmt::Data(head, &rest[..end])));
    }
    if !head.contains('.')
        && let Ok((rest, _)) = pair(space0::<&str, Bad<'_>>, tag("=")).parse(rest)
    {
        let (rest, e) = expr(gap(rest, true), true, MAX_DEPTH)?;
        return Ok((rest, Stmt::Const(head, e)));
    }
    let (rest, args) = args(rest)?;
    Ok((rest, Stmt::Call(head, args)))
}

fn line(i: &str) -> Parsed<'_, Vec<Stmt<'_>>> {
    let mut out = Vec::new();
    let mut rest = gap(i, true);
    if let Ok((after, (name, _))) = (word, char(':')).parse(rest) {
        out.push(Stmt::Label(name));
        rest = gap(after, true);
    }
    if !at_end(rest) {
        let (after, s) = statement(rest)?;
        out.push(s);
        rest = gap(after, true);
    }
    if !at_end(rest) {
        return expected(rest, "the end of the line");
    }
    Ok((rest, out))
}

fn fault(e: nom::Err<Bad<'_>>) -> Option<Fault<'_>> {
    match e {
        nom::Err::Incomplete(_) => None,
        nom::Err::Error(b) | nom::Err::Failure(b) => {
            let at = b.at.trim_end();
            // One word is enough to point at.
            let end = at.find([' ', '\t', ',']).unwrap_or(at.len());
            let at = at.get(..end).unwrap_or(at);
            Some(Fault::new(at, AsmErrorKind::Expected(b.expected)))
        }
    }
}

/// The statements of a file, and the lines that have none.
pub(super) fn parse(source: &str) -> (Vec<Stmt<'_>>, Vec<Fault<'_>>) {
    let (mut stmts, mut faults) = (Vec::new(), Vec::new());
    for l in source.lines() {
        match line(l) {
            Ok((_, s)) => stmts.extend(s),
            Err(e) => faults.extend(fault(e)),
        }
    }
    (stmts, faults)
}

/// The values of an `i8`, `i32` or `u32` line.
pub(super) fn values<'a>(
    text: &'a str,
    mut each: impl FnMut(Literal<'a>) -> Result<(), Fault<'a>>,
) -> Result<(), Fault<'a>> {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Ok(());
        }
        // Most of the values are plain numbers.
        let end = rest.find([' ', '\t', ',']).unwrap_or(rest.len());
        if let Ok(n) = rest[..end].parse() {
            each(Literal::Num(&rest[..end], n))?;
            rest = &rest[end..];
            continue;
        }
        match expr(rest, false, MAX_DEPTH).and_then(|(r, e)| {
            let (_, ()) = separator(r)?;
            Ok((r, e))
        }) {
            Ok((r, e)) => {
                each(Literal::Expr(e))?;
                rest = r;
            }
            Err(e) => {
                return Err(
                    fault(e).unwrap_or_else(|| Fault::new(rest, AsmErrorKind::Expected("a value")))
                );
            }
        }
    }
}

/// A value of a data line.
pub(super) enum Literal<'a> {
    /// A plain number and where it stands.
    Num(&'a str, i64),
    /// Anything else.
    Expr(Expr<'a>),
}

/// The bytes of a `hex` line.
pub(super) fn hex(text: &str) -> Result<Vec<u8>, Fault<'_>> {
    let mut out = Vec::with_capacity(text.len() / 2);
    for w in text.split([' ', '\t', ',']).filter(|w| !w.is_empty()) {
        let bad = || Fault::new(w, AsmErrorKind::Expected("pairs of hexadecimal digits"));
        if !w.is_ascii() || w.len() % 2 != 0 {
            return Err(bad());
        }
        for n in (0..w.len()).step_by(2) {
            let pair = w.get(n..n + 2).filter(|p| !p.starts_with('+'));
            let byte = pair.and_then(|p| u8::from_str_radix(p, 16).ok());
            out.push(byte.ok_or_else(bad)?);
        }
    }
    Ok(out)
}
