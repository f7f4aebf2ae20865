//! Values that lie in files beside the model, as large models have them
//! (`external_data` of TensorProto in onnx.proto).

use super::error::{Fault, Problem, Res};
use super::proto::TensorProto;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

/// Where the files beside a model are read from.
#[derive(Debug, Clone, Default)]
pub(super) struct External {
    folder: Option<PathBuf>,
}

/// Bytes of a file that belong to a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    location: String,
    offset: u64,
    /// None: to the end of the file.
    length: Option<u64>,
}

impl Place {
    /// What a tensor says, if its values are in another file.
    fn of(tensor: &TensorProto) -> Res<Option<Self>> {
        if tensor.data_location != 1 && tensor.external_data.is_empty() {
            return Ok(None);
        }
        let mut place = Self {
            location: String::new(),
            offset: 0,
            length: None,
        };
        for entry in &tensor.external_data {
            let number = || {
                let n = entry.value.parse::<u64>().ok();
                n.ok_or_else(|| {
                    Fault::value(format!("the {} of its values", entry.key), &entry.value)
                })
            };
            match entry.key.as_str() {
                "location" => place.location.clone_from(&entry.value),
                "offset" => place.offset = number()?,
                "length" => place.length = Some(number()?),
                // A checksum, which nobody fills in, and what later versions add.
                _ => {}
            }
        }
        Ok(Some(place))
    }

    /// The first byte behind it.
    fn end(&self) -> u64 {
        self.length
            .map_or(u64::MAX, |n| self.offset.saturating_add(n))
    }

    /// Whether a part of the bytes, but not all, belong to another tensor too.
    fn overlaps(&self, other: &Self) -> bool {
        self.location == other.location
            && self.offset < other.end()
            && other.offset < self.end()
            && self != other
    }
}

impl External {
    /// Files in the folder of the model only.
    pub fn in_folder(folder: Option<&Path>) -> Self {
        Self {
            folder: folder.map(Path::to_owned),
        }
    }

    /// Checks that no two tensors share a part of their bytes. Tensors that share
    /// all of them are one weight that is used twice.
    pub fn check<'a>(tensors: impl Iterator<Item = &'a TensorProto>) -> Res<()> {
        let mut files: HashMap<String, Vec<(Place, &str)>> = HashMap::new();
        for t in tensors {
            let place = Place::of(t).map_err(|f| Fault::at(&t.name, f.problem))?;
            if let Some(place) = place {
                let of_file = files.entry(place.location.clone()).or_default();
                of_file.push((place, t.name.as_str()));
            }
        }
        for places in files.values_mut() {
            places.sort_by_key(|(p, _)| (p.offset, p.length));
            // The one of those so far that reaches furthest.
            let mut last: Option<&(Place, &str)> = None;
            for at in places.iter() {
                if let Some((other, name)) = last
                    && at.0.overlaps(other)
                {
                    return Err(Fault::at(
                        at.1,
                        Problem::External {
                            file: at.0.location.clone(),
                            why: format!("the bytes are partly those of {name}"),
                        },
                    ));
                }
                if last.is_none_or(|l| l.0.end() <= at.0.end()) {
                    last = Some(at);
                }
            }
        }
        Ok(())
    }

    /// The tensor with its values in it, which are `expected` bytes.
    pub fn inline(&self, mut tensor: TensorProto, expected: u64) -> Res<TensorProto> {
        let Some(place) = Place::of(&tensor)? else {
            return Ok(tensor);
        };
        let why = |why: String| {
            Fault::from(Problem::External {
                file: place.location.clone(),
                why,
            })
        };
        let path = self.path(&place.location).map_err(&why)?;
        let io = |e: std::io::Error| why(e.to_string());
        let mut file = File::open(path).map_err(io)?;
        let there = file.metadata().map_err(io)?;
        if !there.is_file() {
            return Err(why("it is no file".into()));
        }
        let rest = there.len().checked_sub(place.offset);
        let rest = rest.ok_or_else(|| {
            why(format!(
                "it has {} bytes, the values start at {}",
                there.len(),
                place.offset
            ))
        })?;
        let length = place.length.unwrap_or(rest);
        if length > rest {
            return Err(why(format!(
                "it has {} bytes, the values end at {}",
                there.len(),
                place.offset.saturating_add(length)
            )));
        }
        if expected != length {
            return Err(why(format!(
                "{length} bytes are given for {:?}, which needs {expected}",
                tensor.dims
            )));
        }
        file.seek(SeekFrom::Start(place.offset)).map_err(io)?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes).map_err(io)?;
        tensor.raw_data = bytes;
        tensor.external_data.clear();
        tensor.data_location = 0;
        Ok(tensor)
    }

    /// A file inside of the folder; links do not lead out of it either.
    fn path(&self, location: &str) -> Result<PathBuf, String> {
        let folder = self.folder.as_deref();
        let folder = folder.ok_or("the model was not read from a folder")?;
        let inside = Path::new(location);
        let plain = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
        if location.is_empty() || !inside.components().all(plain) {
            return Err("it is not inside of the folder of the model".into());
        }
        let here = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        let real = |p: &Path| p.canonicalize().map_err(|e| e.to_string());
        let (root, path) = (real(here)?, real(&here.join(inside))?);
        match path.starts_with(&root) {
            true => Ok(path),
            false => Err("it is not inside of the folder of the model".into()),
        }
    }
}
