//! Tensors that share an exponent, and exponents that shifts can connect.

use super::calibrate::{Method, Stats};
use super::error::QuantError;
use super::plan::{Kind, Plan};
use crate::graph::TensorId;

/// Exponents that `f32` can express with room on both sides.
const RANGE: std::ops::RangeInclusive<i32> = -100..=100;

/// Sets of int8 tensors, each with one exponent.
#[derive(Debug)]
pub(crate) struct Groups {
    /// The group of each tensor; none for those that are float only.
    of: Vec<Option<usize>>,
    pub members: Vec<Vec<TensorId>>,
}

impl Groups {
    /// Those whose operators demand it; and with `share`, residual operands and results.
    pub fn of(plan: &Plan<'_>, share: bool) -> Self {
        let int8 = plan.in_int8();
        let mut root: Vec<usize> = (0..plan.tensors.len()).collect();
        for step in &plan.steps {
            let same = match step.kind {
                Kind::MaxPool(_) | Kind::Move(_) => &step.inputs[..],
                Kind::Linear(_) if share => &step.inputs[1..],
                _ => &[],
            };
            for t in same {
                let (a, b) = (find(&mut root, t.0), find(&mut root, step.output.0));
                root[a.max(b)] = a.min(b);
            }
        }
        let mut of = vec![None; plan.tensors.len()];
        let mut members: Vec<Vec<TensorId>> = Vec::new();
        for t in (0..plan.tensors.len()).filter(|t| int8[*t]) {
            let first = find(&mut root, t);
            // The root may itself be float only.
            let group = *of[first].get_or_insert_with(|| {
                members.push(Vec::new());
                members.len() - 1
            });
            of[t] = Some(group);
            members[group].push(TensorId(t));
        }
        Self { of, members }
    }

    /// The group of a tensor; none where it is never int8.
    pub fn of_tensor(&self, t: TensorId) -> Option<usize> {
        self.of[t.0]
    }

    /// The exponent of a tensor; 0 where it has none.
    pub fn exponent(&self, exponents: &[i32], t: TensorId) -> i32 {
        self.of[t.0].map_or(0, |g| exponents[g])
    }

    /// An exponent for each group, by what was seen of each tensor of the plan.
    ///
    /// # Errors
    /// Values for which there is none.
    pub fn choose(
        &self,
        plan: &Plan<'_>,
        seen: &[Stats],
        method: Method,
    ) -> Result<Vec<i32>, QuantError> {
        let one = |members: &Vec<TensorId>| {
            let mut first = members.clone();
            first.dedup_by_key(|t| plan.tensor(*t).like);
            let stats: Vec<&Stats> = first.iter().map(|t| &seen[t.0]).collect();
            let exponent = method.exponent(&stats).unwrap_or(-7);
            if RANGE.contains(&exponent) {
                return Ok(exponent);
            }
            Err(QuantError::Exponent {
                tensor: plan.tensor(members[0]).name.clone(),
                exponent,
            })
        };
        self.members.iter().map(one).collect()
    }

    /// Raises exponents until every layer can get from its sums to its result by
    /// shifting right, and from its residual by at most 6 to the left.
    ///
    /// `weights` is, for each step, the exponent that its weights need at least.
    ///
    /// # Errors
    /// A layer for which there is no end to that.
    pub fn connect(
        &self,
        plan: &Plan<'_>,
        weights: &[Option<i32>],
        exponents: &mut [i32],
    ) -> Result<(), QuantError> {
        for _ in 0..=200 * exponents.len() {
            let Some((step, group, exponent)) = self.unconnected(plan, weights, exponents) else {
                return Ok(());
            };
            if !RANGE.contains(&exponent) {
                return Err(QuantError::Steps {
                    node: plan.steps[step].name.clone(),
                });
            }
            exponents[group] = exponent;
        }
        Err(QuantError::Steps {
            node: plan.graph.name.clone(),
        })
    }

    /// A step that shifts cannot connect; a group, and an exponent for it that helps.
    fn unconnected(
        &self,
        plan: &Plan<'_>,
        weights: &[Option<i32>],
        exponents: &[i32],
    ) -> Option<(usize, usize, i32)> {
        for (i, (step, weight)) in plan.steps.iter().zip(weights).enumerate() {
            if !matches!(step.kind, Kind::Linear(_)) {
                continue;
            }
            let exponent = |t: TensorId| self.exponent(exponents, t);
            let raise = |t: TensorId, to: i32| {
                let group = self.of[t.0].filter(|_| exponent(t) < to)?;
                Some((i, group, to))
            };
            let sums = weight.map(|w| w + exponent(step.inputs[0]));
            let operands = [Some(&step.output), step.inputs.get(1)];
            for t in operands.into_iter().flatten() {
                if let Some(found) = sums.and_then(|sums| raise(*t, sums)) {
                    return Some(found);
                }
            }
            let residual = step.inputs.get(1).map(|r| exponent(*r) - 6);
            if let Some(found) = residual.and_then(|to| raise(step.output, to)) {
                return Some(found);
            }
        }
        None
    }
}

fn find(root: &mut [usize], mut t: usize) -> usize {
    while root[t] != t {
        root[t] = root[root[t]];
        t = root[t];
    }
    t
}
