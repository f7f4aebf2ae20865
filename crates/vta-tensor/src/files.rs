//! Files to be read: what is opened never waits for ever.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What was opened since [`note`], where that was called.
static OPENED: Mutex<Option<Vec<PathBuf>>> = Mutex::new(None);

/// From now on what is opened is noted, by all threads: also what a file names
/// inside, and nobody has given.
pub fn note() {
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    opened.get_or_insert_default();
}

/// What was opened since [`note`].
pub fn noted() -> Vec<PathBuf> {
    let opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    opened.clone().unwrap_or_default()
}

/// Opens a file to be read: a regular one, a device, or a pipe that is open
/// already (`/dev/stdin`).
///
/// # Errors
/// The system refuses, or the path is a named pipe: it may be that nobody ever
/// writes to it, and then to open it waits for ever without a word.
pub fn open(path: &Path) -> io::Result<File> {
    let metadata = fs::metadata(path)?;
    // A pipe without a name is `/dev/stdin` or `/dev/fd/N`.
    if is_pipe(&metadata) && fs::canonicalize(path).is_ok() {
        return Err(named_pipe());
    }
    let file = File::open(path)?;
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(opened) = &mut *opened {
        opened.push(path.to_owned());
    }
    Ok(file)
}

/// Whether it is a pipe.
pub fn is_pipe(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        metadata.file_type().is_fifo()
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        false
    }
}

/// What is said of a named pipe.
pub fn named_pipe() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a named pipe, not a file")
}
