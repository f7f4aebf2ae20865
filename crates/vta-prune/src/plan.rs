//! What happens at which step of training.

use super::{Method, PruneError, Recipe, Settings};
use serde::{Deserialize, Serialize};

/// Where in training a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// As the dense network.
    WarmUp,
    /// Blocks go.
    Sparsify,
    /// Masks stay, what they drop is zero.
    Frozen,
}

/// What is to be done at a step. What has to do with masks is done before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The phase.
    pub phase: Phase,
    /// How much of what masks drop is missing in the forward pass, 0 to 1.
    pub eta: f64,
    /// The penalty's weight.
    pub rho: f64,
    /// How far the budget is on its way from the dense network, 0 to 1.
    pub tau: f64,
    /// Counts of blocks are allocated anew, for `tau`.
    pub update_allocation: bool,
    /// Masks are made anew.
    pub update_masks: bool,
    /// `U` is set to zero.
    pub reset_duals: bool,
    /// After that, what masks drop is set to zero for good.
    pub freeze: bool,
    /// The network before this step becomes the teacher of self-distillation.
    pub snapshot: bool,
    /// How strongly teachers count, 0 to 1.
    pub teachers: f64,
    /// Values are quantised.
    pub quantise: bool,
    /// Masks are frozen, and exponents become known before this step: the last time that
    /// blocks may go or come back.
    pub settle: bool,
    /// First step of this schedule of the learning rate; there the optimiser starts anew.
    pub schedule: u64,
    /// Steps of this schedule.
    pub span: u64,
}

/// What happens to masks at a step.
#[derive(Debug, Clone, Copy)]
struct Todo {
    phase: Phase,
    update: bool,
    freeze: bool,
}

/// All steps of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    method: Method,
    settings: Settings,
    steps: u64,
    steps_per_epoch: u32,
}

impl Plan {
    /// A plan of so many steps. Runs with the same numbers see the same images, whatever the method.
    ///
    /// # Errors
    /// No steps, or lengths that are none.
    pub fn new(
        method: Method,
        settings: Settings,
        steps: u64,
        steps_per_epoch: u32,
    ) -> Result<Self, PruneError> {
        let s = &settings;
        let fractions = [
            ("warm-up", s.warm_up),
            ("sparsify phase", s.sparsify),
            ("settled part", s.settled),
            ("first stage", s.first_stage),
            ("quantised part", s.quantised),
            ("ramp", s.ramp),
            ("warm-up and sparsify phase", s.warm_up + s.sparsify),
        ];
        if let Some((what, fraction)) = fractions.iter().find(|p| !(0.0..=1.0).contains(&p.1)) {
            let text = format!("the {what} is {fraction} of the run, not from 0 to 1");
            return Err(PruneError::Plan(text));
        }
        let [first, last] = s.rho;
        if !(first > 0.0 && last >= first && last.is_finite()) {
            let text = format!("rho from {first} to {last} does not grow from above 0");
            return Err(PruneError::Plan(text));
        }
        if !(s.quantised_rate_factor > 0.0 && s.quantised_rate_factor.is_finite()) {
            let text = format!(
                "the quantised part has a learning-rate factor of {}",
                s.quantised_rate_factor
            );
            return Err(PruneError::Plan(text));
        }
        if !(s.fade >= 0.0 && s.fade.is_finite()) {
            return Err(PruneError::Plan(format!("masks fade with {}", s.fade)));
        }
        let counts = [
            ("steps", steps),
            ("steps in an epoch", steps_per_epoch.into()),
            ("rounds", s.rounds.into()),
            ("mask updates in an epoch", s.updates_per_epoch.into()),
            ("mask updates", s.least_updates.into()),
            (
                "mask updates in an epoch of the first stage",
                s.first_stage_updates_per_epoch.into(),
            ),
        ];
        if let Some((what, _)) = counts.iter().find(|c| c.1 == 0) {
            return Err(PruneError::Plan(format!("there are no {what}")));
        }
        Ok(Self {
            method,
            settings,
            steps,
            steps_per_epoch,
        })
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Steps of an epoch.
    pub fn steps_per_epoch(&self) -> u32 {
        self.steps_per_epoch
    }

    /// All steps.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// A fraction of all steps, in whole steps.
    fn steps_in(&self, fraction: f64) -> u64 {
        (fraction * self.steps() as f64).round() as u64
    }

    /// The first step of the sparsify phase, and the first with frozen masks.
    fn borders(&self) -> (u64, u64) {
        let s = &self.settings;
        match self.method.recipe {
            Recipe::Dense => (self.steps(), self.steps()),
            Recipe::OneShot => (0, 0),
            // Masks are frozen at a step that exists, or nothing is ever dropped.
            Recipe::TwoStage => (0, self.steps_in(s.first_stage).min(self.steps() - 1)),
            Recipe::OneStage => {
                let from = self.steps_in(s.warm_up).min(self.steps() - 1);
                let to = self.steps_in(s.warm_up + s.sparsify).min(self.steps() - 1);
                (from, to)
            }
        }
    }

    /// Steps between two mask updates, in a sparsify phase of `length` steps.
    fn period(&self, length: u64) -> u64 {
        let s = &self.settings;
        let (n, most) = match self.method.recipe {
            Recipe::TwoStage => (s.first_stage_updates_per_epoch, u64::MAX),
            _ => (s.updates_per_epoch, length / u64::from(s.least_updates)),
        };
        u64::from(self.steps_per_epoch / n).min(most).max(1)
    }

    /// What is to be done at a step, from 0 to below [`Plan::steps`].
    pub fn step(&self, step: u64) -> Step {
        let (from, to) = self.borders();
        let phase = match () {
            () if step < from => Phase::WarmUp,
            () if step < to => Phase::Sparsify,
            () => Phase::Frozen,
        };
        // How far the sparsify phase was at the last mask update.
        let since = step.saturating_sub(from);
        let length = (to - from).max(1);
        let period = self.period(length);
        let updated = since - since % period;
        let update = phase == Phase::Sparsify && since.is_multiple_of(period);
        let freeze = phase == Phase::Frozen && step == to;
        let new_epoch =
            phase == Phase::Frozen && step.is_multiple_of(u64::from(self.steps_per_epoch));
        let todo = Todo {
            phase,
            update,
            freeze,
        };
        let allocation = self.allocation(todo, updated, length);
        let (rho, reset_duals) = self.rho(phase, since, length, updated);
        let (schedule, span) = self.schedule(step, to);
        let rounded = self.steps() - self.steps_in(self.settings.quantised);
        let quantised = self.method.quantisation && step >= rounded;
        Step {
            phase,
            eta: match (self.method.recipe, phase) {
                (Recipe::OneStage, Phase::Sparsify) => {
                    let left = 1.0 - since as f64 / length as f64;
                    1.0 - libm::pow(left, self.settings.fade)
                }
                (_, Phase::Frozen) => 1.0,
                _ => 0.0,
            },
            rho,
            tau: allocation.0,
            update_allocation: allocation.1,
            update_masks: update || freeze,
            // The two-stage baseline cuts by the weights alone.
            reset_duals: reset_duals || (freeze && self.method.recipe == Recipe::TwoStage),
            freeze,
            snapshot: self.method.temporal && (update || freeze || new_epoch),
            teachers: self.teachers(step, from),
            quantise: quantised,
            settle: quantised && step == rounded && phase == Phase::Frozen,
            schedule,
            span,
        }
    }

    /// `tau`, and whether counts of blocks are allocated. Masks were updated
    /// last `updated` steps after the phase began, which has `length`.
    fn allocation(&self, todo: Todo, updated: u64, length: u64) -> (f64, bool) {
        let Todo {
            phase,
            update,
            freeze,
        } = todo;
        if phase == Phase::WarmUp {
            return (0.0, false);
        }
        if self.method.recipe != Recipe::OneStage {
            // The end from the first update on.
            return (1.0, freeze || (update && updated == 0));
        }
        // From here on counts stay; the first update from here on allocates the last ones.
        let settled = ((1.0 - self.settings.settled) * length as f64).round() as u64;
        if phase == Phase::Frozen {
            let period = self.period(length);
            let last = (length - 1) / period * period;
            return (1.0, freeze && last < settled.max(1));
        }
        let tau = match updated < settled {
            true => updated as f64 / settled as f64,
            false => 1.0,
        };
        (tau, update && updated < settled + self.period(length))
    }

    /// The penalty's weight, and whether `U` starts anew.
    fn rho(&self, phase: Phase, since: u64, length: u64, updated: u64) -> (f64, bool) {
        if phase != Phase::Sparsify {
            return (0.0, false);
        }
        let [first, last] = self.settings.rho;
        let between = |part: f64| first * libm::pow(last / first, part);
        match self.method.recipe {
            Recipe::TwoStage => {
                let rounds = u64::from(self.settings.rounds);
                let round = |since: u64| since * rounds / length;
                let steps = (rounds - 1).max(1) as f64;
                let now = round(since);
                let new = since == 0 || round(since - 1) != now;
                (between(now as f64 / steps), new)
            }
            _ => (between(updated as f64 / length as f64), false),
        }
    }

    /// First step and length of the schedule of the learning rate.
    fn schedule(&self, step: u64, to: u64) -> (u64, u64) {
        match self.method.recipe {
            Recipe::TwoStage if step < to => (0, to),
            Recipe::TwoStage => (to, self.steps() - to),
            _ => (0, self.steps()),
        }
    }

    /// How strongly teachers count.
    fn teachers(&self, step: u64, from: u64) -> f64 {
        if !self.method.temporal && !self.method.spatial {
            return 0.0;
        }
        let from = if self.method.recipe == Recipe::Dense {
            0
        } else {
            from
        };
        let ramp = self.steps_in(self.settings.ramp).max(1) as f64;
        (step.saturating_sub(from) as f64 / ramp).min(1.0)
    }
}
