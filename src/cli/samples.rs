//! Samples from the command line: arrays, images, raw floats, random ones.

use super::{CliError, input, number};
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use clap::Args;
use ndarray::{ArrayD, IxDyn};
use std::path::{Path, PathBuf};
use vta::data::cifar::{self, Cifar};
use vta::data::{DataError, Disk, Fault};
use vta::host::Tensor;
use vta::npy::Npy;

/// Largest file of samples, in bytes.
const MAX_BYTES: u64 = 2 << 30;
/// Classes that a label of a byte can be.
const ANY_CLASS: usize = 1 << 8;

/// How values of files become values of the network.
#[derive(Debug, Clone, Default, Args)]
pub struct Scaling {
    /// What is subtracted from each value first: one number, or one for each channel with commas
    #[arg(
        long,
        value_name = "X[,X..]",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub mean: Vec<f32>,
    /// What each value is then multiplied by: one number, or one for each channel
    #[arg(
        long,
        value_name = "X[,X..]",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub scale: Vec<f32>,
}

/// Which samples a command shall use.
#[derive(Debug, Clone, Args)]
pub struct InputArgs {
    /// Samples: .npy arrays, CIFAR records (.bin, .bin.gz) or little-endian floats (.raw).
    /// A network with several inputs takes as many files
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "random", conflicts_with = "random")]
    pub input: Vec<PathBuf>,
    /// Random samples instead, from this seed
    #[arg(long, value_name = "SEED", value_parser = number::long)]
    pub random: Option<u64>,
    /// At most this many samples, on all cores [default: all of a file, one random]
    #[arg(long, visible_alias = "batch", value_name = "N", value_parser = number::count)]
    pub limit: Option<u32>,
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

impl InputArgs {
    /// Reads or makes the samples.
    ///
    /// # Errors
    /// A file that cannot be read, or does not fit the network's inputs.
    pub fn load(&self, inputs: &[InputShape], scaling: &Scaling) -> Result<Samples, CliError> {
        let limit = self.limit.map_or(usize::MAX, |n| n as usize);
        match self.random {
            Some(seed) => Ok(random(inputs, seed, self.limit.map_or(1, |n| n as usize))),
            None => load(&self.input, inputs, limit, scaling),
        }
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
) -> Result<Samples, CliError> {
    let _span = tracing::info_span!("read samples").entered();
    if inputs.len() > 1 && files.len() != inputs.len() {
        let names: Vec<&str> = inputs.iter().map(|i| i.name.as_str()).collect();
        let (n, got) = (inputs.len(), files.len());
        let message = format_args!("the network has {n} inputs, there are {got} files");
        let help = format!(
            "one file for each input, in this order: {}",
            names.join(", ")
        );
        return Err(CliError::new("input", message).help(help));
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
                let (n, first) = (read.values.len(), all.values.len());
                let message =
                    format_args!("{n} samples of {}, {first} in the first file", input.name);
                return Err(CliError::new("input", message).of(path));
            }
            for (sample, value) in all.values.iter_mut().zip(read.values) {
                sample.push(Tensor::F32(value));
            }
        }
    }
    if all.values.is_empty() {
        let message = "there are no samples";
        let error = CliError::new("input", message);
        return Err(files.first().map_or(error.clone(), |f| error.of(f)));
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
) -> Result<FileSamples, CliError> {
    let name = path.to_string_lossy().to_lowercase();
    let mut samples = if name.ends_with(".npy") {
        let values = npy(path, input, limit).map_err(|e| e.of(path))?;
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
        let message = format_args!("{}: not a name of samples", path.display());
        return Err(CliError::new("input", message).help(
            "samples are .npy arrays, CIFAR records (.bin, .bin.gz) or little-endian floats (.raw)",
        ));
    };
    for value in &mut samples.values {
        scaling.apply(value).map_err(|e| e.of(path))?;
        if value.iter().any(|x| !x.is_finite()) {
            let message = format_args!("a value for {} is not a finite number", input.name);
            return Err(CliError::new("input", message).of(path));
        }
    }
    Ok(samples)
}

impl Scaling {
    /// `(value - mean) * scale`.
    fn apply(&self, value: &mut ArrayD<f32>) -> Result<(), CliError> {
        for (name, numbers) in [("--mean", &self.mean), ("--scale", &self.scale)] {
            let change = |x: &mut f32, by: f32| match name {
                "--mean" => *x -= by,
                _ => *x *= by,
            };
            match numbers.as_slice() {
                [] => {}
                [one] => value.map_inplace(|x| change(x, *one)),
                many => {
                    let axis = channel_axis(value.shape(), many.len()).ok_or_else(|| {
                        let (n, dims) = (many.len(), value.shape());
                        let message = format_args!("{name} has {n} numbers, for samples {dims:?}");
                        CliError::new("usage", message)
                            .help("give one number, or one for each channel")
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
fn raw(path: &Path, input: &InputShape, limit: usize) -> Result<Vec<ArrayD<f32>>, CliError> {
    let bytes = input::read(path, MAX_BYTES)?;
    let sample = 4 * size(input);
    if bytes.is_empty() || !bytes.len().is_multiple_of(sample) {
        let (n, dims) = (bytes.len(), &input.dims);
        let name = &input.name;
        let message = format_args!(
            "{n} bytes are no multiple of {sample}, what {name} {dims:?} takes as floats"
        );
        return Err(CliError::new("input", message).of(path));
    }
    let wanted = &bytes[..sample.saturating_mul(limit).min(bytes.len())];
    let floats = wanted.chunks_exact(4);
    let floats = floats.map(|b| f32::from_le_bytes(b.try_into().unwrap_or_default()));
    Ok(cut(floats.collect(), input))
}

/// An array of one sample or of several, of any usual type.
fn npy(path: &Path, input: &InputShape, limit: usize) -> Result<Vec<ArrayD<f32>>, CliError> {
    let bytes = input::read(path, MAX_BYTES)?;
    let array = Npy::read(&bytes);
    let array = array.map_err(|e| CliError::new("input", format_args!("not a .npy array: {e}")))?;
    let (dims, name) = (&input.dims, &input.name);
    let shape = &array.dims[..];
    let batches =
        |sample: &[usize]| shape == sample || (shape.len() == dims.len() && &shape[1..] == sample);
    let fits = match dims.split_first() {
        Some((1, sample)) => batches(sample),
        _ => shape == dims.as_slice(),
    };
    if !fits {
        let message = format_args!("{shape:?} is no array of samples for {name} {dims:?}");
        return Err(CliError::new("input", message)
            .help("an array is one sample, or several along its first axis"));
    }
    let wanted = size(input).saturating_mul(limit);
    Ok(cut(
        array.floats().into_iter().take(wanted).collect(),
        input,
    ))
}

/// CIFAR records; pixels are 0 to 255.
fn cifar_records(path: &Path, input: &InputShape, limit: usize) -> Result<FileSamples, CliError> {
    let planes = match input.dims.as_slice() {
        [1, 3, 32, 32] => true,
        [1, 32, 32, 3] => false,
        dims => {
            let name = &input.name;
            let message = format_args!(
                "CIFAR images are [1, 3, 32, 32] or [1, 32, 32, 3], {name} is {dims:?}"
            );
            return Err(CliError::new("input", message).of(path));
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
fn unread(path: &Path, e: DataError) -> CliError {
    match e.fault {
        Fault::Io { kind, message } => CliError::file(path, &std::io::Error::new(kind, message)),
        fault => CliError::new("input", fault).of(path),
    }
}
