//! A network that can be trained: a graph's structure with its weights as tensors.

mod apply;
mod export;
mod forward;
mod function;
mod normalise;
mod params;
mod plan;
mod value;

pub use forward::{Mode, Pass};
pub(crate) use params::row;
pub use params::{Kind, Param, Running};
pub use value::Value;

use super::TrainError;
use super::backend::Kernels;
use super::kernels::fake::Grid;
use burn_tensor::Tensor;
use burn_tensor::backend::AutodiffBackend;
use params::Layer;
use plan::Role;
use std::collections::{BTreeMap, BTreeSet};
use vta_net::graph::{Graph, TensorId};

/// Added to variances before the root is taken.
pub const EPSILON: f32 = 1e-5;

/// Blocks of a weight that fade: the weight is multiplied by 1 in kept places
/// and by `1 - eta` in others.
#[derive(Debug, Clone, PartialEq)]
pub struct Mask {
    /// 1 or 0 for each element of the weight, in its order.
    pub keep: Vec<f32>,
    /// How far the others have faded: 0 not at all, 1 completely.
    pub eta: f32,
}

impl Mask {
    /// `M + (1 - eta) (1 - M)`.
    pub(super) fn factors(&self) -> Vec<f32> {
        let rest = 1.0 - self.eta;
        self.keep.iter().map(|m| m + rest * (1.0 - m)).collect()
    }
}

/// Exponents of int8 values, to train with the rounding of the device.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exponents {
    /// Of each weight after its normalisation is folded in, by the weight's
    /// name: one for all, or one for each output channel.
    pub weights: BTreeMap<String, Vec<i32>>,
    /// Of tensors of the graph, inputs and results. Where a layer's operand and
    /// weight both have exponents, its bias is rounded to steps of its sums.
    pub tensors: BTreeMap<TensorId, i32>,
    /// By the result of a mean or of a leaky ReLU: what the device has for the
    /// part of a value in the mean, or for the slope, where it is not exact.
    pub factors: BTreeMap<TensorId, f32>,
}

/// A network that can be trained. `B` is a backend without gradients, on which its values live.
#[derive(Debug, Clone)]
pub struct Network<B: Kernels> {
    graph: Graph,
    params: Vec<Param<B>>,
    running: Vec<Running>,
    layers: Vec<Option<Layer>>,
    roles: Vec<Role>,
    last_uses: Vec<Vec<TensorId>>,
    kept: BTreeSet<TensorId>,
    /// Whether maps may have their channels last in memory.
    channels_last: bool,
    masks: BTreeMap<String, Mask>,
    exponents: Option<Exponents>,
    device: B::Device,
}

impl<B: Kernels> Network<B> {
    /// The graph's function, with its weights.
    ///
    /// # Errors
    /// A node that works across the samples of a batch, more than one input.
    pub fn new(graph: &Graph, device: &B::Device) -> Result<Self, TrainError> {
        Self::with(graph, false, device)
    }

    /// The graph's convolutions, each with a new batch normalisation behind it
    /// in place of its bias: to train from scratch. Those whose results are
    /// outputs, as scores and boxes of a detector, keep their bias.
    ///
    /// # Errors
    /// As [`Network::new`].
    pub fn normalised(graph: &Graph, device: &B::Device) -> Result<Self, TrainError> {
        Self::with(graph, true, device)
    }

    fn with(graph: &Graph, norms: bool, device: &B::Device) -> Result<Self, TrainError> {
        plan::check(graph)?;
        let parts = params::parts::<B>(graph, norms, device);
        let kept = BTreeSet::new();
        Ok(Self {
            roles: plan::roles(graph, &parts.layers, &kept),
            last_uses: plan::last_uses(graph, &kept),
            graph: graph.clone(),
            params: parts.params,
            running: parts.running,
            layers: parts.layers,
            kept,
            channels_last: plan::channels_last(graph),
            masks: BTreeMap::new(),
            exponents: None,
            device: device.clone(),
        })
    }

    /// The structure; its weights are those that the network was made from.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Where its values live.
    pub fn device(&self) -> &B::Device {
        &self.device
    }

    /// The parameters, always in the same order.
    pub fn params(&self) -> &[Param<B>] {
        &self.params
    }

    /// The place of a parameter among [`Network::params`].
    pub fn find(&self, name: &str) -> Option<usize> {
        self.params.iter().position(|p| p.name == name)
    }

    /// Gives a parameter new values.
    ///
    /// # Errors
    /// No such parameter, another number of values.
    pub fn set(&mut self, name: &str, values: Vec<f32>) -> Result<(), TrainError> {
        let at = self.index(name)?;
        let p = &mut self.params[at];
        let want: usize = p.dims.iter().product();
        if values.len() != want {
            return Err(size(name, vec![want], vec![values.len()]));
        }
        p.value = row(values, &self.device);
        Ok(())
    }

    /// Gives the parameter at an index new values, as an optimiser does.
    pub(super) fn replace(&mut self, index: usize, value: Tensor<B, 1>) {
        self.params[index].value = value;
    }

    fn index(&self, name: &str) -> Result<usize, TrainError> {
        self.find(name).ok_or_else(|| TrainError::Unknown {
            name: name.to_owned(),
        })
    }

    /// Running statistics of the normalisations, in the order of the nodes.
    pub fn running(&self) -> &[Running] {
        &self.running
    }

    /// Gives a normalisation other running statistics.
    ///
    /// # Errors
    /// No such node, another number of channels.
    pub fn set_running(&mut self, running: Running) -> Result<(), TrainError> {
        let Some(old) = self.running.iter_mut().find(|r| r.node == running.node) else {
            return Err(TrainError::Unknown { name: running.node });
        };
        let want = old.mean.len();
        for got in [running.mean.len(), running.var.len()] {
            if got != want {
                return Err(size(&running.node, vec![want], vec![got]));
            }
        }
        *old = running;
        Ok(())
    }

    /// Which tensors a pass keeps, for losses on feature maps; outputs are always kept.
    pub fn keep(&mut self, tensors: impl IntoIterator<Item = TensorId>) {
        self.kept = tensors.into_iter().collect();
        self.roles = plan::roles(&self.graph, &self.layers, &self.kept);
        self.last_uses = plan::last_uses(&self.graph, &self.kept);
    }

    /// Tensors that a pass keeps.
    pub fn kept(&self) -> impl Iterator<Item = TensorId> + '_ {
        self.kept.iter().copied()
    }

    /// Sets or takes away the mask of a weight, `keep` in the weight's order.
    ///
    /// # Errors
    /// No such weight, another number of elements.
    pub fn set_mask(&mut self, weight: &str, mask: Option<Mask>) -> Result<(), TrainError> {
        let at = self.index(weight)?;
        let want: usize = self.params[at].dims.iter().product();
        match mask {
            Some(m) if m.keep.len() != want => {
                return Err(size(weight, vec![want], vec![m.keep.len()]));
            }
            Some(m) => self.masks.insert(weight.to_owned(), m),
            None => self.masks.remove(weight),
        };
        Ok(())
    }

    /// Sets how far the masked places of all weights have faded.
    pub fn set_eta(&mut self, eta: f32) {
        self.masks.values_mut().for_each(|m| m.eta = eta);
    }

    /// Multiplies weights with their masks as they are, and takes the masks away.
    pub fn apply_masks(&mut self) {
        let masks = std::mem::take(&mut self.masks);
        for (name, mask) in masks {
            if let Some(at) = self.find(&name) {
                let factors = row(mask.factors(), &self.device);
                let p = &mut self.params[at];
                p.value = p.value.clone() * factors;
            }
        }
    }

    /// Takes all masks away; weights are then as they are kept.
    pub fn drop_masks(&mut self) {
        self.masks.clear();
    }

    /// The masks, by weight.
    pub fn masks(&self) -> &BTreeMap<String, Mask> {
        &self.masks
    }

    /// Starts or ends training with the rounding of int8. Normalisations then
    /// are folded into the weights, with their running statistics as they are.
    pub fn set_exponents(&mut self, exponents: Option<Exponents>) {
        self.exponents = exponents;
    }

    /// The exponents that are trained with.
    pub fn exponents(&self) -> Option<&Exponents> {
        self.exponents.as_ref()
    }

    /// The parameters as leaves that gradients are wanted of.
    pub fn leaves<A: AutodiffBackend<InnerBackend = B>>(&self) -> Vec<Tensor<A, 1>> {
        self.params.iter().map(Param::leaf).collect()
    }

    /// The parameters, without gradients.
    pub fn plain(&self) -> Vec<Tensor<B, 1>> {
        self.params.iter().map(|p| p.value.clone()).collect()
    }

    fn grids(&self, weight: &str) -> Option<Vec<Grid>> {
        let exponents = self.exponents.as_ref()?.weights.get(weight)?;
        Some(exponents.iter().map(|e| Grid::weight(*e)).collect())
    }
}

fn size(name: &str, want: Vec<usize>, got: Vec<usize>) -> TrainError {
    TrainError::Size {
        name: name.to_owned(),
        want,
        got,
    }
}
