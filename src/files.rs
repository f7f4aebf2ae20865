//! Files in, with a bound on their length.

use crate::Error;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// The file cannot be read or is longer.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let error = |e| Error::file(path, e);
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(error)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(error)?;
    if bytes.len() as u64 > limit {
        return Err(Error::TooLong {
            path: path.to_owned(),
            limit,
        });
    }
    Ok(bytes)
}
