//! Budgets of cycles, met by counts that follow no table.

use crate::allocation::{layer, layers};
use crate::blocks::values;
use proptest::prelude::*;
use std::collections::BTreeMap;
use vta_net::sparse::{BlockMask, Masks};
use vta_prune::cost::{CostTable, LayerCost, Point};
use vta_prune::{
    AllocationError, AllocationRule, Budget, Costs, MOST_QUESTIONS, Met, Profile, PruneLayer,
    Ranks, Request, Target, meet,
};

/// How cycles follow from masks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Device {
    /// Each block costs something, by its position and its layer.
    Sums,
    /// A layer waits for memory: four blocks cost what one does.
    Plateaus,
    /// A block more can make a layer quicker, and others slower.
    Moody,
}

const DEVICES: [Device; 3] = [Device::Sums, Device::Plateaus, Device::Moody];

impl Device {
    fn count(self, layers: &[PruneLayer], masks: &Masks) -> u64 {
        let each = layers.iter().enumerate().map(|(i, l)| {
            let full = BlockMask::full(l.blocks.mask_dims());
            let mask = masks.get(&l.weight_name).unwrap_or(&full);
            let kept = mask.count_kept() as u64;
            let weighed = mask.kept.iter_ones().map(|b| 40 + 7 * (b as u64 % 9));
            let sum = weighed.sum::<u64>() * (1 + i as u64);
            match self {
                Self::Sums => sum,
                Self::Plateaus => kept.div_ceil(4) * 250,
                Self::Moody => {
                    let mood: usize = mask.kept.iter_ones().map(|b| b * 31 % 17).sum();
                    sum + (mood as u64 * 97) % 400
                }
            }
        });
        1000 + each.sum::<u64>()
    }
}

/// A table that knows little: each block costs the same, in all layers.
fn table(layers: &[PruneLayer]) -> Costs {
    let costs = layers.iter().map(|l| {
        let n = l.blocks.groups() as u64 * l.blocks.mask_blocks() as u64;
        let points = vec![Point(0, 0.0), Point(n, 100.0 * n as f64)];
        LayerCost::new(&l.node, &l.weight_name, n, points)
    });
    Costs::Cycles(CostTable::new("net", "de10", 0.0, costs.collect()))
}

struct Case {
    layers: Vec<PruneLayer>,
    weights: Vec<Vec<f32>>,
    device: Device,
}

impl Case {
    fn new(layers: Vec<PruneLayer>, device: Device, seed: u64) -> Self {
        let weights = layers.iter().enumerate().map(|(i, l)| {
            let mut w = values(l.blocks.len(), seed ^ i as u64);
            // No block is zero, and few are alike.
            let each = w.iter_mut().enumerate();
            each.for_each(|(at, w)| *w += 0.1 + (at % 331) as f32 * 1e-3);
            w
        });
        Self {
            weights: weights.collect(),
            layers,
            device,
        }
    }

    fn dense(&self) -> u64 {
        self.count(&Masks::new())
    }

    fn count(&self, masks: &Masks) -> u64 {
        self.device.count(&self.layers, masks)
    }

    fn target(&self, rule: AllocationRule, limit: u64) -> Target {
        Target::new(rule, table(&self.layers), Budget::AtMost(limit as f64))
    }

    fn views(&self) -> Vec<&[f32]> {
        self.weights.iter().map(Vec::as_slice).collect()
    }

    fn ranks(&self) -> Ranks {
        Ranks::of(&self.layers, &self.views())
    }

    fn meet(&self, target: &Target, ranks: &Ranks) -> Result<Met, AllocationError> {
        let request = Request {
            layers: &self.layers,
            target,
            profiles: &Profile::all(&self.layers, &self.views()).expect("its weights"),
            ranks,
            tau: 1.0,
            returns: true,
        };
        meet(&request, |m| Ok(self.count(m)))
    }

    /// Cycles with each dropped group of the layers whose blocks may go.
    fn with_one_more(&self, masks: &Masks) -> Vec<(String, u64)> {
        let mut all = Vec::new();
        for l in self.layers.iter().filter(|l| l.prunable()) {
            let each = l.blocks.mask_blocks();
            for group in 0..l.blocks.groups() {
                let mut more = masks.clone();
                let mask = more.get_mut(&l.weight_name).expect("a mask");
                if !mask.kept[group * each] {
                    mask.kept[group * each..(group + 1) * each].fill(true);
                    all.push((l.node.clone(), self.count(&more)));
                }
            }
        }
        all
    }
}

/// What holds of every answer.
fn check(case: &Case, met: &Met, limit: u64) {
    let masks = met.kept.masks(&case.layers);
    assert_eq!(met.cycles, case.count(&masks));
    assert_eq!(met.limit, limit.min(case.dense()));
    assert!(met.cycles <= limit);
    assert_eq!(met.allocation.kept, met.kept.counts());
    for (l, kept) in case.layers.iter().zip(&met.allocation.kept) {
        let n = l.blocks.groups();
        let least = match l.prunable() {
            true => (0.1 * n as f64).ceil() as usize,
            false => n,
        };
        assert!((least..=n).contains(kept), "{}: {kept}", l.node);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the device: the budget is met, no dropped block fits any more, and the
    /// cheapest of them is the one that is named.
    #[test]
    fn no_dropped_block_fits(device in 0usize..3, part in 0.35..1.05f64, seed in 0..1000u64) {
        let case = Case::new(layers(), DEVICES[device], seed);
        let limit = (part * case.dense() as f64) as u64;
        let target = case.target(AllocationRule::Lamp, limit);
        let met = case.meet(&target, &case.ranks()).expect("far above the least");
        check(&case, &met, limit);
        let more = case.with_one_more(&met.kept.masks(&case.layers));
        let returns = met.returns.as_ref().expect("they were asked for");
        prop_assert!(more.iter().all(|(_, cycles)| *cycles > limit));
        prop_assert_eq!(returns.dropped, more.len() as u64);
        prop_assert_eq!(returns.asked, returns.dropped);
        let least = more.iter().map(|(_, cycles)| cycles - met.cycles).min();
        prop_assert_eq!(returns.cheapest.as_ref().map(|c| c.cycles), least);
        // The same question has the same answer.
        prop_assert_eq!(case.meet(&target, &case.ranks()), Ok(met));
    }

    /// Under a uniform rule blocks come back in its order only: shares stay alike, and the
    /// block that is next would pass the budget.
    #[test]
    fn uniform_shares_stay_uniform(device in 0usize..3, part in 0.35..0.95f64, seed in 0..1000u64) {
        let case = Case::new(layers(), DEVICES[device], seed);
        let limit = (part * case.dense() as f64) as u64;
        let met = case.meet(&case.target(AllocationRule::Uniform, limit), &case.ranks()).expect("met");
        check(&case, &met, limit);
        prop_assert_eq!(&met.kept, &case.ranks().kept(&met.allocation.kept));
        let shares = case.layers.iter().zip(&met.allocation.kept).filter(|(l, _)| l.prunable());
        // One layer has a single block, which stays.
        let shares = shares.filter(|(l, _)| l.blocks.groups() > 1);
        let shares: Vec<(f64, f64)> = shares.map(|(l, k)| {
            let n = l.blocks.groups() as f64;
            ((*k as f64 - 0.5) / n, (*k as f64 + 0.5) / n)
        }).collect();
        let low = shares.iter().map(|s| s.0).fold(0.0, f64::max);
        let high = shares.iter().map(|s| s.1).fold(1.0, f64::min);
        prop_assert!(low <= high + 1e-9, "{:?}", met.allocation.kept);
        let returns = met.returns.expect("they were asked for");
        prop_assert_eq!((returns.dropped, returns.asked), (1, 1));
        prop_assert!(met.cycles + returns.cheapest.expect("one was").cycles > limit);
    }

    /// A rate beside it holds too: what comes back moves no more blocks in than it allows.
    #[test]
    fn both_budgets_are_met(device in 0usize..3, rate in 0.1..0.6f64, part in 0.4..0.95f64, seed in 0..1000u64) {
        let case = Case::new(layers(), DEVICES[device], seed);
        let limit = (part * case.dense() as f64) as u64;
        let cycles = (table(&case.layers), Budget::AtMost(limit as f64));
        let blocks = (Costs::Blocks, Budget::Fraction(1.0 - rate));
        let all: usize = case.layers.iter().filter(|l| l.prunable()).map(|l| l.blocks.groups()).sum();
        let most = (1.0 - rate) * all as f64;
        for [one, two] in [[blocks.clone(), cycles.clone()], [cycles, blocks]] {
            let target = Target {
                second: Some(two),
                ..Target::new(AllocationRule::Lamp, one.0, one.1)
            };
            let met = case.meet(&target, &case.ranks()).expect("far above the least");
            check(&case, &met, limit);
            let masks = met.kept.masks(&case.layers);
            let kept: usize = masks.values().map(BlockMask::count_kept).sum();
            prop_assert!(kept as f64 <= most);
            let full = kept as f64 + 1.0 > most;
            let more = case.with_one_more(&masks);
            prop_assert!(full || more.iter().all(|(_, cycles)| *cycles > limit));
            let cost = match target.costs {
                Costs::Cycles(_) => met.cycles as f64,
                _ => kept as f64,
            };
            prop_assert_eq!(met.allocation.cost, cost);
        }
    }
}

#[test]
fn what_cannot_be_is_said_with_the_least_that_was_counted() {
    let case = Case::new(layers(), Device::Sums, 1);
    let least = case.layers.iter().map(|l| match l.prunable() {
        true => ((0.1 * l.blocks.groups() as f64).ceil() as usize).max(1),
        false => l.blocks.groups(),
    });
    let least: Vec<usize> = least.collect();
    let least = case.count(&case.ranks().kept(&least).masks(&case.layers));
    let met = case.meet(&case.target(AllocationRule::Lamp, least), &case.ranks());
    assert_eq!(met.map(|m| m.cycles), Ok(least));
    let below = case.target(AllocationRule::Lamp, least - 1);
    let want = AllocationError::Least {
        budget: (least - 1) as f64,
        least: least as f64,
        unit: "cycles",
    };
    assert_eq!(case.meet(&below, &case.ranks()), Err(want));
    // What counting says ends it.
    let target = case.target(AllocationRule::Lamp, case.dense() / 2);
    let request = Request {
        layers: &case.layers,
        target: &target,
        profiles: &Profile::all(&case.layers, &case.views()).expect("its weights"),
        ranks: &case.ranks(),
        tau: 1.0,
        returns: true,
    };
    let mut left = 20;
    let stopped = meet(&request, |m| {
        left -= 1;
        match left {
            0 => Err(AllocationError::Budget(f64::NAN)),
            _ => Ok(case.count(m)),
        }
    });
    assert!(matches!(stopped, Err(AllocationError::Budget(_))));
}

/// On the way the limit falls from the dense network's cycles, as they are counted.
#[test]
fn the_way_begins_at_the_dense_network() {
    let case = Case::new(layers(), Device::Moody, 3);
    let limit = case.dense() / 2;
    let target = case.target(AllocationRule::Lamp, limit);
    let mut last = u64::MAX;
    for (tau, want) in [(0.0, case.dense()), (0.5, 0), (1.0, limit)] {
        let request = Request {
            layers: &case.layers,
            target: &target,
            profiles: &Profile::all(&case.layers, &case.views()).expect("its weights"),
            ranks: &case.ranks(),
            tau,
            returns: false,
        };
        let met = meet::<AllocationError>(&request, |m| Ok(case.count(m))).expect("it is met");
        assert!(want == 0 || met.limit == want, "{tau}: {}", met.limit);
        assert!(met.limit <= last && met.cycles <= met.limit);
        assert_eq!(met.returns, None);
        // Bisection, and the dense network.
        assert!(met.questions <= 12, "{}", met.questions);
        last = met.limit;
    }
}

/// Of more dropped blocks than there are questions the best of each kind are asked for.
#[test]
fn large_networks_are_asked_by_kinds() {
    let large = vec![
        layer("a", [512, 512, 3, 3], 16, ""),
        layer("b", [512, 250, 1, 1], 16, ""),
    ];
    let case = Case::new(large, Device::Sums, 5);
    let limit = case.dense() / 3;
    let target = case.target(AllocationRule::Lamp, limit);
    let met = case.meet(&target, &case.ranks()).expect("it is met");
    check(&case, &met, limit);
    let returns = met.returns.expect("they were asked for");
    assert!(returns.dropped > MOST_QUESTIONS, "{returns:?}");
    assert!(returns.asked < returns.dropped, "{returns:?}");
    // Nine positions, and blocks of two widths: of each one at least.
    assert!(returns.asked >= 11, "{returns:?}");
    // Bisection of some thousand places beside them.
    let most = MOST_QUESTIONS + 16;
    assert!(met.questions <= most, "{}", met.questions);
}

/// Blocks that the network has lost already do not come back.
#[test]
fn only_blocks_among_those_that_are_left_are_kept() {
    let case = Case::new(layers(), Device::Sums, 9);
    let limit = case.dense() * 6 / 10;
    let target = case.target(AllocationRule::Lamp, limit);
    let first = case.meet(&target, &case.ranks()).expect("it is met");
    let masks = first.kept.masks(&case.layers);
    let ranks = case.ranks().among(&case.layers, &masks);
    let smaller = case.target(AllocationRule::Lamp, limit * 9 / 10);
    let second = case.meet(&smaller, &ranks).expect("it is met");
    assert!(second.cycles <= limit * 9 / 10);
    let left: BTreeMap<_, _> = second.kept.masks(&case.layers);
    for (name, mask) in &left {
        let mut both = mask.kept.clone();
        both &= &masks[name].kept;
        assert_eq!(both, mask.kept, "{name}");
    }
    let returns = second.returns.expect("they were asked for");
    assert_eq!(returns.asked, returns.dropped);
}
