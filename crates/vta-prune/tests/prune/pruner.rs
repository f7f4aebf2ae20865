//! Whole runs without a network: weights that drift, masks that follow.

use vta_net::graph::zoo;
use vta_net::sparse::Masks;
use vta_prune::cost::{CostTable, LayerCost, Point};
use vta_prune::{
    AllocationRule, Budget, Costs, Dense, Method, Plan, PruneError, Pruner, Ranking, Recipe,
    Settings, Target, layers, weight,
};

fn start(
    method: Method,
    rule: AllocationRule,
    costs: Costs,
    budget: Budget,
) -> (Pruner, Vec<Vec<f32>>) {
    let graph = zoo::build("resnet8", 3).unwrap();
    let layers = layers(&graph, &Dense::Ends, false, Ranking::MeanSquare).unwrap();
    let weights: Vec<Vec<f32>> = layers
        .iter()
        .map(|l| weight(&graph, &l.weight_name).unwrap())
        .collect();
    let plan = Plan::new(method, Settings::default(), 80, 16).unwrap();
    let views: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
    let pruner = Pruner::new(layers, plan, Target::new(rule, costs, budget), &views).unwrap();
    (pruner, weights)
}

/// A step of something like training: weights follow the penalty, and drift.
fn drift(pruner: &Pruner, step: u64, weights: &mut [Vec<f32>]) {
    let todo = pruner.plan().step(step);
    for (i, w) in weights.iter_mut().enumerate() {
        let mut gradient = vec![0.0; w.len()];
        pruner.add_gradient(i, w, &mut gradient);
        let factors = pruner.factors(i, todo.eta);
        for (j, w) in w.iter_mut().enumerate() {
            let noise = ((j as u64 * 2_654_435_761 + step * 97) % 1000) as f32 / 1000.0 - 0.5;
            // What is masked has no gradient of the task.
            *w -= gradient[j] + 0.002 * noise * factors[j];
        }
    }
}

fn run(pruner: &mut Pruner, weights: &mut [Vec<f32>], steps: std::ops::Range<u64>) {
    for step in steps {
        pruner.before(step, weights, None).unwrap();
        drift(pruner, step, weights);
    }
}

#[test]
fn every_recipe_ends_at_its_budget_with_zeros_where_masks_say() {
    for recipe in [Recipe::OneShot, Recipe::TwoStage, Recipe::OneStage] {
        for rule in [AllocationRule::Lamp, AllocationRule::Uniform] {
            let budget = Budget::Fraction(0.4);
            let (mut pruner, mut weights) =
                start(Method::plain(recipe), rule, Costs::Blocks, budget);
            let steps = pruner.plan().steps();
            run(&mut pruner, &mut weights, 0..steps);
            let all: usize = pruner
                .layers()
                .iter()
                .filter(|l| l.prunable())
                .map(|l| l.blocks.groups())
                .sum();
            let masks = pruner.masks();
            let kept: usize = masks.values().map(|m| m.count_kept()).sum();
            assert_eq!(kept, (0.4 * all as f64) as usize, "{recipe:?}");
            assert!((pruner.sparsity() - (1.0 - kept as f64 / all as f64)).abs() < 1e-12);
            for (l, w) in pruner.layers().iter().zip(&weights) {
                let energies = l.blocks.energies(w);
                let mask = masks.get(&l.weight_name);
                for (group, e) in energies.iter().enumerate() {
                    let is_kept = mask.is_none_or(|m| m.kept[group]);
                    assert_eq!(*e > 0.0, is_kept, "{recipe:?} {} {group}", l.node);
                }
            }
        }
    }
}

/// A run that is stopped, written down, read and gone on with is the run that was not stopped.
#[test]
fn a_run_that_is_resumed_is_the_same_to_the_bit() {
    for stop in [13u64, 37, 50] {
        let method = Method::full();
        let (mut whole, mut w) = start(
            method,
            AllocationRule::Lamp,
            Costs::Macs,
            Budget::Fraction(0.5),
        );
        let mut first = w.clone();
        let steps = whole.plan().steps();
        run(&mut whole, &mut w, 0..steps);
        let (mut part, _) = start(
            method,
            AllocationRule::Lamp,
            Costs::Macs,
            Budget::Fraction(0.5),
        );
        run(&mut part, &mut first, 0..stop);
        // As a checkpoint does it: arrays apart from the rest.
        let mut rest = part.clone();
        let arrays = rest.detach();
        let text = serde_json::to_string(&rest).unwrap();
        let mut again: Pruner = serde_json::from_str(&text).unwrap();
        assert!(again.clone().attach(Vec::new()).is_err());
        again.attach(arrays).unwrap();
        assert!(again.same_run(&whole));
        assert_eq!(again, part);
        run(&mut again, &mut first, stop..steps);
        assert_eq!(again, whole);
        let bits =
            |w: &[Vec<f32>]| -> Vec<u32> { w.iter().flatten().map(|x| x.to_bits()).collect() };
        assert_eq!(bits(&first), bits(&w));
    }
}

/// Between updates nobody needs the weights.
#[test]
fn weights_are_needed_at_updates_only() {
    let (mut pruner, mut weights) = start(
        Method::full(),
        AllocationRule::Lamp,
        Costs::Macs,
        Budget::Fraction(0.5),
    );
    for step in 0..pruner.plan().steps() {
        let todo = pruner.plan().step(step);
        let change = match todo.update_masks {
            true => pruner.before(step, &mut weights, None).unwrap(),
            false => pruner.before(step, &mut [], None).unwrap(),
        };
        assert_eq!(
            (change.masks, change.zeros),
            (todo.update_masks, todo.freeze)
        );
    }
}

#[test]
fn weights_that_diverge_and_others_are_refused() {
    let (mut pruner, mut weights) = start(
        Method::plain(Recipe::OneShot),
        AllocationRule::Lamp,
        Costs::Macs,
        Budget::Fraction(0.5),
    );
    weights[2][7] = f32::NAN;
    let e = pruner.before(0, &mut weights, None).unwrap_err();
    assert!(
        e.to_string()
            .contains("stage1.0.conv2: weight 7 is NaN: training has diverged"),
        "{e}"
    );
    let e = pruner.before(0, &mut weights[..3], None).unwrap_err();
    assert!(matches!(e, PruneError::Layers { .. }), "{e}");
    weights[2].pop();
    let e = pruner.before(0, &mut weights, None).unwrap_err();
    assert!(matches!(e, PruneError::Weights { .. }), "{e}");
}

#[test]
fn layers_stay_dense_by_name() {
    let graph = zoo::build("resnet8", 1).unwrap();
    let of = |dense: &Dense| layers(&graph, dense, false, Ranking::MeanSquare);
    let dense = |d: &Dense| -> Vec<String> {
        let all = of(d).unwrap().into_iter();
        all.filter(|l| !l.prunable()).map(|l| l.node).collect()
    };
    assert_eq!(dense(&Dense::Ends), ["conv1", "fc"]);
    assert_eq!(
        dense(&Dense::Named(vec!["stage2.0.conv1.weight".into()])),
        ["stage2.0.conv1"]
    );
    assert_eq!(dense(&Dense::Named(Vec::new())), [""; 0]);
    let e = of(&Dense::Named(vec!["conv9".into()])).unwrap_err();
    assert!(
        e.to_string()
            .contains("conv9: the network has no such layer"),
        "{e}"
    );
    let mobile = zoo::build("mobilenetv1-0.25", 1).unwrap();
    let all = layers(
        &mobile,
        &Dense::Named(Vec::new()),
        false,
        Ranking::MeanSquare,
    )
    .unwrap();
    let depthwise = all.iter().filter(|l| l.keep_dense == "depthwise").count();
    assert_eq!(depthwise, 13);
}

/// A device on which layers take other cycles than the table says, and which
/// blocks are kept counts, too.
fn device(truth: &CostTable, masks: &Masks) -> u64 {
    let layer = |l: &LayerCost| {
        let mask = masks.get(&l.weight_name);
        let kept = mask.map_or(l.blocks as usize, |m| m.count_kept());
        let odd = mask.map_or(0, |m| m.kept.iter().step_by(2).filter(|k| **k).count());
        l.cycles(kept as u64) as u64 + odd as u64
    };
    500 + truth.layers.iter().map(layer).sum::<u64>()
}

/// A table in which a block of the i-th layer costs what `each` says.
fn table(each: impl Fn(usize) -> f64) -> CostTable {
    let graph = zoo::build("resnet8", 3).unwrap();
    let all = layers(&graph, &Dense::Ends, false, Ranking::MeanSquare).unwrap();
    let costs = all.iter().enumerate().map(|(i, l)| {
        let n = l.blocks.groups() as u64;
        let points = vec![Point(0, 20.0), Point(n, 20.0 + n as f64 * each(i))];
        LayerCost::new(&l.node, &l.weight_name, n, points)
    });
    CostTable::new("net", "de10", 400.0, costs.collect())
}

/// Masks with one dropped block more, for each that the pruner could have back.
fn with_one_more(pruner: &Pruner) -> Vec<Masks> {
    let masks = pruner.masks();
    let mut all = Vec::new();
    for (name, mask) in &masks {
        for block in mask.kept.iter_zeros() {
            let mut more = masks.clone();
            more.get_mut(name).unwrap().kept.set(block, true);
            all.push(more);
        }
    }
    all
}

/// The table is far off; the budget is met at each update, and to the cycle in the end.
#[test]
fn a_budget_of_cycles_is_met_by_counting_at_every_update() {
    let (said, truth) = (table(|_| 100.0), table(|i| 100.0 + 20.0 * i as f64));
    let dense = device(&truth, &Masks::new());
    let limit = dense / 2;
    for recipe in [Recipe::OneShot, Recipe::TwoStage, Recipe::OneStage] {
        let start = || {
            let costs = Costs::Cycles(said.clone());
            let budget = Budget::AtMost(limit as f64);
            start(Method::plain(recipe), AllocationRule::Lamp, costs, budget)
        };
        let (mut pruner, mut weights) = start();
        for step in 0..pruner.plan().steps() {
            let mut count = |m: &Masks| Ok(device(&truth, m));
            let change = pruner.before(step, &mut weights, Some(&mut count)).unwrap();
            if change.masks {
                let counted = pruner.counted().unwrap();
                assert_eq!(counted.cycles, device(&truth, &pruner.masks()));
                assert!(counted.cycles <= counted.limit && counted.limit >= limit);
                assert_eq!(counted.returns.is_some(), change.zeros);
            }
            drift(&pruner, step, &mut weights);
        }
        let counted = pruner.counted().unwrap();
        assert_eq!(counted.limit, limit, "{recipe:?}");
        let more = with_one_more(&pruner);
        assert!(!more.is_empty());
        for masks in more {
            assert!(device(&truth, &masks) > limit, "{recipe:?}");
        }
        // What is dropped is zero, also where blocks came back that are not the strongest.
        for (l, w) in pruner.layers().iter().zip(&weights) {
            let mask = pruner.masks().get(&l.weight_name).cloned();
            for (group, e) in l.blocks.energies(w).iter().enumerate() {
                assert_eq!(*e > 0.0, mask.as_ref().is_none_or(|m| m.kept[group]));
            }
        }
        // What the device says is an error of the run.
        let (mut pruner, mut weights) = start();
        let first = (0..).find(|s| pruner.plan().step(*s).update_masks).unwrap();
        let mut count = |_: &Masks| Err("no device".to_owned());
        let e = pruner.before(first, &mut weights, Some(&mut count));
        assert!(matches!(e, Err(PruneError::Simulate(_))), "{e:?}");
    }
}

/// Cycles change when exponents become known: blocks leave once more, or come back. Where
/// they are the same nothing changes.
#[test]
fn a_budget_is_met_with_the_exponents_that_are_final() {
    let truth = table(|_| 100.0);
    let limit = device(&truth, &Masks::new()) / 2;
    for shifts in [600, -600, 0] {
        let method = Method {
            quantisation: true,
            ..Method::plain(Recipe::OneStage)
        };
        let costs = Costs::Cycles(truth.clone());
        let budget = Budget::AtMost(limit as f64);
        let (mut pruner, mut weights) = start(method, AllocationRule::Lamp, costs, budget);
        let settled = |m: &Masks| device(&truth, m).saturating_add_signed(shifts);
        let mut frozen = None;
        for step in 0..pruner.plan().steps() {
            let todo = pruner.plan().step(step);
            let mut count = |m: &Masks| Ok(device(&truth, m));
            pruner.before(step, &mut weights, Some(&mut count)).unwrap();
            if todo.freeze {
                frozen = Some(pruner.masks());
            }
            if todo.settle {
                let mut count = |m: &Masks| Ok(settled(m));
                let change = pruner.settle(&mut weights, &mut count).unwrap();
                assert_eq!((change.masks, change.zeros), (shifts != 0, shifts != 0));
            }
            drift(&pruner, step, &mut weights);
        }
        let masks = pruner.masks();
        assert_eq!(frozen.as_ref() == Some(&masks), shifts == 0);
        assert!(settled(&masks) <= limit);
        for more in with_one_more(&pruner) {
            assert!(settled(&more) > limit, "{shifts}");
        }
    }
}
