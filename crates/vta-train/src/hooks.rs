//! Where a method of pruning takes part in training.

use super::TrainError;
use super::backend::Kernels;
use super::checkpoint::Checkpoint;
use super::identity::Identity;
use super::network::{Network, Pass, Value};
use burn_tensor::Tensor;
use burn_tensor::backend::BackendTypes;

/// The step that a run is in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepContext {
    /// The step, counted from 0.
    pub step: u64,
    /// All steps of the run.
    pub steps: u64,
    /// The epoch, counted from 0.
    pub epoch: u64,
    /// The batch of the epoch, counted from 0.
    pub batch: u64,
    /// Batches of an epoch.
    pub batches: u64,
    /// The learning rate of this step.
    pub rate: f64,
}

/// A step between its forward and its backward pass.
#[derive(Debug)]
pub struct Seen<'a, B: Kernels, A: Kernels, L> {
    /// The network.
    pub network: &'a Network<B>,
    /// Its parameters as leaves, in the order of [`Network::params`].
    pub leaves: &'a [Tensor<A, 1>],
    /// The images, without gradients: for teachers.
    pub images: &'a Value<B>,
    /// The labels.
    pub labels: &'a [L],
    /// Outputs and kept tensors.
    pub pass: &'a Pass<A>,
}

/// What takes part in training; each call does nothing unless it is written.
///
/// A step is: [`before`](Hooks::before), forward pass, [`loss`](Hooks::loss),
/// backward pass, [`gradients`](Hooks::gradients), optimiser,
/// [`after`](Hooks::after). All that the hooks remember from one step to the
/// next goes through [`save`](Hooks::save) and [`load`](Hooks::load), else a
/// run that was stopped goes on differently.
pub trait Hooks<B: Kernels, A: Kernels + BackendTypes<Device = B::Device>, L> {
    /// Adds all that changes what they do, as it is before the first step.
    fn identify(&self, _run: &mut Identity) {}

    /// First step and length of the stage that a step is in: in each stage the
    /// learning rate and the optimiser start anew. `None` is one stage for the whole run.
    fn stage(&self, _step: u64) -> Option<(u64, u64)> {
        None
    }

    /// The learning-rate factor of a step: what the rate of its schedule is multiplied with.
    fn learning_rate_factor(&self, _step: u64) -> f64 {
        1.0
    }

    /// Before the forward pass: masks, exponents, tensors to keep.
    ///
    /// # Errors
    /// What the hooks say; training stops.
    fn before(
        &mut self,
        _network: &mut Network<B>,
        _context: &StepContext,
    ) -> Result<(), TrainError> {
        Ok(())
    }

    /// Added to the loss of the task: one number, if any.
    ///
    /// # Errors
    /// What the hooks say; training stops.
    fn loss(
        &mut self,
        _seen: &Seen<'_, B, A, L>,
        _context: &StepContext,
    ) -> Result<Option<Tensor<A, 1>>, TrainError> {
        Ok(None)
    }

    /// Changes gradients, in the order of [`Network::params`]; penalties whose
    /// gradients are known are cheaper here than in the loss.
    ///
    /// # Errors
    /// What the hooks say; training stops.
    fn gradients(
        &mut self,
        _network: &Network<B>,
        _gradients: &mut [Option<Tensor<B, 1>>],
        _context: &StepContext,
    ) -> Result<(), TrainError> {
        Ok(())
    }

    /// After the parameters have changed.
    ///
    /// # Errors
    /// What the hooks say; training stops.
    fn after(
        &mut self,
        _network: &mut Network<B>,
        _context: &StepContext,
    ) -> Result<(), TrainError> {
        Ok(())
    }

    /// More columns of the log, asked for at the end of each epoch; always the same names.
    fn columns(&self) -> Vec<(String, f64)> {
        Vec::new()
    }

    /// Adds the state to a checkpoint. Names start with `hooks/`.
    fn save(&self, _to: &mut Checkpoint) {}

    /// Takes the state from a checkpoint.
    ///
    /// # Errors
    /// A part that is missing or of another size.
    fn load(&mut self, _from: &Checkpoint, _network: &mut Network<B>) -> Result<(), TrainError> {
        Ok(())
    }
}

/// Nothing takes part.
impl<B: Kernels, A: Kernels + BackendTypes<Device = B::Device>, L> Hooks<B, A, L> for () {}
