//! Factors that make values fit their steps.
//!
//! Between layers of the device only quotients of steps must be powers of two: a
//! tensor may have any step if the weights around it have it too. So a tensor is
//! multiplied by a factor, the weights that make it as well, and those that read it
//! are divided by it. With its factor a value is a whole number of steps of a power
//! of two, and nothing else changes. Where the host converts there is no factor.

use super::calibrate::Stats;
use super::emit::FloatWeights;
use super::exponents::Groups;
use super::plan::{Form, Kind, Plan};
use super::scales::ExponentsError;
use crate::graph::TensorId;
use ndarray::Array4;
use std::collections::BTreeMap;

/// Factors that are tried within a power of two.
const PHASES: usize = 8;

/// By what each tensor of a plan is multiplied before it is rounded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Factors(Vec<f32>);

impl Factors {
    /// No tensor is changed.
    pub fn ones(plan: &Plan<'_>) -> Self {
        Self(vec![1.; plan.tensors.len()])
    }

    /// The factor of a tensor.
    pub fn of(&self, t: TensorId) -> f32 {
        self.0[t.0]
    }

    /// Factors that are given by the names of tensors.
    ///
    /// # Errors
    /// One where there can be none, or two that must be the same.
    pub fn given(plan: &Plan<'_>, given: &BTreeMap<String, f32>) -> Result<Self, ExponentsError> {
        let groups = Groups::of(plan, true);
        let free = free(plan, &groups);
        let mut factors = Self::ones(plan);
        for (members, free) in groups.members.iter().zip(free) {
            let of = |t: &TensorId| given.get(&plan.tensor(*t).name).copied().unwrap_or(1.);
            let first = members.first().map_or(1., of);
            for t in members {
                let factor = of(t);
                if factor != first || (factor != 1. && !free) {
                    return Err(ExponentsError::Factor {
                        name: plan.tensor(*t).name.clone(),
                        factor: factor.to_string(),
                    });
                }
                factors.0[t.0] = factor;
            }
        }
        Ok(factors)
    }

    /// The factors that leave the least error of values and weights, by what was seen of each tensor.
    pub fn fit(plan: &Plan<'_>, seen: &[Stats], weights: &FloatWeights) -> Self {
        // Operands and result of a sum have the same.
        let groups = Groups::of(plan, true);
        let free = free(plan, &groups);
        let values: Vec<[f64; PHASES]> = groups
            .members
            .iter()
            .zip(&free)
            .map(|(members, free)| match free {
                true => values(members, seen),
                false => [0.; PHASES],
            })
            .collect();
        let layers: Vec<Layer> = plan
            .steps
            .iter()
            .zip(weights)
            .filter_map(|(step, weight)| {
                let (Kind::Linear(_), Some((weight, _))) = (&step.kind, weight) else {
                    return None;
                };
                let errors =
                    errors_of_weights(weight, &seen[step.inputs[0].0], &seen[step.output.0]);
                Some(Layer {
                    input: groups.of_tensor(step.inputs[0])?,
                    output: groups.of_tensor(step.output)?,
                    errors,
                })
            })
            .collect();
        let mut phases = vec![0; values.len()];
        // Each pass over all groups lowers the error or is the last one.
        let mut changed = true;
        while changed {
            changed = false;
            for g in (0..phases.len()).filter(|g| free[*g]) {
                let around: Vec<&Layer> = layers
                    .iter()
                    .filter(|l| l.input == g || l.output == g)
                    .collect();
                let error = |phase: usize| {
                    let of = |group: usize| if group == g { phase } else { phases[group] };
                    let weights = around
                        .iter()
                        .map(|l| l.errors[(PHASES + of(l.output) - of(l.input)) % PHASES]);
                    values[g][phase] + weights.sum::<f64>()
                };
                let now = error(phases[g]);
                let best = (0..PHASES).min_by(|a, b| error(*a).total_cmp(&error(*b)));
                if let Some(best) = best.filter(|b| error(*b) < now * (1. - 1e-9)) {
                    phases[g] = best;
                    changed = true;
                }
            }
        }
        let factor = |t: usize| match groups.of_tensor(TensorId(t)) {
            Some(g) => 1. / step(phases[g]) as f32,
            None => 1.,
        };
        Self((0..plan.tensors.len()).map(factor).collect())
    }

    /// Weights and biases for tensors with these factors.
    pub fn weights(&self, plan: &Plan<'_>, weights: &FloatWeights) -> FloatWeights {
        let steps = plan.steps.iter().zip(weights);
        let scaled = steps.map(|(step, weights)| {
            let (weight, bias) = weights.as_ref()?;
            let (input, output) = (self.of(step.inputs[0]), self.of(step.output));
            if (input, output) == (1., 1.) {
                return Some((weight.clone(), bias.clone()));
            }
            let factor = output / input;
            let bias = bias.iter().map(|b| b * output).collect();
            Some((weight.mapv(|w| w * factor), bias))
        });
        scaled.collect()
    }

    /// What was seen of tensors, with their factors.
    pub fn seen(&self, seen: &[Stats]) -> Vec<Stats> {
        let pairs = seen.iter().zip(&self.0);
        pairs.map(|(stats, factor)| stats.scaled(*factor)).collect()
    }
}

/// A layer between two groups; what its weights add to the error, by how many phases
/// the result's step is ahead of the operand's.
struct Layer {
    input: usize,
    output: usize,
    errors: [f64; PHASES],
}

/// The step of a phase, from 1 on.
fn step(phase: usize) -> f64 {
    2_f64.powf(phase as f64 / PHASES as f64)
}

/// The groups that no operator of the host reads or makes in single precision.
fn free(plan: &Plan<'_>, groups: &Groups) -> Vec<bool> {
    let mut free = vec![true; groups.members.len()];
    let mut bind = |t: TensorId| {
        if let Some(g) = groups.of_tensor(t) {
            free[g] = false;
        }
    };
    plan.graph.inputs.iter().for_each(|t| bind(*t));
    plan.graph.outputs.iter().for_each(|t| bind(*t));
    for step in &plan.steps {
        if let Kind::Float(_) = step.kind {
            step.inputs.iter().for_each(|t| bind(*t));
        }
        if plan.tensor(step.output).form == Form::Float {
            bind(step.output);
        }
    }
    free
}

/// Errors of values that share a step, by phase: those of the best power of two.
fn values(members: &[TensorId], seen: &[Stats]) -> [f64; PHASES] {
    let members: Vec<&Stats> = members.iter().map(|t| &seen[t.0]).collect();
    let top = members.iter().filter_map(|s| s.exponent()).max();
    let Some(top) = top else { return [0.; PHASES] };
    std::array::from_fn(|phase| {
        let errors = (-4..=0).map(|octave| {
            let step = step(phase) * 2_f64.powi(top + octave);
            members.iter().map(|s| s.error_of(step)).sum::<f64>()
        });
        errors.fold(f64::INFINITY, f64::min)
    })
}

/// Expected squared error of a layer's sums as a fraction of their squares.
fn errors_of_weights(weight: &Array4<f32>, input: &Stats, sums: &Stats) -> [f64; PHASES] {
    let most = weight.iter().fold(0_f32, |m, w| m.max(w.abs()));
    let energy = sums.mean_square();
    if most == 0. || energy == 0. {
        return [0.; PHASES];
    }
    let (_, ci, kh, kw) = weight.dim();
    let met = (ci * kh * kw) as f64 * input.mean_square();
    std::array::from_fn(|ahead| {
        let least = f64::from(most) / 127. / step(ahead);
        let step = step(ahead) * 2_f64.powf(least.log2().ceil());
        step * step / 12. * met / energy
    })
}
