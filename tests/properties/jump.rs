//! Ways to run that must not matter: jumping, moving data, listening.

use super::pipelines::{Bases, pipeline};
use super::programs::{racy, serial};
use crate::cases;
use crate::support::{Log, Program};
use proptest::prelude::*;
use vta::tsim::{NoSink, Options, Status};

fn any_program() -> impl Strategy<Value = Program> {
    prop_oneof![
        4 => racy().boxed(),
        1 => serial().boxed(),
        1 => pipeline().prop_map(|p| p.program(Bases::default())).boxed(),
    ]
}

fn run(p: &Program, options: Options) -> (String, Log) {
    let mut log = Log::default();
    let outcome = p.tsim(options, &mut log);
    let text = outcome.map(|(o, d)| (o, fnv(d.bytes())));
    (format!("{text:?}"), log)
}

/// A hash of DRAM, to compare it as one number.
fn fnv(bytes: &[u8]) -> u64 {
    let step = |h: u64, b: &u8| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

proptest! {
    #![proptest_config(cases(250))]

    /// Outcome, events and DRAM are equal whether the clock jumps or ticks.
    #[test]
    fn jumping_equals_ticking(p in any_program()) {
        let jump = run(&p, Options { jump: true, ..p.options });
        let tick = run(&p, Options { jump: false, ..p.options });
        prop_assert_eq!(jump, tick);
    }
}

proptest! {
    #![proptest_config(cases(120))]

    /// Without data only DRAM is different.
    #[test]
    fn data_can_be_left_out(p in any_program()) {
        let with = p.tsim(p.options, &mut NoSink).map(|o| o.0);
        let without = p.tsim(Options { data: false, ..p.options }, &mut NoSink);
        let untouched = without.as_ref().map_or(true, |o| o.1 == p.dram());
        prop_assert!(untouched, "no byte moves");
        prop_assert_eq!(with, without.map(|o| o.0));
    }

    /// Who listens changes nothing.
    #[test]
    fn a_sink_changes_nothing(p in any_program()) {
        let silent = p.tsim(p.options, &mut NoSink);
        let heard = p.tsim(p.options, &mut Log::default());
        prop_assert_eq!(silent, heard);
    }
}

/// The generator above is worth its cases: it reaches every status.
#[test]
fn random_programs_end_in_every_way() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    use std::collections::BTreeSet;
    let mut runner = TestRunner::new(cases(1));
    let mut ways = BTreeSet::new();
    for _ in 0..250 {
        let p = any_program()
            .new_tree(&mut runner)
            .expect("it generates")
            .current();
        let (o, _) = p.outcome();
        ways.insert(match o.status {
            Status::Ok => "ok".to_owned(),
            Status::Hang { reason, .. } => reason.name().to_owned(),
            Status::Assert { module, .. } => module.to_owned(),
        });
    }
    let wanted = [
        "ok",
        "deadlock",
        "max-cycles",
        "core.fetch.fetch",
        "core.compute.tensorAlu",
    ];
    let missing: Vec<_> = wanted.iter().filter(|w| !ways.contains(**w)).collect();
    assert!(missing.is_empty(), "never seen: {missing:?} in {ways:?}");
}
