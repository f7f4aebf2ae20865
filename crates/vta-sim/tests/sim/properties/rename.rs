//! Scratchpad indices are names.

use super::programs::{pipeline, placed};
use proptest::prelude::*;
use vta_program::strategies::{Bases, INP};
use vta_test_support::cases;

fn bases() -> impl Strategy<Value = Bases> {
    // `small` has 512 of each but 256 weights; a pipeline needs 64, 8, 16, 10.
    (0..400u16, 0..400u16, 0..240u16, 0..400u16).prop_map(|(uop, inp, wgt, acc)| Bases {
        uop,
        inp,
        wgt,
        acc,
    })
}

proptest! {
    #![proptest_config(cases(100))]

    /// Every region somewhere else: the same bytes in the same cycles.
    #[test]
    fn moving_scratchpad_regions_changes_nothing(p in pipeline(), at in bases()) {
        let (first, dram) = placed(&p, Bases::default()).outcome();
        let moved = placed(&p, at);
        let (second, other) = moved.outcome();
        prop_assert_eq!(first, second);
        // The micro-ops and instructions themselves name the places.
        let from = INP as usize;
        prop_assert!(dram.bytes()[from..] == other.bytes()[from..], "DRAM differs");
    }
}
