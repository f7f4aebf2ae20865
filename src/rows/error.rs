//! What can be wrong with a file of rows.

/// A file that does not hold rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowsError {
    /// A line that is no row.
    #[error("line {line}: not a row: {what}")]
    NotARow {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// Two rows of one point that say different things.
    #[error("lines {first} and {line}: two results of one point, key {key}")]
    Contradiction {
        /// The line of the first, counted from 1.
        first: usize,
        /// The line of the other.
        line: usize,
        /// The key of both.
        key: String,
    },
    /// Not a file that can grow.
    #[error("not a file: rows are added to a file, a line each")]
    NotAFile,
}

impl RowsError {
    /// What to do next, where that is known.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::NotARow { .. } => {
                "rows are only added to files of rows: give another name, or remove the line"
            }
            Self::Contradiction { .. } => "remove one of the two lines",
            Self::NotAFile => "give the name of a file",
        }
    }
}
