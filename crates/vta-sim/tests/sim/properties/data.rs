//! Time does not depend on data.

use super::programs::{racy, serial};
use proptest::prelude::*;
use vta_program::strategies::{INP, fill};
use vta_test_support::cases;
use vta_test_support::runs::{Log, Program};

/// Everything but data: how it ended and what happened in which cycle.
fn events(p: &Program) -> (vta_sim::tsim::Outcome, Log) {
    let seen = p.run();
    (seen.outcome, seen.log)
}

proptest! {
    #![proptest_config(cases(100))]

    /// Other inputs, weights and accumulators under the same micro-ops.
    #[test]
    fn other_data_take_the_same_cycles(p in prop_oneof![serial().boxed(), racy().boxed()], seed: u64) {
        let mut other = p.clone();
        fill(&mut other.image[INP as usize..], seed);
        prop_assert_eq!(events(&p), events(&other));
    }
}
