//! A run of training, step by step.

use super::TrainError;
use super::backend::Kernels;
use super::checkpoint::{Checkpoint, CheckpointError};
use super::hooks::{Hooks, Seen, StepContext};
use super::identity::Identity;
use super::log::Row;
use super::network::{Mode, Network, Running};
use super::optimiser::{Optimiser, Rule};
use super::schedule::Schedule;
use super::task::{Task, first, images, normalise};
use burn_tensor::Tensor;
use burn_tensor::backend::{AutodiffBackend, BackendTypes};
use std::time::Instant;
use vta_data::{Augment, Label, Loader, Sample};
use vta_net::graph::onnx;

/// Where a checkpoint says of which run it is.
const IDENTITY: &str = "identity";

/// How a run goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How often each image is seen; the last epoch may be a fraction of one.
    pub epochs: f64,
    /// Images of a step.
    pub batch: usize,
    /// The highest learning rate.
    pub rate: f64,
    /// Fraction of all steps in which the rate rises.
    pub warm_up: f64,
    /// The last rate, as a fraction of the highest.
    pub last_rate: f64,
    /// How parameters follow their gradients.
    pub rule: Rule,
    /// Seed of orders and changes.
    pub seed: u64,
    /// Random changes of images.
    pub augment: Augment,
    /// How fast running statistics follow the batches.
    pub statistics: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            epochs: 10.0,
            batch: 64,
            rate: 0.05,
            warm_up: 0.05,
            last_rate: 0.01,
            rule: Rule::sgd(),
            seed: 1,
            augment: Augment::small_images(),
            statistics: 0.1,
        }
    }
}

impl Settings {
    /// Adds all of them to what a run is.
    pub fn identify(&self, run: &mut Identity) {
        let Self {
            epochs,
            batch,
            rate,
            warm_up,
            last_rate,
            rule,
            seed,
            augment,
            statistics,
        } = self;
        run.put("epochs", epochs);
        run.put("batch", batch);
        run.put("learning rate", rate);
        run.put("warm-up", warm_up);
        run.put("last learning rate", last_rate);
        run.put("optimiser", format_args!("{rule:?}"));
        run.put("seed", seed);
        run.put("random changes of images", format_args!("{augment:?}"));
        run.put("rate of running statistics", statistics);
    }

    /// All steps, of epochs with so many.
    pub fn steps(&self, batches: u64) -> u64 {
        (self.epochs * batches as f64).round() as u64
    }
}

/// A step that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Where in the run it was.
    pub context: StepContext,
    /// The loss, with what the hooks added.
    pub loss: f32,
    /// The epoch, if it has ended with this step.
    pub row: Option<Row>,
}

/// A run. `A` is a backend with gradients, `B` the same without.
#[derive(Debug)]
pub struct Trainer<'a, A, B: Kernels, L, T, H> {
    network: Network<B>,
    optimiser: Optimiser<B>,
    task: T,
    hooks: H,
    loader: Loader<'a, L>,
    held_out: &'a [Sample<L>],
    settings: Settings,
    identity: Identity,
    steps: u64,
    step: u64,
    epoch: Sums,
    seconds: f64,
    backend: std::marker::PhantomData<A>,
}

/// Sums over the steps of an epoch.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    loss: f64,
    right: f64,
    images: f64,
}

impl<'a, A, B, L, T, H> Trainer<'a, A, B, L, T, H>
where
    A: AutodiffBackend<InnerBackend = B> + Kernels + BackendTypes<Device = B::Device>,
    B: Kernels,
    L: Label,
    T: Task<L>,
    H: Hooks<B, A, L>,
{
    /// A run before its first step; `held_out` is measured after each epoch and may be empty.
    ///
    /// # Errors
    /// No images, or settings without sense.
    pub fn new(
        network: Network<B>,
        (task, hooks): (T, H),
        (samples, held_out): (&'a [Sample<L>], &'a [Sample<L>]),
        settings: Settings,
    ) -> Result<Self, TrainError> {
        let bad = |what: &str| Err(TrainError::Request(what.into()));
        let Some(sample) = samples.first() else {
            return bad("there are no images to train with");
        };
        if settings.batch == 0 {
            return bad("training needs batches of at least one image");
        }
        if !(settings.rate > 0.0 && settings.rate.is_finite()) {
            return bad("the learning rate is not a number above 0");
        }
        let mut loader = Loader::training(
            samples,
            settings.batch,
            normalise(sample.image.channels()),
            settings.augment.clone(),
            settings.seed,
        );
        // A last small batch would shake the statistics.
        loader.drop_last = samples.len() >= settings.batch;
        let steps = settings.steps(loader.batches() as u64);
        if !(settings.epochs.is_finite() && steps > 0) {
            return bad("training needs at least one step");
        }
        let mut identity = Identity::of_program::<B>(network.device());
        // Its first parameters follow from these and the images.
        identity.put_digest("network", [onnx::export(network.graph())]);
        identity.put_samples("training images", samples);
        identity.put_samples("held-out images", held_out);
        settings.identify(&mut identity);
        task.identify(&mut identity);
        hooks.identify(&mut identity);
        Ok(Self {
            optimiser: Optimiser::new(settings.rule, &network),
            identity,
            network,
            task,
            hooks,
            loader,
            held_out,
            settings,
            steps,
            step: 0,
            epoch: Sums::default(),
            seconds: 0.0,
            backend: std::marker::PhantomData,
        })
    }

    /// What this run is: a checkpoint of another is not taken.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Adds what else changes its results, before the first step or [`Trainer::restore`].
    pub fn identify(&mut self, more: &Identity) {
        self.identity.extend(more);
    }

    /// The network as it is now.
    pub fn network(&self) -> &Network<B> {
        &self.network
    }

    /// The task.
    pub fn task(&self) -> &T {
        &self.task
    }

    /// What takes part.
    pub fn hooks(&self) -> &H {
        &self.hooks
    }

    /// Seconds of all steps so far, without measuring.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// All steps of the run.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Steps of an epoch.
    pub fn batches(&self) -> u64 {
        self.loader.batches() as u64
    }

    /// Images of a whole epoch.
    fn images(&self) -> u64 {
        let whole = self.loader.batches() * self.settings.batch;
        whole.min(self.loader.samples.len()) as u64
    }

    /// The step that comes next; as many have been made.
    pub fn next(&self) -> u64 {
        self.step
    }

    /// Whether all steps have been made.
    pub fn finished(&self) -> bool {
        self.step >= self.steps
    }

    fn stage(&self, step: u64) -> (u64, u64) {
        self.hooks.stage(step).unwrap_or((0, self.steps))
    }

    /// The learning rate over the stage that a step is in.
    fn schedule(&self, step: u64) -> Schedule {
        let (_, steps) = self.stage(step);
        let warm_up = self.settings.warm_up.clamp(0.0, 1.0);
        Schedule {
            peak: self.settings.rate,
            warm_up: (warm_up * steps as f64) as u64,
            steps,
            last: self.settings.last_rate,
        }
    }

    fn rate(&self, step: u64) -> f64 {
        let within = step - self.stage(step).0;
        self.hooks.learning_rate_factor(step) * self.schedule(step).at(within)
    }

    fn context(&self) -> StepContext {
        let batches = self.batches().max(1);
        StepContext {
            step: self.step,
            steps: self.steps,
            epoch: self.step / batches,
            batch: self.step % batches,
            batches,
            rate: self.rate(self.step),
        }
    }

    /// Makes the next step; with the last of an epoch, the held out images are measured.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] if a number of the run is not finite any more:
    /// after it no further step makes sense, and no [`Trainer::checkpoint`].
    /// Images that do not fit, what the hooks say, or a run that has ended.
    pub fn step(&mut self) -> Result<Step, TrainError> {
        let start = Instant::now();
        let context = self.context();
        let mut batches = self.loader.epoch(context.epoch, context.batch as usize);
        let batch = match batches.next() {
            Some(batch) if !self.finished() => batch?,
            _ => return Err(TrainError::Request("the run has ended".into())),
        };
        if context.step > 0 && self.stage(context.step).0 == context.step {
            self.optimiser = Optimiser::new(self.settings.rule, &self.network);
        }
        self.hooks.before(&mut self.network, &context)?;
        let device = self.network.device().clone();
        let n = batch.labels.len();
        let plain = images::<B>(batch.images, &device);
        let dims = [0, 1, 2, 3].map(|i| plain.dims()[i]);
        let leaves: Vec<Tensor<A, 1>> = self.network.leaves();
        let input = Tensor::<A, 4>::from_inner(plain.to(dims));
        let pass = self.network.forward(&leaves, input, Mode::Batch)?;
        let mut loss = self.task.loss(&pass, &batch.labels, &device)?;
        let seen = Seen {
            network: &self.network,
            leaves: &leaves,
            images: &plain,
            labels: &batch.labels,
            pass: &pass,
        };
        if let Some(more) = self.hooks.loss(&seen, &context)? {
            loss = loss + more;
        }
        let value = first(loss.clone());
        if !value.is_finite() {
            return Err(diverged(&context, format!("the loss is {value}")));
        }
        let grads = loss.backward();
        let mut gradients: Vec<_> = leaves.iter().map(|l| l.grad(&grads)).collect();
        self.hooks
            .gradients(&self.network, &mut gradients, &context)?;
        self.optimiser
            .step(&mut self.network, gradients, context.rate, context.step);
        self.network.follow(&pass, self.settings.statistics);
        self.hooks.after(&mut self.network, &context)?;
        if let Some(what) = self.not_finite() {
            return Err(diverged(&context, what));
        }
        self.epoch.loss += f64::from(value) * n as f64;
        self.epoch.right += self.task.right(&pass, &batch.labels)?;
        self.epoch.images += n as f64;
        self.step += 1;
        // Measuring is not training.
        self.seconds += start.elapsed().as_secs_f64();
        let ended = context.batch + 1 == context.batches || self.finished();
        let held_out = match ended && !self.held_out.is_empty() {
            true => Some(self.measure(self.held_out).map_err(|e| match e {
                TrainError::NotFinite(what) => diverged(&context, what),
                e => e,
            })?),
            false => None,
        };
        let row = ended.then(|| self.row(&context, held_out));
        if let Some(what) = row.as_ref().and_then(Row::not_finite) {
            return Err(diverged(&context, what));
        }
        Ok(Step {
            context,
            loss: value,
            row,
        })
    }

    /// What is not finite in the network or in the state of the optimiser, in words.
    fn not_finite(&self) -> Option<String> {
        let network = &self.network;
        let params = network.params().iter().map(|p| &p.value);
        // One number is read from the backend, unless something is wrong.
        let zeros = params.chain(self.optimiser.tensors());
        let zeros = zeros.map(|t| t.clone().mul_scalar(0.0).sum());
        let sum = zeros.reduce(|a, b| a + b).map_or(0.0, first);
        if sum == 0.0 {
            let each = network.running().iter();
            let bad = each.filter(|r| !r.mean.iter().chain(&r.var).all(|v| v.is_finite()));
            let first = bad.map(|r| &r.node).next()?;
            return Some(format!("a running statistic of `{first}` is not finite"));
        }
        let bad = |values: Vec<f32>| values.into_iter().find(|v| !v.is_finite());
        let of_params = network.params().iter().find_map(|p| {
            let value = bad(p.values())?;
            Some(format!("a value of `{}` is {value}", p.name))
        });
        Some(of_params.unwrap_or_else(|| "the state of the optimiser is not finite".into()))
    }

    fn row(&mut self, context: &StepContext, held_out: Option<super::Measured>) -> Row {
        let sums = std::mem::take(&mut self.epoch);
        Row {
            epoch: context.epoch + 1,
            step: self.step,
            images: context.epoch * self.images() + sums.images as u64,
            rate: context.rate,
            loss: sums.loss / sums.images,
            score: sums.right / sums.images,
            held_out,
            seconds: self.seconds,
            more: self.hooks.columns(),
        }
    }

    /// Loss and score of the network as it is now.
    ///
    /// # Errors
    /// Images that do not fit the network.
    pub fn measure(&self, samples: &[Sample<L>]) -> Result<super::Measured, TrainError> {
        self.task
            .measure(&self.network, samples, self.settings.batch)
    }

    /// All that is needed to go on from here.
    pub fn checkpoint(&self) -> Checkpoint {
        let mut c = Checkpoint::default();
        for p in self.network.params() {
            c.put(format!("param/{}", p.name), p.values());
        }
        for r in self.network.running() {
            c.put(format!("mean/{}", r.node), r.mean.clone());
            c.put(format!("var/{}", r.node), r.var.clone());
        }
        self.optimiser.save(&self.network, &mut c);
        c.put_text(IDENTITY, self.identity.to_json());
        c.put_number("step", self.step);
        for (name, value) in self.sums() {
            c.put_number(name, value.to_bits());
        }
        self.hooks.save(&mut c);
        c
    }

    fn sums(&self) -> [(&'static str, f64); 4] {
        [
            ("epoch.loss", self.epoch.loss),
            ("epoch.right", self.epoch.right),
            ("epoch.images", self.epoch.images),
            ("seconds", self.seconds),
        ]
    }

    /// Goes on from a checkpoint of the same run.
    ///
    /// # Errors
    /// [`CheckpointError::OtherRun`] with all that differs, parts that do not fit
    /// each other; nothing has changed then, except where it is the hooks that complain.
    pub fn restore(&mut self, c: &Checkpoint) -> Result<(), TrainError> {
        let bad = |what: String| Err(CheckpointError::Run(what).into());
        let then: Identity = serde_json::from_str(c.text(IDENTITY)?)
            .map_err(|e| CheckpointError::Run(format!("does not say of which run it is: {e}")))?;
        let differences = self.identity.differences(&then);
        if !differences.is_empty() {
            return Err(CheckpointError::OtherRun(differences).into());
        }
        let step = c.number("step")?;
        if step > self.steps() {
            return bad(format!("is after step {step} of {}", self.steps()));
        }
        let mut network = self.network.clone();
        for i in 0..network.params().len() {
            let p = &network.params()[i];
            let (name, n) = (p.name.clone(), p.dims.iter().product());
            let values = c.get(&format!("param/{name}"), n)?.to_vec();
            network.set(&name, values)?;
        }
        for r in self.network.running() {
            let (node, n) = (r.node.clone(), r.mean.len());
            let mean = c.get(&format!("mean/{node}"), n)?.to_vec();
            let var = c.get(&format!("var/{node}"), n)?.to_vec();
            network.set_running(Running { node, mean, var })?;
        }
        let mut optimiser = self.optimiser.clone();
        optimiser.load(&network, c)?;
        let float = |name: &str| c.number(name).map(f64::from_bits);
        let epoch = Sums {
            loss: float("epoch.loss")?,
            right: float("epoch.right")?,
            images: float("epoch.images")?,
        };
        let seconds = float("seconds")?;
        if let Some(name) = c.not_finite() {
            return bad(format!("has a value `{name}` that is not finite"));
        }
        let batches = self.batches().max(1);
        let images = match step % batches {
            _ if step == self.steps() => 0,
            batch => batch * self.settings.batch as u64,
        };
        let sums = [epoch.loss, epoch.right, epoch.images, seconds];
        if sums.iter().any(|v| !v.is_finite()) || epoch.images != images as f64 {
            return bad(format!(
                "has sums over its epoch that are not of step {step}"
            ));
        }
        self.hooks.load(c, &mut network)?;
        (self.network, self.optimiser) = (network, optimiser);
        (self.step, self.epoch, self.seconds) = (step, epoch, seconds);
        Ok(())
    }

    /// The trained network and what took part.
    pub fn into_parts(self) -> (Network<B>, H) {
        (self.network, self.hooks)
    }
}

fn diverged(context: &StepContext, what: String) -> TrainError {
    TrainError::Diverged {
        what,
        step: context.step + 1,
        epoch: context.epoch + 1,
        rate: context.rate,
    }
}
