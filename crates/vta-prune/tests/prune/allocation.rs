//! Allocation: budgets are met to one block, smaller ones keep no more anywhere.

use proptest::prelude::*;
use std::collections::BTreeMap;
use vta_prune::cost::{CostTable, LayerCost, Point};
use vta_prune::{
    AllocationError, AllocationRule, Blocks, Budget, Costs, Path, Profile, Profiles, PruneLayer,
    Ranking, Smoothing, Target, read_sparsities,
};

pub fn layer(name: &str, weight: [usize; 4], uses: u64, keep: &str) -> PruneLayer {
    PruneLayer {
        node: name.into(),
        weight_name: format!("{name}.weight"),
        blocks: Blocks::new(weight, false, Ranking::MeanSquare),
        uses,
        dense_layer: false,
        keep_dense: keep.into(),
    }
}

pub fn layers() -> Vec<PruneLayer> {
    vec![
        layer("first", [64, 3, 3, 3], 1024, "first convolution"),
        layer("a", [64, 64, 3, 3], 1024, ""),
        layer("b", [70, 64, 3, 3], 256, ""),
        layer("c", [128, 70, 1, 1], 64, ""),
        layer("tiny", [16, 16, 1, 1], 64, ""),
        layer("d", [96, 128, 3, 3], 16, ""),
    ]
}

/// Each layer's weights with a scale of their own, blocks of unlike strength.
fn profiles(layers: &[PruneLayer], seed: u64) -> Profiles {
    layers
        .iter()
        .enumerate()
        .map(|(i, l)| {
            let mut w = crate::blocks::values(l.blocks.len(), seed ^ i as u64);
            let kept: Vec<bool> = (0..l.blocks.groups())
                .map(|u| !(u as u64 * 7 + seed % 3).is_multiple_of(3))
                .collect();
            let factors = l.blocks.spread(&kept, 1.0, 0.2);
            w.iter_mut()
                .zip(factors)
                .for_each(|(w, f)| *w *= f * (i + 1) as f32);
            Profile::of(&l.blocks, &w)
        })
        .collect()
}

/// A table in which layers have plateaus, and one rises in steps only.
fn table(layers: &[PruneLayer]) -> CostTable {
    let costs = layers.iter().filter(|l| l.prunable()).map(|l| {
        let n = l.blocks.groups() as u64;
        let points = match l.node.as_str() {
            // Bound by memory above half its blocks: nothing is saved there.
            "a" => vec![Point(0, 50.0), Point(n / 2, 9000.0), Point(n, 9000.0)],
            "b" => (0..=n)
                .map(|k| Point(k, 100.0 + 400.0 * (k / 5) as f64))
                .collect(),
            _ => vec![Point(0, 10.0), Point(n, 10.0 + n as f64 * 61.7)],
        };
        LayerCost::new(&l.node, &l.weight_name, n, points)
    });
    CostTable::new("net", "de10", 1234.5, costs.collect())
}

fn all_costs(layers: &[PruneLayer]) -> [Costs; 4] {
    [
        Costs::Blocks,
        Costs::Weights,
        Costs::Macs,
        Costs::Cycles(table(layers)),
    ]
}

fn rules() -> [AllocationRule; 3] {
    let given = [("a", 0.5), ("b", 0.25), ("d", 0.9)];
    let given = given.map(|(n, r)| (format!("{n}.weight"), r));
    [
        AllocationRule::Lamp,
        AllocationRule::Uniform,
        AllocationRule::Given(BTreeMap::from(given)),
    ]
}

fn cost_of(layers: &[PruneLayer], profiles: &[Profile], costs: &Costs, kept: &[usize]) -> f64 {
    let each = layers.iter().zip(profiles).zip(kept);
    each.fold(costs.fixed(), |sum, ((l, p), k)| {
        sum + costs.curve(l, p).unwrap()[*k]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn budgets_are_met_to_one_block(seed: u64, part in 0.0..1.0f64, kind in 0usize..4, rule in 0usize..3) {
        let layers = layers();
        let profiles = profiles(&layers, seed);
        let costs = &all_costs(&layers)[kind];
        let path = Path::new(&layers, &profiles, costs, &rules()[rule], 0.1).unwrap();
        let budget = path.least_cost() + part * (path.dense_cost() - path.least_cost());
        let a = path.at_most(budget).unwrap();
        prop_assert_eq!(a.cost, cost_of(&layers, &profiles, costs, &a.kept));
        prop_assert!(a.cost <= budget);
        // With one block more in some layer it would not be met, or nothing was dropped.
        let over = (0..layers.len()).filter(|i| a.kept[*i] < layers[*i].blocks.groups()).any(|i| {
            let mut more = a.kept.clone();
            more[i] += 1;
            cost_of(&layers, &profiles, costs, &more) > budget
        });
        let full = layers.iter().zip(&a.kept).all(|(l, k)| *k == l.blocks.groups());
        prop_assert!(over || full, "{:?}", a);
        for (l, k) in layers.iter().zip(&a.kept) {
            let n = l.blocks.groups();
            let floor = match &rules()[rule] {
                AllocationRule::Given(_) => 1,
                _ => n.div_ceil(10),
            };
            prop_assert!(*k >= floor.max(1) && *k <= n);
            prop_assert!(l.prunable() || *k == n, "{} stays dense", l.node);
        }
    }

    /// Two budgets at once: both are met; a second one that asks for nothing
    /// changes nothing; one that can be met at the first one's number of blocks
    /// does not cost more blocks than that.
    #[test]
    fn two_budgets_are_both_met(seed: u64, x in 0.05..1.0f64, y in 0.05..1.0f64, first in 0usize..4, second in 0usize..4, rule in 0usize..2) {
        let layers = layers();
        let profiles = profiles(&layers, seed);
        let all = all_costs(&layers);
        let budget = |costs: &Costs, part: f64| {
            let path = Path::new(&layers, &profiles, costs, &rules()[rule], 0.1).unwrap();
            path.least_cost() + part * (path.dense_cost() - path.least_cost())
        };
        let limits = (budget(&all[first], x), budget(&all[second], y));
        let one = Target::new(rules()[rule].clone(), all[first].clone(), Budget::AtMost(limits.0));
        let two = |limit: f64| {
            let target = Target { second: Some((all[second].clone(), Budget::AtMost(limit))), ..one.clone() };
            target.allocate(&layers, &profiles, 1.0).unwrap()
        };
        let alone = one.allocate(&layers, &profiles, 1.0).unwrap();
        prop_assert_eq!(two(f64::MAX), alone.clone());
        let both = two(limits.1);
        prop_assert!(both.cost <= limits.0);
        prop_assert_eq!(both.cost, cost_of(&layers, &profiles, &all[first], &both.kept));
        let second_cost = |kept: &[usize]| cost_of(&layers, &profiles, &all[second], kept);
        prop_assert!(second_cost(&both.kept) <= limits.1);
        if second_cost(&alone.kept) <= limits.1 {
            prop_assert_eq!(both, alone);
        }
    }

    #[test]
    fn a_smaller_budget_keeps_no_more_in_any_layer(seed: u64, x in 0.0..1.0f64, y in 0.0..1.0f64, kind in 0usize..4, rule in 0usize..3) {
        let layers = layers();
        let profiles = profiles(&layers, seed);
        let costs = &all_costs(&layers)[kind];
        let path = Path::new(&layers, &profiles, costs, &rules()[rule], 0.1).unwrap();
        let at = |part: f64| path.at_most(path.least_cost() + part * (path.dense_cost() - path.least_cost())).unwrap();
        let (small, large) = (at(x.min(y)), at(x.max(y)));
        prop_assert!(small.kept.iter().zip(&large.kept).all(|(s, l)| s <= l));
        // So on the way from dense to the budget no layer gains blocks.
        let budget = Budget::Fraction(path.least_cost() / path.dense_cost() * 1.001);
        let mut last = path.allocate(&budget, 0.0).unwrap().kept;
        for tau in 1..=20 {
            let now = path.allocate(&budget, f64::from(tau) / 20.0).unwrap().kept;
            prop_assert!(now.iter().zip(&last).all(|(n, l)| n <= l));
            last = now;
        }
    }

    /// With costs that are the same for each block of a layer, the path is the
    /// rule of the design: keep what has `s > lambda * c`.
    #[test]
    fn lamp_keeps_what_is_worth_more_than_it_costs(seed: u64, log in -12.0..0.0f64) {
        // Full blocks only: their costs are equal.
        let layers = vec![
            layer("a", [64, 64, 3, 3], 1024, ""),
            layer("b", [96, 64, 3, 3], 256, ""),
            layer("c", [128, 64, 1, 1], 64, ""),
        ];
        let profiles = profiles(&layers, seed);
        let lambda = libm::pow(10.0, log);
        for costs in [Costs::Blocks, Costs::Weights, Costs::Macs] {
            let mut kept = Vec::new();
            for (l, p) in layers.iter().zip(&profiles) {
                let c = costs.curve(l, p).unwrap()[1];
                let n = l.blocks.groups();
                let s = |j: usize| {
                    let stronger: f64 = p.energy[..=j].iter().sum();
                    if stronger > 0.0 { p.energy[j] / stronger } else { 0.0 }
                };
                kept.push((0..n).filter(|j| s(*j) > lambda * c).count().max(n.div_ceil(10)));
            }
            let path = Path::new(&layers, &profiles, &costs, &AllocationRule::Lamp, 0.1).unwrap();
            let budget = cost_of(&layers, &profiles, &costs, &kept);
            prop_assert_eq!(path.at_most(budget).unwrap().kept, kept);
        }
    }

    /// The uniform rule rounds each layer's share.
    #[test]
    fn uniform_rates_are_uniform(seed: u64, part in 0.15..1.0f64) {
        let layers = layers();
        let profiles = profiles(&layers, seed);
        let path = Path::new(&layers, &profiles, &Costs::Blocks, &AllocationRule::Uniform, 0.1).unwrap();
        let a = path.allocate(&Budget::Fraction(part), 1.0).unwrap();
        let density = a.cost / path.dense_cost();
        prop_assert!(a.cost <= part * path.dense_cost() && a.cost + 1.0 > part * path.dense_cost());
        for (l, k) in layers.iter().zip(&a.kept).filter(|(l, _)| l.prunable()) {
            let exact = density * l.blocks.groups() as f64;
            prop_assert!((*k as f64 - exact).abs() <= 1.5, "{}: {} for {}", l.node, k, exact);
        }
    }

    /// Scaling a layer's weights changes no rate: scores compare layers.
    #[test]
    fn the_scale_of_a_layer_does_not_matter(seed: u64, part in 0.2..1.0f64) {
        let layers = layers();
        let first = profiles(&layers, seed);
        let mut scaled = first.clone();
        scaled[2].energy.iter_mut().for_each(|e| *e *= 1024.0);
        let kept = |p: &Profiles| {
            let path = Path::new(&layers, p, &Costs::Macs, &AllocationRule::Lamp, 0.1).unwrap();
            path.allocate(&Budget::Fraction(part), 1.0).map(|a| a.kept)
        };
        prop_assert_eq!(kept(&first), kept(&scaled));
    }
}

/// Removing one block of a layer that is bound by memory saves nothing; the
/// allocator goes over the plateau when it pays, and not before.
#[test]
fn plateaus_are_crossed_when_that_pays() {
    let layers = vec![
        layer("a", [64, 64, 3, 3], 1, ""),
        layer("b", [64, 64, 3, 3], 1, ""),
    ];
    let flat = vec![Point(0, 0.0), Point(18, 36_000.0), Point(36, 36_000.0)];
    let cheap = vec![Point(0, 0.0), Point(36, 3_600.0)];
    let costs = vec![
        LayerCost::new("a", "a.weight", 36, flat),
        LayerCost::new("b", "b.weight", 36, cheap),
    ];
    let costs = Costs::Cycles(CostTable::new("net", "de10", 0.0, costs));
    // All blocks alike, so only costs decide.
    let profile = Profile {
        energy: vec![1.0; 36],
        size: vec![1024; 36],
    };
    let profiles = vec![profile.clone(), profile];
    let path = Path::new(&layers, &profiles, &costs, &AllocationRule::Lamp, 0.1).unwrap();
    // The budget forces `a` down: half of it goes for nothing, the next one pays.
    let a = path.at_most(30_000.0).unwrap();
    assert!(a.cost <= 30_000.0 && a.kept[0] < 18, "{a:?}");
    assert!(a.kept[1] > 30, "the cheap layer keeps its blocks: {a:?}");
    // A budget at the dense cost drops nothing.
    assert_eq!(path.at_most(path.dense_cost()).unwrap().kept, [36, 36]);
}

/// Two layers of equal energies: the one with the larger map gives more.
#[test]
fn what_costs_more_goes_first() {
    let layers = vec![
        layer("big", [64, 64, 3, 3], 784, ""),
        layer("small", [64, 64, 3, 3], 49, ""),
    ];
    let energy: Vec<f64> = (0..36).map(|i| libm::pow(0.9, f64::from(i))).collect();
    let profile = Profile {
        energy,
        size: vec![1024; 36],
    };
    let profiles = vec![profile.clone(), profile];
    let kept = |costs: &Costs| {
        let path = Path::new(&layers, &profiles, costs, &AllocationRule::Lamp, 0.1).unwrap();
        path.allocate(&Budget::Fraction(0.5), 1.0).unwrap().kept
    };
    let (macs, weights) = (kept(&Costs::Macs), kept(&Costs::Weights));
    assert!(macs[0] < macs[1], "{macs:?}");
    assert_eq!(weights, [18, 18]);
}

/// The same number of blocks, kept where they need fewer multiply-accumulates.
#[test]
fn blocks_can_be_weighed_by_other_costs_than_the_budget_counts() {
    let layers = layers();
    let profiles = profiles(&layers, 8);
    let of = |weighed: &Costs| {
        let costs = Costs::Blocks;
        let path = Path::ordered(
            &layers,
            &profiles,
            weighed,
            &costs,
            &AllocationRule::Lamp,
            0.1,
        )
        .unwrap();
        path.allocate(&Budget::Fraction(0.4), 1.0).unwrap()
    };
    let (blocks, macs) = (of(&Costs::Blocks), of(&Costs::Macs));
    assert_eq!(blocks.cost, macs.cost);
    let count = |kept: &[usize]| cost_of(&layers, &profiles, &Costs::Macs, kept);
    assert!(count(&macs.kept) < 0.9 * count(&blocks.kept));
}

/// As many blocks as one budget leaves, and fewer multiply-accumulates than it
/// would: as few more as the second budget leaves.
#[test]
fn a_second_budget_moves_blocks_it_does_not_drop_more() {
    let layers = layers();
    let profiles = profiles(&layers, 8);
    let one = Target::new(AllocationRule::Lamp, Costs::Blocks, Budget::Fraction(0.4));
    let alone = one.allocate(&layers, &profiles, 1.0).unwrap();
    let macs = |kept: &[usize]| cost_of(&layers, &profiles, &Costs::Macs, kept);
    let limit = 0.93 * macs(&alone.kept);
    let two = Target {
        second: Some((Costs::Macs, Budget::AtMost(limit))),
        ..one.clone()
    };
    let both = two.allocate(&layers, &profiles, 1.0).unwrap();
    assert_eq!(both.cost, alone.cost);
    assert!(macs(&both.kept) <= limit);
    assert!(macs(&both.kept) > 0.9 * limit, "{both:?}");
    // However blocks are weighed: so few multiply-accumulates need fewer blocks.
    let strict = Target {
        second: Some((Costs::Macs, Budget::Fraction(0.15))),
        ..one
    };
    let both = strict.allocate(&layers, &profiles, 1.0).unwrap();
    assert!(both.cost < alone.cost);
}

#[test]
fn smoothing_is_a_moving_mean_of_shares() {
    let of = |energy: [f64; 2]| {
        vec![Profile {
            energy: energy.to_vec(),
            size: vec![1; 2],
        }]
    };
    let mut s = Smoothing::new(0.5);
    assert_eq!(s.update(of([3.0, 1.0]))[0].energy, [0.75, 0.25]);
    // Ten times the energy, the same shares.
    assert_eq!(s.update(of([30.0, 10.0]))[0].energy, [0.75, 0.25]);
    assert_eq!(s.update(of([1.0, 1.0]))[0].energy, [0.625, 0.375]);
    let text = serde_json::to_string(&s).unwrap();
    assert_eq!(serde_json::from_str::<Smoothing>(&text).unwrap(), s);
}

#[test]
fn what_cannot_be_is_said() {
    let layers = layers();
    let profiles = profiles(&layers, 1);
    let path = Path::new(&layers, &profiles, &Costs::Macs, &AllocationRule::Lamp, 0.1).unwrap();
    let e = path.at_most(1.0).unwrap_err();
    assert!(matches!(e, AllocationError::Least { .. }), "{e}");
    assert!(
        e.to_string().contains("a budget of 1 MACs cannot be met"),
        "{e}"
    );
    for wrong in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(
            matches!(path.at_most(wrong), Err(AllocationError::Budget(_))),
            "{wrong}"
        );
    }
    let other = Costs::Cycles(CostTable::new("net", "de10", 0.0, Vec::new()));
    let e = Path::new(&layers, &profiles, &other, &AllocationRule::Lamp, 0.1).unwrap_err();
    assert!(
        e.to_string()
            .contains("layer a: the cost table has no cycles of weight a.weight"),
        "{e}"
    );
    let mut blocks = table(&layers);
    blocks.layers[0].blocks = 3;
    let e = Path::new(
        &layers,
        &profiles,
        &Costs::Cycles(blocks),
        &AllocationRule::Lamp,
        0.1,
    )
    .unwrap_err();
    assert!(
        e.to_string()
            .contains("layer a: the cost table has 3 blocks, the layer 36"),
        "{e}"
    );
}

#[test]
fn rates_are_read_by_node_or_weight() {
    let layers = layers();
    let rule = read_sparsities(r#"{ "a": 0.5, "b.weight": 0.25, "first": 0 }"#, &layers).unwrap();
    let AllocationRule::Given(given) = &rule else {
        panic!("{rule:?}")
    };
    assert_eq!(given["a.weight"], 0.5);
    let profiles = profiles(&layers, 1);
    let path = Path::new(&layers, &profiles, &Costs::Blocks, &rule, 0.1).unwrap();
    let a = path.allocate(&Budget::End, 1.0).unwrap();
    // 36 blocks and 54; the others keep all.
    assert_eq!(a.kept[1..3], [18, 41]);
    assert!(
        [0, 3, 4, 5]
            .iter()
            .all(|i| a.kept[*i] == layers[*i].blocks.groups())
    );
    let refused = |text: &str, words: &str| {
        let e = read_sparsities(text, &layers).unwrap_err().to_string();
        assert!(e.contains(words), "{e}");
    };
    refused("[1]", "line 1");
    refused("{ \"a\": 1.5 }", "rate of a: 1.5 is not from 0 to 1");
    refused("{ \"z\": 0.5 }", "rate of z: the network has no such layer");
    refused(
        "{ \"a\": 0.5, \"a.weight\": 0.4 }",
        "rate of a.weight: its layer has one already",
    );
    refused(
        "{ \"first\": 0.5 }",
        "the layer stays dense (first convolution)",
    );
}
