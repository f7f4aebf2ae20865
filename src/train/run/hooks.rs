//! Where a method plugs into a run.

use crate::data::{Batch, Label};
use crate::train::backend::Grad;
use crate::train::network::{Network, Pass};
use crate::train::TrainError;
use burn::tensor::Tensor;
use std::collections::BTreeMap;

/// When it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Steps done before this one.
    pub step: u64,
    /// Steps of the whole run.
    pub steps: u64,
    /// Steps of an epoch.
    pub per_epoch: u64,
}

impl Moment {
    /// The epoch, from 0.
    pub const fn epoch(&self) -> u64 {
        self.step / self.per_epoch
    }

    /// The batch of the epoch, from 0.
    pub const fn batch(&self) -> u64 {
        self.step % self.per_epoch
    }

    /// How much of the run is done before this step, 0 to 1.
    pub fn part(&self) -> f64 {
        self.step as f64 / self.steps.max(1) as f64
    }

    /// Quarters of epochs that are done before this step.
    pub const fn quarters(&self) -> u64 {
        self.step * 4 / self.per_epoch
    }

    /// Whether this step is the last of a quarter of an epoch (of a quarter
    /// without steps there is no end).
    pub const fn ends_quarter(&self) -> bool {
        self.next().quarters() > self.quarters()
    }

    /// Whether this step is the last of an epoch.
    pub const fn ends_epoch(&self) -> bool {
        self.next().batch() == 0
    }

    /// The moment one step later.
    pub const fn next(&self) -> Self {
        Self {
            step: self.step + 1,
            ..*self
        }
    }
}

/// What a loss can be made of.
pub struct Context<'a, A: Grad, L: Label> {
    /// When it is.
    pub moment: Moment,
    /// The network; its values are those before the step.
    pub network: &'a Network<A::InnerBackend>,
    /// The parameters that gradients are taken of, in the order of
    /// [`Network::params`], without masks.
    pub params: &'a [Tensor<A, 1>],
    /// The images, without gradients, for other networks to see.
    pub images: &'a Tensor<A::InnerBackend, 4>,
    /// The samples.
    pub batch: &'a Batch<L>,
    /// What the network made of them: outputs and tensors that are kept.
    pub pass: &'a Pass<A>,
}

/// What a method keeps in a checkpoint.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HookState {
    /// Lists of values by name.
    pub values: BTreeMap<String, Vec<f32>>,
    /// Anything else, as text.
    pub text: String,
}

/// A method that takes part in training. Everything defaults to nothing.
///
/// Order in a step: [`loss`](Hooks::loss), gradients, the optimiser,
/// [`after_step`](Hooks::after_step), then [`after_quarter`](Hooks::after_quarter)
/// and [`after_epoch`](Hooks::after_epoch) where one ends; checkpoints follow.
pub trait Hooks<A: Grad, L: Label> {
    /// Before the first step of a process, also after a checkpoint was loaded:
    /// the place for [`Network::keep`] (what the task needs is added).
    ///
    /// # Errors
    /// The method's own.
    fn start(&mut self, _: &mut Network<A::InnerBackend>) -> Result<(), TrainError> {
        Ok(())
    }

    /// Terms that are added to the task's loss, each of one element, with names for the log.
    ///
    /// # Errors
    /// The method's own.
    fn loss(
        &mut self,
        _: &Context<'_, A, L>,
    ) -> Result<Vec<(&'static str, Tensor<A, 1>)>, TrainError> {
        Ok(Vec::new())
    }

    /// After each step of the optimiser.
    ///
    /// # Errors
    /// The method's own.
    fn after_step(
        &mut self,
        _: Moment,
        _: &mut Network<A::InnerBackend>,
    ) -> Result<(), TrainError> {
        Ok(())
    }

    /// After the last step of each quarter of an epoch: the place to update masks.
    ///
    /// # Errors
    /// The method's own.
    fn after_quarter(
        &mut self,
        _: Moment,
        _: &mut Network<A::InnerBackend>,
    ) -> Result<(), TrainError> {
        Ok(())
    }

    /// After the last step of each epoch.
    ///
    /// # Errors
    /// The method's own.
    fn after_epoch(
        &mut self,
        _: Moment,
        _: &mut Network<A::InnerBackend>,
    ) -> Result<(), TrainError> {
        Ok(())
    }

    /// Further columns of the log, by name: the same names each time.
    fn columns(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// What must be in a checkpoint besides the network and the optimiser.
    fn save(&self) -> HookState {
        HookState::default()
    }

    /// Takes what [`save`](Hooks::save) gave.
    ///
    /// # Errors
    /// A state that is none of this method.
    fn load(&mut self, _: HookState) -> Result<(), TrainError> {
        Ok(())
    }
}

/// Training alone.
impl<A: Grad, L: Label> Hooks<A, L> for () {}
