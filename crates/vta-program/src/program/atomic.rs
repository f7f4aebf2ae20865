//! Files and folders that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file being written: it takes its name when it is committed, and leaves
/// nothing behind when it is dropped before.
///
/// A path that names a device or a pipe is written to directly.
#[derive(Debug)]
pub struct AtomicFile(Inner);

#[derive(Debug)]
enum Inner {
    New(tempfile::NamedTempFile, PathBuf),
    Device(File),
}

impl AtomicFile {
    /// Starts a file that will be at `path`.
    ///
    /// # Errors
    /// The folder does not exist or cannot be written, or `path` is a folder.
    pub fn create(path: &Path) -> io::Result<Self> {
        // A link keeps pointing at the file that is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        match fs::metadata(&path) {
            Ok(m) if m.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(m) if !m.is_file() => {
                let device = File::options().write(true).open(&path)?;
                return Ok(Self(Inner::Device(device)));
            }
            _ => {}
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".vta-").suffix(".tmp");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder_of(&path))?;
        Ok(Self(Inner::New(file, path)))
    }

    /// Puts the file in its place, over what was there.
    ///
    /// # Errors
    /// The system refuses; the place is then as before.
    pub fn commit(self) -> io::Result<()> {
        match self.0 {
            Inner::New(file, path) => {
                file.as_file().sync_all()?;
                file.persist(path).map_err(|e| e.error)?;
                Ok(())
            }
            Inner::Device(mut file) => file.flush(),
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::New(file, _) => file.write(bytes),
            Inner::Device(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Inner::New(file, _) => file.flush(),
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
    path: PathBuf,
}

impl AtomicFolder {
    const INSIDE: &str = "folder";

    /// Starts a folder that will be at `path`.
    ///
    /// # Errors
    /// There is something at `path` that is not an empty folder, or the folder
    /// around it does not exist or cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        match fs::read_dir(path) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(io::ErrorKind::DirectoryNotEmpty.into());
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        let temporary = tempfile::Builder::new()
            .prefix(".vta-")
            .suffix(".tmp")
            .tempdir_in(folder_of(path))?;
        // The folder inside has the usual permissions; the one around it is private.
        fs::create_dir(temporary.path().join(Self::INSIDE))?;
        Ok(Self {
            temporary,
            path: path.to_owned(),
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
        fs::rename(self.path(), &self.path)?;
        self.temporary.close()
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    }
}
