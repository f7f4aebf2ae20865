//! IDX files, the form of the MNIST family, plain or gzip.

use super::files::{MAX_FILE_BYTES, first_of, read_plain};
use super::{DataError, Dataset, Fault, Files, Image, Sample};
use std::path::Path;

/// An array of bytes: two zeros, 8 for bytes, the number of axes, then each
/// length as a big-endian word. The lengths must fit the file.
fn array<'a>(
    bytes: &'a [u8],
    axes: usize,
    want: &'static str,
) -> Result<(Vec<usize>, &'a [u8]), Fault> {
    let kind = |got: String| Fault::Kind { want, got };
    let head = 4 + 4 * axes;
    if bytes.len() < head {
        return Err(kind(format!("{} bytes", bytes.len())));
    }
    if bytes[..4] != [0, 0, 8, axes as u8] {
        let [a, b, c, d] = [bytes[0], bytes[1], bytes[2], bytes[3]];
        return Err(kind(format!(
            "it starts with {a:02x} {b:02x} {c:02x} {d:02x}"
        )));
    }
    let word = |w: &[u8]| w.iter().fold(0usize, |n, b| (n << 8) | usize::from(*b));
    let dims: Vec<usize> = bytes[4..head].chunks_exact(4).map(word).collect();
    let product = dims.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
    let data = &bytes[head..];
    if product != Some(data.len()) {
        return Err(Fault::Length {
            got: data.len() as u64,
            want: format!("its head says {dims:?}"),
        });
    }
    Ok((dims, data))
}

/// Reads images and their labels.
///
/// # Errors
/// A file that cannot be read or is not IDX, sizes that do not fit the files,
/// not as many labels as images.
pub fn read(
    files: &dyn Files,
    images: &Path,
    labels: &Path,
) -> Result<Vec<Sample<u16>>, DataError> {
    let bytes = read_plain(files, images, MAX_FILE_BYTES)?;
    let at = |e: Fault| DataError::of(images, e);
    let (dims, pixels) = array(&bytes, 3, "an IDX file of images").map_err(at)?;
    let (n, h, w) = (dims[0], dims[1], dims[2]);
    if n == 0 {
        return Err(at(Fault::Empty("images")));
    }
    let size = Image::check(1, h, w).map_err(at)?;
    let bytes = read_plain(files, labels, MAX_FILE_BYTES)?;
    let of = |e: Fault| DataError::of(labels, e);
    let (_, classes) = array(&bytes, 1, "an IDX file of labels").map_err(of)?;
    if classes.len() != n {
        return Err(of(Fault::Labels {
            labels: classes.len() as u64,
            images: n as u64,
        }));
    }
    let sample = |(pixels, class): (&[u8], &u8)| {
        let image = Image::new(1, h, w, pixels.to_vec())?;
        let label = u16::from(*class);
        Ok(Sample { image, label })
    };
    let samples = pixels.chunks_exact(size).zip(classes).map(sample);
    samples.collect::<Result<_, _>>().map_err(at)
}

/// Names of a file of images or labels; a dot instead of the last dash is also seen.
fn names(part: &str, what: &str, axes: u8) -> [String; 2] {
    [
        format!("{part}-{what}-idx{axes}-ubyte"),
        format!("{part}-{what}.idx{axes}-ubyte"),
    ]
}

fn find(
    files: &dyn Files,
    dir: &Path,
    part: &str,
    what: &str,
    axes: u8,
) -> Option<std::path::PathBuf> {
    let [a, b] = names(part, what, axes);
    first_of(files, dir, &[&a, &b])
}

/// Whether a folder looks like one of IDX files.
pub(crate) fn is(files: &dyn Files, dir: &Path) -> bool {
    find(files, dir, "train", "images", 3).is_some()
}

/// Reads a folder: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the
/// same with `t10k`, the images to measure with; each may end in `.gz`.
///
/// Classes are numbers, from 0 to the largest that is trained with.
///
/// # Errors
/// As [`read`]; a file that is missing; images of another size, or a class that
/// is not trained with, among those to measure with.
pub fn dataset(files: &dyn Files, dir: &Path) -> Result<Dataset<u16>, DataError> {
    let pair = |part: &str| {
        let path = |what, axes| {
            // Where there is none, reading says so with the usual name.
            let usual = || dir.join(&names(part, what, axes)[0]);
            find(files, dir, part, what, axes).unwrap_or_else(usual)
        };
        (path("images", 3), path("labels", 1))
    };
    let (images, labels) = pair("train");
    let train = read(files, &images, &labels)?;
    let classes = train.iter().map(|s| usize::from(s.label) + 1).max();
    let classes = classes.unwrap_or(0);
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let mut set = Dataset::new(name, (0..classes).map(|c| c.to_string()).collect());
    let dims = train[0].image.dims();
    set.train = train;
    let (images, labels) = pair("t10k");
    if files.is_file(&images) {
        let test = read(files, &images, &labels)?;
        if test[0].image.dims() != dims {
            let fault = Fault::Size {
                got: test[0].image.dims(),
                why: "those to train with are",
                want: dims,
            };
            return Err(DataError::of(&images, fault));
        }
        let wrong = test.iter().position(|s| usize::from(s.label) >= classes);
        if let Some(record) = wrong {
            let fault = Fault::Class {
                record: record as u64,
                class: test[record].label.into(),
                classes: classes as u64,
            };
            return Err(DataError::of(&labels, fault));
        }
        set.test = test;
    }
    Ok(set)
}
