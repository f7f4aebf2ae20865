//! A network while it is pruned.

use crate::monitor::Phase;
use crate::{Calibration, Error, Model, cost};
use std::collections::BTreeMap;
use vta_net::graph::Graph;
use vta_net::sparse::Masks;
use vta_program::config::HwConfig;
use vta_prune::prune::permute::{Effort, Outcome, permute};
use vta_prune::prune::{
    Allocation, Budget, Limit, Profile, PruneError, PruneLayer, RateError, Target, weight,
};

/// How often the table is corrected by a simulation at most.
const CORRECTIONS: u32 = 3;

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
    pub rounds: Vec<(f64, u64)>,
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

    /// How many units each layer keeps in the end.
    ///
    /// # Errors
    /// A budget that cannot be met.
    pub fn allocate(&self, target: &Target) -> Result<Allocation, RateError> {
        target.allocate(&self.layers, &self.profiles, 1.0)
    }

    /// Puts channels in an order in which the `kept` strongest units of each layer hold more.
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

    /// The strongest units of each layer, as many as were allocated.
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

    /// Allocates by the table, simulates, corrects the table, and again: until
    /// the simulated network meets the limit and little of it is left. The
    /// limit and the corrected table stay in the target.
    ///
    /// # Errors
    /// As [`Pruning::one_shot`]; [`Error::NoCycles`].
    pub fn by_simulation(
        &self,
        target: &mut Target,
        limit: u64,
        config: &HwConfig,
    ) -> Result<Decision, Error> {
        *target.cycles_mut().ok_or(Error::NoCycles)?.1 = Budget::AtMost(limit as f64);
        let mut rounds = Vec::new();
        let mut best: Option<Decision> = None;
        let mut seen: Vec<Vec<usize>> = Vec::new();
        let watch = self.model.watch();
        let progress = watch.phase(Phase::Simulate, Some(u64::from(CORRECTIONS) + 1));
        for _ in 0..=CORRECTIONS {
            let allocation = self.allocate(target)?;
            if seen.contains(&allocation.kept) {
                break;
            }
            seen.push(allocation.kept.clone());
            let masks = self.masks(&allocation);
            let kept = allocation.blocks(&self.layers);
            let simulated = cost::simulate(&self.model, &masks, &Calibration::default(), config)?;
            let simulated = simulated.by_weight(&self.model);
            let total = simulated.total;
            progress.step();
            let table = target.cycles_mut().ok_or(Error::NoCycles)?.0;
            let predicted: BTreeMap<String, f64> =
                table.layers.iter().fold(BTreeMap::new(), |mut all, l| {
                    let k = kept.get(&l.weight_name).copied().unwrap_or(l.blocks);
                    *all.entry(l.weight_name.clone()).or_default() += l.cycles(k);
                    all
                });
            let by_table = table.total(&kept);
            rounds.push((by_table, total));
            *table = table.corrected(&kept, &simulated.layers, total);
            let best_so_far = best.as_ref().and_then(|b| b.cycles.as_ref());
            let wanted = Limit(limit);
            if best_so_far.is_none_or(|b| wanted.prefers(total, b.simulated_total)) {
                best = Some(Decision {
                    masks,
                    cycles: Some(Cycles {
                        budget: limit,
                        predicted,
                        total: by_table,
                        simulated: simulated.layers,
                        simulated_total: total,
                        rounds: Vec::new(),
                    }),
                    allocation,
                });
            }
            if wanted.used_up_by(total) {
                break;
            }
        }
        let mut best = best.ok_or(Error::NoCycles)?;
        if let Some(cycles) = &mut best.cycles {
            cycles.rounds = rounds;
        }
        Ok(best)
    }
}
