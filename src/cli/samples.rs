//! Samples from the command line.

use super::{CliError, number};
use clap::Args;
use std::path::{Path, PathBuf};
use vta::samples::{self, InputShape, Samples, Scaling};

/// How values of files become values of the network.
#[derive(Debug, Clone, Default, Args)]
pub struct ScalingArgs {
    /// What is subtracted from each value first: one number, or one for each channel with commas
    #[arg(
        long,
        value_name = "X[,X..]",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    mean: Vec<f32>,
    /// What each value is then multiplied by: one number, or one for each channel
    #[arg(
        long,
        value_name = "X[,X..]",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    scale: Vec<f32>,
}

impl ScalingArgs {
    /// The first of the options that is given.
    pub fn given(&self) -> Option<&'static str> {
        let all = [(&self.mean, "--mean"), (&self.scale, "--scale")];
        all.iter()
            .find(|(numbers, _)| !numbers.is_empty())
            .map(|(_, option)| *option)
    }

    /// What is asked for.
    pub fn scaling(&self) -> Scaling {
        Scaling {
            mean: self.mean.clone(),
            scale: self.scale.clone(),
        }
    }
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

impl InputArgs {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.input.iter().map(PathBuf::as_path)
    }

    /// Reads or makes the samples.
    ///
    /// # Errors
    /// A file that cannot be read, or does not fit the network's inputs.
    pub fn load(&self, inputs: &[InputShape], scaling: &ScalingArgs) -> Result<Samples, CliError> {
        let limit = self.limit.map_or(usize::MAX, |n| n as usize);
        match self.random {
            Some(seed) => {
                let n = self.limit.map_or(1, |n| n as usize);
                Ok(samples::random(inputs, seed, n))
            }
            None => Ok(samples::load(
                &self.input,
                inputs,
                limit,
                &scaling.scaling(),
            )?),
        }
    }
}
