//! Aligned plain-text tables.

use std::fmt;
use vta_tensor::numbers::thousands;
use vta_tensor::printable::printable;

/// One cell of a table; what is unprintable in it is spelled out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Text, aligned left.
    Text(String),
    /// A count, aligned right, with thousands separators.
    Count(u64),
    /// Any other number, already formatted, aligned right.
    Number(String),
    /// Text with colours in it, as it is, aligned left.
    Painted(String),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<u32> for Cell {
    fn from(count: u32) -> Self {
        Self::Count(count.into())
    }
}

impl From<Option<u64>> for Cell {
    fn from(count: Option<u64>) -> Self {
        count.map_or_else(|| Self::Number("-".into()), Self::Count)
    }
}

impl Cell {
    fn text(&self) -> String {
        match self {
            Self::Text(t) | Self::Number(t) => printable(t).into_owned(),
            Self::Count(n) => thousands(*n),
            Self::Painted(t) => t.clone(),
        }
    }
}

/// A table with a head, or without one if the head is empty.
///
/// A column with a number in it is aligned right.
#[derive(Debug, Clone, Default)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub fn new(head: &[&str]) -> Self {
        Self {
            head: head.iter().map(|h| (*h).into()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<Vec<String>> = Vec::new();
        if !self.head.is_empty() {
            lines.push(self.head.clone());
        }
        for row in &self.rows {
            lines.push(row.iter().map(Cell::text).collect());
        }
        let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
        let width = |c: usize| {
            let cells = lines.iter().filter_map(|l| l.get(c));
            cells.map(|t| t.chars().count()).max().unwrap_or(0)
        };
        let right = |c: usize| {
            let mut cells = self.rows.iter().filter_map(|r| r.get(c));
            cells.any(|cell| !matches!(cell, Cell::Text(_) | Cell::Painted(_)))
        };
        let shape: Vec<(usize, bool)> = (0..columns).map(|c| (width(c), right(c))).collect();
        for line in &lines {
            let mut text = String::new();
            for (cell, &(width, right)) in line.iter().zip(&shape) {
                text += &if right {
                    format!("{cell:>width$}  ")
                } else {
                    format!("{cell:<width$}  ")
                };
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_cell_of_one_line() {
        let mut t = Table::new(&["name", "n"]);
        t.row(["a\nb\u{1b}[31m\u{202e}".into(), 1u64.into()]);
        assert_eq!(
            t.to_string(),
            "name                    n\na\\nb\\u{1b}[31m\\u{202e}  1\n"
        );
    }

    #[test]
    fn numbers_are_aligned_right_and_lines_have_no_tail() {
        let mut t = Table::new(&["name", "cycles", "note"]);
        t.row(["a".into(), 1234u64.into(), "".into()]);
        t.row(["long".into(), None.into(), "x".into()]);
        let want = "name  cycles  note\na      1,234\nlong       -  x\n";
        assert_eq!(t.to_string(), want);
    }
}
