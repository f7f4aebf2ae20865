//! Networks: the first two stages, dense and masked.

use crate::calibration::Calibration;
use crate::monitor::{Monitor, Watch};
use crate::samples::{InputShape, Samples};
use crate::{Error, QuantisedModel, files};
use std::path::Path;
use std::sync::Arc;
use vta_net::graph::onnx::{self, ImportOptions};
use vta_net::graph::{Graph, zoo};
use vta_net::quant::float;
use vta_net::sparse::{self, MaskLayer, Masks};
use vta_program::program::sha256;
use vta_tensor::host::Tensor;
use vta_tensor::spelling::nearest;

/// Largest ONNX file that is read, in bytes.
pub const MAX_MODEL_BYTES: u64 = 2 << 30;

/// A float network: an ONNX file, one of the zoo, or a graph built in code.
///
/// The first stage of the way to cycles; [`Model::mask`] or
/// [`Model::quantise`] lead on.
///
/// ```
/// let model = vta::Model::zoo("resnet8", 1)?;
/// let masks = model.random_masks(0.5, 1)?;
/// let config = vta::config::HwConfig::default();
/// let program = model
///     .mask(masks)?
///     .quantise(&vta::Calibration::default())?
///     .compile(&config)?;
/// assert!(program.cycles()? < 200_000);
/// # Ok::<(), vta::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Model {
    name: String,
    zoo_seed: Option<u64>,
    graph: Graph,
    watch: Watch,
}

/// A float network whose dropped blocks are zero: weights and masks are one
/// thing from here on.
#[derive(Debug, Clone)]
pub struct MaskedModel {
    model: Model,
    masks_are: String,
}

impl Model {
    /// Reads an ONNX file, and files beside it that hold its values.
    ///
    /// # Errors
    /// A file that cannot be read, or is no network that can be compiled; the
    /// error names the node.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(path, ImportOptions::default())
    }

    /// Reads an ONNX file, and gives sizes to what it leaves open. Without a
    /// folder, files beside it are looked for where it lies.
    ///
    /// # Errors
    /// As [`Model::open`]; a size for something that is not open.
    pub fn open_with(path: impl AsRef<Path>, options: ImportOptions) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = files::read(path, MAX_MODEL_BYTES)?;
        let name = path.display().to_string();
        let _span = tracing::info_span!("import", model = name).entered();
        let folder = options.folder.or_else(|| path.parent().map(Path::to_owned));
        let options = ImportOptions { folder, ..options };
        let graph = onnx::import_with(&bytes, &name, &options)?;
        Ok(Self::from_graph(&name, graph))
    }

    /// Reads the bytes of an ONNX file; `name` is what it is called in messages.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, Error> {
        let _span = tracing::info_span!("import", model = name).entered();
        Ok(Self::from_graph(name, onnx::import(bytes, name)?))
    }

    /// A network of the zoo ([`zoo::NAMES`]), with weights drawn from a seed.
    ///
    /// # Errors
    /// No such network.
    pub fn zoo(name: &str, seed: u64) -> Result<Self, Error> {
        let graph = zoo::build(name, seed).ok_or_else(|| Error::UnknownModel {
            name: name.into(),
            nearest: nearest(name, zoo::NAMES.iter().copied()),
        })?;
        Ok(Self {
            zoo_seed: Some(seed),
            ..Self::from_graph(name, graph)
        })
    }

    /// A network of the zoo if there is one of this name, else an ONNX file.
    ///
    /// # Errors
    /// As [`Model::load_with`].
    pub fn load(name: &str, zoo_seed: u64) -> Result<Self, Error> {
        Self::load_with(name, zoo_seed, ImportOptions::default())
    }

    /// A network of the zoo if there is one of this name, else an ONNX file, to which
    /// `options` give what it leaves open.
    ///
    /// # Errors
    /// As [`Model::open`]; a name without an ending that is nothing of both is
    /// [`Error::UnknownModel`].
    pub fn load_with(name: &str, zoo_seed: u64, options: ImportOptions) -> Result<Self, Error> {
        let path = Path::new(name);
        let file = path.extension().and_then(|e| e.to_str());
        let file = file.is_some_and(|e| e.chars().all(|c| c.is_ascii_alphabetic()));
        let in_folder = name.contains(['/', '\\']);
        if zoo::NAMES.contains(&name) || !(path.exists() || file || in_folder) {
            return Self::zoo(name, zoo_seed);
        }
        Self::open_with(path, options)
    }

    /// Elements of the file's batch. Where it is fixed above 1 a run is of one element:
    /// the batch takes as many runs, with the weights in DRAM once.
    pub fn batch(&self) -> usize {
        self.graph.batch
    }

    /// A network that was built in code.
    pub fn from_graph(name: &str, graph: Graph) -> Self {
        Self {
            name: name.into(),
            zoo_seed: None,
            graph,
            watch: Watch::default(),
        }
    }

    /// The same, and long work on it and on what follows from it is followed by `monitor`.
    pub fn monitored(mut self, monitor: Arc<dyn Monitor>) -> Self {
        self.watch = Watch::new(monitor);
        self
    }

    /// The same under another name.
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    pub(crate) const fn watch(&self) -> &Watch {
        &self.watch
    }

    /// What it is called: the path, or the name in the zoo.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The seed of its weights, if it is of the zoo.
    pub const fn zoo_seed(&self) -> Option<u64> {
        self.zoo_seed
    }

    /// The network.
    pub const fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The network, taken out.
    pub fn into_graph(self) -> Graph {
        self.graph
    }

    /// The same with another graph, of the same name and monitor.
    pub(crate) fn with_graph(&self, graph: Graph) -> Self {
        Self {
            graph,
            ..self.clone()
        }
    }

    /// Its inputs, in order.
    pub fn inputs(&self) -> Vec<InputShape> {
        InputShape::of_graph(&self.graph)
    }

    /// Height and width of the images that it takes, if its first input is `[n, c, h, w]`.
    pub fn image_size(&self) -> Option<[usize; 2]> {
        let input = self.graph.inputs.first()?;
        match self.graph.tensor(*input).dims[..] {
            [_, _, h, w] => Some([h, w]),
            _ => None,
        }
    }

    /// Its layers that can have masks, in order.
    pub fn mask_layers(&self) -> Vec<MaskLayer> {
        sparse::layers(&self.graph)
    }

    /// Masks that keep a fraction of each layer's blocks, chosen at random:
    /// for measuring without pruning. Ends stay dense.
    ///
    /// # Errors
    /// A density outside 0 to 1.
    pub fn random_masks(&self, density: f64, seed: u64) -> Result<Masks, Error> {
        Ok(sparse::random(density, seed, &self.mask_layers())?)
    }

    /// Reads a mask file for this network.
    ///
    /// # Errors
    /// A file that cannot be read, masks that do not fit the network.
    pub fn read_masks(&self, path: impl AsRef<Path>) -> Result<Masks, Error> {
        let path = path.as_ref();
        let bytes = files::read(path, sparse::MAX_FILE_BYTES)?;
        sparse::read(&bytes, &self.mask_layers()).map_err(|e| Error::from(e).of(path))
    }

    /// Drops what masks drop: the blocks become zero, and nothing of them will
    /// be in a program. Layers without a mask lose the 32x32 blocks that are
    /// zero already.
    ///
    /// # Errors
    /// A mask that fits no layer.
    pub fn mask(mut self, masks: Masks) -> Result<MaskedModel, Error> {
        sparse::apply(&mut self.graph, &masks)?;
        Ok(MaskedModel::new(self, "masks".into()))
    }

    /// The network as it is: blocks that are zero in its weights are dropped.
    pub fn zero_blocks(self) -> MaskedModel {
        MaskedModel::new(self, "zero blocks of the weights".into())
    }

    /// Quantises the network as it is.
    ///
    /// # Errors
    /// As [`MaskedModel::quantise`].
    pub fn quantise(self, calibration: &Calibration) -> Result<QuantisedModel, Error> {
        self.zero_blocks().quantise(calibration)
    }

    /// The float network's outputs for one sample: a tensor for each input.
    ///
    /// # Errors
    /// Tensors that the inputs do not take.
    pub fn infer(&self, sample: &[Tensor]) -> Result<Vec<Tensor>, Error> {
        Ok(float::run(&self.graph, sample)?)
    }

    /// The SHA-256 of its content, in hexadecimal digits: whatever it is called, and
    /// wherever it lies.
    pub fn digest(&self) -> String {
        sha256(&self.to_onnx())
    }

    /// The network as an ONNX file.
    pub fn to_onnx(&self) -> Vec<u8> {
        onnx::export(&self.graph)
    }
}

impl MaskedModel {
    fn new(model: Model, masks_are: String) -> Self {
        Self { model, masks_are }
    }

    /// The same, with words that say where its masks are from.
    pub fn described(mut self, masks_are: impl Into<String>) -> Self {
        self.masks_are = masks_are.into();
        self
    }

    /// The network, its dropped blocks zero.
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// The masks that were given and drop something, by weight.
    pub fn masks(&self) -> Masks {
        sparse::masks(&self.model.graph)
    }

    /// In words, where its masks are from.
    pub fn masks_are(&self) -> &str {
        &self.masks_are
    }

    pub(crate) const fn watch(&self) -> &Watch {
        &self.model.watch
    }

    /// Chooses scales, and makes the integer network.
    ///
    /// # Errors
    /// Samples or exponents that do not fit, a network that cannot be
    /// quantised; [`Error::Cancelled`].
    pub fn quantise(self, calibration: &Calibration) -> Result<QuantisedModel, Error> {
        let net = calibration.quantise(&self.model.graph, self.watch())?;
        Ok(QuantisedModel::new(self, calibration.describe(), net))
    }

    /// `n` random samples of unit variance for the network, the same for the same seed.
    pub fn random_samples(&self, seed: u64, n: usize) -> Samples {
        crate::samples::random(&self.model.inputs(), seed, n)
    }
}
