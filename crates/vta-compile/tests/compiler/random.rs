//! Random networks on random configurations: what does not fit is said, and all else
//! is proven and gives what the reference gives, with equal cycles in both engines.

use std::collections::BTreeMap;
use vta_test_support::numbers::Numbers;
use vta_test_support::random_network::{Case, Checked};

/// Seeds from 0; `VTA_RANDOM_NETWORKS=FROM..TO` takes others.
fn seeds() -> std::ops::Range<u64> {
    let given = std::env::var("VTA_RANDOM_NETWORKS").ok();
    let given = given.as_deref().map(|range| {
        let ends = range.split_once("..").expect("FROM..TO");
        let [from, to] = [ends.0, ends.1].map(|n| n.parse().expect("a seed"));
        from..to
    });
    given.unwrap_or(0..600)
}

#[test]
fn networks_on_any_configuration() {
    let (mut right, mut refused) = (0, BTreeMap::new());
    let (mut cycles, mut wrong) = (0, Vec::new());
    let seeds = seeds();
    for seed in seeds.clone() {
        let case = Case::random(&mut Numbers::new(seed));
        let checked = std::panic::catch_unwind(|| case.check());
        match checked.unwrap_or_else(|_| Err("a panic".into())) {
            Ok(Checked::Right { cycles: n, .. }) => (right, cycles) = (right + 1, cycles + n),
            Ok(Checked::DoesNotFit(e)) => {
                let said = e.to_string();
                let larger = said
                    .split_once("; ")
                    .map_or(&said[..], |(_, larger)| larger);
                println!("seed {seed}: {said}, {:?}", case.options.config);
                *refused.entry(larger.to_owned()).or_insert(0) += 1;
            }
            Err(what) => {
                println!("seed {seed}: {what}");
                wrong.push(seed);
            }
        }
    }
    println!("{right} right, {cycles} cycles; refused: {refused:#?}");
    assert!(
        wrong.is_empty(),
        "{} wrong, by seed: {wrong:?}",
        wrong.len()
    );
    let all = seeds.end - seeds.start;
    assert!(2 * right > all, "{right} of {all} fit: too few to say much");
}
