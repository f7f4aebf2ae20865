//! Branches of one sum become one convolution.
//!
//! Convolutions of the same input whose results are added are one convolution, with
//! the sum of their weights: the sums are exact, so nothing between them is rounded.
//! Networks are trained so (RepVGG, MobileOne), with normalisations as branches.
//! But the largest weight of all says how fine the others are, so it may not pay.
//! A branch that a mask was applied to stays by itself: its blocks are its own.

use super::{Branch, Kind, Linear, Plan, Step, Weights};
use crate::graph::{Op, TensorId, Window};

impl Plan<'_> {
    /// Makes one convolution of branches, as long as there are any for which it `pays`:
    /// it is asked with both and what they would be.
    pub fn merge(&mut self, pays: impl Fn(&Self, [&Step; 2], &Step) -> bool) {
        while let Some((at, taken, step)) = self.merged(&pays) {
            self.steps[at] = step;
            self.steps.remove(taken);
        }
    }

    /// A step that takes in another one; where it is, where the other one is, and
    /// what it is then.
    fn merged(
        &self,
        pays: &impl Fn(&Self, [&Step; 2], &Step) -> bool,
    ) -> Option<(usize, usize, Step)> {
        let mut makers: Vec<Option<usize>> = vec![None; self.tensors.len()];
        let mut readers = vec![0; self.tensors.len()];
        self.graph.outputs.iter().for_each(|t| readers[t.0] += 1);
        for (i, step) in self.steps.iter().enumerate() {
            makers[step.output.0] = Some(i);
            step.inputs.iter().for_each(|t| readers[t.0] += 1);
        }
        let maker = |t: TensorId| makers[t.0].filter(|_| readers[t.0] == 1);
        self.steps.iter().enumerate().find_map(|(at, step)| {
            let sides = [(0, 1), (1, 0)];
            sides.iter().find_map(|&(of, other)| {
                let taken = maker(*step.inputs.get(of)?)?;
                let made = &self.steps[taken];
                let other = step.inputs.get(other).copied();
                let merged = match is_identity(step) {
                    true => compose(step, made, other),
                    false if of == 1 => self.add(step, made),
                    false => None,
                };
                let merged = merged.filter(|sum| pays(self, [step, made], sum));
                Some((at, taken, merged?))
            })
        })
    }

    /// A step with a second operand that is a branch of the same input.
    fn add(&self, step: &Step, branch: &Step) -> Option<Step> {
        let (one, other) = (linear(step)?, pure(branch)?);
        let same = step.inputs[0] == branch.inputs[0] && one.leaky.is_none();
        if !same || self.is_masked(one) || self.is_masked(other) {
            return None;
        }
        // The one that has room for the other.
        let (main, small, name) = if holds(one, other) {
            (one, other, &step.name)
        } else if holds(other, one) {
            (other, one, &branch.name)
        } else {
            return None;
        };
        let mut sum = main.clone();
        sum.branches.push(Branch {
            weights: small.weights.clone(),
            fold: small.fold.clone(),
            window: small.window,
            groups: small.groups,
            before: small.before,
        });
        sum.branches.extend(small.branches.iter().cloned());
        sum.clip = one.clip;
        let mut inputs = vec![step.inputs[0]];
        inputs.extend(branch.inputs.get(1));
        Some(Step {
            name: name.clone(),
            source: format!("{}+{}", branch.source, step.source),
            kind: Kind::Linear(Box::new(sum)),
            inputs,
            ..step.clone()
        })
    }

    /// Whether a mask was applied to a weight of a step.
    fn is_masked(&self, linear: &Linear) -> bool {
        let branches = linear.branches.iter().map(|b| &b.weights);
        let mut all = branches.chain([&linear.weights]);
        all.any(|w| match w {
            Weights::Conv(i) | Weights::Dense(i, _) => match &self.nodes[*i].op {
                Op::Conv(c) => c.weight.mask().is_some(),
                Op::Dense(d) => d.weight.mask().is_some(),
                _ => false,
            },
            Weights::Channels(..) => false,
        })
    }
}

const fn linear(step: &Step) -> Option<&Linear> {
    match &step.kind {
        Kind::Linear(linear) => Some(linear),
        _ => None,
    }
}

/// A step that gives its sums as they are.
fn pure(step: &Step) -> Option<&Linear> {
    let unlimited = (f32::NEG_INFINITY, f32::INFINITY);
    linear(step).filter(|l| l.leaky.is_none() && l.clip == unlimited)
}

/// Whether a step only adds its second operand, or limits.
fn is_identity(step: &Step) -> bool {
    linear(step).is_some_and(|l| {
        let same = match &l.weights {
            Weights::Channels(factors, bias) => {
                factors.iter().all(|f| *f == 1.) && bias.iter().all(|b| *b == 0.)
            }
            _ => false,
        };
        same && l.window == Window::POINT
            && l.fold.is_empty()
            && l.branches.is_empty()
            && l.leaky.is_none()
    })
}

/// What an identity does, behind the sums that it reads.
fn compose(step: &Step, made: &Step, other: Option<TensorId>) -> Option<Step> {
    let (identity, mut sums) = (linear(step)?, pure(made)?.clone());
    if other.is_some() && made.inputs.len() > 1 {
        return None;
    }
    sums.clip = identity.clip;
    let mut inputs = made.inputs.clone();
    inputs.extend(other);
    Some(Step {
        name: made.name.clone(),
        source: format!("{}+{}", made.source, step.source),
        kind: Kind::Linear(Box::new(sums)),
        inputs,
        ..step.clone()
    })
}

/// Whether a convolution has a weight for each of another one's, on the same inputs.
fn holds(main: &Linear, small: &Linear) -> bool {
    // What a group reads is then in the group that holds it.
    let groups = small.groups.is_multiple_of(main.groups);
    let (a, b) = (main.window, small.window);
    let branches = small.branches.iter().map(|s| s.window);
    let mut windows = branches.chain([b]);
    groups && windows.all(|b| a.stride == b.stride && (0..2).all(|i| taps(&a, &b, i).is_some()))
}

/// For each kernel position of a smaller window along an axis, the one of a larger
/// window that meets the same inputs.
pub(super) fn taps(main: &Window, small: &Window, axis: usize) -> Option<Vec<usize>> {
    let (a, b) = (main.axis(axis), small.axis(axis));
    let tap = |k: usize| {
        let at = (k * b.dilation + a.before).checked_sub(b.before)?;
        let tap = at / a.dilation;
        (at % a.dilation == 0 && tap < a.kernel).then_some(tap)
    };
    (0..b.kernel).map(tap).collect()
}
