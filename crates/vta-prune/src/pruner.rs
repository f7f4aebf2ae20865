//! The method as a training loop calls it.

use super::allocation::{Allocation, Profile, Smoothing, Target, check};
use super::cycles::{Kept, Ranks, Request, Returns, meet};
use super::{Admm, Plan, PruneError, PruneLayer};
use crate::cost::CostTable;
use serde::{Deserialize, Serialize};
use vta_net::sparse::Masks;

/// Fraction of the mean of energies that stays at an update of the allocation.
const SMOOTHING: f64 = 0.5;

/// Says how many cycles the network takes with masks, or why it cannot.
pub type CountCycles<'a> = &'a mut dyn FnMut(&Masks) -> Result<u64, String>;

/// Layers, plan and state. Everything that a checkpoint must hold is in it.
///
/// ```text
/// for step in 0..plan.steps():
///     let todo = plan.step(step)
///     change = pruner.before(step, weights, count)   if change.zeros: copy weights back
///     if todo.settle:  the same of pruner.settle(weights, count)
///     loss with W * pruner.factors(i, todo.eta), plus pruner.penalty(i, W_i)
///     gradient of W_i += pruner.add_gradient(i, W_i)
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pruner {
    layers: Vec<PruneLayer>,
    plan: Plan,
    target: Target,
    smoothing: Smoothing,
    allocation: Allocation,
    states: Vec<Admm>,
    counted: Option<Counted>,
}

/// Cycles of the network with its masks, where a budget counts them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// As they were counted at the last update.
    pub cycles: u64,
    /// What they could be.
    pub limit: u64,
    /// What came back and what did not, once masks are frozen.
    pub returns: Option<Returns>,
}

/// What [`Pruner::before`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// Masks are new.
    pub masks: bool,
    /// Weights have become zero: they, and the optimiser's state of them, are to be read back.
    pub zeros: bool,
}

impl Pruner {
    /// Starts with all blocks.
    ///
    /// # Errors
    /// Weights that are not the layers', a budget that cannot be met with the
    /// weights as they are, a table of another network. Of a budget of cycles only
    /// counting tells.
    pub fn new(
        layers: Vec<PruneLayer>,
        plan: Plan,
        target: Target,
        weights: &[&[f32]],
    ) -> Result<Self, PruneError> {
        check(&layers, weights)?;
        let profiles = Profile::all(&layers, weights)?;
        match &target.second {
            _ if !target.counts_cycles() => {
                target.allocate(&layers, &profiles, 1.0)?;
            }
            Some((costs, _)) => {
                costs.curves(&layers, &profiles)?;
            }
            None => {}
        }
        let curves = target.costs.curves(&layers, &profiles)?;
        let cost: f64 = curves.iter().filter_map(|c| c.last()).sum();
        let states = layers.iter().zip(weights);
        Ok(Self {
            states: states.map(|(l, w)| Admm::new(l.blocks, w)).collect(),
            allocation: Allocation {
                kept: layers.iter().map(|l| l.blocks.groups()).collect(),
                cost: target.costs.fixed() + cost,
            },
            smoothing: Smoothing::new(SMOOTHING),
            layers,
            plan,
            target,
            counted: None,
        })
    }

    /// Does what the plan has before a step: allocation, masks, `Z`, `U`, `rho`. At
    /// the step that freezes, sets what is dropped to zero in `weights`.
    ///
    /// Where a budget counts cycles and `count` is there, masks are made anew by exact
    /// counts at each update ([`meet`](crate::meet())); without it the table says how many blocks
    /// there are. When masks freeze, blocks come back where there is room.
    ///
    /// # Errors
    /// Weights that are not the layers' or not finite; a budget of cycles that cannot be
    /// met; what `count` says.
    pub fn before(
        &mut self,
        step: u64,
        weights: &mut [Vec<f32>],
        count: Option<CountCycles<'_>>,
    ) -> Result<Change, PruneError> {
        let todo = self.plan.step(step);
        for state in self.prunable() {
            if todo.reset_duals {
                state.reset_duals();
            }
            if todo.rho as f32 != state.rho() {
                state.set_rho(todo.rho as f32);
            }
        }
        if !todo.update_masks {
            return Ok(Change::default());
        }
        let views: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
        check(&self.layers, &views)?;
        match count.filter(|_| self.target.counts_cycles()) {
            Some(count) => {
                let profiles = Profile::all(&self.layers, &views)?;
                let profiles = self.smoothing.update(profiles);
                let kept = self.meet((todo.tau, todo.freeze), (&profiles, &views), count)?;
                self.keep(&kept, &views);
            }
            None => {
                if todo.update_allocation {
                    self.allocate(todo.tau, &views)?;
                }
                let each = self.states.iter_mut().zip(&self.layers).enumerate();
                for (i, (state, layer)) in each {
                    if layer.prunable() {
                        state.update(views[i], self.allocation.kept[i]);
                    }
                }
            }
        }
        if todo.freeze {
            self.freeze(weights);
        }
        Ok(Change {
            masks: true,
            zeros: todo.freeze,
        })
    }

    /// Counts cycles of the frozen masks once more, when all that they depend on is known:
    /// exponents too. Where they are others than before, masks are made anew, as the
    /// frozen weights have it; what came back begins at zero.
    ///
    /// # Errors
    /// As [`Pruner::before`].
    pub fn settle(
        &mut self,
        weights: &mut [Vec<f32>],
        count: CountCycles<'_>,
    ) -> Result<Change, PruneError> {
        let Some(before) = &self.counted else {
            return Ok(Change::default());
        };
        let masks = self.masks();
        if count(&masks).map_err(PruneError::Simulate)? == before.cycles {
            return Ok(Change::default());
        }
        let views: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
        let profiles = Profile::all(&self.layers, &views)?;
        let kept = self.meet((1.0, true), (&profiles, &views), count)?;
        self.keep(&kept, &views);
        self.freeze(weights);
        Ok(Change {
            masks: true,
            zeros: true,
        })
    }

    /// Groups that meet the budgets at a point of the way, by exact counts of cycles.
    fn meet(
        &mut self,
        (tau, returns): (f64, bool),
        (profiles, weights): (&[Profile], &[&[f32]]),
        count: CountCycles<'_>,
    ) -> Result<Kept, PruneError> {
        let sums = self.states.iter().zip(weights);
        let sums: Vec<Vec<f32>> = sums.map(|(s, w)| s.shifted(w)).collect();
        let views: Vec<&[f32]> = sums.iter().map(Vec::as_slice).collect();
        let request = Request {
            layers: &self.layers,
            target: &self.target,
            profiles,
            ranks: &Ranks::of(&self.layers, &views),
            tau,
            returns,
        };
        let met = meet(&request, |m| count(m).map_err(PruneError::Simulate))?;
        self.allocation = met.allocation;
        self.counted = Some(Counted {
            cycles: met.cycles,
            limit: met.limit,
            returns: met.returns,
        });
        Ok(met.kept)
    }

    fn keep(&mut self, kept: &Kept, weights: &[&[f32]]) {
        let each = self.states.iter_mut().zip(&self.layers).enumerate();
        for (i, (state, layer)) in each {
            if layer.prunable() {
                state.update_to(weights[i], kept.layer(i).to_vec());
            }
        }
    }

    fn freeze(&mut self, weights: &mut [Vec<f32>]) {
        let each = self.states.iter_mut().zip(&self.layers).zip(weights);
        for ((state, layer), w) in each {
            if layer.prunable() {
                state.blocks().project(w, state.kept());
                state.reset_duals();
            }
        }
    }

    /// The states of the layers whose blocks may go.
    fn prunable(&mut self) -> impl Iterator<Item = &mut Admm> {
        let each = self.states.iter_mut().zip(&self.layers);
        each.filter(|(_, l)| l.prunable()).map(|(s, _)| s)
    }

    fn allocate(&mut self, tau: f64, weights: &[&[f32]]) -> Result<(), PruneError> {
        let profiles = Profile::all(&self.layers, weights)?;
        let profiles = self.smoothing.update(profiles);
        self.allocation = self.target.allocate(&self.layers, &profiles, tau)?;
        Ok(())
    }

    /// Takes the arrays as large as the weights out, for a checkpoint that
    /// keeps them apart; [`Pruner::attach`] puts them back.
    pub fn detach(&mut self) -> Vec<Vec<f32>> {
        self.states.iter_mut().map(Admm::detach).collect()
    }

    /// Puts back what [`Pruner::detach`] took out.
    ///
    /// # Errors
    /// Arrays of other layers; a state that was read from somewhere and is not
    /// one of these layers.
    pub fn attach(&mut self, arrays: Vec<Vec<f32>>) -> Result<(), PruneError> {
        self.check_state()?;
        let views: Vec<&[f32]> = arrays.iter().map(Vec::as_slice).collect();
        check(&self.layers, &views)?;
        let states = self.states.iter_mut().zip(arrays);
        states.for_each(|(s, a)| s.attach(a));
        Ok(())
    }

    /// Counts, masks and tables of another number of blocks would be met later, by an index.
    fn check_state(&self) -> Result<(), PruneError> {
        let want = self.layers.len();
        for got in [self.states.len(), self.allocation.kept.len()] {
            if got != want {
                return Err(PruneError::Layers { want, got });
            }
        }
        let each = self.layers.iter().zip(&self.states);
        for ((layer, state), kept) in each.zip(&self.allocation.kept) {
            let error = |what| {
                let layer = layer.node.clone();
                Err(PruneError::State { layer, what })
            };
            if !state.is_of(&layer.blocks) {
                return error("its masks have other blocks");
            }
            if *kept > layer.blocks.groups() {
                return error("it keeps more blocks than it has");
            }
        }
        match self.target.cycles().and_then(CostTable::unsound) {
            Some(l) => Err(PruneError::State {
                layer: l.name.clone(),
                what: "its cycles make no sense",
            }),
            None => Ok(()),
        }
    }

    /// Whether another has the same layers, plan, rule and budget: the same
    /// run at maybe another step.
    pub fn same_run(&self, other: &Self) -> bool {
        self.target.same(&other.target) && self.layers == other.layers && self.plan == other.plan
    }

    /// The weight of the penalty, the same for all layers.
    pub fn rho(&self) -> f32 {
        self.states.iter().fold(0.0, |rho, s| s.rho().max(rho))
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The layers, those that stay dense too.
    pub fn layers(&self) -> &[PruneLayer] {
        &self.layers
    }

    /// Groups that each layer is to keep at this time, and what the network then costs.
    pub fn allocation(&self) -> &Allocation {
        &self.allocation
    }

    /// Cycles with the masks as they are, where a budget counts them.
    pub fn counted(&self) -> Option<&Counted> {
        self.counted.as_ref()
    }

    /// The rule and its budgets.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The state of a layer.
    pub fn state(&self, layer: usize) -> &Admm {
        &self.states[layer]
    }

    /// `rho / 2 |W - Z + U|^2` of a layer.
    pub fn penalty(&self, layer: usize, w: &[f32]) -> f64 {
        self.states[layer].penalty(w)
    }

    /// Adds its gradient.
    pub fn add_gradient(&self, layer: usize, w: &[f32], gradient: &mut [f32]) {
        self.states[layer].add_gradient(w, gradient);
    }

    /// What each weight of a layer is multiplied with in the forward pass.
    pub fn factors(&self, layer: usize, eta: f64) -> Vec<f32> {
        self.states[layer].factors(eta as f32)
    }

    /// Fraction of the blocks of prunable layers that masks drop.
    pub fn sparsity(&self) -> f64 {
        let (mut kept, mut all) = (0, 0);
        for (l, s) in self.layers.iter().zip(&self.states) {
            if l.prunable() {
                kept += s.count_kept() * l.blocks.mask_blocks();
                all += l.blocks.groups() * l.blocks.mask_blocks();
            }
        }
        1.0 - kept as f64 / all.max(1) as f64
    }

    /// The masks of the layers whose blocks may go.
    pub fn masks(&self) -> Masks {
        let layers = self.layers.iter().zip(&self.states);
        let prunable = layers.filter(|(l, _)| l.prunable());
        prunable
            .map(|(l, s)| (l.weight_name.clone(), l.blocks.mask(s.kept())))
            .collect()
    }
}
