//! Folders of images: a folder for each class.

use super::decode::decode;
use super::files::MAX_FILE_BYTES;
use super::{DataError, Dataset, Fault, Files, Fit, Image, Label, Sample, Split};
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// What images shall be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// 1 (grey) or 3 (colour).
    pub channels: usize,
    /// The size that is wanted.
    pub fit: Fit,
}

impl Default for Options {
    fn default() -> Self {
        let (channels, fit) = (3, Fit::Exact);
        Self { channels, fit }
    }
}

/// Most bytes of all images of a set.
const MAX_SET_BYTES: u64 = 16 << 30;
/// Images that are decoded before the sum of their bytes is looked at.
const CHUNK: usize = 256;
/// Ends of names that are images.
const ENDS: [&str; 5] = [".png", ".jpg", ".jpeg", ".ppm", ".pgm"];

/// Reads one image in the number of channels that is wanted.
pub(super) fn image(files: &dyn Files, path: &Path, channels: usize) -> Result<Image, DataError> {
    let bytes = files.read(path, MAX_FILE_BYTES)?;
    let image = decode(&bytes).and_then(|i| i.to_channels(channels));
    image.map_err(|e| DataError::of(path, e))
}

/// Makes a sample of each item on all cores, in order, within a bound of memory.
pub(super) fn collect<T: Sync, L: Label>(
    items: &[T],
    file: impl Fn(&T) -> PathBuf,
    read: impl Fn(&T) -> Result<Sample<L>, DataError> + Sync,
) -> Result<Vec<Sample<L>>, DataError> {
    let mut all = Vec::with_capacity(items.len());
    let mut sum = 0u64;
    for chunk in items.chunks(CHUNK) {
        // All of a chunk first, so that the error is that of the first bad file.
        let read: Vec<_> = chunk.par_iter().map(&read).collect();
        for (item, sample) in chunk.iter().zip(read) {
            let sample = sample?;
            sum += sample.image.data().len() as u64;
            if sum > MAX_SET_BYTES {
                let (limit, unit) = (MAX_SET_BYTES, "bytes of images in the set");
                return Err(DataError::of(&file(item), Fault::TooLarge { limit, unit }));
            }
            all.push(sample);
        }
    }
    Ok(all)
}

/// With [`Fit::Exact`], all images must have the size of the first.
pub(super) fn same_size<'a, L: 'a>(
    samples: impl IntoIterator<Item = (&'a Sample<L>, PathBuf)>,
    first: &mut Option<[usize; 3]>,
) -> Result<(), DataError> {
    for (sample, path) in samples {
        let got = sample.image.dims();
        let want = *first.get_or_insert(got);
        if got != want {
            let why = "the first of the set is";
            return Err(DataError::of(&path, Fault::Size { got, why, want }));
        }
    }
    Ok(())
}

/// The images of a folder with a folder for each class.
///
/// Files that are not named like images, and hidden ones, are passed over.
///
/// # Errors
/// A folder that cannot be read, is not one of the classes or has no images.
fn list(
    files: &dyn Files,
    dir: &Path,
    classes: &[String],
) -> Result<Vec<(PathBuf, u16)>, DataError> {
    let mut all = Vec::new();
    for class in folders(files, dir)? {
        let path = dir.join(&class);
        let Some(label) = classes.iter().position(|c| *c == class) else {
            let (name, classes) = (class, classes.to_vec());
            return Err(DataError::of(&path, Fault::ClassName { name, classes }));
        };
        let label = u16::try_from(label).unwrap_or(u16::MAX);
        let before = all.len();
        for entry in files.list(&path)? {
            let lower = entry.name.to_lowercase();
            let named = ENDS.iter().any(|e| lower.ends_with(e)) && !lower.starts_with('.');
            if named && !entry.folder {
                all.push((path.join(entry.name), label));
            }
        }
        if all.len() == before {
            return Err(DataError::of(
                &path,
                Fault::Empty("images (PNG, JPEG, PPM, PGM)"),
            ));
        }
    }
    Ok(all)
}

/// Folders in a folder that are not hidden, sorted by name.
fn folders(files: &dyn Files, dir: &Path) -> Result<Vec<String>, DataError> {
    let entries = files.list(dir)?.into_iter();
    let folders = entries.filter(|e| e.folder && !e.name.starts_with('.'));
    Ok(folders.map(|e| e.name).collect())
}

/// Reads a folder: `train`, `val` and `test` with a folder for each class, or
/// the folders of the classes themselves, all to train with.
///
/// Classes are the folders to train with, sorted by name.
///
/// # Errors
/// A folder that cannot be read or has no images, a class that is not trained
/// with, an image that is damaged or has another size than the first if it is
/// not to be changed.
pub fn dataset(
    files: &dyn Files,
    dir: &Path,
    options: &Options,
) -> Result<Dataset<u16>, DataError> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let split = files.is_folder(&dir.join(Split::Train.name()));
    let part = |s: Split| match split {
        true => dir.join(s.name()),
        false => dir.to_owned(),
    };
    let classes = folders(files, &part(Split::Train))?;
    if classes.is_empty() {
        return Err(DataError::of(
            &part(Split::Train),
            Fault::Empty("folders of classes"),
        ));
    }
    if classes.len() > usize::from(u16::MAX) {
        let (limit, unit) = (u16::MAX.into(), "classes");
        return Err(DataError::of(dir, Fault::TooLarge { limit, unit }));
    }
    let mut set = Dataset::new(name, classes);
    let mut size = None;
    for s in Split::ALL {
        let path = part(s);
        if s != Split::Train && !(split && files.is_folder(&path)) {
            continue;
        }
        let items = list(files, &path, &set.classes)?;
        let samples = collect(
            &items,
            |(path, _)| path.clone(),
            |(path, label)| {
                let image = image(files, path, options.channels)?;
                let mut label = *label;
                let image = options.fit.apply(image, &mut label);
                let image = image.map_err(|e| DataError::of(path, e))?;
                Ok(Sample { image, label })
            },
        )?;
        same_size(
            samples.iter().zip(items.into_iter().map(|i| i.0)),
            &mut size,
        )?;
        *set.split_mut(s) = samples;
    }
    Ok(set)
}
