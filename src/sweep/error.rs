//! What can be wrong with the configurations of a sweep.

use std::path::PathBuf;
use vta_program::config::ConfigProblem;

/// Configurations that are not said right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigsError {
    /// A part of a grid that says nothing.
    #[error("{part:?} of the grid is not KEY=VALUES")]
    Part {
        /// The part.
        part: String,
    },
    /// A key that no configuration has.
    #[error("unknown key {key} in the grid")]
    UnknownKey {
        /// The key.
        key: String,
        /// The key that looks most like it.
        nearest: Option<String>,
    },
    /// A key that is there twice.
    #[error("key {key} is twice in the grid")]
    Twice {
        /// The key.
        key: String,
    },
    /// A value that is no number.
    #[error("{key}: {text:?} is not a number, nor a range FROM..TO of numbers")]
    Number {
        /// The key.
        key: String,
        /// The value.
        text: String,
    },
    /// A range without a value.
    #[error("{key}: the range {from}..{to} has nothing in it")]
    Empty {
        /// The key.
        key: String,
        /// Where it begins.
        from: u64,
        /// Where it ends.
        to: u64,
    },
    /// A range that begins or ends between the values that its key can have.
    #[error(
        "{key} holds powers of two: a range of it begins and ends with one, {value} is not one"
    )]
    Power {
        /// The key.
        key: String,
        /// The begin or the end.
        value: u64,
    },
    /// A size in bytes beside the depth that wins over it.
    #[error("{key} has no effect beside {wins}, which says the same in elements")]
    NoEffect {
        /// The key.
        key: String,
        /// The other.
        wins: String,
    },
    /// A value that fits no combination.
    #[error("in every combination {problem}")]
    Nowhere {
        /// What is wrong with it.
        problem: ConfigProblem,
    },
    /// More configurations than make sense at once.
    #[error("the grid has more than {limit} configurations")]
    TooMany {
        /// Configurations that it may have.
        limit: usize,
    },
    /// A folder without configurations.
    #[error("{}: there is no configuration (.json) in it", .0.display())]
    NoFiles(PathBuf),
    /// A part of all points that is none.
    #[error("{text:?} is not I/N, a part I from 1 to N")]
    Shard {
        /// The text.
        text: String,
    },
}

impl ConfigsError {
    /// What to do next, where that is known.
    pub fn help(&self) -> Option<String> {
        let text = match self {
            Self::UnknownKey {
                nearest: Some(key), ..
            } => format!("did you mean {key}?"),
            Self::Part { .. } | Self::UnknownKey { .. } | Self::Number { .. } => {
                "a grid is written LOG_BLOCK=4|5,INP_DEPTH=256..2048,base=de10, with the keys of a vta_config.json file".into()
            }
            Self::NoEffect { key, .. } => format!("leave out {key}"),
            Self::TooMany { .. } => "make several grids of it".into(),
            _ => return None,
        };
        Some(text)
    }
}
