//! What is wrong with data, and where.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// An error of data: what is wrong, in which file, on which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataError {
    /// The file or folder, where there is one.
    pub file: Option<PathBuf>,
    /// The line of a text file, from 1.
    pub line: Option<u32>,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file cannot be read.
    #[error("{message}")]
    Io {
        /// What sort of failure.
        kind: io::ErrorKind,
        /// The system's words.
        message: String,
    },
    /// More than what is ever read.
    #[error("more than {limit} {unit}")]
    TooLarge {
        /// What is allowed.
        limit: u64,
        /// Of what.
        unit: &'static str,
    },
    /// Damaged compression.
    #[error("damaged gzip: {0}")]
    Gzip(String),
    /// No whole number of CIFAR records.
    #[error("{bytes} bytes are no CIFAR records of {record} bytes")]
    CifarRecords {
        /// Bytes that are there, after decompression.
        bytes: u64,
        /// Bytes of a record.
        record: u64,
    },
    /// Not as long as its contents say.
    #[error("{got} bytes, {want}")]
    Length {
        /// Bytes that are there.
        got: u64,
        /// What was expected.
        want: String,
    },
    /// Not a file of the expected kind.
    #[error("not {want}: {got}")]
    Kind {
        /// What was expected.
        want: &'static str,
        /// What is there.
        got: String,
    },
    /// A class number that does not exist.
    #[error("record {record} has class {class}, there are {classes} classes")]
    Class {
        /// The record, from 0.
        record: u64,
        /// Its class.
        class: u64,
        /// Classes of the set.
        classes: u64,
    },
    /// A class name that does not exist.
    #[error("unknown class {name:?}; the classes are {}", .classes.join(", "))]
    ClassName {
        /// The name.
        name: String,
        /// What there is.
        classes: Vec<String>,
    },
    /// Images and labels are not as many.
    #[error("{labels} labels for {images} images")]
    Labels {
        /// Labels.
        labels: u64,
        /// Images.
        images: u64,
    },
    /// An image that cannot be decoded.
    #[error("damaged {format}: {message}")]
    Image {
        /// PNG, JPEG or PPM.
        format: &'static str,
        /// What its decoder says.
        message: String,
    },
    /// An image whose size is not that of the others, or not what is declared.
    #[error("the image is {}, {why} {}", dims(.got), dims(.want))]
    Size {
        /// Channels, height, width.
        got: [usize; 3],
        /// Where the expectation comes from.
        why: &'static str,
        /// Channels, height, width that were expected.
        want: [usize; 3],
    },
    /// An image without pixels, or with more than are ever read.
    #[error("an image of {width}x{height} pixels and {channels} channels")]
    Dims {
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
        /// Planes.
        channels: u64,
    },
    /// A box without area.
    #[error("box {edges} has no area")]
    EmptyBox {
        /// Its edges as written in the file.
        edges: String,
    },
    /// A box that is not within its image.
    #[error("box {edges} is not within the image of {width}x{height}")]
    BoxOutside {
        /// Its edges as written in the file.
        edges: String,
        /// Width of the image.
        width: usize,
        /// Height of the image.
        height: usize,
    },
    /// XML that cannot be parsed.
    #[error("not XML: {0}")]
    Xml(String),
    /// An element that is missing.
    #[error("no <{name}> in <{of}>")]
    Missing {
        /// The element.
        name: &'static str,
        /// Where it belongs.
        of: String,
    },
    /// A value that cannot be read.
    #[error("<{name}> is {text:?}, not {want}")]
    Value {
        /// The element.
        name: &'static str,
        /// Its text.
        text: String,
        /// What it should be.
        want: &'static str,
    },
    /// A name in a list that is no file name, or is there twice.
    #[error("{name:?} {what}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A file or folder that holds nothing.
    #[error("no {0} in it")]
    Empty(&'static str),
    /// Neither a set that is built in nor data that can be recognised.
    #[error("no data set: {0}")]
    Unknown(String),
    /// A request that does not fit the data.
    #[error("{0}")]
    Request(String),
}

/// Channels, height, width in words.
fn dims(d: &[usize; 3]) -> String {
    format!("{}x{} with {} channels", d[2], d[1], d[0])
}

impl DataError {
    /// An error of a file.
    pub fn of(file: &Path, fault: Fault) -> Self {
        Self {
            file: Some(file.to_owned()),
            line: None,
            fault,
        }
    }

    /// An error of a line of a file, from 1.
    pub fn at(file: &Path, line: u32, fault: Fault) -> Self {
        Self {
            line: Some(line),
            ..Self::of(file, fault)
        }
    }

    /// A file that cannot be read.
    pub fn io(file: &Path, e: &io::Error) -> Self {
        let (kind, message) = (e.kind(), e.to_string());
        Self::of(file, Fault::Io { kind, message })
    }

    /// Whether it says that there is no such file.
    pub fn not_found(&self) -> bool {
        matches!(&self.fault, Fault::Io { kind, .. } if *kind == io::ErrorKind::NotFound)
    }
}

impl From<Fault> for DataError {
    fn from(fault: Fault) -> Self {
        Self {
            file: None,
            line: None,
            fault,
        }
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}", file.display())?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}", self.fault)
    }
}

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.fault)
    }
}
