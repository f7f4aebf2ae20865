//! A data set by its name: one that is made, or a folder of any known kind.

use super::shapes::{self, Counts};
use super::voc::BadBoxes;
use super::{Boxes, DataError, Dataset, Fault, Files, Fit, cifar, folder, idx, voc};
use std::path::Path;

/// Names of the sets that need no file.
pub const BUILT_IN: [&str; 2] = ["shapes-cls", "shapes-det"];

/// A data set of either kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Images with a class.
    Classes(Dataset<u16>),
    /// Images with boxes.
    Boxes(Dataset<Boxes>),
}

/// How a set is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOptions {
    /// Seed of sets that are made.
    pub seed: u64,
    /// Images of sets that are made; else their usual numbers.
    pub counts: Option<Counts>,
    /// 1 (grey) or 3 (colour), for image files.
    pub channels: usize,
    /// The size that is wanted.
    pub fit: Fit,
    /// The classes of Pascal VOC, in order; else all that occur.
    pub classes: Option<Vec<String>>,
    /// What happens to boxes without area or beyond their image.
    pub bad_boxes: BadBoxes,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            seed: shapes::SEED,
            counts: None,
            channels: 3,
            fit: Fit::Exact,
            classes: None,
            bad_boxes: BadBoxes::default(),
        }
    }
}

/// Makes a set that is built in, or reads a folder; which kind it is is seen by
/// the names in it: Pascal VOC, CIFAR, IDX, else a folder for each class.
///
/// # Errors
/// No such set or folder; what the reader of that kind says.
pub fn open(files: &dyn Files, name: &str, options: &OpenOptions) -> Result<Data, DataError> {
    let (seed, fit) = (options.seed, options.fit);
    // Sets that are no image files come in a size of their own.
    let fitted = |e: Fault| DataError::of(Path::new(name), e);
    match name {
        "shapes-cls" => {
            let counts = options.counts.unwrap_or(shapes::CLS_COUNTS);
            let set = shapes::classes(seed, counts).fitted(fit);
            return set.map(Data::Classes).map_err(fitted);
        }
        "shapes-det" => {
            let counts = options.counts.unwrap_or(shapes::DET_COUNTS);
            let set = shapes::boxes(seed, counts).fitted(fit);
            return set.map(Data::Boxes).map_err(fitted);
        }
        _ => {}
    }
    let dir = Path::new(name);
    if !files.is_folder(dir) {
        let what = match files.is_file(dir) {
            true => "a file, not a folder",
            false => "no such folder, and none that is built in",
        };
        return Err(DataError::of(dir, Fault::Unknown(what.into())));
    }
    let channels = options.channels;
    if voc::is(files, dir) {
        let options = voc::Options {
            channels,
            fit,
            classes: options.classes.clone(),
            bad_boxes: options.bad_boxes,
        };
        return voc::dataset(files, dir, &options).map(Data::Boxes);
    }
    let set = if cifar::is(files, dir) {
        cifar::dataset(files, dir)?.fitted(fit).map_err(fitted)?
    } else if idx::is(files, dir) {
        idx::dataset(files, dir)?.fitted(fit).map_err(fitted)?
    } else {
        folder::dataset(files, dir, &folder::Options { channels, fit })?
    };
    Ok(Data::Classes(set))
}
