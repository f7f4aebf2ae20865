//! A network while it is pruned.

use super::by_cycles::ByCycles;
use crate::monitor::Phase;
use crate::{Calibration, Error, Model};
use std::collections::BTreeMap;
use vta_net::graph::Graph;
use vta_net::sparse::Masks;
use vta_program::config::HwConfig;
use vta_prune::permute::{Effort, Outcome, permute};
use vta_prune::{
    Allocation, Profile, PruneError, PruneLayer, Ranks, Request, Returns, Target, weight,
};

/// Cycles of the pruned network: by the table that blocks were weighed by, and exactly.
#[derive(Debug, Clone)]
pub struct Cycles {
    /// What the table says of each layer, by weight.
    pub predicted: BTreeMap<String, f64>,
    /// What the table says of the network.
    pub total: f64,
    /// What the simulator counts for each layer, by weight.
    pub simulated: BTreeMap<String, u64>,
    /// What the simulator counts for the network.
    pub simulated_total: u64,
    /// The budget.
    pub budget: u64,
    /// How often cycles were asked for.
    pub questions: u64,
    /// What came back under the budget, and what did not.
    pub returns: Option<Returns>,
}

/// What was decided: how many blocks each layer keeps, and which.
#[derive(Debug, Clone)]
pub struct Decision {
    /// How many.
    pub allocation: Allocation,
    /// Which.
    pub masks: Masks,
    /// Cycles of the pruned network, where a budget counts them.
    pub cycles: Option<Cycles>,
}

/// A network and its layers, while it is pruned.
///
/// ```
/// use vta::prune::{AllocationRule, Budget, Costs, Dense, Ranking, Target, layers};
///
/// let model = vta::Model::zoo("resnet8", 1)?;
/// let layers = layers(model.graph(), &Dense::Ends, false, Ranking::MeanSquare)?;
/// let pruning = vta::pruning::Pruning::new(model, layers)?;
/// // Half of the blocks of the layers that do not stay dense.
/// let target = Target::new(AllocationRule::Lamp, Costs::Blocks, Budget::Fraction(0.5));
/// let decision = pruning.one_shot(&target, &vta::config::HwConfig::de10())?;
/// let pruned = pruning.into_model().mask(decision.masks)?;
/// assert!(!pruned.masks().is_empty());
/// # Ok::<(), vta::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Pruning {
    model: Model,
    layers: Vec<PruneLayer>,
    weights: Vec<Vec<f32>>,
    profiles: Vec<Profile>,
}

impl Pruning {
    /// A dense network and its layers, and which of them stay dense.
    ///
    /// # Errors
    /// A layer that the network does not have.
    pub fn new(model: Model, layers: Vec<PruneLayer>) -> Result<Self, PruneError> {
        let graph = model.graph();
        let of = |l: &PruneLayer| weight(graph, &l.weight_name).unwrap_or_default();
        let weights: Vec<Vec<f32>> = layers.iter().map(of).collect();
        let views: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
        Ok(Self {
            profiles: Profile::all(&layers, &views)?,
            model,
            layers,
            weights,
        })
    }

    /// The network as it is now.
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// The network as it is now, taken out.
    pub fn into_model(self) -> Model {
        self.model
    }

    /// Its layers.
    pub fn layers(&self) -> &[PruneLayer] {
        &self.layers
    }

    /// Their weights, each row by row.
    pub fn weights(&self) -> Vec<&[f32]> {
        self.weights.iter().map(Vec::as_slice).collect()
    }

    /// How many groups each layer keeps in the end, without those that come back because
    /// there is room for them.
    ///
    /// # Errors
    /// A budget that cannot be met, a network that cannot be compiled; [`Error::Cancelled`].
    pub fn allocate(&self, target: &Target, config: &HwConfig) -> Result<Allocation, Error> {
        match target.counts_cycles() {
            true => Ok(self
                .by_cycles(target, &Calibration::default(), config)
                .estimate()?),
            false => Ok(target.allocate(&self.layers, &self.profiles, 1.0)?),
        }
    }

    /// A budget of cycles of this network as it is quantised.
    pub(super) const fn by_cycles<'a>(
        &'a self,
        target: &'a Target,
        calibration: &'a Calibration,
        config: &'a HwConfig,
    ) -> ByCycles<'a> {
        ByCycles {
            pruning: self,
            target,
            calibration,
            config,
        }
    }

    /// What is asked for under a target, at its end.
    pub(super) fn request<'a>(
        &'a self,
        target: &'a Target,
        ranks: &'a Ranks,
        returns: bool,
    ) -> Request<'a> {
        Request {
            layers: &self.layers,
            target,
            profiles: &self.profiles,
            ranks,
            tau: 1.0,
            returns,
        }
    }

    /// Puts channels in an order in which the `kept` strongest groups of each layer hold more.
    ///
    /// # Errors
    /// A network whose channels cannot be traced.
    pub fn reorder(&mut self, kept: &[usize], effort: &Effort) -> Result<Outcome, PruneError> {
        let mut graph: Graph = self.model.graph().clone();
        let outcome = {
            let _phase = self.model.watch().phase(Phase::Permute, None);
            let _span = tracing::info_span!("permute").entered();
            permute(&mut graph, &self.layers, kept, effort)?
        };
        *self = Self::new(self.model.with_graph(graph), self.layers.clone())?;
        Ok(outcome)
    }

    /// The strongest groups of each layer, as many as were allocated.
    pub fn masks(&self, allocation: &Allocation) -> Masks {
        let each = self.layers.iter().zip(&self.weights).zip(&allocation.kept);
        each.filter(|((l, _), _)| l.prunable())
            .map(|((l, w), k)| (l.weight_name.clone(), l.blocks.mask(&l.blocks.top(w, *k))))
            .collect()
    }

    /// Drops blocks at once, without training: chooses counts under the target, and the
    /// strongest blocks. A budget of cycles is met by exact counts of the network as it is
    /// quantised with its masks, and what still fits comes back.
    ///
    /// # Errors
    /// A budget that cannot be met, a network that cannot be compiled;
    /// [`Error::Cancelled`].
    pub fn one_shot(&self, target: &Target, config: &HwConfig) -> Result<Decision, Error> {
        let Some(table) = target.cycles() else {
            let allocation = self.allocate(target, config)?;
            return Ok(Decision {
                masks: self.masks(&allocation),
                allocation,
                cycles: None,
            });
        };
        let _phase = self.model.watch().phase(Phase::Simulate, None);
        let calibration = Calibration::default();
        let found = self.by_cycles(target, &calibration, config).meet(None)?;
        let kept = found.met.allocation.blocks(&self.layers);
        Ok(Decision {
            cycles: Some(Cycles {
                predicted: table.by_weight(&kept),
                total: table.total(&kept),
                simulated: found.cycles.by_weight(&self.model.mask_layers()),
                simulated_total: found.cycles.total,
                budget: found.met.limit,
                questions: found.met.questions,
                returns: found.met.returns,
            }),
            masks: found.met.kept.masks(&self.layers),
            allocation: found.met.allocation,
        })
    }
}
