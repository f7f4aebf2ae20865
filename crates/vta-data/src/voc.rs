//! Pascal VOC: `Annotations/*.xml`, `JPEGImages`, `ImageSets/Main/*.txt`.

mod annotation;

use super::files::read_lines;
use super::folder::{collect, image, same_size};
use super::{Boxes, DataError, Dataset, Fault, Files, Fit, Sample, Split};
use annotation::Annotation;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What happens to boxes without area or beyond their image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BadBoxes {
    /// They are errors.
    Refuse,
    /// They are left out, or cut at the border, and listed in
    /// [`Dataset::repaired`](super::Dataset::repaired).
    #[default]
    Repair,
}

/// How a set is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// 1 (grey) or 3 (colour).
    pub channels: usize,
    /// The size that is wanted; boxes follow.
    pub fit: Fit,
    /// The classes, in order; else all that occur, sorted by name.
    pub classes: Option<Vec<String>>,
    /// What happens to boxes without area or beyond their image.
    pub bad_boxes: BadBoxes,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            channels: 3,
            fit: Fit::Exact,
            classes: None,
            bad_boxes: BadBoxes::default(),
        }
    }
}

/// Largest list or annotation, in bytes.
const MAX_TEXT_BYTES: u64 = 16 << 20;

/// Whether a folder looks like one of Pascal VOC.
pub fn is(files: &dyn Files, dir: &Path) -> bool {
    files.is_folder(&dir.join("ImageSets").join("Main"))
}

/// Reads a folder. `trainval.txt` is taken where there is no `train.txt`.
///
/// Pixels of VOC are counted from 1 and a box includes its last pixel; here a
/// box has edges, so `xmin 1, xmax 20` becomes 0.0 to 20.0. A coordinate 0, which
/// some tools write, is taken for 1. A box whose `xmin` is its `xmax` has no area.
///
/// # Errors
/// Files that are missing, damaged, name no image, or name one twice; sizes in
/// annotations that are not those of the images; unknown classes; boxes, unless
/// they are repaired; images of different sizes if they are not to be changed.
pub fn dataset(
    files: &dyn Files,
    dir: &Path,
    options: &Options,
) -> Result<Dataset<Boxes>, DataError> {
    let lists = lists(files, dir)?;
    // All annotations first: they say what classes there are.
    let mut splits = Vec::new();
    for (split, names) in lists {
        let read: Vec<_> = names
            .par_iter()
            .map(|name| {
                let path = dir.join("Annotations").join(format!("{name}.xml"));
                Annotation::read(files, &path, MAX_TEXT_BYTES)
            })
            .collect();
        let read: Result<Vec<_>, DataError> = read.into_iter().collect();
        splits.push((split, names, read?));
    }
    let classes = match &options.classes {
        Some(classes) => classes.clone(),
        None => {
            let all = splits.iter().flat_map(|s| &s.2).flat_map(|a| &a.objects);
            let all: BTreeSet<&String> = all.map(|o| &o.class).collect();
            all.into_iter().cloned().collect()
        }
    };
    if classes.is_empty() || classes.len() > usize::from(u16::MAX) {
        return Err(DataError::of(dir, Fault::Empty("objects")));
    }
    let index: BTreeMap<&String, u16> = classes.iter().zip(0..).collect();
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let mut set = Dataset::new(name, classes.clone());
    let mut size = None;
    for (split, names, annotations) in splits {
        let mut items = Vec::new();
        for (name, annotation) in names.iter().zip(annotations) {
            let (boxes, bad) = annotation.boxes(&index, &classes)?;
            match (options.bad_boxes, bad.first()) {
                (BadBoxes::Refuse, Some(first)) => return Err(first.clone()),
                _ => set.repaired.extend(bad),
            }
            items.push((picture(files, dir, name), annotation, boxes));
        }
        let samples = collect(
            &items,
            |(path, ..)| path.clone(),
            |(path, annotation, boxes)| {
                let image = image(files, path, options.channels)?;
                let (got, want) = (image.dims(), annotation.size);
                if got[1..] != want {
                    let want = [got[0], want[0], want[1]];
                    let why = "its annotation says";
                    return Err(DataError::of(path, Fault::Size { got, why, want }));
                }
                let mut label = boxes.clone();
                let image = options.fit.apply(image, &mut label);
                let image = image.map_err(|e| DataError::of(path, e))?;
                Ok(Sample { image, label })
            },
        )?;
        if options.fit == Fit::Exact {
            let paths = items.iter().map(|i| i.0.clone());
            same_size(samples.iter().zip(paths), &mut size)?;
        }
        *set.split_mut(split) = samples;
    }
    Ok(set)
}

/// The image of a name.
fn picture(files: &dyn Files, dir: &Path, name: &str) -> PathBuf {
    let path = |end: &str| dir.join("JPEGImages").join(format!("{name}.{end}"));
    let ends = ["jpg", "jpeg", "png"];
    let there = ends.iter().map(|e| path(e)).find(|p| files.is_file(p));
    there.unwrap_or_else(|| path("jpg"))
}

/// The names of each split.
fn lists(files: &dyn Files, dir: &Path) -> Result<Vec<(Split, Vec<String>)>, DataError> {
    let main = dir.join("ImageSets").join("Main");
    let mut all = Vec::new();
    for split in Split::ALL {
        let mut path = main.join(format!("{}.txt", split.name()));
        if split == Split::Train && !files.is_file(&path) {
            path = main.join("trainval.txt");
            if !files.is_file(&path) {
                return Err(DataError::of(&main, Fault::Empty("train.txt")));
            }
        } else if !files.is_file(&path) {
            continue;
        }
        all.push((split, names(files, &path)?));
    }
    Ok(all)
}

/// The names of a list: the first word of each line.
fn names(files: &dyn Files, path: &Path) -> Result<Vec<String>, DataError> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for (n, line) in read_lines(files, path, MAX_TEXT_BYTES)? {
        let name = line
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned();
        let bad = |what| {
            DataError::at(
                path,
                n,
                Fault::Name {
                    name: name.clone(),
                    what,
                },
            )
        };
        if name.contains(['/', '\\', ':', '\0']) || name.starts_with('.') {
            return Err(bad("is no name of an image"));
        }
        if !seen.insert(name.clone()) {
            return Err(bad("is there twice"));
        }
        all.push(name);
    }
    if all.is_empty() {
        return Err(DataError::of(path, Fault::Empty("names")));
    }
    Ok(all)
}
