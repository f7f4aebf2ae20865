//! CIFAR-10 and CIFAR-100 in their binary form, plain or gzip.

use super::files::{MAX_FILE_BYTES, first_of, read_lines, read_plain};
use super::{DataError, Dataset, Fault, Files, Image, Sample};
use std::path::Path;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cifar {
    /// A byte with the class, then the image.
    Ten,
    /// A byte with one of 20 superclasses, a byte with the class, then the image.
    Hundred,
}

/// Names of the classes of CIFAR-10.
pub const TEN: [&str; 10] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];

/// Sides and planes of an image.
const DIMS: [usize; 3] = [3, 32, 32];
/// Bytes of an image: red, green, blue planes of 32 x 32.
const IMAGE: usize = DIMS[0] * DIMS[1] * DIMS[2];

impl Cifar {
    /// Bytes before the image; the last one is the class.
    const fn labels(self) -> usize {
        match self {
            Self::Ten => 1,
            Self::Hundred => 2,
        }
    }
}

/// Reads one file of records, plain or gzip, which its content says.
///
/// # Errors
/// A file that cannot be read, is empty, holds no whole number of records, or a
/// class that is not below `classes`.
pub fn read(
    files: &dyn Files,
    path: &Path,
    kind: Cifar,
    classes: usize,
) -> Result<Vec<Sample<u16>>, DataError> {
    read_first(files, path, kind, classes, usize::MAX)
}

/// As [`read`], but at most `limit` records, the first ones.
///
/// # Errors
/// As [`read`]; records after those may have any class.
pub fn read_first(
    files: &dyn Files,
    path: &Path,
    kind: Cifar,
    classes: usize,
    limit: usize,
) -> Result<Vec<Sample<u16>>, DataError> {
    let bytes = read_plain(files, path, MAX_FILE_BYTES)?;
    let record = kind.labels() + IMAGE;
    if bytes.is_empty() {
        return Err(DataError::of(path, Fault::Empty("records")));
    }
    if !bytes.len().is_multiple_of(record) {
        let (bytes, record) = (bytes.len() as u64, record as u64);
        return Err(DataError::of(path, Fault::CifarRecords { bytes, record }));
    }
    let sample = |(n, r): (usize, &[u8])| {
        let (head, pixels) = r.split_at(kind.labels());
        let class = head[kind.labels() - 1];
        if usize::from(class) >= classes {
            return Err(Fault::Class {
                record: n as u64,
                class: class.into(),
                classes: classes as u64,
            });
        }
        let [planes, height, width] = DIMS;
        let image = Image::new(planes, height, width, pixels.to_vec())?;
        let label = class.into();
        Ok(Sample { image, label })
    };
    let records = bytes.chunks_exact(record).take(limit);
    records
        .enumerate()
        .map(sample)
        .collect::<Result<_, _>>()
        .map_err(|e| DataError::of(path, e))
}

/// Whether a folder looks like one of CIFAR files.
pub(crate) fn is(files: &dyn Files, dir: &Path) -> bool {
    first_of(files, dir, &["train.bin", "data_batch_1.bin"]).is_some()
}

/// Reads a folder: `train.bin` and `test.bin`, or `data_batch_1.bin` to
/// `data_batch_5.bin` and `test_batch.bin`; each may end in `.gz`.
///
/// Names of classes are those of `batches.meta.txt` or `fine_label_names.txt`
/// if there is one; with the latter it is CIFAR-100. The test file may be missing.
///
/// # Errors
/// As [`read`]; no file to train with; a number of names that does not fit.
pub fn dataset(files: &dyn Files, dir: &Path) -> Result<Dataset<u16>, DataError> {
    let names = |file: &str| {
        let path = dir.join(file);
        let there = files.is_file(&path);
        there.then(|| {
            let lines = read_lines(files, &path, 1 << 20)?;
            Ok::<_, DataError>((path, lines.into_iter().map(|l| l.1).collect::<Vec<_>>()))
        })
    };
    let (kind, classes) = match names("fine_label_names.txt").transpose()? {
        Some((path, classes)) => {
            check_names(&path, &classes, 100)?;
            (Cifar::Hundred, classes)
        }
        None => match names("batches.meta.txt").transpose()? {
            Some((path, classes)) => {
                check_names(&path, &classes, 10)?;
                (Cifar::Ten, classes)
            }
            None => (Cifar::Ten, TEN.map(str::to_owned).to_vec()),
        },
    };
    let n = classes.len();
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let mut set = Dataset::new(name, classes);
    let train = match first_of(files, dir, &["train.bin"]) {
        Some(one) => vec![one],
        None => (1..=5)
            .filter_map(|i| first_of(files, dir, &[&format!("data_batch_{i}.bin")]))
            .collect(),
    };
    if train.is_empty() {
        return Err(DataError::of(dir, Fault::Empty("train.bin")));
    }
    for path in train {
        set.train.extend(read(files, &path, kind, n)?);
    }
    if let Some(path) = first_of(files, dir, &["test.bin", "test_batch.bin"]) {
        set.test = read(files, &path, kind, n)?;
    }
    Ok(set)
}

fn check_names(path: &Path, names: &[String], want: u64) -> Result<(), DataError> {
    if names.len() as u64 == want {
        return Ok(());
    }
    let got = names.len();
    let fault = Fault::Request(format!("{got} names of classes, not {want}"));
    Err(DataError::of(path, fault))
}
