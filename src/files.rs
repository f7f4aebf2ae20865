//! Files in, with a bound on their length; files and folders out, never where
//! something is read or another run writes.

use crate::Error;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use vta_program::program::atomic::{FOLDER_LOCK, Lock, Made, lock_beside};
use vta_tensor::files::open;
pub use vta_tensor::files::{note, noted};

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// The file cannot be read or is longer.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let error = |e| Error::file(path, e);
    let mut bytes = Vec::new();
    open(path)
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

/// A folder that this run alone fills, file by file, until the value goes.
///
/// The lock is the file `.vta.lock` in the folder; the system takes it back
/// when the run ends, however it ends. Folders that appear whole have a lock of
/// their own (`AtomicFolder`), which is respected.
#[derive(Debug)]
pub struct FolderLock {
    // Goes before the folder does.
    _lock: Lock,
    _made: Made,
}

impl FolderLock {
    /// Takes a folder, which is made if it is not there.
    ///
    /// # Errors
    /// Another run writes there (the message has its process); the folder
    /// cannot be made or written.
    pub fn take(dir: &Path) -> Result<Self, Error> {
        let error = |e| Error::file(dir, e);
        if dir.exists() && !dir.is_dir() {
            return Err(error(std::io::ErrorKind::NotADirectory.into()));
        }
        let made = Made::folder(dir).map_err(error)?;
        if let Ok(beside) = lock_beside(dir) {
            Lock::free(&beside).map_err(error)?;
        }
        Ok(Self {
            _lock: Lock::take(&dir.join(FOLDER_LOCK)).map_err(error)?,
            _made: made,
        })
    }
}

/// Refuses a folder that another run is filling: it is not complete.
///
/// # Errors
/// There is such a run.
pub fn not_being_written(dir: &Path) -> Result<(), Error> {
    Lock::free(&dir.join(FOLDER_LOCK)).map_err(|e| Error::file(dir, e))
}

/// Refuses outputs that are inputs, or each other: under whatever name, by
/// links too. An output in a folder that is an input is refused as well, since
/// it may be a file of it, or become one. Devices and pipes are not files.
///
/// # Errors
/// The first two that are one, both named.
pub fn distinct<'o, 'i>(
    outputs: impl IntoIterator<Item = &'o Path>,
    inputs: impl IntoIterator<Item = &'i Path>,
) -> Result<(), Error> {
    // What is not there is not overwritten.
    let inputs = inputs.into_iter().filter(|p| p.exists());
    let inputs: Vec<(&Path, Place)> = inputs.map(|p| (p, Place::of(p))).collect();
    let mut before: Vec<(&Path, Place)> = Vec::new();
    for output in outputs {
        let place = Place::of(output);
        if place.device {
            continue;
        }
        if let Some((input, at)) = inputs.iter().find(|(_, at)| place.meets(at)) {
            return Err(Error::OutputIsInput {
                output: output.to_owned(),
                input: (*input).to_owned(),
                inside: at.folder,
            });
        }
        if let Some((other, _)) = before.iter().find(|(_, at)| place.is(at)) {
            return Err(Error::OutputTwice {
                first: (*other).to_owned(),
                second: output.to_owned(),
            });
        }
        before.push((output, place));
    }
    Ok(())
}

/// Where a path leads.
#[derive(Debug)]
struct Place {
    /// Without links and dots, as far as it is there.
    path: PathBuf,
    /// The file itself, where it is there and the system has such numbers.
    file: Option<(u64, u64)>,
    folder: bool,
    device: bool,
}

impl Place {
    fn of(path: &Path) -> Self {
        let metadata = fs::metadata(path).ok();
        let folder = metadata.as_ref().is_some_and(fs::Metadata::is_dir);
        let device = metadata
            .as_ref()
            .is_some_and(|m| !m.is_file() && !m.is_dir());
        #[cfg(unix)]
        let file = {
            use std::os::unix::fs::MetadataExt;
            metadata.map(|m| (m.dev(), m.ino()))
        };
        #[cfg(not(unix))]
        let file = None;
        Self {
            path: real(path),
            file,
            folder,
            device,
        }
    }

    /// Whether both are one file or folder.
    fn is(&self, other: &Self) -> bool {
        self.path == other.path || (self.file.is_some() && self.file == other.file)
    }

    /// Whether an output here would touch an input there.
    fn meets(&self, input: &Self) -> bool {
        self.is(input) || (input.folder && self.path.starts_with(&input.path))
    }
}

/// A path without links and dots; what is not there yet keeps its name.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for base in absolute.ancestors() {
        if let (Ok(real), Ok(rest)) = (fs::canonicalize(base), absolute.strip_prefix(base)) {
            return real.join(rest);
        }
    }
    absolute
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_of_one_run() {
        let dir = tempfile::tempdir().expect("a folder");
        let out = dir.path().join("a/b");
        let lock = FolderLock::take(&out).expect("it is free");
        let refused = FolderLock::take(&out).expect_err("it is taken").to_string();
        let pid = std::process::id();
        assert_eq!(
            refused,
            format!("{}: another run writes there, process {pid}", out.display())
        );
        drop(lock);
        assert!(
            !dir.path().join("a").exists(),
            "what nothing was put into goes"
        );
        let lock = FolderLock::take(&out).expect("it is free");
        fs::write(out.join("x"), "").expect("a file");
        drop(lock);
        let left: Vec<_> = fs::read_dir(&out).expect("it stays").flatten().collect();
        assert_eq!(left.len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn one_file_by_many_names() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("sub")).expect("a folder");
        fs::write(at("in"), "").expect("a file");
        fs::write(at("other"), "").expect("a file");
        fs::hard_link(at("in"), at("hard")).expect("a link");
        symlink("in", at("soft")).expect("a link");
        symlink("sub", at("way")).expect("a link");
        symlink("nowhere", at("dangling")).expect("a link");
        let check = |out: &str, input: &str| {
            let (out, input) = (at(out), at(input));
            distinct([&*out], [&*input])
        };
        for (out, input) in [
            ("in", "in"),
            ("./in", "in"),
            ("sub/../in", "in"),
            ("way/../in", "in"),
            ("hard", "in"),
            ("soft", "in"),
            ("in", "soft"),
            ("hard", "soft"),
            ("sub/new", "sub"),
            ("way/new", "sub"),
            ("sub/x/y", "way"),
            ("sub", "sub"),
        ] {
            let e = check(out, input).expect_err("they are one").to_string();
            assert!(e.contains(&at(out).display().to_string()), "{e}");
            assert!(e.contains(&at(input).display().to_string()), "{e}");
        }
        for (out, input) in [
            ("new", "in"),
            ("other", "in"),
            ("sub/in", "in"),
            ("subx", "sub"),
        ] {
            assert!(check(out, input).is_ok(), "{out} {input}");
        }
        let null = Path::new("/dev/null");
        assert!(distinct([null, null], [null]).is_ok());
        let (a, b) = (at("sub/n"), at("way/n"));
        assert!(matches!(
            distinct([&*a, &*b], []),
            Err(Error::OutputTwice { .. })
        ));
    }
}
