//! From a graph and what was observed of it to an integer network.

use super::calibrate::{Calibration, Method, Origin, Stats, TRIED};
use super::check::check;
use super::correct::correct;
use super::emit::{Emit, Emitted, FloatWeights};
use super::error::QuantError;
use super::exponents::Groups;
use super::factors::Factors;
use super::masks::carry;
use super::net::QNet;
use super::plan::{Kind, Plan, Step, plan};
use super::weights::{PerChannel, needed};
use crate::graph::macs::pixels;
use crate::graph::{Graph, TensorId};
use ndarray::{Array4, ArrayD};
use vta_tensor::host::Tensor;

/// Fraction of the error that may stay for a changed step to be kept.
const WORTH: f64 = 0.99;

/// The same where the change may take another shift, a cycle for each vector of a layer.
const WORTH_A_SHIFT: f64 = 0.97;

/// When residual operands and results share an exponent, so that the sum needs no shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ShareResidual {
    /// Unless samples show that the error of the outputs falls by three hundredths with an
    /// exponent of its own: another shift may take one more cycle for each vector of a layer.
    #[default]
    Auto,
    /// In every layer.
    Always,
    /// In no layer.
    Never,
}

/// How to quantise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantOptions {
    /// How steps of activations are chosen.
    pub method: Method,
    /// When output channels have shifts of their own.
    pub per_channel: PerChannel,
    /// When residual operands and results share an exponent.
    pub share_residual: ShareResidual,
    /// Whether tensors between layers of the device are scaled so that their steps need
    /// not be powers of two in the float network. Never by noise.
    pub fit_steps: bool,
    /// Whether convolutions of one input whose results are added become one.
    pub merge_branches: bool,
    /// Whether biases make up for the mean error of sums. Never on noise.
    pub correct_bias: bool,
    /// Multiply-accumulates that may be spent on trying steps one by one ([`Method::Best`]).
    pub effort: u64,
}

impl Default for QuantOptions {
    fn default() -> Self {
        Self {
            method: Method::Best,
            per_channel: PerChannel::Auto,
            share_residual: ShareResidual::Auto,
            fit_steps: true,
            merge_branches: true,
            correct_bias: true,
            effort: 20_000_000_000,
        }
    }
}

/// Quantises a network.
///
/// # Errors
/// An operator that nobody does, weights that are not finite, steps beyond the
/// range of single precision, a calibration of another network.
pub fn quantise(
    graph: &Graph,
    calibration: &Calibration,
    options: &QuantOptions,
) -> Result<QNet, QuantError> {
    if calibration.tensors.len() != graph.tensors().len() {
        return Err(QuantError::OtherNetwork);
    }
    let mut plan = plan(graph)?;
    if options.merge_branches {
        plan.merge(|plan, parts, sum| merging_pays(plan, calibration, parts, sum));
    }
    let shared = options.share_residual != ShareResidual::Never;
    let groups = Groups::of(&plan, shared);
    let apart = (options.share_residual == ShareResidual::Auto)
        .then(|| Groups::of(&plan, false))
        .filter(|apart| apart.members.len() > groups.members.len());
    let real = matches!(calibration.origin, Origin::Samples { .. });
    let weights = float_weights(&plan)?;
    let seen = calibration.of_plan(&plan);
    let mut frames = Vec::new();
    if options.fit_steps && real {
        let factors = Factors::fit(&plan, &seen, &weights);
        if factors != Factors::ones(&plan) {
            frames.push(Frame::new(&plan, &weights, &seen, factors));
        }
    }
    frames.push(Frame::new(&plan, &weights, &seen, Factors::ones(&plan)));
    let search = Search {
        calibration,
        options,
        plan: &plan,
        groups: &groups,
        apart: apart.as_ref(),
        frames,
        real,
    };
    let mut net = search.best()?;
    carry(&plan, &mut net);
    check(&net)?;
    Ok(net)
}

/// Whether one convolution of two branches has less error than both and the rounding
/// of what is between them.
fn merging_pays(plan: &Plan<'_>, seen: &Calibration, parts: [&Step; 2], sum: &Step) -> bool {
    let weights = |step: &Step| match &step.kind {
        Kind::Linear(linear) => plan.weights(linear),
        _ => None,
    };
    let stats = |t: TensorId| &seen.tensors[plan.tensor(t).like.0];
    // All in units of the same: squares of 127th parts, a twelfth of which is noise.
    let noise = |step: &Step| {
        let (weight, _) = weights(step)?;
        let most = weight.iter().fold(0_f32, |m, w| m.max(w.abs()));
        let met = (weight.len() / weight.dim().0.max(1)) as f64;
        Some(f64::from(most).powi(2) * met * stats(step.inputs[0]).mean_square())
    };
    let between = f64::from(stats(parts[1].output).max).powi(2);
    match (noise(sum), noise(parts[0]), noise(parts[1])) {
        (Some(sum), Some(a), Some(b)) => sum < a + b + between,
        _ => false,
    }
}

/// Weights of every step, which are finite.
pub(super) fn float_weights(plan: &Plan<'_>) -> Result<FloatWeights, QuantError> {
    let one = |step: &super::plan::Step| {
        let Kind::Linear(linear) = &step.kind else {
            return Ok(None);
        };
        let Some((weight, bias)) = plan.weights(linear) else {
            return Ok(None);
        };
        let channels = weight.outer_iter().zip(&bias);
        for (channel, (weight, bias)) in channels.enumerate() {
            // Beyond 2^100 steps leave single precision.
            let tame = |x: &f32| x.abs() < 2_f32.powi(100);
            let mut all = weight.iter().chain([bias]);
            if let Some(value) = all.find(|x| !tame(x)) {
                return Err(QuantError::Weight {
                    node: step.name.clone(),
                    channel,
                    value: *value,
                });
            }
        }
        Ok(Some((weight, bias)))
    };
    plan.steps.iter().map(one).collect()
}

/// A network, and how far its outputs are from the float network's.
struct Tried {
    net: QNet,
    error: f64,
}

/// A network whose tensors have certain factors.
struct Frame {
    factors: Factors,
    weights: FloatWeights,
    seen: Vec<Stats>,
    /// For each step, the exponent that its weights need.
    needed: Vec<Option<i32>>,
}

impl Frame {
    fn new(plan: &Plan<'_>, weights: &FloatWeights, seen: &[Stats], factors: Factors) -> Self {
        let weights = factors.weights(plan, weights);
        let needed = weights
            .iter()
            .map(|w| w.as_ref().and_then(|(w, _)| needed(w)));
        Self {
            needed: needed.collect(),
            seen: factors.seen(seen),
            factors,
            weights,
        }
    }
}

/// Exponents, and what the network with them is.
struct Improved {
    exponents: Vec<i32>,
    tried: Tried,
}

struct Search<'a, 'g> {
    calibration: &'a Calibration,
    options: &'a QuantOptions,
    plan: &'a Plan<'g>,
    groups: &'a Groups,
    /// Those in which residual operands and results need not share an exponent.
    apart: Option<&'a Groups>,
    /// At least one; the best guess is first.
    frames: Vec<Frame>,
    /// Whether samples are real.
    real: bool,
}

/// What exponents are for: sets of tensors, and their factors.
#[derive(Clone, Copy)]
struct Candidate<'s> {
    groups: &'s Groups,
    frame: &'s Frame,
}

impl Search<'_, '_> {
    fn best(&self) -> Result<QNet, QuantError> {
        let of = |frame| Candidate {
            groups: self.groups,
            frame,
        };
        if self.options.method != Method::Best || !self.real {
            let first = of(&self.frames[0]);
            let exponents = self.exponents(first, self.options.method)?;
            if !self.real || !self.options.correct_bias {
                return Ok(self.emit(first).net(&exponents).net);
            }
            return Ok(self.try_out(first, &exponents, self.samples(1))?.net);
        }
        let tries = self.frames.len() * TRIED.len();
        let samples = self.samples(tries as u64);
        let mut best: Option<(&Frame, Vec<i32>, f64)> = None;
        for (i, frame) in self.frames.iter().enumerate() {
            let mut seen: Vec<Vec<i32>> = Vec::new();
            for method in TRIED {
                let exponents = self.exponents(of(frame), method)?;
                if seen.contains(&exponents) {
                    continue;
                }
                let error = self.try_out(of(frame), &exponents, samples)?.error;
                tracing::debug!(frame = i, ?method, samples, error, "steps");
                if best.as_ref().is_none_or(|(.., least)| error < *least) {
                    best = Some((frame, exponents.clone(), error));
                }
                seen.push(exponents);
            }
        }
        let (frame, start, _) = best.ok_or(QuantError::NoSamples)?;
        let mut best = self.improve(of(frame), start, WORTH)?;
        if let Some(groups) = self.apart {
            let apart = Candidate { groups, frame };
            let exponents = groups.members.iter();
            let exponents = exponents.map(|m| self.groups.exponent(&best.exponents, m[0]));
            let other = self.improve(apart, exponents.collect(), WORTH_A_SHIFT)?;
            tracing::debug!(
                shared = best.tried.error,
                apart = other.tried.error,
                "residuals"
            );
            if other.tried.error < best.tried.error {
                best = other;
            }
        }
        Ok(best.tried.net)
    }

    /// Changes exponents one by one; the result is not worse on all samples.
    fn improve(
        &self,
        of: Candidate<'_>,
        start: Vec<i32>,
        worth: f64,
    ) -> Result<Improved, QuantError> {
        let refined = self.refine(of, &start, worth)?;
        let all = self.samples(1);
        let tried = self.try_out(of, &start, all)?;
        let before = Improved {
            exponents: start,
            tried,
        };
        if refined == before.exponents {
            return Ok(before);
        }
        let tried = self.try_out(of, &refined, all)?;
        let (error, after) = (before.tried.error, tried.error);
        tracing::debug!(before = error, after, "steps changed");
        Ok(match after < error {
            true => Improved {
                exponents: refined,
                tried,
            },
            false => before,
        })
    }

    fn emit<'s>(&'s self, Candidate { groups, frame }: Candidate<'s>) -> Emit<'s, 's> {
        Emit {
            plan: self.plan,
            groups,
            weights: &frame.weights,
            factors: &frame.factors,
            seen: Some(&frame.seen),
            per_channel: self.options.per_channel,
            given: None,
        }
    }

    fn exponents(&self, of: Candidate<'_>, method: Method) -> Result<Vec<i32>, QuantError> {
        let Candidate { groups, frame } = of;
        let mut exponents = groups.choose(self.plan, &frame.seen, method)?;
        groups.connect(self.plan, &frame.needed, &mut exponents)?;
        Ok(exponents)
    }

    /// Samples that the effort allows for so many tries, at least a few.
    fn samples(&self, tries: u64) -> usize {
        let samples = self.options.effort / tries.max(1) / self.macs().max(1);
        (samples as usize)
            .max(4)
            .min(self.calibration.samples.len())
    }

    fn try_out(
        &self,
        of: Candidate<'_>,
        exponents: &[i32],
        samples: usize,
    ) -> Result<Tried, QuantError> {
        let mut emitted = self.emit(of).net(exponents);
        if !self.options.correct_bias {
            emitted.links.clear();
        }
        let Emitted {
            mut net,
            links,
            judged,
        } = emitted;
        let got = correct(&mut net, &links, &judged, self.calibration, samples)?;
        let error = distance(&self.calibration.wants, &got);
        Ok(Tried { net, error })
    }

    /// Changes exponents one by one while the error falls and the effort lasts.
    fn refine(&self, of: Candidate<'_>, start: &[i32], worth: f64) -> Result<Vec<i32>, QuantError> {
        let (plan, Candidate { groups, frame }) = (self.plan, of);
        let mut exponents = start.to_vec();
        // Fewer samples mislead; each exponent has two neighbours, and may have them again.
        let samples = self.calibration.samples.len().min(32);
        let tries = self.options.effort / self.cost(samples).max(1);
        let mut left = tries.min(6 * exponents.len() as u64);
        if left < 2 {
            return Ok(exponents);
        }
        let mut error = self.try_out(of, &exponents, samples)?.error;
        let mut improved = true;
        while improved {
            improved = false;
            for group in 0..exponents.len() {
                for step in [-1, 1] {
                    let mut changed = exponents.clone();
                    changed[group] += step;
                    let connected = groups.connect(plan, &frame.needed, &mut changed);
                    if connected.is_err() || changed == exponents {
                        continue;
                    }
                    if left == 0 {
                        return Ok(exponents);
                    }
                    left -= 1;
                    let tried = self.try_out(of, &changed, samples)?;
                    if tried.error < worth * error {
                        tracing::debug!(group, step, error = tried.error, "step changed");
                        (exponents, error, improved) = (changed, tried.error, true);
                        break;
                    }
                }
            }
        }
        Ok(exponents)
    }

    /// What trying costs, in multiply-accumulates: samples, and weights that are made anew.
    fn cost(&self, samples: usize) -> u64 {
        let weights = self.frames[0].weights.iter().flatten();
        let weights: usize = weights.map(|(w, _)| w.len()).sum();
        self.macs() * samples as u64 + 32 * weights as u64
    }

    /// Multiply-accumulates of the network.
    fn macs(&self) -> u64 {
        let plan = self.plan;
        let one = |(step, weights): (&super::plan::Step, &Option<_>)| {
            let (weight, _): &(Array4<f32>, Vec<f32>) = weights.as_ref()?;
            Some(weight.len() as u64 * pixels(&plan.tensor(step.output).dims))
        };
        plan.steps
            .iter()
            .zip(&self.frames[0].weights)
            .filter_map(one)
            .sum()
    }
}

/// Squared distance of tensors as a fraction of their squares, summed over the tensors.
fn distance(wants: &[Vec<ArrayD<f32>>], got: &[Vec<Tensor>]) -> f64 {
    let mut sums: Vec<(f64, f64)> = Vec::new();
    for (wants, got) in wants.iter().zip(got) {
        sums.resize(wants.len(), (0., 0.));
        for (sums, (want, got)) in sums.iter_mut().zip(wants.iter().zip(got)) {
            let Some(got) = got.as_f32() else { continue };
            for (w, g) in want.iter().zip(got) {
                let (w, d) = (f64::from(*w), f64::from(*w) - f64::from(*g));
                sums.0 += d * d;
                sums.1 += w * w;
            }
        }
    }
    let fraction = |(d, w): &(f64, f64)| if *d == 0. { 0. } else { d / w.max(1e-30) };
    sums.iter().map(fraction).sum()
}
