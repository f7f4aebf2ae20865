//! Mask files: the `safetensors` format.
//!
//! Eight bytes with the length of a JSON header, the header, then the data.
//! The header has for each key `dtype`, `shape` and `data_offsets`.

use super::layers::{find, shape_error};
use super::{BlockMask, MaskError, MaskLayer, Masks};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// Longest header that is read, in bytes.
const MAX_HEADER_BYTES: u64 = 8 << 20;
/// Largest mask file that makes sense, in bytes.
pub const MAX_FILE_BYTES: u64 = 256 << 20;

/// What the header says of one tensor.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Info {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// The header: keys in the file's order, so that a key that is there twice is seen.
struct Header(Vec<(String, Info)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Header;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut all = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        all.push((key, map.next_value()?));
                    }
                }
                Ok(Header(all))
            }
        }
        from.deserialize_map(Pairs)
    }
}

/// Reads a mask file for the layers of a network.
///
/// Nothing is allocated that the file or the network does not hold.
///
/// # Errors
/// Not the format, a key that no layer has, a wrong shape or type, a value
/// other than 0 and 1.
pub fn read(bytes: &[u8], layers: &[MaskLayer]) -> Result<Masks, MaskError> {
    let (header, data) = split(bytes)?;
    let Header(mut entries) = serde_json::from_slice(header)
        .map_err(|e| MaskError::Format(format!("its header is not as expected: {e}")))?;
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    if let Some(two) = entries.windows(2).find(|two| two[0].0 == two[1].0) {
        let (key, what) = (two[0].0.clone(), "it is there twice".into());
        return Err(MaskError::Entry { key, what });
    }
    covered(&entries, data.len())?;
    let mut masks = Masks::new();
    for (key, info) in entries {
        let layer = find(&key, layers)?;
        let mask = mask(&key, &info, data, layer)?;
        masks.insert(key, mask);
    }
    Ok(masks)
}

/// The header and the data.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), MaskError> {
    let short = || {
        let what = format!("{} bytes are too few for its header", bytes.len());
        MaskError::Format(what)
    };
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(short)?;
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER_BYTES {
        let what = format!("its header would have {length} bytes");
        return Err(MaskError::Format(what));
    }
    rest.split_at_checked(length as usize).ok_or_else(short)
}

/// Checks that tensors lie one after the other and fill the data, as the format asks.
fn covered(entries: &[(String, Info)], bytes: usize) -> Result<(), MaskError> {
    let mut ranges: Vec<(&str, [usize; 2])> = Vec::new();
    ranges.extend(entries.iter().map(|(k, i)| (k.as_str(), i.data_offsets)));
    ranges.sort_by_key(|r| r.1);
    let mut end = 0;
    for (key, [from, to]) in ranges {
        if from != end || to < from || to > bytes {
            let key = key.into();
            let what = format!("its data are {from}..{to}, expected from {end} to at most {bytes}");
            return Err(MaskError::Entry { key, what });
        }
        end = to;
    }
    if end != bytes {
        let what = format!("{} bytes after the last tensor", bytes - end);
        return Err(MaskError::Format(what));
    }
    Ok(())
}

fn mask(key: &str, info: &Info, data: &[u8], layer: &MaskLayer) -> Result<BlockMask, MaskError> {
    let wrong = |what: String| MaskError::Entry {
        key: key.into(),
        what,
    };
    if !matches!(info.dtype.as_str(), "U8" | "BOOL") {
        return Err(wrong(format!("its type is {}, not U8", info.dtype)));
    }
    let dims = layer.mask_dims();
    let flat = layer.dense_layer && info.shape == dims[..2];
    if info.shape != dims && !flat {
        return Err(shape_error(key, &info.shape, layer));
    }
    let [from, to] = info.data_offsets;
    let values = data.get(from..to).unwrap_or_default();
    let mut mask = BlockMask::full(dims);
    if values.len() != mask.blocks() {
        let (found, blocks) = (values.len(), mask.blocks());
        return Err(wrong(format!("it has {found} values for {blocks} blocks")));
    }
    for (at, &value) in values.iter().enumerate() {
        match value {
            0 => mask.kept.set(at, false),
            1 => {}
            _ => {
                let [_, n_ci, kh, kw] = dims;
                let rows = at / kw;
                let block = [rows / kh / n_ci, rows / kh % n_ci, rows % kh, at % kw];
                let block = block[..info.shape.len()].to_vec();
                let key = key.into();
                return Err(MaskError::Value { key, block, value });
            }
        }
    }
    Ok(mask)
}

/// A mask file: `U8`, four dimensions, keys in order.
pub fn write(masks: &Masks) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (key, mask) in masks {
        let from = data.len();
        data.extend(mask.kept.iter().map(|kept| u8::from(*kept)));
        let info = serde_json::json!({
            "dtype": "U8", "shape": mask.dims, "data_offsets": [from, data.len()],
        });
        header.insert(key.clone(), info);
    }
    let mut header = serde_json::Value::Object(header).to_string().into_bytes();
    // The data start at a multiple of 8, as other writers have it.
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.extend(data);
    bytes
}
