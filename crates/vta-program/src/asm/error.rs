//! What can be wrong with assembly text, and where.

use crate::isa::FieldRange;
use nom::Offset;

/// A mistake in assembly text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct AsmError {
    /// 1-based line.
    pub line: usize,
    /// 1-based column, in characters.
    pub column: usize,
    /// Characters that the mistake covers; at least 1.
    pub width: usize,
    /// The whole line, for a caret under the mistake.
    pub line_text: String,
    /// What is wrong.
    pub what: AsmErrorKind,
}

/// All mistakes that were found, in order of their place; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsmErrors(pub Vec<AsmError>);

impl std::error::Error for AsmErrors {}

impl std::fmt::Display for AsmErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, e) in self.0.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "{e}")?;
        }
        Ok(())
    }
}

/// The nearest known name, if one is near.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Nearest(pub Option<String>);

impl Nearest {
    /// The candidate that takes the fewest edits, if they are few.
    pub(super) fn of<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        const LONGEST: usize = 40;
        if name.len() > LONGEST {
            return Self(None);
        }
        let best = candidates
            .into_iter()
            .filter(|c| c.len() <= LONGEST)
            .map(|c| (edits(name, c), c))
            .min();
        Self(
            best.filter(|&(d, _)| d <= 1.max(name.len() / 3))
                .map(|(_, c)| c.to_owned()),
        )
    }
}

impl std::fmt::Display for Nearest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(n) => write!(f, "; did you mean {n}?"),
            None => Ok(()),
        }
    }
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &cb) in b.iter().enumerate() {
            let replace = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// What is wrong at a place in assembly text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AsmErrorKind {
    /// The text does not follow the grammar.
    #[error("expected {0}")]
    Expected(&'static str),
    /// No such statement, field or name.
    #[error("unknown {what} {name}{nearest}")]
    Unknown {
        /// What it would have been.
        what: &'static str,
        /// As written.
        name: String,
        /// A known one like it.
        nearest: Nearest,
    },
    /// An instruction has no such field.
    #[error("{insn} has no field {name}{nearest}")]
    NoField {
        /// The instruction or statement.
        insn: String,
        /// As written.
        name: String,
        /// A field like it.
        nearest: Nearest,
    },
    /// Given twice.
    #[error("{what} {name} is given twice")]
    Twice {
        /// What it is.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A field's value does not fit.
    #[error(transparent)]
    Range(#[from] FieldRange),
    /// Another value does not fit.
    #[error("{what} is {value}, outside {min} to {max}")]
    Outside {
        /// What it is.
        what: String,
        /// The value.
        value: i128,
        /// Smallest value.
        min: i128,
        /// Largest value.
        max: i128,
    },
    /// A DRAM address that is not a multiple of the element size.
    #[error(
        "{field}: address {addr:#x} is not a multiple of {bytes}, the bytes of an element of {kind}"
    )]
    Unaligned {
        /// The field.
        field: &'static str,
        /// The byte address.
        addr: i128,
        /// Size of an element.
        bytes: u32,
        /// The memory type.
        kind: &'static str,
    },
    /// A value of the wrong sort, such as an index of another scratchpad.
    #[error("{what} takes {takes}, not {got}")]
    Sort {
        /// What it is for.
        what: String,
        /// What it takes.
        takes: String,
        /// What it got.
        got: String,
    },
    /// Arithmetic that has no result.
    #[error("{0}")]
    Arithmetic(&'static str),
    /// A statement where it cannot be.
    #[error("{what} {place}")]
    Place {
        /// The statement.
        what: String,
        /// Why it cannot be here.
        place: &'static str,
    },
    /// A file that cannot be used.
    #[error("{path}: {why}")]
    File {
        /// As written.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// The program as a whole is not valid.
    #[error(transparent)]
    Invalid(#[from] super::Invalid),
}

/// A mistake at a fragment of the source.
#[derive(Debug)]
pub(super) struct Fault<'a> {
    /// Where: a slice of the source.
    pub at: &'a str,
    /// What.
    pub what: AsmErrorKind,
}

impl<'a> Fault<'a> {
    /// A mistake at a fragment of the source.
    pub const fn new(at: &'a str, what: AsmErrorKind) -> Self {
        Self { at, what }
    }

    /// `what` takes `takes`, not `got`.
    pub fn sort(at: &'a str, what: &str, takes: &str, got: &str) -> Self {
        Self::new(
            at,
            AsmErrorKind::Sort {
                what: what.into(),
                takes: takes.into(),
                got: got.into(),
            },
        )
    }

    /// `what` is `value`, outside its limits.
    pub fn outside(at: &'a str, what: &str, value: i128, min: i128, max: i128) -> Self {
        Self::new(
            at,
            AsmErrorKind::Outside {
                what: what.into(),
                value,
                min,
                max,
            },
        )
    }

    /// A statement where it cannot be.
    pub fn place(at: &'a str, what: &str, place: &'static str) -> Self {
        Self::new(
            at,
            AsmErrorKind::Place {
                what: what.into(),
                place,
            },
        )
    }
}

/// Faults with their lines and columns, in order, without repetitions.
pub(super) fn locate(source: &str, mut faults: Vec<Fault<'_>>) -> AsmErrors {
    let start = |f: &Fault<'_>| {
        let (base, at) = (source.as_ptr() as usize, f.at.as_ptr() as usize);
        // A fragment is a slice of the source; anything else would be placed at its start.
        if (base..=base + source.len()).contains(&at) {
            source.offset(f.at)
        } else {
            0
        }
    };
    faults.sort_by_key(start);
    faults.dedup_by(|a, b| start(a) == start(b) && a.what == b.what);
    AsmErrors(
        faults
            .into_iter()
            .map(|f| {
                let at = start(&f);
                let before = source.get(..at).unwrap_or_default();
                let line_start = before.rfind('\n').map_or(0, |n| n + 1);
                let line_text = source
                    .get(line_start..)
                    .and_then(|s| s.lines().next())
                    .unwrap_or_default();
                let on_line = f.at.lines().next().unwrap_or_default();
                AsmError {
                    line: before.matches('\n').count() + 1,
                    column: before.get(line_start..).map_or(0, |s| s.chars().count()) + 1,
                    width: on_line.chars().count().max(1),
                    line_text: line_text.to_owned(),
                    what: f.what,
                }
            })
            .collect(),
    )
}
