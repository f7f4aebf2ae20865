//! A network while it is pruned.

use crate::cost::CostTable;
use crate::monitor::Phase;
use crate::{Calibration, Error, Model};
use std::collections::BTreeMap;
use vta_net::graph::Graph;
use vta_net::sparse::Masks;
use vta_program::config::HwConfig;
use vta_prune::permute::{Effort, Outcome, permute};
use vta_prune::{
    Allocation, AllocationError, Budget, Choice, Limit, Profile, PruneError, PruneLayer, Round,
    Target, correct, weight,
};

/// Simulations of the whole network at most: the table is corrected after each.
const ROUNDS: usize = 4;

/// Cycles of the pruned network: by the table, and by the simulator.
#[derive(Debug, Clone)]
pub struct Cycles {
    /// The budget.
    pub budget: u64,
    /// What the table says of each layer, by weight.
    pub predicted: BTreeMap<String, f64>,
    /// What the table says of the network.
    pub total: f64,
    /// What the simulator counts for each layer, by weight.
    pub simulated: BTreeMap<String, u64>,
    /// What the simulator counts for the network.
    pub simulated_total: u64,
    /// Predicted and simulated cycles of each round.
    pub rounds: Vec<Round>,
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
/// let mut target = Target::new(AllocationRule::Lamp, Costs::Blocks, Budget::Fraction(0.5));
/// let decision = pruning.one_shot(&mut target, &vta::config::HwConfig::de10())?;
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

    /// How many groups each layer keeps in the end.
    ///
    /// # Errors
    /// A budget that cannot be met.
    pub fn allocate(&self, target: &Target) -> Result<Allocation, AllocationError> {
        target.allocate(&self.layers, &self.profiles, 1.0)
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

    /// Drops blocks at once, without training: chooses counts under the
    /// target, and the strongest blocks. A budget of cycles is held against
    /// the simulated network, and the table of the target is corrected by it.
    ///
    /// # Errors
    /// A budget that cannot be met, a network that cannot be compiled;
    /// [`Error::Cancelled`].
    pub fn one_shot(&self, target: &mut Target, config: &HwConfig) -> Result<Decision, Error> {
        if let Some((_, Budget::AtMost(limit))) = target.cycles_mut() {
            let limit = *limit as u64;
            return self.by_simulation(target, limit, config);
        }
        let allocation = self.allocate(target)?;
        Ok(Decision {
            masks: self.masks(&allocation),
            allocation,
            cycles: None,
        })
    }

    /// Allocates by the table and corrects it by simulations of the whole
    /// network, until the limit is met and little of it is left. The limit and
    /// the corrected table stay in the target.
    ///
    /// # Errors
    /// As [`Pruning::one_shot`]; [`Error::NoCycles`].
    pub fn by_simulation(
        &self,
        target: &mut Target,
        limit: u64,
        config: &HwConfig,
    ) -> Result<Decision, Error> {
        let (table, budget) = target.cycles_mut().ok_or(Error::NoCycles)?;
        *budget = Budget::AtMost(limit as f64);
        let table = table.clone();
        let watch = self.model.watch();
        let progress = watch.phase(Phase::Simulate, Some(ROUNDS as u64));
        let choose = |table: &CostTable| -> Result<Choice, Error> {
            if let Some((of_target, _)) = target.cycles_mut() {
                *of_target = table.clone();
            }
            let allocation = self.allocate(target)?;
            let masks = self.masks(&allocation);
            Ok(Choice { allocation, masks })
        };
        let mut counter = self.model.cycle_counter(&Calibration::default(), config)?;
        let layers = self.model.mask_layers();
        let simulate = |masks: &Masks| {
            let counted = counter.count(masks)?;
            progress.step();
            Ok(counted.by_weight(&layers))
        };
        let most = (Limit(limit), ROUNDS);
        let found = correct(table, &self.layers, most, choose, simulate)?;
        *target.cycles_mut().ok_or(Error::NoCycles)?.0 = found.table;
        let best = found.best;
        let kept = best.kept(&self.layers);
        Ok(Decision {
            cycles: Some(Cycles {
                budget: limit,
                predicted: best.table.by_weight(&kept),
                total: best.table.total(&kept),
                simulated: best.simulated.layers,
                simulated_total: best.simulated.total,
                rounds: found.rounds,
            }),
            allocation: best.choice.allocation,
            masks: best.choice.masks,
        })
    }
}
