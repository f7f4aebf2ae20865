//! Files of rows: whole lines are added, nothing is changed.

use super::RowsError;
use super::point::Key;
use super::row::Row;
use crate::Error;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use vta_program::program::atomic::{Lock, lock_beside};

/// Longest line that is read, in bytes.
const MAX_LINE: u64 = 64 << 20;
/// Rows reach the disk at least so often, as long as some come.
const SYNC: Duration = Duration::from_secs(1);

/// Rows by their keys: in memory, or in a file that this run alone adds to until the
/// value goes.
///
/// A run that was killed may have left a part of a line at the end of a file: it is
/// removed. The file is made with its first row.
///
/// ```
/// use vta::rows::{Outcome, Point, Row, RowStore, read};
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("rows.jsonl");
/// let mut store = RowStore::open(&path)?;
/// let point = Point::new("cycles").with("density", 0.5);
/// assert!(!store.has(&point.key()));
/// let row = Row::new(point, Default::default(), Outcome::Result(Default::default()));
/// store.append(row.clone())?;
/// drop(store);
/// assert_eq!(read(&path)?, [row]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct RowStore {
    rows: Rows,
    target: Option<Target>,
}

/// A file that grows.
#[derive(Debug)]
struct Target {
    path: PathBuf,
    /// None before its first row.
    file: Option<File>,
    /// Bytes of whole rows.
    bytes: u64,
    synced: Instant,
    _lock: Lock,
}

impl RowStore {
    /// Takes a file, and reads what is in it. It need not be there yet. (The default is a
    /// store in memory.)
    ///
    /// # Errors
    /// Another run adds to it (the message has its process); something in it that is no
    /// row, with its line; the file cannot be read or written.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let error = |e| Error::file(path, e);
        let lock = Lock::take(&lock_beside(path).map_err(error)?).map_err(error)?;
        let mut target = Target {
            path: path.to_owned(),
            file: None,
            bytes: 0,
            synced: Instant::now(),
            _lock: lock,
        };
        let mut rows = Rows::default();
        if let Some((read, bytes)) = Rows::of(path)? {
            let mut options = File::options();
            let file = options.append(true).open(path).map_err(error)?;
            file.set_len(bytes).map_err(error)?;
            (target.file, target.bytes, rows) = (Some(file), bytes, read);
        }
        Ok(Self {
            rows,
            target: Some(target),
        })
    }

    /// Its rows, in order.
    pub fn rows(&self) -> &[Row] {
        &self.rows.all
    }

    /// Whether a point is there.
    pub fn has(&self, key: &Key) -> bool {
        self.rows.lines.contains_key(key)
    }

    /// The row of a point.
    pub fn get(&self, key: &Key) -> Option<&Row> {
        let (at, _) = self.rows.lines.get(key)?;
        self.rows.all.get(*at)
    }

    /// Adds a row: a whole line or, if that fails, nothing. A point that is there is not
    /// added again; then the result is false.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&mut self, row: Row) -> Result<bool, Error> {
        if self.has(row.key()) {
            return Ok(false);
        }
        if let Some(target) = &mut self.target {
            let put = target.put(&row);
            put.map_err(|e| Error::file(&target.path, e))?;
        }
        self.rows.add(row);
        Ok(true)
    }

    /// Brings all rows to the disk. What is killed loses none without it; a machine that
    /// loses its power may.
    ///
    /// # Errors
    /// The system refuses.
    pub fn sync(&mut self) -> Result<(), Error> {
        let Some(target) = &self.target else {
            return Ok(());
        };
        let done = target.file.as_ref().map_or(Ok(()), File::sync_data);
        done.map_err(|e| Error::file(&target.path, e))
    }
}

impl Target {
    fn put(&mut self, row: &Row) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let mut options = File::options();
                none.insert(options.append(true).create_new(true).open(&self.path)?)
            }
        };
        let line = row.to_line() + "\n";
        if let Err(e) = file.write_all(line.as_bytes()) {
            // What went in before a disk was full. If it stays, the next run removes it.
            let _ = file.set_len(self.bytes);
            return Err(e);
        }
        self.bytes += line.len() as u64;
        if self.synced.elapsed() >= SYNC {
            file.sync_data()?;
            self.synced = Instant::now();
        }
        Ok(())
    }
}

impl Drop for RowStore {
    fn drop(&mut self) {
        // Who wants to know calls `sync`.
        let _ = self.sync();
    }
}

/// The rows of a file, in order, each point once. A part of a line at its end is of a
/// run that goes on, or was killed: it is left out.
///
/// # Errors
/// Something that is no row, with its line; the file cannot be read.
pub fn read(path: &Path) -> Result<Vec<Row>, Error> {
    match Rows::of(path)? {
        Some((rows, _)) => Ok(rows.all),
        None => Err(Error::file(path, io::ErrorKind::NotFound.into())),
    }
}

/// Rows, and where they are found.
#[derive(Debug, Default)]
struct Rows {
    all: Vec<Row>,
    /// By key: the row's place in the list, and its line.
    lines: HashMap<Key, (usize, usize)>,
}

impl Rows {
    /// Those of a file and the bytes of its whole lines; none if there is no file.
    fn of(path: &Path) -> Result<Option<(Self, u64)>, Error> {
        let error = |e| Error::file(path, e);
        let wrong = |e: RowsError| Error::from(e).of(path);
        match fs::metadata(path) {
            Ok(m) if !m.is_file() => return Err(wrong(RowsError::NotAFile)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(error(e)),
            Ok(_) => {}
        }
        let mut file = BufReader::new(File::open(path).map_err(error)?);
        let (mut rows, mut bytes) = (Self::default(), 0);
        let mut text = Vec::new();
        for line in 1.. {
            let not_a_row = |what: String| wrong(RowsError::NotARow { line, what });
            text.clear();
            let mut part = file.by_ref().take(MAX_LINE);
            let n = part.read_until(b'\n', &mut text).map_err(error)?;
            let Some(whole) = text.strip_suffix(b"\n") else {
                if !is_torn(&text) {
                    return Err(not_a_row("its end is missing".into()));
                }
                break;
            };
            let whole = std::str::from_utf8(whole).map_err(|e| not_a_row(e.to_string()))?;
            let row = Row::from_line(whole).map_err(not_a_row)?;
            rows.read(row, line).map_err(wrong)?;
            bytes += n as u64;
        }
        Ok(Some((rows, bytes)))
    }

    /// Takes a row of a line.
    fn read(&mut self, row: Row, line: usize) -> Result<(), RowsError> {
        let Some((at, first)) = self.lines.get(row.key()) else {
            self.lines.insert(row.key().clone(), (self.all.len(), line));
            self.all.push(row);
            return Ok(());
        };
        // As after files of several runs were put together.
        match self.all.get(*at).is_some_and(|r| r.outcome == row.outcome) {
            true => Ok(()),
            false => Err(RowsError::Contradiction {
                first: *first,
                line,
                key: row.key().to_string(),
            }),
        }
    }

    /// Takes a row that was added.
    fn add(&mut self, row: Row) {
        let line = self.all.len() + 1;
        self.lines.insert(row.key().clone(), (self.all.len(), line));
        self.all.push(row);
    }
}

/// Whether these last bytes without an end can be the begin of a row: what is none is
/// not removed. An empty text is one.
fn is_torn(text: &[u8]) -> bool {
    let begin = Row::BEGIN.as_bytes();
    let (head, rest) = text.split_at(text.len().min(begin.len()));
    let digits = &rest[..rest.len().min(Key::DIGITS)];
    let is_digit = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
    begin.starts_with(head) && digits.iter().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{Outcome, Point};

    fn row(n: u64, cycles: u64) -> Row {
        let result = [("cycles".to_owned(), cycles.into())];
        let point = Point::new("test").with("n", n);
        let outcome = Outcome::Result(result.into_iter().collect());
        Row::new(point, Default::default(), outcome)
    }

    fn text(rows: &[Row]) -> String {
        rows.iter().map(|r| r.to_line() + "\n").collect()
    }

    #[test]
    fn a_torn_line_is_removed_wherever_it_is_torn() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("rows");
        let (two, third) = (text(&[row(1, 10), row(2, 20)]), text(&[row(3, 30)]));
        for end in 0..third.len() {
            fs::write(&path, format!("{two}{}", &third[..end])).expect("a file");
            assert_eq!(read(&path).expect("rows"), [row(1, 10), row(2, 20)]);
            let mut file = RowStore::open(&path).expect("rows");
            assert!(file.has(row(2, 0).key()) && !file.has(row(3, 0).key()));
            assert!(file.append(row(3, 30)).expect("it is added"));
            assert!(!file.append(row(3, 30)).expect("it is there"));
            assert_eq!(file.get(row(3, 0).key()), Some(&row(3, 30)));
            drop(file);
            let now = fs::read_to_string(&path).expect("a file");
            assert_eq!(now, format!("{two}{third}"), "torn after {end} bytes");
        }
    }

    #[test]
    fn what_is_no_row_is_refused_and_stays_as_it_is() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("rows");
        let one = text(&[row(1, 10)]);
        let other = one.replace("\"n\":1", "\"n\":2");
        for (bytes, line) in [
            ("hello".to_owned(), 1),
            ("hello\n".to_owned(), 1),
            ("{\"a\": 1}".to_owned(), 1),
            (format!("{one}\n{one}"), 2),
            (format!("{one}{other}"), 2),
            (format!("{one}{}", &one[1..]), 2),
            (format!("{one}{{\"key\":\"xyz"), 2),
            ("\u{feff}".to_owned(), 1),
        ] {
            fs::write(&path, &bytes).expect("a file");
            for e in [
                read(&path).map(drop).expect_err("no rows"),
                RowStore::open(&path).map(drop).expect_err("no rows"),
            ] {
                let e = e.to_string();
                let place = format!("{}: line {line}: ", path.display());
                assert!(e.starts_with(&place), "{e}");
            }
            assert_eq!(fs::read(&path).expect("a file"), bytes.as_bytes());
        }
        let e = RowStore::open(dir.path()).map(drop).expect_err("a folder");
        assert!(e.to_string().contains("not a file"), "{e}");
        assert!(read(&dir.path().join("none")).is_err());
    }

    #[test]
    fn one_run_adds_and_a_file_appears_with_its_first_row() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("rows");
        let mut file = RowStore::open(&path).expect("a place for rows");
        let busy = RowStore::open(&path).map(drop).expect_err("it is taken");
        assert!(busy.to_string().contains("another run"), "{busy}");
        assert!(!path.exists());
        file.append(row(1, 10)).expect("it is added");
        // Who only reads is not refused.
        assert_eq!(read(&path).expect("rows").len(), 1);
        drop(file);
        let mut left = fs::read_dir(dir.path()).expect("a folder");
        assert_eq!(left.by_ref().count(), 1, "the lock is gone");
        assert!(RowStore::open(&path).is_ok());
    }

    #[test]
    fn files_that_were_put_together_have_each_point_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("rows");
        let all = [row(1, 10), row(2, 20), row(1, 10)];
        fs::write(&path, text(&all)).expect("a file");
        assert_eq!(read(&path).expect("rows"), [row(1, 10), row(2, 20)]);
        fs::write(&path, text(&[row(1, 10), row(2, 20), row(1, 11)])).expect("a file");
        let e = read(&path).expect_err("they contradict each other");
        assert!(e.to_string().contains("lines 1 and 3"), "{e}");
    }
}
