//! Where files come from: the disk, or memory.

use super::{DataError, Fault};
use flate2::read::MultiGzDecoder;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Largest file that is read, in bytes, also after decompression.
pub(super) const MAX_FILE_BYTES: u64 = 2 << 30;
/// Most entries of a folder.
const MAX_ENTRIES: usize = 1 << 22;

/// A file or folder in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Whether it is a folder.
    pub folder: bool,
}

/// Where files come from. Errors carry the path.
pub trait Files: Sync {
    /// The bytes of a file of at most `limit` bytes.
    ///
    /// # Errors
    /// It cannot be read, or is longer.
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, DataError>;

    /// What is in a folder, sorted by name.
    ///
    /// # Errors
    /// It cannot be read, or has too many entries.
    fn list(&self, path: &Path) -> Result<Vec<Entry>, DataError>;

    /// Whether there is a file of this path.
    fn is_file(&self, path: &Path) -> bool;

    /// Whether there is a folder of this path.
    fn is_folder(&self, path: &Path) -> bool;
}

/// Files of the disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, DataError> {
        let error = |e| DataError::io(path, &e);
        // A pipe or a device is no picture, and may never end.
        if fs::metadata(path).map_err(error)?.file_type().is_file() {
            let file = File::open(path).map_err(error)?;
            return bounded(file, limit, path).map_err(error)?;
        }
        Err(error(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        )))
    }

    fn list(&self, path: &Path) -> Result<Vec<Entry>, DataError> {
        let error = |e| DataError::io(path, &e);
        let mut all = Vec::new();
        for entry in fs::read_dir(path).map_err(error)? {
            let entry = entry.map_err(error)?;
            // Follows links, as reading does.
            let folder = entry.path().is_dir();
            let name = entry.file_name().to_string_lossy().into_owned();
            all.push(Entry { name, folder });
            if all.len() > MAX_ENTRIES {
                return Err(DataError::of(
                    path,
                    too_large(MAX_ENTRIES as u64, "entries"),
                ));
            }
        }
        all.sort();
        Ok(all)
    }

    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }
}

/// Files in memory.
#[derive(Debug, Clone, Default)]
pub struct Memory(BTreeMap<PathBuf, Vec<u8>>);

impl Memory {
    /// Adds a file.
    pub fn add(&mut self, path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) {
        self.0.insert(path.into(), bytes.into());
    }

    /// The bytes of a file, to change them.
    pub fn get_mut(&mut self, path: &Path) -> Option<&mut Vec<u8>> {
        self.0.get_mut(path)
    }

    /// Removes a file.
    pub fn remove(&mut self, path: &Path) {
        self.0.remove(path);
    }
}

impl Files for Memory {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, DataError> {
        match self.0.get(path) {
            Some(bytes) if bytes.len() as u64 > limit => {
                Err(DataError::of(path, too_large(limit, "bytes")))
            }
            Some(bytes) => Ok(bytes.clone()),
            None => Err(DataError::io(path, &io::ErrorKind::NotFound.into())),
        }
    }

    fn list(&self, path: &Path) -> Result<Vec<Entry>, DataError> {
        let mut all = Vec::new();
        for file in self.0.keys() {
            let Ok(rest) = file.strip_prefix(path) else {
                continue;
            };
            let mut parts = rest.components();
            if let Some(name) = parts.next() {
                let name = name.as_os_str().to_string_lossy().into_owned();
                let folder = parts.next().is_some();
                all.push(Entry { name, folder });
            }
        }
        if all.is_empty() {
            return Err(DataError::io(path, &io::ErrorKind::NotFound.into()));
        }
        all.sort();
        all.dedup();
        Ok(all)
    }

    fn is_file(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    fn is_folder(&self, path: &Path) -> bool {
        self.0.keys().any(|f| f != path && f.starts_with(path))
    }
}

fn too_large(limit: u64, unit: &'static str) -> Fault {
    Fault::TooLarge { limit, unit }
}

/// Reads at most `limit` bytes.
fn bounded(from: impl Read, limit: u64, path: &Path) -> io::Result<Result<Vec<u8>, DataError>> {
    let mut bytes = Vec::new();
    from.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Ok(Err(DataError::of(path, too_large(limit, "bytes"))));
    }
    Ok(Ok(bytes))
}

/// Reads a file, and decompresses it if it is gzip, which its content says.
pub(super) fn read_plain(files: &dyn Files, path: &Path, limit: u64) -> Result<Vec<u8>, DataError> {
    let bytes = files.read(path, limit)?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    bounded(MultiGzDecoder::new(bytes.as_slice()), limit, path)
        .map_err(|e| DataError::of(path, Fault::Gzip(e.to_string())))?
}

/// The first of these names, or of them with `.gz`, that is a file in a folder.
pub(super) fn first_of(files: &dyn Files, dir: &Path, names: &[&str]) -> Option<PathBuf> {
    let all = names
        .iter()
        .flat_map(|n| [(*n).to_owned(), format!("{n}.gz")]);
    all.map(|n| dir.join(n)).find(|p| files.is_file(p))
}

/// Reads a text of lines; each with its number from 1, blank ones left out.
pub(super) fn read_lines(
    files: &dyn Files,
    path: &Path,
    limit: u64,
) -> Result<Vec<(u32, String)>, DataError> {
    let bytes = files.read(path, limit)?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let got = e.utf8_error().to_string();
        let want = "a text";
        DataError::of(path, Fault::Kind { want, got })
    })?;
    let lines = text.lines().zip(1u32..);
    let lines = lines.filter(|(l, _)| !l.trim().is_empty());
    Ok(lines.map(|(l, n)| (n, l.trim().to_owned())).collect())
}
