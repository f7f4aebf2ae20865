//! Files and folders with names of their own, until they get their place.
//!
//! A temporary is called `.vta-PID-XXXXXX.tmp`, a lock `.vta-NAME.lock` or
//! `.vta.lock`. Whoever makes one holds an advisory lock on it (`flock`), which
//! the system takes back when the process ends, however it ends. So what is not
//! locked belongs to a run that was killed, and the next run that writes into
//! the folder removes it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What this process has made that goes if it ends now.
static LIVE: Mutex<Paths> = Mutex::new(BTreeMap::new());
/// Folders in which this process has looked for what killed runs left.
static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A temporary file, or a lock.
    File,
    /// A temporary folder, with all that is in it.
    Folder,
    /// A folder that goes only if nothing is in it.
    Empty,
}

type Paths = BTreeMap<PathBuf, Kind>;

/// The lock in a folder that several commands fill file by file.
pub const FOLDER_LOCK: &str = ".vta.lock";
/// The lock in a temporary folder.
const INNER_LOCK: &str = "lock";

pub(super) fn live() -> MutexGuard<'static, Paths> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps every writer of this process where it is: see [`abandon`].
#[derive(Debug)]
pub struct Abandoned(#[allow(dead_code)] MutexGuard<'static, Paths>);

/// Removes every temporary of this process, for an end from outside: nothing
/// begins to be written, and nothing takes its place, as long as the result lives.
pub fn abandon() -> Abandoned {
    let mut live = live();
    let all = std::mem::take(&mut *live);
    // What is inside a folder goes before it.
    for (path, kind) in all.iter().rev() {
        let _ = match kind {
            Kind::File => fs::remove_file(path),
            Kind::Folder => fs::remove_dir_all(path),
            Kind::Empty => fs::remove_dir(path),
        };
    }
    Abandoned(live)
}

/// A temporary that this process has; not any more when it is dropped.
#[derive(Debug)]
pub(super) struct Live(PathBuf);

impl Live {
    /// With the list of all, held since before the temporary was made.
    fn new(path: &Path, kind: Kind, live: &mut Paths) -> Self {
        // Another folder may be the current one later.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        live.insert(path.clone(), kind);
        Self(path)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        live().remove(&self.0);
    }
}

fn prefix() -> String {
    format!(".vta-{}-", std::process::id())
}

/// Whether a name is one of a temporary or a lock.
fn is_ours(name: &OsStr) -> bool {
    let Some(rest) = name.to_str().and_then(|n| n.strip_prefix(".vta")) else {
        return false;
    };
    let temporary = || {
        let mut parts = rest.strip_suffix(".tmp")?.split('-');
        let (empty, pid, random) = (parts.next()?, parts.next()?, parts.next()?);
        let digits = !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit());
        let six = random.len() == 6 && random.bytes().all(|b| b.is_ascii_alphanumeric());
        (empty.is_empty() && digits && six && parts.next().is_none()).then_some(())
    };
    rest == ".lock" || (rest.starts_with('-') && rest.ends_with(".lock")) || temporary().is_some()
}

/// Whether an open file is still the one at a path.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let (Ok(open), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else {
            return false;
        };
        (open.dev(), open.ino()) == (there.dev(), there.ino())
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

/// Locks what this process has just made; file systems without locks do without.
fn hold(file: &File) {
    while let Err(e) = file.lock() {
        if e.kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}

/// Opens a lock, which nobody else may hold; none if somebody does.
fn lock(path: &Path) -> io::Result<Option<File>> {
    loop {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Interrupted => continue,
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        // Another run may have removed it between the two.
        if is_at(&file, path) {
            return Ok(Some(file));
        }
    }
}

/// Removes what runs that were killed have left in a folder, once for each folder.
pub(super) fn sweep(folder: &Path) {
    let Ok(folder) = fs::canonicalize(folder) else {
        return;
    };
    let mut swept = SWEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if !swept.insert(folder.clone()) {
        return;
    }
    drop(swept);
    // What cannot be seen or removed stays: it is in nobody's way.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|e| is_ours(&e.file_name())) {
        let _ = remove_unlocked(&entry.path());
    }
}

/// Removes a temporary or a lock that nobody holds.
fn remove_unlocked(path: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_dir() {
        if let Some(_held) = lock(&path.join(INNER_LOCK))? {
            fs::remove_dir_all(path)?;
        }
    } else if kind.is_file() {
        let file = File::options().read(true).write(true).open(path)?;
        if file.try_lock().is_ok() && is_at(&file, path) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// A new temporary file in a folder.
pub(super) fn file(folder: &Path) -> io::Result<(tempfile::NamedTempFile, Live)> {
    sweep(folder);
    let prefix = prefix();
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".tmp");
    loop {
        let mut all = live();
        // The system's own words, without the name of the temporary.
        let mut code = None;
        let file = builder.make_in(folder, |path| {
            let mut options = File::options();
            let made = options.read(true).write(true).create_new(true).open(path);
            made.inspect_err(|e| code = e.raw_os_error())
        });
        let file = file.map_err(|e| code.map_or(e, io::Error::from_raw_os_error))?;
        let live = Live::new(file.path(), Kind::File, &mut all);
        drop(all);
        hold(file.as_file());
        // Whoever looks for leftovers may have seen it before it was locked.
        if is_at(file.as_file(), file.path()) {
            return Ok((file, live));
        }
    }
}

/// A new temporary folder in a folder, and its lock.
pub(super) fn folder(folder: &Path) -> io::Result<(tempfile::TempDir, File, Live)> {
    sweep(folder);
    let prefix = prefix();
    loop {
        let mut all = live();
        let made = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(".tmp")
            .tempdir_in(folder)?;
        let live = Live::new(made.path(), Kind::Folder, &mut all);
        let path = made.path().join(INNER_LOCK);
        let options = File::options().write(true).create_new(true).open(&path);
        // Not before: a folder in which something appears cannot be removed.
        drop(all);
        match options {
            // Whoever looks for leftovers was here first, and is about to remove it.
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists
                ) => {}
            Err(e) => return Err(e),
            Ok(lock) => {
                hold(&lock);
                if is_at(&lock, &path) {
                    return Ok((made, lock, live));
                }
            }
        }
    }
}

/// Folders that were made for what is to come. Those in which nothing is go again.
#[derive(Debug)]
pub struct Made(Vec<Live>);

impl Made {
    /// Makes a folder, and those around it that are not there.
    ///
    /// # Errors
    /// The system refuses.
    pub fn folder(dir: &Path) -> io::Result<Self> {
        let missing = dir.ancestors().take_while(|d| !d.as_os_str().is_empty());
        let missing = missing.take_while(|d| fs::symlink_metadata(d).is_err());
        let mut all = live();
        let made = missing.map(|d| Live::new(d, Kind::Empty, &mut all));
        let made = Self(made.collect());
        drop(all);
        fs::create_dir_all(dir).map(|()| made)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // The innermost first.
        for live in &self.0 {
            let _ = fs::remove_dir(&live.0);
        }
    }
}

/// A lock that one run at a time holds: a file, which goes with the lock.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: Option<File>,
    _live: Live,
}

impl Lock {
    /// Takes the lock.
    ///
    /// # Errors
    /// Another run has it ([`io::ErrorKind::ResourceBusy`], with its process);
    /// the file cannot be made. Where the file system knows no locks there is
    /// no such refusal.
    pub fn take(path: &Path) -> io::Result<Self> {
        let mut all = live();
        let Some(mut file) = lock(path)? else {
            return Err(busy(path));
        };
        let live = Live::new(path, Kind::File, &mut all);
        drop(all);
        let pid = format!("{}\n", std::process::id());
        let put = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(pid.as_bytes())
        };
        let put = put(&mut file);
        let lock = Self {
            path: path.to_owned(),
            file: Some(file),
            _live: live,
        };
        put.map(|()| lock)
    }

    /// Refuses where another run has the lock; takes nothing.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn free(path: &Path) -> io::Result<()> {
        match File::open(path) {
            Ok(file) if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) => Err(busy(path)),
            _ => Ok(()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // First the name, then the lock: nobody takes a lock without a name.
        if self.file.as_ref().is_some_and(|f| is_at(f, &self.path)) {
            let _ = fs::remove_file(&self.path);
        }
        self.file = None;
    }
}

fn busy(path: &Path) -> io::Error {
    let pid = fs::read_to_string(path).unwrap_or_default();
    let pid: Option<u32> = pid.trim().parse().ok();
    let what = match pid {
        Some(pid) => format!("another run writes there, process {pid}"),
        None => "another run writes there".to_owned(),
    };
    io::Error::new(io::ErrorKind::ResourceBusy, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_temporaries_and_locks() {
        for ours in [
            ".vta-1-aB3xyz.tmp",
            ".vta.lock",
            ".vta-out.lock",
            ".vta-a b-c.lock",
        ] {
            assert!(is_ours(OsStr::new(ours)), "{ours}");
        }
        for not in [
            ".vta",
            ".vta-.tmp",
            ".vta-x-aB3xyz.tmp",
            ".vta-1-aB3xy.tmp",
            ".vta-1-aB3xyz-1.tmp",
            ".vtalock",
            ".vtax.lock",
            "vta.lock",
            ".vta-1-aB3x/z.tmp",
            "model.onnx",
        ] {
            assert!(!is_ours(OsStr::new(not)), "{not}");
        }
    }

    #[test]
    fn what_nobody_holds_is_removed_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().join(name);
        fs::write(at(".vta-1-abcdef.tmp"), "left").expect("a file");
        fs::create_dir_all(at(".vta-1-folder.tmp/folder")).expect("a folder");
        fs::write(at(".vta-1-folder.tmp/folder/model"), "left").expect("a file");
        fs::write(at(".vta-x.lock"), "1").expect("a file");
        fs::write(at(".vta-notes"), "mine").expect("a file");
        let held = File::create(at(".vta-2-abcdef.tmp")).expect("a file");
        held.lock().expect("a lock");
        let (mine, _lock, _live) = folder(dir.path()).expect("a folder");
        let mut left: Vec<_> = fs::read_dir(dir.path())
            .expect("a folder")
            .collect::<Result<Vec<_>, _>>()
            .expect("entries")
            .iter()
            .map(fs::DirEntry::file_name)
            .collect();
        left.sort();
        let mut kept = vec![
            ".vta-2-abcdef.tmp".into(),
            ".vta-notes".into(),
            mine.path().file_name().expect("a name").to_owned(),
        ];
        kept.sort();
        assert_eq!(left, kept);
    }

    #[test]
    fn one_run_has_a_lock() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(FOLDER_LOCK);
        let lock = Lock::take(&path).expect("it is free");
        let refused = Lock::take(&path).expect_err("it is held");
        assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
        assert!(
            refused
                .to_string()
                .ends_with(&format!("process {}", std::process::id()))
        );
        assert!(Lock::free(&path).is_err());
        drop(lock);
        assert!(!path.exists());
        assert!(Lock::free(&path).is_ok());
        // One that a killed run has left.
        fs::write(&path, "123456").expect("a file");
        drop(Lock::take(&path).expect("nobody holds it"));
        assert!(!path.exists());
    }
}
