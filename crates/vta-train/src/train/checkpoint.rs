//! Everything that a run needs to go on, as bytes.
//!
//! ```text
//! "VTACKPT1" | length of the header, u64 | header, JSON | f32 values | SHA-256 of all before
//! ```
//!
//! All numbers are little-endian. The header has names and lengths of the
//! values in their order, whole numbers and texts. Floating-point numbers are
//! kept as bits, so nothing is rounded.

use super::TrainError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

const MAGIC: &[u8; 8] = b"VTACKPT1";
const SUM: usize = 32;

/// The state of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checkpoint {
    values: BTreeMap<String, Vec<f32>>,
    numbers: BTreeMap<String, u64>,
    texts: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    /// Name and number of values, in their order.
    values: Vec<(String, u64)>,
    numbers: BTreeMap<String, u64>,
    texts: BTreeMap<String, String>,
}

fn bad(what: impl Into<String>) -> TrainError {
    TrainError::Checkpoint(what.into())
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
        let values = self.values.get(name);
        let values = values.ok_or_else(|| bad(format!("has no values `{name}`")))?;
        match values.len() == n {
            true => Ok(values),
            false => Err(bad(format!(
                "has {} values `{name}`, not {n}",
                values.len()
            ))),
        }
    }

    /// All names of values.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// A whole number.
    ///
    /// # Errors
    /// None has the name.
    pub fn number(&self, name: &str) -> Result<u64, TrainError> {
        let number = self.numbers.get(name).copied();
        number.ok_or_else(|| bad(format!("has no number `{name}`")))
    }

    /// A text.
    ///
    /// # Errors
    /// None has the name.
    pub fn text(&self, name: &str) -> Result<&str, TrainError> {
        let text = self.texts.get(name).map(String::as_str);
        text.ok_or_else(|| bad(format!("has no text `{name}`")))
    }

    /// The checkpoint as a file.
    pub fn encode(&self) -> Vec<u8> {
        let header = Header {
            values: self
                .values
                .iter()
                .map(|(k, v)| (k.clone(), v.len() as u64))
                .collect(),
            numbers: self.numbers.clone(),
            texts: self.texts.clone(),
        };
        // Maps with keys of text, numbers and lists: nothing in it can fail.
        let header = serde_json::to_vec(&header).unwrap_or_default();
        let mut out = MAGIC.to_vec();
        out.extend((header.len() as u64).to_le_bytes());
        out.extend(header);
        for v in self.values.values().flatten() {
            out.extend(v.to_le_bytes());
        }
        let sum = Sha256::digest(&out);
        out.extend(sum);
        out
    }

    /// A checkpoint from a file.
    ///
    /// # Errors
    /// Another kind of file, one that was cut off or changed.
    pub fn decode(bytes: &[u8]) -> Result<Self, TrainError> {
        if !bytes.starts_with(MAGIC) {
            return Err(bad("is of another kind, or of another version"));
        }
        let start = MAGIC.len() + 8;
        let end = bytes.len().checked_sub(SUM).filter(|e| *e >= start);
        let end = end.ok_or_else(|| bad("is cut off"))?;
        let (body, sum) = bytes.split_at(end);
        if Sha256::digest(body).as_slice() != sum {
            return Err(bad("is damaged: its checksum is another"));
        }
        let mut length = [0; 8];
        length.copy_from_slice(&body[MAGIC.len()..start]);
        let length = usize::try_from(u64::from_le_bytes(length)).ok();
        let split = length.and_then(|n| n.checked_add(start));
        let split = split.filter(|s| *s <= body.len());
        let split = split.ok_or_else(|| bad("has a header longer than itself"))?;
        let header: Header = serde_json::from_slice(&body[start..split])
            .map_err(|e| bad(format!("has a header that cannot be read: {e}")))?;
        let floats = body[split..].chunks_exact(4);
        let mut floats = floats.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let total = header
            .values
            .iter()
            .try_fold(0u64, |s, v| s.checked_add(v.1));
        if total.and_then(|t| t.checked_mul(4)) != Some((body.len() - split) as u64) {
            return Err(bad("has another number of values than its header says"));
        }
        let mut values = BTreeMap::new();
        for (name, n) in header.values {
            // No more than there are bytes: the sum above is right.
            values.insert(name, floats.by_ref().take(n as usize).collect());
        }
        Ok(Self {
            values,
            numbers: header.numbers,
            texts: header.texts,
        })
    }
}
