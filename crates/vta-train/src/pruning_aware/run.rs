//! A run of pruning, as hooks of a trainer.

use super::checkpoint_state;
use super::distillation::{DistillationWeights, attention, distance, unit};
use super::distillation_loss::DistillationLoss;
use super::exponents::for_training;
use super::features::features;
use crate::backend::{Kernels, floats};
use crate::identity::Identity;
use crate::{
    Checkpoint, Hooks, Mask, Mode, Network, Pass, Seen, StepContext, TrainError, network::row,
};
use burn_tensor::Tensor;
use burn_tensor::backend::{AutodiffBackend, BackendTypes};
use vta_net::graph::{Graph, TensorId};
use vta_net::quant::{Exponents, QuantError};
use vta_net::sparse::Masks;
use vta_prune::{Change, Pruner, Step};

/// Chooses exponents for a network as it is exported.
pub type Calibrate<'a> = Box<dyn Fn(&Graph) -> Result<Exponents, QuantError> + Send + Sync + 'a>;

/// Counts the cycles of the network with masks, and with the exponents that it is trained
/// with where they are known; an error says why not.
pub type Count<'a> = Box<dyn FnMut(Option<&Exponents>, &Masks) -> Result<u64, String> + 'a>;

/// Masks, penalty, teachers and rounding of a run.
///
/// The order of channels is not its business: [`permute`](vta_prune::permute)
/// comes before the run.
pub struct PruneRun<'a, B: Kernels, T> {
    pruner: Pruner,
    distillation_loss: T,
    weights: DistillationWeights,
    calibrate: Calibrate<'a>,
    count: Option<Count<'a>>,
    /// Places of the layers' weights among the parameters.
    places: Vec<usize>,
    features: Vec<TensorId>,
    /// The dense network.
    dense: Option<Network<B>>,
    /// The network before the last mask update, or at the end of the last epoch
    /// after that.
    temporal_teacher: Option<Network<B>>,
    /// `Z - U` of the layers that are pulled, on the backend.
    targets: Vec<Option<Tensor<B, 1>>>,
    /// Exponents that are trained with.
    exponents: Option<Exponents>,
    /// The last losses: spatial, temporal.
    last_losses: [f64; 2],
}

impl<B: Kernels, T: std::fmt::Debug> std::fmt::Debug for PruneRun<'_, B, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PruneRun")
            .field("plan", self.pruner.plan())
            .field("distillation_loss", &self.distillation_loss)
            .field("weights", &self.weights)
            .finish_non_exhaustive()
    }
}

impl<'a, B: Kernels, T> PruneRun<'a, B, T> {
    /// For a network that is dense yet; it teaches where the method says so.
    ///
    /// # Errors
    /// A weight of the pruner's layers that the network does not have.
    pub fn new(
        pruner: Pruner,
        network: &mut Network<B>,
        distillation_loss: T,
        weights: DistillationWeights,
        calibrate: Calibrate<'a>,
    ) -> Result<Self, TrainError> {
        let place = |name: &String| {
            let name = name.clone();
            network.find(&name).ok_or(TrainError::Unknown { name })
        };
        let names = pruner.layers().iter().map(|l| &l.weight_name);
        let places = names.map(place).collect::<Result<Vec<_>, _>>()?;
        let method = pruner.plan().method();
        let features = match method.temporal || method.spatial {
            true => features(network.graph()),
            false => Vec::new(),
        };
        network.keep(features.iter().copied());
        Ok(Self {
            dense: method.spatial.then(|| network.clone()),
            targets: vec![None; places.len()],
            temporal_teacher: None,
            exponents: None,
            last_losses: [0.0; 2],
            pruner,
            distillation_loss,
            weights,
            calibrate,
            count: None,
            places,
            features,
        })
    }

    /// Meets a budget of cycles by exact counts at each mask update, instead of by its
    /// table: [`Pruner::before`], [`Pruner::settle`].
    #[must_use]
    pub fn counting(mut self, count: Count<'a>) -> Self {
        self.count = Some(count);
        self
    }

    /// Exponents that it trains with, once it does.
    pub fn exponents(&self) -> Option<&Exponents> {
        self.exponents.as_ref()
    }

    /// Layers, masks and plan.
    pub fn pruner(&self) -> &Pruner {
        &self.pruner
    }

    fn todo(&self, step: u64) -> Step {
        self.pruner.plan().step(step)
    }

    /// Masks of the pruner for the network, and what its penalty pulls to.
    fn follow(&mut self, network: &mut Network<B>, eta: f64) -> Result<(), TrainError> {
        for (i, layer) in self.pruner.layers().iter().enumerate() {
            if !layer.prunable() {
                continue;
            }
            let state = self.pruner.state(i);
            let keep = layer.blocks.spread(state.kept(), 1.0, 0.0);
            let eta = eta as f32;
            let mask = keep.contains(&0.0).then_some(Mask { keep, eta });
            network.set_mask(&layer.weight_name, mask)?;
            let pulled = state.rho() > 0.0;
            self.targets[i] = pulled.then(|| row(state.target(), network.device()));
        }
        Ok(())
    }

    /// The layers' weights as they are.
    fn weights(&self, network: &Network<B>) -> Vec<Vec<f32>> {
        let params = self.places.iter().map(|p| &network.params()[*p]);
        params.map(|p| p.values()).collect()
    }

    /// Counts the frozen masks once more, with the exponents that are final.
    fn settle(&mut self, network: &mut Network<B>, eta: f64) -> Result<(), TrainError> {
        let mut weights = self.weights(network);
        let Some(count) = &mut self.count else {
            return Ok(());
        };
        let known = self.exponents.as_ref();
        let mut count = |masks: &Masks| count(known, masks);
        let change = self.pruner.settle(&mut weights, &mut count);
        self.apply(network, change.map_err(hooks)?, (weights, eta))
    }

    /// What the pruner made of masks and weights, for the network.
    fn apply(
        &mut self,
        network: &mut Network<B>,
        change: Change,
        (weights, eta): (Vec<Vec<f32>>, f64),
    ) -> Result<(), TrainError> {
        if change.zeros {
            for (layer, w) in self.pruner.layers().iter().zip(weights) {
                network.set(&layer.weight_name, w)?;
            }
        }
        match change.masks {
            true => self.follow(network, eta),
            false => Ok(()),
        }
    }

    /// Trains with the rounding of these exponents, or of none.
    fn round(
        &mut self,
        network: &mut Network<B>,
        exponents: Option<Exponents>,
    ) -> Result<(), TrainError> {
        let of = |e: &Exponents| for_training(e, network.graph());
        let rounding = exponents.as_ref().map(of).transpose().map_err(hooks)?;
        network.set_exponents(rounding);
        self.exponents = exponents;
        Ok(())
    }

    /// Chooses exponents for the network as it is, and trains with them.
    fn round_from_now(&mut self, network: &mut Network<B>) -> Result<(), TrainError> {
        let exponents = (self.calibrate)(&network.to_graph()).map_err(hooks)?;
        self.round(network, Some(exponents))
    }

    /// The distillation loss of a batch to one teacher, each part with its weight.
    fn evaluate_teacher<A, L>(
        &self,
        seen: &Seen<'_, B, A, L>,
        (teacher, mode): (&Network<B>, Mode),
        weights: [f64; 2],
        map: impl Fn(&Self, Tensor<A, 4>, Tensor<B, 4>, &[L]) -> Tensor<A, 1>,
    ) -> Result<Tensor<A, 1>, TrainError>
    where
        A: AutodiffBackend<InnerBackend = B> + Kernels + BackendTypes<Device = B::Device>,
        T: DistillationLoss<L>,
    {
        let pass: Pass<B> = teacher.forward(&teacher.plain(), seen.images.clone(), mode)?;
        let t = self.weights.temperature;
        let outputs = self
            .distillation_loss
            .outputs(seen.pass, &pass, seen.labels, t)?;
        let mut sum = outputs.mul_scalar(weights[0]);
        for feature in &self.features {
            let (Some(s), Some(t)) = (seen.pass.get(*feature), pass.get(*feature)) else {
                continue;
            };
            let apart = map(self, s.map(), t.map(), seen.labels);
            sum = sum + apart.mul_scalar(weights[1]);
        }
        Ok(sum)
    }
}

impl<B, A, L, T> Hooks<B, A, L> for PruneRun<'_, B, T>
where
    B: Kernels,
    A: AutodiffBackend<InnerBackend = B> + Kernels + BackendTypes<Device = B::Device>,
    T: DistillationLoss<L>,
{
    fn identify(&self, run: &mut Identity) {
        let plan = self.pruner.plan();
        run.put_all("method", plan.method());
        run.put_all("lengths", plan.settings());
        run.put_all("distillation", &self.weights);
        self.pruner
            .target()
            .describe(|name, text| run.put(name, text));
        if let Some(table) = self.pruner.target().cycles() {
            run.put("cycles", "counted at each mask update");
            // Names of files and configurations change nothing.
            let rest = table.fixed_cycles.to_le_bytes().to_vec();
            run.put_digest("cost table", [json(&table.layers), rest]);
        }
        let layers = self.pruner.layers();
        let stay = layers.iter().filter(|l| !l.prunable());
        let stay: Vec<&str> = stay.map(|l| l.node.as_str()).collect();
        run.put("layers that stay dense", stay.join(", "));
        run.put_digest("layers", [json(&layers)]);
    }

    fn stage(&self, step: u64) -> Option<(u64, u64)> {
        let todo = self.todo(step);
        Some((todo.schedule, todo.span))
    }

    /// Without the normalisation of batches, which rounding folds in, steps must be shorter.
    fn learning_rate_factor(&self, step: u64) -> f64 {
        let plan = self.pruner.plan();
        match plan.step(step).quantise {
            true => plan.settings().quantised_rate_factor,
            false => 1.0,
        }
    }

    fn before(
        &mut self,
        network: &mut Network<B>,
        context: &StepContext,
    ) -> Result<(), TrainError> {
        let todo = self.todo(context.step);
        if todo.snapshot {
            let mut temporal_teacher = network.clone();
            temporal_teacher.apply_masks();
            temporal_teacher.set_exponents(None);
            self.temporal_teacher = Some(temporal_teacher);
        }
        let mut weights = match todo.update_masks {
            true => self.weights(network),
            false => Vec::new(),
        };
        let rho = self.pruner.rho();
        let change = match &mut self.count {
            Some(count) => {
                let known = self.exponents.as_ref();
                let mut count = |masks: &Masks| count(known, masks);
                self.pruner
                    .before(context.step, &mut weights, Some(&mut count))
            }
            None => self.pruner.before(context.step, &mut weights, None),
        };
        let mut change = change.map_err(hooks)?;
        change.masks |= rho != self.pruner.rho();
        self.apply(network, change, (weights, todo.eta))?;
        network.set_eta(todo.eta as f32);
        if todo.quantise && network.exponents().is_none() {
            self.round_from_now(network)?;
        }
        if todo.settle && self.count.is_some() {
            self.settle(network, todo.eta)?;
        }
        Ok(())
    }

    fn loss(
        &mut self,
        seen: &Seen<'_, B, A, L>,
        context: &StepContext,
    ) -> Result<Option<Tensor<A, 1>>, TrainError> {
        let todo = self.todo(context.step);
        let every = self.weights.every.max(1);
        if todo.teachers == 0.0 || !context.step.is_multiple_of(every) {
            return Ok(None);
        }
        let by = todo.teachers * every as f64;
        let w = &self.weights;
        let mut sum: Option<Tensor<A, 1>> = None;
        let mut last_losses = [0.0; 2];
        if let Some(dense) = &self.dense {
            let weights = [w.spatial_outputs * by, w.spatial_maps * by];
            let spatial = |run: &Self, s: Tensor<A, 4>, t: Tensor<B, 4>, labels: &[L]| {
                let [n, _, h, w] = s.dims();
                let places = run.distillation_loss.position_weights(labels, [h, w]);
                let places = places.map(|p| row::<B>(p, &t.device()).reshape([n, h * w]));
                distance(attention(s), attention(t), places)
            };
            let loss = self.evaluate_teacher(seen, (dense, Mode::Folded), weights, spatial)?;
            last_losses[0] = value(&loss);
            sum = Some(loss);
        }
        if let Some(temporal_teacher) = &self.temporal_teacher {
            let weights = [w.temporal_outputs * by, w.temporal_maps * by];
            let temporal = |_: &Self, s: Tensor<A, 4>, t: Tensor<B, 4>, _: &[L]| {
                distance(unit(s), unit(t), None)
            };
            // Running statistics follow masks that change too slowly.
            let loss =
                self.evaluate_teacher(seen, (temporal_teacher, Mode::Batch), weights, temporal)?;
            last_losses[1] = value(&loss);
            sum = Some(match sum {
                Some(s) => s + loss,
                None => loss,
            });
        }
        self.last_losses = last_losses;
        Ok(sum)
    }

    fn gradients(
        &mut self,
        network: &Network<B>,
        gradients: &mut [Option<Tensor<B, 1>>],
        _context: &StepContext,
    ) -> Result<(), TrainError> {
        let rho = f64::from(self.pruner.rho());
        for (place, target) in self.places.iter().zip(&self.targets) {
            let (Some(target), Some(g)) = (target, gradients.get_mut(*place)) else {
                continue;
            };
            let w = network.params()[*place].value.clone();
            let pull = (w - target.clone()).mul_scalar(rho);
            *g = Some(match g.take() {
                Some(g) => g + pull,
                None => pull,
            });
        }
        Ok(())
    }

    fn columns(&self) -> Vec<(String, f64)> {
        let columns = [
            ("sparsity", self.pruner.sparsity()),
            ("rho", f64::from(self.pruner.rho())),
            ("spatial", self.last_losses[0]),
            ("temporal", self.last_losses[1]),
        ];
        columns.map(|(n, v)| (n.to_owned(), v)).to_vec()
    }

    fn save(&self, to: &mut Checkpoint) {
        checkpoint_state::save(
            &self.pruner,
            self.temporal_teacher.as_ref(),
            self.exponents.as_ref(),
            self.last_losses,
            to,
        );
    }

    fn load(&mut self, from: &Checkpoint, network: &mut Network<B>) -> Result<(), TrainError> {
        let saved = checkpoint_state::load(&self.pruner, network, from)?;
        self.pruner = saved.pruner;
        self.temporal_teacher = saved.temporal_teacher;
        self.last_losses = saved.last_losses;
        let step = from.number("step")?;
        self.round(network, saved.exponents)?;
        // The eta of the step that was made last, as the network had it.
        let eta = step.checked_sub(1).map_or(0.0, |s| self.todo(s).eta);
        self.follow(network, eta)
    }
}

/// Numbers, texts and lists as bytes: nothing in them can fail.
fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn hooks(e: impl std::fmt::Display) -> TrainError {
    TrainError::Hooks(e.to_string())
}

fn value<A: AutodiffBackend>(t: &Tensor<A, 1>) -> f64 {
    let values = floats(t.clone().inner());
    values.first().copied().map_or(0.0, f64::from)
}
