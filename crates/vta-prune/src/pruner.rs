//! The method as a training loop calls it.

use super::allocation::{Allocation, Budget, Limit, Profile, Smoothing, Target, check};
use super::correct::{Choice, Simulated, correct};
use super::{Admm, Plan, PruneError, PruneLayer};
use crate::cost::CostTable;
use serde::{Deserialize, Serialize};
use vta_net::sparse::Masks;

/// Fraction of the mean of energies that stays at an update of the allocation.
const SMOOTHING: f64 = 0.5;
/// How often a table of cycles is corrected at most each time.
const CORRECTIONS: usize = 5;

/// Layers, plan and state. Everything that a checkpoint must hold is in it.
///
/// ```text
/// for step in 0..plan.steps():
///     let todo = plan.step(step)
///     change = pruner.before(step, weights)          if change.zeros: copy weights back
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
    /// The table is a new one since counts were made.
    recount: bool,
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
    /// weights as they are, a table of another network.
    pub fn new(
        layers: Vec<PruneLayer>,
        plan: Plan,
        target: Target,
        weights: &[&[f32]],
    ) -> Result<Self, PruneError> {
        check(&layers, weights)?;
        let profiles = Profile::all(&layers, weights)?;
        target.allocate(&layers, &profiles, 1.0)?;
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
            recount: false,
        })
    }

    /// Does what the plan has before a step: allocation, masks, `Z`, `U`, `rho`. At
    /// the step that freezes, sets what is dropped to zero in `weights`.
    ///
    /// # Errors
    /// Weights that are not the layers' or not finite.
    pub fn before(&mut self, step: u64, weights: &mut [Vec<f32>]) -> Result<Change, PruneError> {
        let todo = self.plan.step(step);
        let again = self.recount && (todo.freeze || todo.settle);
        let update = todo.update_masks || again;
        let freeze = todo.freeze || again;
        if update {
            let views: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
            check(&self.layers, &views)?;
            if todo.update_allocation || again {
                self.allocate(todo.tau, &views)?;
                self.recount = false;
            }
        }
        for (i, state) in self.states.iter_mut().enumerate() {
            if !self.layers[i].prunable() {
                continue;
            }
            if todo.reset_duals {
                state.reset_duals();
            }
            if todo.rho as f32 != state.rho() {
                state.set_rho(todo.rho as f32);
            }
            if update {
                state.update(&weights[i], self.allocation.kept[i]);
            }
            if freeze {
                state.blocks().project(&mut weights[i], state.kept());
                state.reset_duals();
            }
        }
        Ok(Change {
            masks: update,
            zeros: freeze,
        })
    }

    fn allocate(&mut self, tau: f64, weights: &[&[f32]]) -> Result<(), PruneError> {
        let profiles = Profile::all(&self.layers, weights)?;
        let profiles = self.smoothing.update(profiles);
        self.allocation = self.target.allocate(&self.layers, &profiles, tau)?;
        Ok(())
    }

    /// Where a budget counts cycles, before the step that freezes masks and
    /// before the one at which exponents are known (cycles depend on them a
    /// little): simulates the network with the masks that this step would make,
    /// corrects the table by what each layer took, counts anew, and again
    /// ([`correct`]). [`Pruner::before`] then counts by the table that did best.
    ///
    /// # Errors
    /// As [`Pruner::before`]; what `simulate` says.
    pub fn correct(
        &mut self,
        step: u64,
        weights: &[Vec<f32>],
        simulate: impl Fn(&Masks) -> Result<Simulated, String>,
    ) -> Result<(), PruneError> {
        let todo = self.plan.step(step);
        if !todo.freeze && !todo.settle {
            return Ok(());
        }
        let Some((table, Budget::AtMost(limit))) = self.target.cycles_mut() else {
            return Ok(());
        };
        let (table, limit) = (table.clone(), Limit(*limit as u64));
        let mut first = true;
        let choose = |table: &CostTable| {
            let mut tried = self.clone();
            tried.recount |= !std::mem::take(&mut first);
            tried.set_table(table.clone());
            tried.before(step, &mut weights.to_vec())?;
            Ok(Choice {
                masks: tried.masks(),
                allocation: tried.allocation,
            })
        };
        let simulate = |masks: &Masks| simulate(masks).map_err(PruneError::Simulate);
        let found = correct(table, &self.layers, (limit, CORRECTIONS), choose, simulate)?;
        if found.best.round > 0 {
            self.set_table(found.best.table);
            self.recount = true;
        }
        Ok(())
    }

    fn set_table(&mut self, new: CostTable) {
        if let Some((table, _)) = self.target.cycles_mut() {
            *table = new;
        }
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
    /// run at maybe another step. Tables of cycles may have been corrected since.
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
