//! Integer networks: the stage before programs.

use crate::monitor::Phase;
use crate::reference::Comparer;
use crate::{Error, MaskedModel, Program};
use vta_compile::{self as compiler, Options, Sparsity};
use vta_net::quant::{self, Exponents, QNet};
use vta_program::config::HwConfig;
use vta_program::program::Layer;
use vta_tensor::host::Tensor;
use vta_verify::Report;

/// An int8 network with power-of-two scales, and the float network that it is of.
#[derive(Debug, Clone)]
pub struct QuantisedModel {
    masked: MaskedModel,
    calibration_is: String,
    /// Of the network with all its tensors, before host steps became one.
    exponents: Exponents,
    net: QNet,
}

impl QuantisedModel {
    pub(crate) fn new(masked: MaskedModel, calibration_is: String, mut net: QNet) -> Self {
        let exponents = Exponents::of(&net);
        quant::fuse_host(&mut net);
        Self {
            masked,
            calibration_is,
            exponents,
            net,
        }
    }

    /// The program without zero blocks: no micro-op, no GEMM step and no byte of them.
    ///
    /// With debug assertions on, [`QuantisedModel::verify`] looks at every program.
    ///
    /// # Errors
    /// A layer that does not fit the configuration; [`Error::Cancelled`].
    pub fn compile(&self, config: &HwConfig) -> Result<Program, Error> {
        self.compile_with(config, Sparsity::Sparse)
    }

    /// The best dense program: nothing is left out.
    ///
    /// # Errors
    /// As [`QuantisedModel::compile`].
    pub fn compile_dense(&self, config: &HwConfig) -> Result<Program, Error> {
        self.compile_with(config, Sparsity::Dense)
    }

    /// Both programs, dense and sparse, on two threads.
    ///
    /// # Errors
    /// As [`QuantisedModel::compile`].
    pub fn compile_both(&self, config: &HwConfig) -> Result<(Program, Program), Error> {
        let both = rayon::join(|| self.compile_dense(config), || self.compile(config));
        Ok((both.0?, both.1?))
    }

    fn compile_with(&self, config: &HwConfig, sparsity: Sparsity) -> Result<Program, Error> {
        let watch = self.masked.watch();
        watch.go_on()?;
        let dense = sparsity == Sparsity::Dense;
        let _span = tracing::info_span!("compile", dense).entered();
        let _phase = watch.phase(Phase::Compile, None);
        let options = Options {
            config: config.clone(),
            sparsity,
        };
        let program = compiler::compile(&self.net, &options)?;
        watch.go_on()?;
        let program = Program::watched(program, watch.clone());
        // In tests, every program is held against its network.
        if cfg!(debug_assertions) {
            self.verify(&program)?;
        }
        Ok(program)
    }

    /// Proves that a program is this network, masks included: that each element
    /// it stores is the sum over exactly the kept weights times the right
    /// inputs, with the right bias, shifts, second operand, limits and pool.
    /// [`Program::verify`] is a part of it.
    ///
    /// # Errors
    /// [`Error::NotProven`] with what differs, each with layer and element; [`Error::Cancelled`].
    pub fn verify(&self, program: &Program) -> Result<Report, Error> {
        let watch = self.masked.watch();
        let _phase = watch.phase(Phase::Verify, None);
        let proof = vta_verify::against_until(program, &self.net, &|| watch.is_cancelled());
        watch.go_on()?;
        proof.map_err(Error::NotProven)
    }

    /// The float network and its masks.
    pub const fn masked(&self) -> &MaskedModel {
        &self.masked
    }

    /// The integer network.
    pub const fn net(&self) -> &QNet {
        &self.net
    }

    /// Its exponents, to quantise the same way again.
    pub fn exponents(&self) -> Exponents {
        self.exponents.clone()
    }

    /// How far each layer is from the float network on these samples, in the order of
    /// execution: where accuracy goes.
    ///
    /// # Errors
    /// Tensors that the inputs do not take.
    pub fn noise(&self, samples: &[Vec<Tensor>]) -> Result<Vec<quant::Noise>, Error> {
        Ok(quant::noise(
            self.masked.model().graph(),
            &self.net,
            samples,
        )?)
    }

    /// In words, what scales were chosen by.
    pub fn calibration_is(&self) -> &str {
        &self.calibration_is
    }

    /// In words: what was read, which blocks were dropped, how scales were chosen.
    pub fn describe(&self) -> String {
        let model = self.masked.model();
        let seed = match model.zoo_seed() {
            Some(seed) => format!(" (zoo, seed {seed})"),
            None => String::new(),
        };
        format!(
            "{}{seed}: {}; scales from {}",
            model.name(),
            self.masked.masks_are(),
            self.calibration_is
        )
    }

    /// What a program must compute for a sample, to the bit, by the integer
    /// reference, which shares no loop with compiler and simulator.
    ///
    /// # Errors
    /// Tensors that the inputs do not take.
    pub fn infer(&self, sample: &[Tensor]) -> Result<Vec<Tensor>, Error> {
        Ok(quant::reference::run(&self.net, sample)?)
    }

    /// Compares runs of a program with the integer reference, layer by layer.
    ///
    /// # Errors
    /// The network breaks a rule.
    pub fn comparer<'a>(&'a self, program: &'a Program) -> Result<Comparer<'a>, Error> {
        Comparer::new(program, &self.net)
    }

    /// Multiply-accumulates of a layer without its dropped blocks; blocks at the
    /// edge count what they hold.
    pub fn kept_macs(&self, layer: &Layer) -> u64 {
        let node = self.net.nodes.iter().find(|n| n.name == layer.name);
        node.map_or(layer.macs, |n| self.net.kept_macs(n))
    }
}
