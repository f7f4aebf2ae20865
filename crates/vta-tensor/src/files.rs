//! Files to be read: what is opened never waits for ever.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;

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
    File::open(path)
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
