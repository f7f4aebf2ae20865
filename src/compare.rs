//! A network dense and sparse, side by side.

use crate::layers::LayerUse;
use crate::run::{Run, RunOptions, Runner};
use crate::{Error, Program, QuantisedModel};
use vta_program::program::Layer;
use vta_tensor::host::Tensor;

/// One of the two programs, and its run.
#[derive(Debug)]
pub struct Side<'a> {
    /// The program.
    pub program: &'a Program,
    /// Its run on the sample.
    pub run: Run,
}

/// One layer of both programs.
#[derive(Debug, Clone, Copy)]
pub struct ComparedLayer<'a> {
    /// The layer in the dense program, and what it took.
    pub dense: (&'a Layer, LayerUse),
    /// The layer in the sparse program, and what it took.
    pub sparse: (&'a Layer, LayerUse),
    /// Multiply-accumulates that the sparse program keeps.
    pub kept_macs: u64,
}

/// Both programs after they were run on the same sample.
///
/// ```
/// let model = vta::Model::zoo("resnet8", 1)?;
/// let masks = model.random_masks(0.25, 1)?;
/// let net = model.mask(masks)?.quantise(&vta::Calibration::default())?;
/// let (dense, sparse) = net.compile_both(&vta::config::HwConfig::default())?;
/// let sample = &net.masked().random_samples(1, 1).values[0];
/// let compared = vta::Comparison::new(&net, &dense, &sparse, sample, 1_000_000_000)?;
/// assert!(compared.outputs_equal() && compared.speedup() > Some(1.1));
/// # Ok::<(), vta::Error>(())
/// ```
#[derive(Debug)]
pub struct Comparison<'a> {
    net: &'a QuantisedModel,
    dense: Side<'a>,
    sparse: Side<'a>,
}

impl<'a> Side<'a> {
    fn new(program: &'a Program, sample: &[Tensor], max_cycles: u64) -> Result<Self, Error> {
        let options = RunOptions {
            max_cycles,
            ..RunOptions::default()
        };
        let run = Runner::new(program, options).run_once(sample)?;
        Ok(Self { program, run })
    }

    /// Sums of the layers' floors: of compute, and of the memory.
    pub fn floors(&self) -> (u64, u64) {
        let layers = self.program.layers.iter();
        layers.fold((0, 0), |(c, m), l| {
            (c + l.compute_floor, m + l.memory_floor)
        })
    }
}

impl<'a> Comparison<'a> {
    /// Runs both programs of a network on a sample, on two threads.
    ///
    /// # Errors
    /// A program that cannot be run, hangs or asserts.
    pub fn new(
        net: &'a QuantisedModel,
        dense: &'a Program,
        sparse: &'a Program,
        sample: &[Tensor],
        max_cycles: u64,
    ) -> Result<Self, Error> {
        let side = |program| Side::new(program, sample, max_cycles);
        let (dense, sparse) = rayon::join(|| side(dense), || side(sparse));
        Ok(Self {
            net,
            dense: dense?,
            sparse: sparse?,
        })
    }

    /// The network.
    pub const fn net(&self) -> &'a QuantisedModel {
        self.net
    }

    /// The dense program.
    pub const fn dense(&self) -> &Side<'a> {
        &self.dense
    }

    /// The sparse program.
    pub const fn sparse(&self) -> &Side<'a> {
        &self.sparse
    }

    /// Cycles of the dense program over those of the sparse one; none where
    /// that takes none.
    pub fn speedup(&self) -> Option<f64> {
        let (dense, sparse) = (self.dense.run.cycles(), self.sparse.run.cycles());
        (sparse > 0).then(|| dense as f64 / sparse as f64)
    }

    /// Whether both compute the same.
    pub fn outputs_equal(&self) -> bool {
        self.dense.run.outputs() == self.sparse.run.outputs()
    }

    /// The layers of both, in the order of the sparse program.
    pub fn layers(&self) -> Vec<ComparedLayer<'a>> {
        let (dense, sparse) = (&self.dense, &self.sparse);
        let layers = sparse.program.layers.iter().zip(sparse.run.layers());
        let compared = |(layer, used): (&'a Layer, &LayerUse)| {
            let mut others = dense.program.layers.iter().zip(dense.run.layers());
            let (other, other_used) = others.find(|(l, _)| l.name == layer.name)?;
            Some(ComparedLayer {
                dense: (other, *other_used),
                sparse: (layer, *used),
                kept_macs: self.net.kept_macs(layer),
            })
        };
        layers.filter_map(compared).collect()
    }
}
