//! The loop.

use super::checkpoint;
use super::hooks::{Context, Hooks, Moment};
use super::log::Log;
use crate::data::{Label, Loader};
use crate::graph::TensorId;
use crate::train::TrainError;
use crate::train::backend::{Grad, Plain, floats};
use crate::train::network::{Mode, Network};
use crate::train::optimise::{Optimiser, Optimising, clip};
use crate::train::schedule::Schedule;
use crate::train::task::{Task, images, score};
use std::collections::BTreeMap;
use std::time::Instant;

/// How a run goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Epochs.
    pub epochs: u64,
    /// Which optimiser.
    pub optimiser: Optimiser,
    /// Highest learning rate.
    pub rate: f64,
    /// Part of the run in which the rate grows.
    pub warm_up: f64,
    /// Largest norm of all gradients together.
    pub clip: Option<f32>,
    /// How fast running statistics follow the batches, 0 to 1.
    pub momentum: f32,
    /// Steps of a line of the log; the end of an epoch has one too.
    pub log_every: u64,
    /// What else makes the run what it is (data, model, seed), by name: a
    /// checkpoint of another run is refused.
    pub about: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            epochs: 10,
            optimiser: Optimiser::AdamW { decay: 0.01 },
            rate: 2e-3,
            warm_up: 0.05,
            clip: Some(5.0),
            momentum: 0.1,
            log_every: 50,
            about: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// All that must agree between a checkpoint and the run that goes on with it.
    pub(super) fn recipe(&self) -> BTreeMap<String, String> {
        let mut all = self.about.clone();
        let mut add = |name: &str, value: String| all.insert(name.to_owned(), value);
        add("epochs", self.epochs.to_string());
        add("optimiser", format!("{:?}", self.optimiser));
        add("lr", self.rate.to_string());
        add("warm-up", self.warm_up.to_string());
        add("clip", format!("{:?}", self.clip));
        add("momentum", self.momentum.to_string());
        add("log-every", self.log_every.to_string());
        all
    }
}

/// What a step gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// When it was.
    pub moment: Moment,
    /// The whole loss.
    pub loss: f32,
    /// Samples that were right.
    pub right: usize,
    /// Samples.
    pub samples: usize,
    /// Seconds that it took.
    pub seconds: f64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All epochs are done.
    Done,
    /// It was stopped; the checkpoint goes on from there.
    Stopped,
}

/// Who looks after a run: shows progress, stores checkpoints, says when to stop.
pub trait Watch {
    /// A step is done.
    fn step(&mut self, _: &Step) {}

    /// Whether to stop before the next step.
    fn stop(&mut self, _: Moment) -> bool {
        false
    }

    /// A checkpoint to store, at each end of an epoch and when the run stops.
    ///
    /// # Errors
    /// It cannot be stored: the run ends.
    fn checkpoint(&mut self, _: &[u8], _: &Log) -> Result<(), TrainError> {
        Ok(())
    }
}

/// Nobody.
impl Watch for () {}

/// A training run.
pub struct Trainer<'a, A: Grad, L: Label, T: Task<L>> {
    pub(super) network: Network<Plain<A>>,
    pub(super) optimising: Optimising<Plain<A>>,
    pub(super) settings: Settings,
    pub(super) step: u64,
    pub(super) log: Log,
    task: T,
    train: Loader<'a, L>,
    val: Option<Loader<'a, L>>,
    schedule: Schedule,
    per_epoch: u64,
    started: bool,
}

impl<'a, A: Grad, L: Label, T: Task<L>> Trainer<'a, A, L, T> {
    /// A run from its start. `val` is measured after each epoch.
    ///
    /// # Errors
    /// No epochs or no batches, a learning rate without sense.
    pub fn new(
        network: Network<Plain<A>>,
        task: T,
        train: Loader<'a, L>,
        val: Option<Loader<'a, L>>,
        settings: Settings,
    ) -> Result<Self, TrainError> {
        let per_epoch = train.batches() as u64;
        let steps = per_epoch.saturating_mul(settings.epochs);
        if steps == 0 {
            let what = format!("{} epochs of {per_epoch} batches", settings.epochs);
            return Err(TrainError::Request(format!("nothing to train: {what}")));
        }
        if !settings.rate.is_finite() || settings.rate <= 0.0 {
            let what = format!("a learning rate of {}", settings.rate);
            return Err(TrainError::Request(what));
        }
        let schedule = Schedule {
            peak: settings.rate,
            warm_up: (steps as f64 * settings.warm_up.clamp(0.0, 1.0)) as u64,
            steps,
            end: 0.0,
        };
        Ok(Self {
            optimising: Optimising::new(settings.optimiser, network.params().len()),
            network,
            settings,
            step: 0,
            log: Log::default(),
            task,
            train,
            val,
            schedule,
            per_epoch,
            started: false,
        })
    }

    /// The network as it is now.
    pub fn network(&self) -> &Network<Plain<A>> {
        &self.network
    }

    /// The log so far.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// When the next step is.
    pub fn moment(&self) -> Moment {
        Moment {
            step: self.step,
            steps: self.schedule.steps,
            per_epoch: self.per_epoch,
        }
    }

    /// The state as the bytes of a file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, hooks: &impl Hooks<A, L>) -> Result<Vec<u8>, TrainError> {
        checkpoint::save(self, hooks.save())
    }

    /// Goes on from a checkpoint of a run with the same settings.
    ///
    /// # Errors
    /// A damaged file, or one of another run; the run then is as it was only
    /// if nothing was read yet, and should be dropped.
    pub fn load(
        &mut self,
        bytes: &[u8],
        hooks: &mut impl Hooks<A, L>,
    ) -> Result<(), TrainError> {
        let state = checkpoint::load(self, bytes)?;
        if self.step > self.schedule.steps {
            let what = format!("is of step {}, the run has {}", self.step, self.schedule.steps);
            return Err(TrainError::Checkpoint(what));
        }
        hooks.load(state)
    }

    /// One step.
    ///
    /// # Errors
    /// Data that do not fit, a loss that is no number, the hooks' own errors.
    pub fn advance(&mut self, hooks: &mut impl Hooks<A, L>) -> Result<Step, TrainError> {
        if !self.started {
            self.begin(hooks)?;
        }
        let begin = Instant::now();
        let moment = self.moment();
        let next = self.train.epoch(moment.epoch(), moment.batch() as usize).next();
        let batch = next.ok_or_else(|| TrainError::Request("the run is over".into()))??;
        let plain = images::<Plain<A>>(&batch, self.network.device());
        let params = self.network.leaves::<A>();
        let input = burn::tensor::Tensor::<A, 4>::from_inner(plain.clone());
        let pass = self.network.forward(&params, input, Mode::Batch)?;
        let mut loss = self.task.loss(&pass, &batch)?;
        let right = self.task.right(&pass, &batch)?;
        let context = Context {
            moment,
            network: &self.network,
            params: &params,
            images: &plain,
            batch: &batch,
            pass: &pass,
        };
        for (_, term) in hooks.loss(&context)? {
            loss = loss + term;
        }
        let value = floats(loss.clone()).iter().sum::<f32>();
        if !value.is_finite() {
            return Err(TrainError::Diverged {
                step: moment.step,
                loss: value,
            });
        }
        let mut grads = loss.backward();
        let mut grads: Vec<_> = params.iter().map(|p| p.grad_remove(&mut grads)).collect();
        if let Some(limit) = self.settings.clip {
            clip(&mut grads, limit);
        }
        let rate = self.schedule.rate(moment.step);
        self.network.follow(&pass, self.settings.momentum);
        self.optimising.step(rate, &mut self.network, grads);
        self.step += 1;
        hooks.after_step(moment, &mut self.network)?;
        if moment.ends_quarter() {
            hooks.after_quarter(moment, &mut self.network)?;
        }
        if moment.ends_epoch() {
            hooks.after_epoch(moment, &mut self.network)?;
        }
        let samples = batch.labels.len();
        let seconds = begin.elapsed().as_secs_f64();
        self.log.add(value, right, samples, seconds);
        self.write_down(moment, rate, hooks)?;
        Ok(Step {
            moment,
            loss: value,
            right,
            samples,
            seconds,
        })
    }

    /// Lets the hooks start; what the task needs is kept as well.
    fn begin(&mut self, hooks: &mut impl Hooks<A, L>) -> Result<(), TrainError> {
        hooks.start(&mut self.network)?;
        let mut kept: Vec<TensorId> = self.network.kept().collect();
        kept.extend(self.task.tensors());
        self.network.keep(kept);
        self.started = true;
        Ok(())
    }

    /// A line of the log, where one is due.
    fn write_down(
        &mut self,
        moment: Moment,
        rate: f64,
        hooks: &impl Hooks<A, L>,
    ) -> Result<(), TrainError> {
        let due = self.settings.log_every > 0 && self.step.is_multiple_of(self.settings.log_every);
        if !due && !moment.ends_epoch() {
            return Ok(());
        }
        let more = hooks.columns().into_iter();
        let more = more.map(|(n, v)| (n.to_owned(), v)).collect();
        let epoch = self.step as f64 / self.per_epoch as f64;
        self.log.line(self.step, epoch, rate, more);
        if let (true, Some(val)) = (moment.ends_epoch(), &self.val) {
            let score = score(&self.network, &self.task, val)?;
            if let Some(row) = self.log.rows.last_mut() {
                row.val_loss = Some(score.loss);
                row.val_accuracy = Some(score.accuracy);
            }
        }
        Ok(())
    }

    /// Steps until the run is over or is stopped.
    ///
    /// # Errors
    /// As [`Trainer::advance`]; a checkpoint that cannot be stored.
    pub fn run(
        &mut self,
        hooks: &mut impl Hooks<A, L>,
        watch: &mut impl Watch,
    ) -> Result<Outcome, TrainError> {
        while self.step < self.schedule.steps {
            if watch.stop(self.moment()) {
                watch.checkpoint(&self.save(hooks)?, &self.log)?;
                return Ok(Outcome::Stopped);
            }
            let step = self.advance(hooks)?;
            watch.step(&step);
            if step.moment.ends_epoch() {
                watch.checkpoint(&self.save(hooks)?, &self.log)?;
            }
        }
        Ok(Outcome::Done)
    }
}
