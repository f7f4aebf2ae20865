//! An integer network with exponents that are given.

use super::calibrate::Calibration;
use super::check::check;
use super::correct::correct;
use super::emit::{Emit, FloatWeights};
use super::error::QuantError;
use super::exponents::Groups;
use super::factors::Factors;
use super::masks::carry;
use super::net::QNet;
use super::plan::{Kind, Plan, plan};
use super::quantise::float_weights;
use super::scales::{Exponents, ExponentsError};
use super::weights::{PerChannel, needed};
use crate::graph::Graph;
use std::collections::BTreeSet;

/// The largest shift.
const MOST: i64 = 31;
/// The largest left shift of a second operand.
const RESIDUAL: i64 = 6;

/// Quantises a network with exactly these exponents, so that a network that was
/// trained with their rounding is compiled with the same.
///
/// Weights that do not fit end at 127 steps. What has no weight in the graph
/// (means, sums, lone activations) follows from the exponents around it.
/// Biases are as they are, or with `correction` they make up for the mean error
/// of sums over its samples.
///
/// # Errors
/// Exponents of another network or that no shift connects; as [`quantise`](super::quantise()).
pub fn quantise_with(
    graph: &Graph,
    exponents: &Exponents,
    correction: Option<&Calibration>,
) -> Result<QNet, QuantError> {
    if correction.is_some_and(|c| c.tensors.len() != graph.tensors().len()) {
        return Err(QuantError::OtherNetwork);
    }
    let mut plan = plan(graph)?;
    // What lies between branches that became one convolution is not rounded.
    plan.merge(|plan, [_, branch], _| {
        let between = &plan.tensor(branch.output).name;
        !exponents.tensors.contains_key(between)
    });
    known(&plan, exponents)?;
    let factors = Factors::given(&plan, &exponents.factors)?;
    let weights = factors.weights(&plan, &float_weights(&plan)?);
    let groups = Groups::of(&plan, false);
    let given = of_groups(&plan, &groups, exponents)?;
    connected(&plan, &weights, &groups, (&given, exponents))?;
    let seen = correction.map(|c| factors.seen(&c.of_plan(&plan)));
    let emit = Emit {
        plan: &plan,
        groups: &groups,
        weights: &weights,
        factors: &factors,
        seen: seen.as_deref(),
        per_channel: PerChannel::Auto,
        given: Some(exponents),
    };
    let mut emitted = emit.net(&given);
    if let Some(calibration) = correction {
        let all = calibration.samples.len();
        let (links, judged) = (&emitted.links, &emitted.judged);
        correct(&mut emitted.net, links, judged, calibration, all)?;
    }
    carry(&plan, &mut emitted.net);
    check(&emitted.net)?;
    Ok(emitted.net)
}

/// All names are the network's.
fn known(plan: &Plan<'_>, exponents: &Exponents) -> Result<(), ExponentsError> {
    let tensors: BTreeSet<&str> = plan.tensors.iter().map(|t| t.name.as_str()).collect();
    let linear = plan.steps.iter().filter_map(|s| match &s.kind {
        Kind::Linear(linear) => Some(linear.weight_name.as_str()),
        _ => None,
    });
    let weights: BTreeSet<&str> = linear.collect();
    let names = exponents.tensors.keys().map(|n| (n, "tensor", &tensors));
    let factors = exponents.factors.keys().map(|n| (n, "tensor", &tensors));
    let names = names.chain(factors);
    let names = names.chain(exponents.weights.keys().map(|n| (n, "weight", &weights)));
    for (name, what, all) in names {
        if !all.contains(name.as_str()) {
            let name = name.clone();
            return Err(ExponentsError::Unknown { what, name });
        }
    }
    Ok(())
}

/// The exponent of each group, which any of its members has.
fn of_groups(
    plan: &Plan<'_>,
    groups: &Groups,
    exponents: &Exponents,
) -> Result<Vec<i32>, ExponentsError> {
    let one = |members: &Vec<_>| {
        let names = members.iter().map(|t| &plan.tensor(*t).name);
        let mut given = names.filter_map(|n| Some((n, *exponents.tensors.get(n)?)));
        let Some((one, exponent)) = given.next() else {
            return Err(ExponentsError::Missing {
                what: "tensor",
                name: plan.tensor(members[0]).name.clone(),
            });
        };
        match given.find(|(_, e)| *e != exponent) {
            Some((other, _)) => Err(ExponentsError::Apart {
                one: one.clone(),
                other: other.clone(),
            }),
            None => Ok(exponent),
        }
    };
    groups.members.iter().map(one).collect()
}

/// Shifts get from sums to results.
fn connected(
    plan: &Plan<'_>,
    weights: &FloatWeights,
    groups: &Groups,
    (given, exponents): (&[i32], &Exponents),
) -> Result<(), QuantError> {
    for (step, weights) in plan.steps.iter().zip(weights) {
        let (Kind::Linear(linear), Some((weight, _))) = (&step.kind, weights) else {
            continue;
        };
        let exponent = |t| i64::from(groups.exponent(given, t));
        let (input, output) = (exponent(step.inputs[0]), exponent(step.output));
        let residual = step.inputs.get(1).map(|t| exponent(*t));
        let sum = residual.map_or(output, |r| output.min(r));
        let apart = |what, from, to| ExponentsError::Shift {
            node: step.name.clone(),
            what,
            from,
            to,
        };
        if let Some(r) = residual
            && (r - sum > RESIDUAL || output - sum > MOST)
        {
            return Err(apart("second operand", r, output).into());
        }
        let own = match linear.weight_name.is_empty() {
            true => needed(weight).into_iter().collect(),
            false => exponents.of_weight(&linear.weight_name, weight.dim().0)?,
        };
        for e in own {
            let products = i64::from(e) + input;
            let far = !linear.weight_name.is_empty() && sum - products > MOST;
            if products > sum || far {
                return Err(apart("products", products, sum).into());
            }
        }
    }
    Ok(())
}
