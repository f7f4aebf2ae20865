//! One loop corrects a table of cycles by what simulations take.

use std::cell::RefCell;
use std::collections::BTreeMap;
use vta_net::graph::zoo;
use vta_net::sparse::Masks;
use vta_prune::cost::{CostTable, LayerCost, Point};
use vta_prune::{
    Allocation, Choice, Correction, Dense, Limit, PruneLayer, Ranking, Simulated, correct, layers,
};

fn all_layers() -> Vec<PruneLayer> {
    let graph = zoo::build("lenet5", 1).expect("a network of the zoo");
    layers(&graph, &Dense::Named(Vec::new()), false, Ranking::Energy).expect("layers")
}

/// 100 cycles for each block, and none beside them.
fn table(layers: &[PruneLayer]) -> CostTable {
    let one = |l: &PruneLayer| {
        let n = l.blocks.groups() as u64;
        let points = vec![Point(0, 0.0), Point(n, 100.0 * n as f64)];
        LayerCost::new(&l.node, &l.weight_name, n, points)
    };
    CostTable::new("lenet5", "de10", 0.0, layers.iter().map(one).collect())
}

/// The same fraction of each layer, as much as the table has for the limit.
fn choose(layers: &[PruneLayer], table: &CostTable, limit: f64) -> Choice {
    let kept_at = |density: f64| {
        let kept = layers.iter().map(|l| {
            let n = l.blocks.groups() as f64;
            (density * n).floor().max(1.0) as usize
        });
        let kept = kept.collect();
        Allocation { kept, cost: 0.0 }
    };
    let densities = (0..=100).rev().map(|d| f64::from(d) / 100.0);
    let met = |a: &Allocation| table.total(&a.blocks(layers)) <= limit;
    let allocation = densities.map(kept_at).find(met);
    let allocation = allocation.unwrap_or_else(|| kept_at(0.0));
    let masks = layers.iter().zip(&allocation.kept).map(|(l, k)| {
        let kept: Vec<bool> = (0..l.blocks.groups()).map(|i| i < *k).collect();
        (l.weight_name.clone(), l.blocks.mask(&kept))
    });
    Choice {
        masks: masks.collect(),
        allocation,
    }
}

/// `each` cycles for each kept block, and `fixed` ones.
fn simulated(masks: &Masks, each: u64, fixed: u64) -> Simulated {
    let of = |(name, m): (&String, &vta_net::sparse::BlockMask)| {
        (name.clone(), m.count_kept() as u64 * each)
    };
    let layers: BTreeMap<String, u64> = masks.iter().map(of).collect();
    let total = layers.values().sum::<u64>() + fixed;
    Simulated { layers, total }
}

fn run(each: u64, limit: u64, most: usize) -> Correction {
    let layers = all_layers();
    let chosen = |t: &CostTable| Ok::<_, String>(choose(&layers, t, limit as f64));
    let seen = |m: &Masks| Ok(simulated(m, each, 50));
    correct(table(&layers), &layers, (Limit(limit), most), chosen, seen).expect("no errors")
}

/// Blocks that take more than the table says: the second choice is by what they take.
#[test]
fn a_table_that_is_wrong_is_corrected() {
    let blocks: usize = all_layers().iter().map(|l| l.blocks.groups()).sum();
    let limit = blocks as u64 * 100 / 2;
    let found = run(170, limit, 4);
    assert!(found.rounds[0].simulated > limit, "{:?}", found.rounds);
    assert!(found.best.round > 0);
    assert!(found.best.simulated.total <= limit);
    // It was chosen by the table that the round before it had corrected.
    let layers = all_layers();
    let kept = found.best.kept(&layers);
    let round = found.rounds[found.best.round];
    assert_eq!(round.simulated, found.best.simulated.total);
    assert_eq!(round.predicted, found.best.table.total(&kept));
    // Here all blocks of all layers are alike, so one correction makes it exact.
    assert!((round.predicted - round.simulated as f64).abs() < 1e-6);
    assert_eq!(found.table.fixed_cycles, 50.0);
}

#[test]
fn it_ends_where_little_is_left_where_a_choice_comes_again_or_after_so_many_rounds() {
    let blocks: usize = all_layers().iter().map(|l| l.blocks.groups()).sum();
    // All blocks, and still far below the limit: the same choice comes again.
    let far = run(100, blocks as u64 * 1000, 9);
    assert_eq!((far.rounds.len(), far.best.round), (1, 0));
    // All blocks use the limit up at once.
    let used = run(100, blocks as u64 * 100 + 50, 9);
    assert_eq!(used.rounds.len(), 1);
    let once = run(170, blocks as u64 * 50, 1);
    assert_eq!((once.rounds.len(), once.best.round), (1, 0));
    // A round is made in any case.
    assert_eq!(run(170, blocks as u64 * 50, 0).rounds.len(), 1);
}

/// A limit that is missed by all keeps the nearest; errors stop at once.
#[test]
fn the_best_is_kept_and_errors_stop() {
    let layers = all_layers();
    let totals = RefCell::new(vec![700, 300, 400, 500].into_iter());
    let density = RefCell::new((1..).map(|i| 1.0 / f64::from(i)));
    let choices = |_: &CostTable| {
        let d = density.borrow_mut().next().expect("there is one more");
        let blocks: usize = layers.iter().map(|l| l.blocks.groups()).sum();
        Ok(choose(&layers, &table(&layers), 100.0 * d * blocks as f64))
    };
    let seen = |_: &Masks| match totals.borrow_mut().next() {
        Some(total) => Ok(Simulated {
            layers: BTreeMap::new(),
            total,
        }),
        None => Err("no more".to_owned()),
    };
    let found = correct(table(&layers), &layers, (Limit(100), 4), choices, seen);
    let found = found.expect("four totals");
    assert_eq!((found.best.round, found.best.simulated.total), (1, 300));
    let e = correct(table(&layers), &layers, (Limit(100), 4), choices, seen);
    assert_eq!(e.err().as_deref(), Some("no more"));
}
