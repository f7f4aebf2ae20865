//! Files and folders that appear whole or not at all.
//!
//! Until then they are temporaries beside their place (`.vta-PID-XXXXXX.tmp`).
//! An end of the process from outside removes them ([`abandon`]); those of a
//! process that was killed are removed by the next one that writes there.

mod temporary;

pub use temporary::{Abandoned, FOLDER_LOCK, Lock, Made, abandon};

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use temporary::{Live, live};

/// A file being written: it takes its name when it is committed, and leaves
/// nothing behind when it is dropped before.
///
/// A path that names a device, or a pipe that is open already (`/dev/stdout`),
/// is written to directly.
#[derive(Debug)]
pub struct AtomicFile(Inner);

#[derive(Debug)]
enum Inner {
    New {
        file: tempfile::NamedTempFile,
        live: Live,
        path: PathBuf,
    },
    Device(File),
}

impl AtomicFile {
    /// Starts a file that will be at `path`.
    ///
    /// # Errors
    /// The folder does not exist or cannot be written, or `path` is a folder or
    /// a named pipe: what goes into a pipe is never whole, and it may be that
    /// nobody reads it.
    pub fn create(path: &Path) -> io::Result<Self> {
        // A link keeps pointing at the file that is replaced.
        let real = fs::canonicalize(path);
        let named = real.is_ok();
        let path = real.unwrap_or_else(|_| path.to_owned());
        match fs::metadata(&path) {
            Ok(m) if m.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            // A pipe without a name is `/dev/stdout` or `/dev/fd/N`.
            Ok(m) if named && vta_tensor::files::is_pipe(&m) => {
                return Err(vta_tensor::files::named_pipe());
            }
            Ok(m) if !m.is_file() => {
                let device = File::options().write(true).open(&path)?;
                return Ok(Self(Inner::Device(device)));
            }
            _ => {}
        }
        let (file, live) = temporary::file(folder_of(&path))?;
        Ok(Self(Inner::New { file, live, path }))
    }

    /// Puts the file in its place, over what was there.
    ///
    /// # Errors
    /// The system refuses; the place is then as before.
    pub fn commit(self) -> io::Result<()> {
        match self.0 {
            Inner::New { file, live, path } => {
                file.as_file().sync_all()?;
                let all = temporary::live();
                let done = file.persist(path).map_err(|e| e.error);
                drop(all);
                drop(live);
                done.map(drop)
            }
            Inner::Device(mut file) => file.flush(),
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            // The file itself: errors name no temporary.
            Inner::New { file, .. } => file.as_file_mut().write(bytes),
            Inner::Device(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Inner::New { file, .. } => file.as_file_mut().flush(),
            Inner::Device(file) => file.flush(),
        }
    }
}

/// Writes a whole file.
///
/// # Errors
/// The system refuses; the place is then as before.
pub fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)?;
    file.commit()
}

/// A folder being filled: it takes its name when it is committed, and leaves
/// nothing behind when it is dropped before.
#[derive(Debug)]
pub struct AtomicFolder {
    temporary: tempfile::TempDir,
    /// Says that the temporary is in use.
    _inner: File,
    live: Live,
    path: PathBuf,
    /// Keeps other runs from the same place.
    _lock: Lock,
}

impl AtomicFolder {
    const INSIDE: &str = "folder";

    /// Starts a folder that will be at `path`.
    ///
    /// # Errors
    /// There is something at `path` that is not an empty folder, it is the current
    /// folder or one around it, another run is
    /// filling it ([`io::ErrorKind::ResourceBusy`]), or the folder around it
    /// does not exist or cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        // It would be another folder than the one that whoever is in it sees.
        let (real, current) = (fs::canonicalize(path), std::env::current_dir());
        if real.is_ok_and(|real| current.is_ok_and(|current| current.starts_with(real))) {
            let what = "the folder that the command runs in, or one around it, cannot be replaced";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let lock = Lock::take(&lock_beside(path)?)?;
        temporary::sweep(path);
        match fs::read_dir(path) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    Lock::free(&path.join(FOLDER_LOCK))?;
                    return Err(io::ErrorKind::DirectoryNotEmpty.into());
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        let (temporary, inner, live) = temporary::folder(folder_of(path))?;
        // The folder inside has the usual permissions; the one around it is private.
        fs::create_dir(temporary.path().join(Self::INSIDE))?;
        Ok(Self {
            temporary,
            _inner: inner,
            live,
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Where to put files until then.
    pub fn path(&self) -> PathBuf {
        self.temporary.path().join(Self::INSIDE)
    }

    /// Puts the folder in its place.
    ///
    /// # Errors
    /// The system refuses; the place is then as before.
    pub fn commit(self) -> io::Result<()> {
        let all = live();
        let done = fs::rename(self.path(), &self.path);
        drop(all);
        // With its lock, which was the last in it.
        let closed = self.temporary.close();
        drop(self.live);
        done.and(closed)
    }
}

/// The lock of a folder that appears whole: beside it, since it is not there yet.
///
/// # Errors
/// The path has no name, as `/` and `..`.
pub fn lock_beside(path: &Path) -> io::Result<PathBuf> {
    // A folder that is there by its own name, not by that of a link or of `.`.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let Some(name) = path.file_name() else {
        let what = "a folder without a name";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    };
    let mut lock = OsString::from(".vta-");
    lock.push(name);
    lock.push(".lock");
    Ok(folder_of(&path).join(lock))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    }
}
