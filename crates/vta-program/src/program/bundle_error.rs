//! What can be wrong with a bundle.

use super::ProgramError;
use super::bundle::{MANIFEST, SUMS};
use super::manifest::{FORMAT, VERSION, VERSION_LAUNCHES};
use crate::config::ConfigError;
use std::io;

/// A bundle that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file cannot be read or written.
    #[error("{source}")]
    Io {
        /// The system's words.
        #[from]
        source: io::Error,
    },
    /// The file does not start like a ZIP archive.
    #[error("not a bundle: it does not start with PK")]
    NotABundle,
    /// The archive has no readable directory: it is cut off or damaged.
    #[error("the archive is cut off or damaged: {what}")]
    Archive {
        /// The ZIP reader's words.
        what: String,
    },
    /// An entry's bytes cannot be unpacked.
    #[error("{entry}: damaged: {what}")]
    Damaged {
        /// Name of the entry.
        entry: String,
        /// The ZIP reader's words.
        what: String,
    },
    /// An entry is not there.
    #[error("{entry}: not in the archive")]
    Missing {
        /// Name of the entry.
        entry: String,
    },
    /// An entry that no bundle has.
    #[error("{entry}: does not belong in a bundle")]
    Unexpected {
        /// Name of the entry.
        entry: String,
    },
    /// An entry is there twice.
    #[error("{entry}: there twice")]
    Duplicate {
        /// Name of the entry.
        entry: String,
    },
    /// An entry is longer than it may be.
    #[error("{entry}: more than {limit} bytes")]
    TooLarge {
        /// Name of the entry.
        entry: String,
        /// The most that it may have.
        limit: u64,
    },
    /// An entry is shorter than the manifest says.
    #[error("{entry}: {found} bytes, the manifest says {expected}")]
    Length {
        /// Name of the entry.
        entry: String,
        /// Its length.
        found: u64,
        /// The manifest's length.
        expected: u64,
    },
    /// An entry's bytes are not those that the checksum is of.
    #[error("{entry}: checksum is {found}, {list} says {expected}")]
    Checksum {
        /// Name of the entry.
        entry: String,
        /// Where the expected checksum is from.
        list: &'static str,
        /// The checksum of the bytes.
        found: String,
        /// The checksum that is expected.
        expected: String,
    },
    /// A line of `SHA256SUMS` is not a checksum and a name.
    #[error("{SUMS}: line {line} is not a checksum and a name")]
    Sums {
        /// 1-based line.
        line: usize,
    },
    /// The manifest is not JSON, or lacks something.
    #[error("{MANIFEST}: line {line}, column {column}: {what}")]
    Json {
        /// 1-based line.
        line: usize,
        /// 1-based column.
        column: usize,
        /// What the JSON reader expected.
        what: String,
    },
    /// The manifest is of something else.
    #[error("{MANIFEST}: format is {found:?}, not {FORMAT:?}")]
    Format {
        /// The manifest's format.
        found: String,
    },
    /// The bundle is of a version that this program does not read.
    #[error("{MANIFEST}: version is {found}; this program reads versions 1 to {supported}")]
    Version {
        /// The bundle's version.
        found: u64,
        /// The newest version that is read.
        supported: u64,
    },
    /// A bundle of the version without networks that has parts of one.
    #[error(
        "{MANIFEST}: version {VERSION_LAUNCHES} has no host steps, inputs, outputs and layers; version {VERSION} has"
    )]
    VersionOfNetworks,
    /// The list of a layer's weight blocks cannot be read.
    #[error("{MANIFEST}: layer {layer}: block_of: {what}")]
    BlockOf {
        /// Name of the layer.
        layer: String,
        /// What is wrong with it.
        what: String,
    },
    /// A segment's data are not where they belong.
    #[error("{MANIFEST}: segment {segment}: data_file is {found:?}, not {expected:?}")]
    DataFile {
        /// Name of the segment.
        segment: String,
        /// The manifest's file.
        found: String,
        /// The file that follows from the name.
        expected: String,
    },
    /// The configuration in the manifest.
    #[error("{MANIFEST}: {source}")]
    Config {
        /// What is wrong with it.
        #[from]
        source: ConfigError,
    },
    /// A configuration that has the name of another.
    #[error(
        "{MANIFEST}: the configuration is named {name}, but is not the built-in one of that name"
    )]
    ConfigName {
        /// The name.
        name: String,
    },
    /// The program does not make sense.
    #[error("{source}")]
    Program {
        /// What is wrong with it.
        #[from]
        source: ProgramError,
    },
}

impl BundleError {
    /// What to do about it, where that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NotABundle | Self::Archive { .. } => {
                Some("a bundle is a whole ZIP archive; copy or assemble the file again".into())
            }
            Self::Damaged { .. } | Self::Checksum { .. } | Self::Length { .. } => {
                Some("the file was changed after it was written; copy or assemble it again".into())
            }
            Self::Version { .. } => Some("a newer vta reads it".into()),
            Self::Config { source } => source.help(),
            _ => None,
        }
    }
}
