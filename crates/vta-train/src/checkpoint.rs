//! Everything that a run needs to go on, as bytes: a safetensors file.
//!
//! Values are tensors of one dimension, F32. All else is JSON under one key of
//! `__metadata__` ([`KEY`]), because the order of several keys is that of a
//! hash map there:
//!
//! ```text
//! {"version": 3, "sha256": "...", "numbers": {...}, "texts": {...}}
//! ```
//!
//! The digest is that of the content, which [`digest`] has in one order.
//! Floating-point numbers are kept as bits, so nothing is rounded.

use super::TrainError;
use super::identity::{Difference, listed};
use safetensors::tensor::{Dtype, Metadata, TensorInfo, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The key of `__metadata__` with everything that is not a tensor.
const KEY: &str = "vta-checkpoint";
/// The version that is written and read. Version 1 was no safetensors file,
/// version 2 did not say of which network and images its run was.
const VERSION: u32 = 3;
/// First bytes of a file of version 1.
const VERSION_1: &[u8] = b"VTACKPT1";
/// Bytes of the header's length.
const PREFIX: usize = 8;
/// Bytes of a value.
const VALUE: usize = 4;

/// The state of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checkpoint {
    values: BTreeMap<String, Vec<f32>>,
    numbers: BTreeMap<String, u64>,
    texts: BTreeMap<String, String>,
}

/// Why a checkpoint cannot be used; where it is a file, with the place in it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CheckpointError {
    /// A file of the version before safetensors.
    #[error("is of version 1, not {VERSION}")]
    Old,
    /// A safetensors file of another version.
    #[error("is of version {version}, not {VERSION}")]
    Version {
        /// Its version.
        version: u32,
    },
    /// A file that ends too early.
    #[error(
        "is cut off, or no safetensors file: it has {bytes} bytes, and {what} ends at byte {end}"
    )]
    Short {
        /// Its bytes.
        bytes: usize,
        /// What is not whole.
        what: &'static str,
        /// The first byte after that.
        end: u64,
    },
    /// A file with bytes after its last tensor.
    #[error("has {bytes} bytes, and its last tensor ends at byte {end}")]
    Long {
        /// Its bytes.
        bytes: usize,
        /// The first byte that belongs to nothing.
        end: usize,
    },
    /// A header that is not one of safetensors, or not one of a checkpoint.
    #[error("has a header that cannot be read, at byte {byte}: {what}")]
    Header {
        /// Where in the file, counted from 0.
        byte: u64,
        /// What is wrong.
        what: String,
    },
    /// A tensor that is no list of values.
    #[error("has a tensor `{name}` of {dtype} {shape:?}, not one dimension of F32")]
    Tensor {
        /// Its name.
        name: String,
        /// Type of its elements.
        dtype: String,
        /// Its dimensions.
        shape: Vec<usize>,
    },
    /// The content has changed since it was written.
    #[error("is damaged: its checksum is {got}, not {want}")]
    Digest {
        /// SHA-256 as the file says.
        want: String,
        /// SHA-256 of what is in it.
        got: String,
    },
    /// Something that a run needs is not there.
    #[error("has no {kind} `{name}`")]
    Missing {
        /// `values`, `number` or `text`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// Another number of values than the run has.
    #[error("has {got} values `{name}`, not {want}")]
    Length {
        /// Their name.
        name: String,
        /// As many as there should be.
        want: usize,
        /// As many as there are.
        got: usize,
    },
    /// Whole, but of another run: other data, settings or another network.
    #[error("is of another run: {}", listed(.0))]
    OtherRun(Vec<Difference>),
    /// Whole, but its parts do not fit each other.
    #[error("{0}")]
    Run(String),
}

impl CheckpointError {
    /// What to do next.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Old | Self::Version { .. } => {
                "finish the run with the program that wrote it, or start it anew in another folder"
            }
            Self::OtherRun(_) => {
                "take what it was before, or another folder; to start anew in this one, remove the run that is in it"
            }
            _ => "take another folder, or remove the checkpoint to start anew",
        }
    }
}

/// What is not a tensor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rest {
    version: u32,
    /// SHA-256 of the content, as [`digest`] has it.
    sha256: String,
    numbers: BTreeMap<String, u64>,
    texts: BTreeMap<String, String>,
}

/// Of a version that is not known only this is read.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Checkpoint {
    /// Adds values; the same name again replaces them.
    pub fn put(&mut self, name: impl Into<String>, values: Vec<f32>) {
        self.values.insert(name.into(), values);
    }

    /// Adds a whole number.
    pub fn put_number(&mut self, name: impl Into<String>, value: u64) {
        self.numbers.insert(name.into(), value);
    }

    /// Adds a text.
    pub fn put_text(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.texts.insert(name.into(), value.into());
    }

    /// Values of a name, `n` of them.
    ///
    /// # Errors
    /// None has the name, or there are not `n`.
    pub fn get(&self, name: &str, n: usize) -> Result<&[f32], TrainError> {
        let values = found("values", name, self.values.get(name))?;
        match values.len() == n {
            true => Ok(values),
            false => Err(CheckpointError::Length {
                name: name.into(),
                want: n,
                got: values.len(),
            })?,
        }
    }

    /// All names of values.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// The name of values that are not all finite, if there are some.
    pub(crate) fn not_finite(&self) -> Option<&str> {
        let bad = |v: &Vec<f32>| v.iter().any(|x| !x.is_finite());
        let found = self.values.iter().find(|(_, v)| bad(v));
        found.map(|(name, _)| name.as_str())
    }

    /// A whole number.
    ///
    /// # Errors
    /// None has the name.
    pub fn number(&self, name: &str) -> Result<u64, TrainError> {
        Ok(*found("number", name, self.numbers.get(name))?)
    }

    /// A text.
    ///
    /// # Errors
    /// None has the name.
    pub fn text(&self, name: &str) -> Result<&str, TrainError> {
        Ok(found("text", name, self.texts.get(name))?)
    }

    /// The checkpoint as a file.
    ///
    /// # Errors
    /// Texts and names of more than 100 MB, which no header of safetensors holds.
    pub fn encode(&self) -> Result<Vec<u8>, TrainError> {
        let rest = Rest {
            version: VERSION,
            sha256: self.digest(),
            numbers: self.numbers.clone(),
            texts: self.texts.clone(),
        };
        let unwritten = |what: String| CheckpointError::Run(format!("cannot be written: {what}"));
        let rest = serde_json::to_string(&rest).map_err(|e| unwritten(e.to_string()))?;
        let metadata = [(KEY.to_owned(), rest)].into();
        let bytes = self.values.iter().map(|(name, v)| (name, v.len(), le(v)));
        let bytes: Vec<_> = bytes.collect();
        let views = bytes.iter().map(|(name, n, bytes)| {
            let view = TensorView::new(Dtype::F32, vec![*n], bytes);
            Ok((name, view.map_err(|e| unwritten(e.to_string()))?))
        });
        let views = views.collect::<Result<Vec<_>, CheckpointError>>()?;
        let file = safetensors::serialize(views, Some(metadata));
        Ok(file.map_err(|e| unwritten(e.to_string()))?)
    }

    /// A checkpoint from a file.
    ///
    /// # Errors
    /// Another kind of file, one that was cut off or changed.
    pub fn decode(bytes: &[u8]) -> Result<Self, TrainError> {
        if bytes.starts_with(VERSION_1) {
            return Err(CheckpointError::Old)?;
        }
        let (header, data) = split(bytes)?;
        let start = bytes.len() - data.len();
        let rest = rest(&header)?;
        let mut values = BTreeMap::new();
        for name in header.offset_keys() {
            let Some(info) = header.info(&name) else {
                continue;
            };
            let list = list(&name, info, data)?;
            values.insert(name, list);
        }
        let end = start + header.data_len();
        if end < bytes.len() {
            return Err(CheckpointError::Long {
                bytes: bytes.len(),
                end,
            })?;
        }
        let read = Self {
            values,
            numbers: rest.numbers,
            texts: rest.texts,
        };
        let got = read.digest();
        match got == rest.sha256 {
            true => Ok(read),
            false => Err(CheckpointError::Digest {
                want: rest.sha256,
                got,
            })?,
        }
    }

    /// SHA-256 of names, lengths, numbers and texts as JSON, then of the values
    /// as they are in a file, in the order of their names.
    fn digest(&self) -> String {
        let lengths: BTreeMap<&String, usize> =
            self.values.iter().map(|(k, v)| (k, v.len())).collect();
        let head = (lengths, &self.numbers, &self.texts);
        // Maps with keys of text, numbers and texts: nothing in it can fail.
        let mut sha = Sha256::new_with_prefix(serde_json::to_vec(&head).unwrap_or_default());
        for values in self.values.values() {
            sha.update(le(values));
        }
        sha.finalize().iter().fold(String::new(), |mut hex, b| {
            let _ = write!(hex, "{b:02x}");
            hex
        })
    }
}

/// Values as they are in a file.
fn le(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn found<'a, T: ?Sized>(
    kind: &'static str,
    name: &str,
    value: Option<&'a T>,
) -> Result<&'a T, CheckpointError> {
    let name = name.to_owned();
    value.ok_or(CheckpointError::Missing { kind, name })
}

/// The header of a safetensors file, and its data.
///
/// The file's length is held against the header's offsets here: the reader of
/// whole files in `safetensors` adds them without a check for overflow.
fn split(bytes: &[u8]) -> Result<(Metadata, &[u8]), CheckpointError> {
    let short = |what, end| CheckpointError::Short {
        bytes: bytes.len(),
        what,
        end,
    };
    let (prefix, rest) = bytes
        .split_first_chunk::<PREFIX>()
        .ok_or_else(|| short("the length of its header", PREFIX as u64))?;
    let length = u64::from_le_bytes(*prefix);
    let header = usize::try_from(length).ok().and_then(|n| rest.get(..n));
    let header = header.ok_or_else(|| short("its header", length.saturating_add(PREFIX as u64)))?;
    let header: Metadata = serde_json::from_slice(header).map_err(|e| {
        let lines = header.split(|b| *b == b'\n').map(|l| l.len() + 1);
        let before: usize = lines.take(e.line().saturating_sub(1)).sum();
        let byte = (PREFIX + before + e.column().saturating_sub(1)) as u64;
        let what = e.to_string();
        CheckpointError::Header { byte, what }
    })?;
    let data = &rest[length as usize..];
    let end = header.data_len();
    match end <= data.len() {
        true => Ok((header, data)),
        false => {
            let start = bytes.len() - data.len();
            Err(short(
                "its last tensor",
                (start as u64).saturating_add(end as u64),
            ))
        }
    }
}

/// What the header has beside tensors.
fn rest(header: &Metadata) -> Result<Rest, CheckpointError> {
    let bad = |what: String| CheckpointError::Header {
        byte: PREFIX as u64,
        what,
    };
    let text = header.metadata().as_ref().and_then(|m| m.get(KEY));
    let text = text.ok_or_else(|| bad(format!("`__metadata__` has no `{KEY}`")))?;
    let broken = |e: serde_json::Error| bad(format!("`{KEY}` of `__metadata__`: {e}"));
    let Versioned { version } = serde_json::from_str(text).map_err(broken)?;
    match version == VERSION {
        true => serde_json::from_str(text).map_err(broken),
        false => Err(CheckpointError::Version { version }),
    }
}

/// The values of a tensor. Its place is within the data: offsets grow, and the
/// last one was held against their length.
fn list(name: &str, info: &TensorInfo, data: &[u8]) -> Result<Vec<f32>, CheckpointError> {
    if info.dtype != Dtype::F32 || info.shape.len() != 1 {
        return Err(CheckpointError::Tensor {
            name: name.into(),
            dtype: info.dtype.to_string(),
            shape: info.shape.clone(),
        });
    }
    let (from, to) = info.data_offsets;
    let values = data[from..to].chunks_exact(VALUE);
    Ok(values
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect())
}
