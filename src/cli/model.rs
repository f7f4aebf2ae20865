//! Networks from the command line: an ONNX file, or a name of the zoo.

use super::samples::InputShape;
use super::{CliError, input, number};
use clap::Args;
use std::path::{Path, PathBuf};
use vta::graph::{Graph, onnx, zoo};
use vta::sparse::{self, Masks};
use vta::spelling::nearest;

/// Largest ONNX file that is read, in bytes.
const MAX_MODEL_BYTES: u64 = 2 << 30;

/// How a network of the zoo is made.
#[derive(Debug, Clone, Args)]
pub struct ZooArgs {
    /// Seed of the weights of a zoo network
    #[arg(long, value_name = "SEED", value_parser = number::long, default_value = "1")]
    pub zoo_seed: u64,
}

/// Which weight blocks are dropped.
#[derive(Debug, Clone, Args)]
pub struct MaskArgs {
    /// Masks of weight blocks: a safetensors file
    #[arg(long, value_name = "FILE", conflicts_with = "density")]
    pub masks: Option<PathBuf>,
    /// Keep this fraction of each layer's blocks, chosen at random
    #[arg(long, value_name = "D", value_parser = number::fraction)]
    pub density: Option<f64>,
    /// Seed of the choice
    #[arg(long, value_name = "SEED", value_parser = number::long, requires = "density", default_value = "1")]
    pub seed: u64,
}

/// Reads a network, or builds one of the zoo.
///
/// # Errors
/// No such file or network, a file that is no network that can be compiled.
pub fn load(model: &str, zoo_args: &ZooArgs) -> Result<Graph, CliError> {
    let _span = tracing::info_span!("import", model).entered();
    if let Some(graph) = zoo::build(model, zoo_args.zoo_seed) {
        return Ok(graph);
    }
    let path = Path::new(model);
    if !path.exists() {
        let named = path.extension().and_then(|e| e.to_str());
        let file = named.is_some_and(|e| e.chars().all(|c| c.is_ascii_alphabetic()));
        if !file && !model.contains(['/', '\\']) {
            return Err(unknown(model));
        }
    }
    let bytes = input::read(path, MAX_MODEL_BYTES).map_err(|e| match path.exists() {
        true => e,
        false => e.help("check the path; `vta zoo` lists the networks that need no file"),
    })?;
    onnx::import(&bytes, model).map_err(|e| CliError::new("model", e))
}

/// A name that is neither a file nor of the zoo.
pub fn unknown(model: &str) -> CliError {
    let names = zoo::NAMES.join(", ");
    let message = format_args!("{model}: no such file, and no network of the zoo");
    let help = match nearest(model, zoo::NAMES.iter().copied()) {
        Some(name) => format!("did you mean {name}? The zoo has {names}"),
        None => format!("the zoo has {names}"),
    };
    CliError::new("model", message).help(help)
}

/// Whether a name is of the zoo.
pub fn is_zoo(model: &str) -> bool {
    zoo::NAMES.contains(&model)
}

/// Height and width of the images that a network takes, if it takes images.
pub fn image_size(graph: &Graph) -> Option<[usize; 2]> {
    let input = graph.inputs.first().map(|t| &graph.tensor(*t).dims[..]);
    match input {
        Some([_, _, h, w]) => Some([*h, *w]),
        _ => None,
    }
}

/// The inputs of a network.
pub fn input_shapes(graph: &Graph) -> Vec<InputShape> {
    let one = |t: &vta::graph::TensorId| InputShape {
        name: graph.tensor(*t).name.clone(),
        dims: graph.tensor(*t).dims.clone(),
    };
    graph.inputs.iter().map(one).collect()
}

impl MaskArgs {
    /// The masks for a network; none if neither a file nor a density is given.
    ///
    /// # Errors
    /// A file that cannot be read, masks that do not fit the network.
    pub fn load(&self, graph: &Graph) -> Result<Option<Masks>, CliError> {
        let layers = sparse::layers(graph);
        if let Some(path) = &self.masks {
            let bytes = input::read(path, sparse::MAX_FILE_BYTES)?;
            let masks = sparse::read(&bytes, &layers).map_err(|e| CliError::from(e).of(path))?;
            return Ok(Some(masks));
        }
        match self.density {
            Some(density) => Ok(Some(sparse::random(density, self.seed, &layers)?)),
            None => Ok(None),
        }
    }

    /// What was asked for, in words.
    pub fn describe(&self) -> String {
        match (&self.masks, self.density) {
            (Some(path), _) => format!("masks of {}", path.display()),
            (_, Some(d)) => format!("density {d}, seed {}", self.seed),
            (None, None) => "zero blocks of the weights".into(),
        }
    }
}
