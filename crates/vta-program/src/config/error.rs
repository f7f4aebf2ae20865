//! What can be wrong with a configuration.

use super::HwConfig;

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("configuration {name}: {problem}")]
pub struct ConfigError {
    /// The name or path that was asked for.
    pub name: String,
    /// What is wrong.
    pub problem: ConfigProblem,
}

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// Neither a built-in name nor a file.
    #[error("not a built-in configuration, and there is no such file")]
    NotFound {
        /// The built-in name that looks most like it.
        nearest: Option<&'static str>,
    },
    /// The file cannot be read.
    #[error("the file cannot be read: {what}")]
    Unreadable {
        /// The system's words.
        what: String,
    },
    /// The text is not JSON, or not an object.
    #[error("line {line}, column {column}: {what}")]
    Json {
        /// 1-based line.
        line: usize,
        /// 1-based column.
        column: usize,
        /// What the JSON reader expected.
        what: String,
    },
    /// A key that no configuration has.
    #[error("unknown key {key}")]
    UnknownKey {
        /// The key.
        key: String,
        /// The key that looks most like it.
        nearest: Option<&'static str>,
    },
    /// A key that is there twice.
    #[error("key {key} is there twice")]
    DuplicateKey {
        /// The key.
        key: &'static str,
    },
    /// A key without a default that is not there.
    #[error("key {key} is missing")]
    MissingKey {
        /// The key.
        key: &'static str,
    },
    /// A value of another type than the key's.
    #[error("{key} is {found}, not {expected}")]
    WrongType {
        /// The key.
        key: &'static str,
        /// The type that the key takes.
        expected: &'static str,
        /// The value, as JSON.
        found: String,
    },
    /// A value outside the key's range.
    #[error("{key} is {value}; allowed: {allowed}")]
    Range {
        /// The key.
        key: &'static str,
        /// The value.
        value: u64,
        /// The range, in words.
        allowed: String,
    },
    /// A derived key that contradicts the keys it is derived from.
    #[error("{key} is {value}, but {rule} gives {expected}")]
    Inconsistent {
        /// The key.
        key: &'static str,
        /// The value.
        value: u64,
        /// The value that the other keys give.
        expected: u64,
        /// How the value is derived.
        rule: &'static str,
    },
    /// A value that the RTL does not elaborate with on this data bus.
    #[error("{key} is {value}; on a {mem_data_bits}-bit bus it is {bound} {limit}: {reason}")]
    Bus {
        /// The key.
        key: &'static str,
        /// The value.
        value: u64,
        /// `at least` or `at most`.
        bound: &'static str,
        /// The limit.
        limit: u64,
        /// Width of the data bus (`MEM_DATA_BITS`).
        mem_data_bits: u32,
        /// Why.
        reason: &'static str,
    },
}

impl ConfigError {
    /// What to do about it, where that is known.
    pub fn help(&self) -> Option<String> {
        let built_in = HwConfig::BUILT_IN.join(", ");
        match &self.problem {
            ConfigProblem::NotFound { nearest: Some(n) } => Some(format!(
                "did you mean {n}? built in are {built_in}; anything else is the path of a vta_config.json file"
            )),
            ConfigProblem::NotFound { nearest: None } => Some(format!(
                "built in are {built_in}; anything else is the path of a vta_config.json file"
            )),
            ConfigProblem::UnknownKey {
                nearest: Some(n), ..
            } => Some(format!("did you mean {n}?")),
            ConfigProblem::MissingKey { key } => Some(format!(
                "add {key}; `vta config de10 --out FILE` writes a complete file to start from"
            )),
            _ => None,
        }
    }
}
