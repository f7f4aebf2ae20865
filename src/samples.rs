//! Samples of networks: arrays, CIFAR records, raw floats, random ones.

use crate::Error;
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use ndarray::{ArrayD, IxDyn};
use std::path::{Path, PathBuf};
#[cfg(feature = "data")]
use vta_data::{
    DataError, Disk, Fault,
    cifar::{self, Cifar},
};
use vta_net::graph::{Graph, TensorId};
use vta_program::program::{Program, Region};
use vta_tensor::host::Tensor;
use vta_tensor::npy::{Npy, NpyError};

/// Largest file of samples, in bytes.
const MAX_BYTES: u64 = 2 << 30;
/// Classes that a label of a byte can be.
#[cfg(feature = "data")]
const ANY_CLASS: usize = 1 << 8;

/// How values of files become values of the network: `(value - mean) * scale`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scaling {
    /// What is subtracted from each value first: nothing, one number, or one for each channel.
    pub mean: Vec<f32>,
    /// What each value is then multiplied by: nothing, one number, or one for each channel.
    pub scale: Vec<f32>,
}

/// Samples that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// Another number of files than inputs.
    #[error("the network has {} inputs, there are {files} files", inputs.len())]
    Files {
        /// Names of the inputs, in order.
        inputs: Vec<String>,
        /// Files.
        files: usize,
    },
    /// Another number of samples than in the first file.
    #[error("{found} samples of {input}, {first} in the first file")]
    Count {
        /// Samples of this file.
        found: usize,
        /// The input.
        input: String,
        /// Samples of the first file.
        first: usize,
    },
    /// Nothing is there.
    #[error("there are no samples")]
    Empty,
    /// A file of another kind.
    #[error("not a name of samples")]
    Name,
    /// CIFAR records, which the feature `data` reads.
    #[error("CIFAR records are read with the feature `data`, which is not built in")]
    WithoutData,
    /// A value that is infinite or not a number.
    #[error("a value for {input} is not a finite number")]
    NotFinite {
        /// The input.
        input: String,
    },
    /// Means or scales that are neither one nor one for each channel.
    #[error("--{what} has {numbers} numbers, for samples {dims:?}")]
    Channels {
        /// `mean` or `scale`.
        what: &'static str,
        /// Numbers that were given.
        numbers: usize,
        /// Dimensions of a sample.
        dims: Vec<usize>,
    },
    /// Bytes that are no whole samples.
    #[error("{bytes} bytes are no multiple of {sample}, what {input} {dims:?} takes as floats")]
    Raw {
        /// Bytes of the file.
        bytes: usize,
        /// Bytes of a sample.
        sample: usize,
        /// The input.
        input: String,
        /// Its dimensions.
        dims: Vec<usize>,
    },
    /// A file that is no array.
    #[error("not a .npy array: {0}")]
    Npy(NpyError),
    /// An array of another shape.
    #[error("{shape:?} is no array of samples for {input} {dims:?}")]
    Shape {
        /// The array's.
        shape: Vec<usize>,
        /// The input.
        input: String,
        /// Its dimensions.
        dims: Vec<usize>,
    },
    /// CIFAR records for an input that takes no such images.
    #[error("CIFAR images are [1, 3, 32, 32] or [1, 32, 32, 3], {input} is {dims:?}")]
    Cifar {
        /// The input.
        input: String,
        /// Its dimensions.
        dims: Vec<usize>,
    },
    /// A file that is no list of CIFAR records.
    #[cfg(feature = "data")]
    #[error(transparent)]
    Records(Fault),
}

impl SampleError {
    /// What to do next, where that is known.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Files { inputs, .. } => format!(
                "one file for each input, in this order: {}",
                inputs.join(", ")
            ),
            Self::Name => "samples are .npy arrays, CIFAR records (.bin, .bin.gz) or little-endian floats (.raw)".into(),
            Self::Channels { .. } => "give one number, or one for each channel".into(),
            Self::Shape { .. } => {
                "an array is one sample, or several along its first axis".into()
            }
            _ => return None,
        })
    }
}

/// Samples of a network: for each, a tensor for each input.
#[derive(Debug, Default, PartialEq)]
pub struct Samples {
    /// Values, `F32`.
    pub values: Vec<Vec<Tensor>>,
    /// Classes, where the file has them.
    pub labels: Option<Vec<u8>>,
}

/// An input of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputShape {
    /// Name.
    pub name: String,
    /// Dimensions, batch (1) first.
    pub dims: Vec<usize>,
}

impl InputShape {
    /// The inputs of a network.
    pub fn of_graph(graph: &Graph) -> Vec<Self> {
        let one = |t: &TensorId| Self {
            name: graph.tensor(*t).name.clone(),
            dims: graph.tensor(*t).dims.clone(),
        };
        graph.inputs.iter().map(one).collect()
    }

    /// The inputs of a network's program.
    pub fn of_program(program: &Program) -> Vec<Self> {
        let one = |r: &Region| Self {
            name: r.tensor.clone(),
            dims: r.dims.clone(),
        };
        program.inputs.iter().map(one).collect()
    }
}

/// `n` samples of unit variance: values from -sqrt(3) to sqrt(3), all alike.
pub fn random(inputs: &[InputShape], seed: u64, n: usize) -> Samples {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut value = || {
        let unit = (rng.next_u32() >> 8) as f32 / (1 << 24) as f32;
        (2.0 * unit - 1.0) * 3.0f32.sqrt()
    };
    let mut sample = || -> Vec<Tensor> {
        let one =
            |i: &InputShape| Tensor::F32(ArrayD::from_shape_simple_fn(IxDyn(&i.dims), &mut value));
        inputs.iter().map(one).collect()
    };
    Samples {
        values: (0..n).map(|_| sample()).collect(),
        labels: None,
    }
}

/// Reads at most `limit` samples from files.
///
/// With one input every file may hold several samples; with several inputs
/// there is one file for each, in order, with as many samples.
///
/// # Errors
/// A file that cannot be read or does not fit.
pub fn load(
    files: &[PathBuf],
    inputs: &[InputShape],
    limit: usize,
    scaling: &Scaling,
) -> Result<Samples, Error> {
    let _span = tracing::info_span!("read samples").entered();
    if inputs.len() > 1 && files.len() != inputs.len() {
        let error = SampleError::Files {
            inputs: inputs.iter().map(|i| i.name.clone()).collect(),
            files: files.len(),
        };
        return Err(error.into());
    }
    let mut all = Samples::default();
    if let [input] = inputs {
        for path in files {
            let left = limit - all.values.len();
            if left == 0 {
                break;
            }
            let read = read(path, input, left, scaling)?;
            all.values
                .extend(read.values.into_iter().map(|v| vec![Tensor::F32(v)]));
            match (&mut all.labels, read.labels) {
                (Some(labels), Some(more)) => labels.extend(more),
                (labels @ None, Some(first)) if all.values.len() == first.len() => {
                    *labels = Some(first);
                }
                // Some samples without a class: no accuracy.
                (labels, _) => *labels = None,
            }
        }
    } else {
        for (k, (path, input)) in files.iter().zip(inputs).enumerate() {
            let read = read(path, input, limit, scaling)?;
            if k == 0 {
                let values = read.values.into_iter();
                all.values = values.map(|v| vec![Tensor::F32(v)]).collect();
                continue;
            }
            if read.values.len() != all.values.len() {
                let error = SampleError::Count {
                    found: read.values.len(),
                    input: input.name.clone(),
                    first: all.values.len(),
                };
                return Err(Error::from(error).of(path));
            }
            for (sample, value) in all.values.iter_mut().zip(read.values) {
                sample.push(Tensor::F32(value));
            }
        }
    }
    if all.values.is_empty() {
        let error = Error::from(SampleError::Empty);
        return Err(match files.first() {
            Some(file) => error.of(file),
            None => error,
        });
    }
    Ok(all)
}

/// The samples of one file for one input.
struct FileSamples {
    values: Vec<ArrayD<f32>>,
    labels: Option<Vec<u8>>,
}

fn read(
    path: &Path,
    input: &InputShape,
    limit: usize,
    scaling: &Scaling,
) -> Result<FileSamples, Error> {
    let name = path.to_string_lossy().to_lowercase();
    let mut samples = if name.ends_with(".npy") {
        let values = npy(path, input, limit)?;
        FileSamples {
            values,
            labels: None,
        }
    } else if name.ends_with(".bin") || name.ends_with(".bin.gz") {
        cifar_records(path, input, limit)?
    } else if name.ends_with(".raw") {
        let values = raw(path, input, limit)?;
        FileSamples {
            values,
            labels: None,
        }
    } else {
        return Err(Error::from(SampleError::Name).of(path));
    };
    for value in &mut samples.values {
        scaling.apply(value).map_err(|e| Error::from(e).of(path))?;
        if value.iter().any(|x| !x.is_finite()) {
            let input = input.name.clone();
            return Err(Error::from(SampleError::NotFinite { input }).of(path));
        }
    }
    Ok(samples)
}

impl Scaling {
    /// `(value - mean) * scale`.
    fn apply(&self, value: &mut ArrayD<f32>) -> Result<(), SampleError> {
        let subtract: fn(&mut f32, f32) = |x, by| *x -= by;
        let multiply: fn(&mut f32, f32) = |x, by| *x *= by;
        for (what, numbers, change) in [
            ("mean", &self.mean, subtract),
            ("scale", &self.scale, multiply),
        ] {
            match numbers.as_slice() {
                [] => {}
                [one] => value.map_inplace(|x| change(x, *one)),
                many => {
                    let axis = channel_axis(value.shape(), many.len()).ok_or_else(|| {
                        SampleError::Channels {
                            what,
                            numbers: many.len(),
                            dims: value.shape().to_vec(),
                        }
                    })?;
                    for (mut channel, by) in value.axis_iter_mut(axis).zip(many) {
                        channel.map_inplace(|x| change(x, *by));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The axis of `n` channels: the second (NCHW), else the last (NHWC).
fn channel_axis(dims: &[usize], n: usize) -> Option<ndarray::Axis> {
    let last = dims.len().checked_sub(1)?;
    [1.min(last), last]
        .into_iter()
        .find(|a| dims[*a] == n)
        .map(ndarray::Axis)
}

/// Elements of a sample.
fn size(input: &InputShape) -> usize {
    input.dims.iter().product::<usize>().max(1)
}

/// Floats cut into samples.
fn cut(values: Vec<f32>, input: &InputShape) -> Vec<ArrayD<f32>> {
    let samples = values.chunks_exact(size(input)).map(|c| {
        let array = ArrayD::from_shape_vec(IxDyn(&input.dims), c.to_vec());
        array.unwrap_or_else(|_| ArrayD::zeros(IxDyn(&input.dims)))
    });
    samples.collect()
}

/// Little-endian floats, one sample after the other.
fn raw(path: &Path, input: &InputShape, limit: usize) -> Result<Vec<ArrayD<f32>>, Error> {
    let bytes = crate::files::read(path, MAX_BYTES)?;
    let sample = 4 * size(input);
    if bytes.is_empty() || !bytes.len().is_multiple_of(sample) {
        let error = SampleError::Raw {
            bytes: bytes.len(),
            sample,
            input: input.name.clone(),
            dims: input.dims.clone(),
        };
        return Err(Error::from(error).of(path));
    }
    let wanted = &bytes[..sample.saturating_mul(limit).min(bytes.len())];
    let floats = wanted.chunks_exact(4);
    let floats = floats.map(|b| f32::from_le_bytes(b.try_into().unwrap_or_default()));
    Ok(cut(floats.collect(), input))
}

/// An array of one sample or of several, of any usual type.
fn npy(path: &Path, input: &InputShape, limit: usize) -> Result<Vec<ArrayD<f32>>, Error> {
    let bytes = crate::files::read(path, MAX_BYTES)?;
    let array = Npy::read(&bytes).map_err(|e| Error::from(SampleError::Npy(e)).of(path))?;
    let dims = &input.dims;
    let shape = &array.dims[..];
    // One sample, several along the first axis, or along the first two (batches).
    let sample = match dims.split_first() {
        Some((1, sample)) => sample,
        _ => dims.as_slice(),
    };
    let lead = shape.len().checked_sub(sample.len());
    let most = if sample.len() == dims.len() { 1 } else { 2 };
    let fits = lead.is_some_and(|n| n <= most && &shape[n..] == sample);
    if !fits {
        let error = SampleError::Shape {
            shape: shape.to_vec(),
            input: input.name.clone(),
            dims: dims.clone(),
        };
        return Err(Error::from(error).of(path));
    }
    let wanted = size(input).saturating_mul(limit);
    Ok(cut(
        array.floats().into_iter().take(wanted).collect(),
        input,
    ))
}

/// CIFAR records; pixels are 0 to 255.
#[cfg(feature = "data")]
fn cifar_records(path: &Path, input: &InputShape, limit: usize) -> Result<FileSamples, Error> {
    let planes = match input.dims.as_slice() {
        [1, 3, 32, 32] => true,
        [1, 32, 32, 3] => false,
        dims => {
            let error = SampleError::Cifar {
                input: input.name.clone(),
                dims: dims.to_vec(),
            };
            return Err(Error::from(error).of(path));
        }
    };
    let records = cifar::read_first(&Disk, path, Cifar::Ten, ANY_CLASS, limit);
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for sample in records.map_err(|e| unread(path, e))? {
        labels.push(sample.label as u8);
        let image = ArrayD::from_shape_fn(IxDyn(&input.dims), |at| {
            let (c, y, x) = if planes {
                (at[1], at[2], at[3])
            } else {
                (at[3], at[1], at[2])
            };
            f32::from(sample.image.plane(c)[y * sample.image.width() + x])
        });
        values.push(image);
    }
    Ok(FileSamples {
        values,
        labels: Some(labels),
    })
}

/// What is said of records that cannot be read.
#[cfg(feature = "data")]
fn unread(path: &Path, e: DataError) -> Error {
    match e.fault {
        Fault::Io { kind, message } => Error::file(path, std::io::Error::new(kind, message)),
        fault => Error::from(SampleError::Records(fault)).of(path),
    }
}

/// CIFAR records where data sets are not built in.
#[cfg(not(feature = "data"))]
fn cifar_records(path: &Path, _: &InputShape, _: usize) -> Result<FileSamples, Error> {
    Err(Error::from(SampleError::WithoutData).of(path))
}
