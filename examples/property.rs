//! A law of one's own about the instruction set, checked on random programs:
//! `cargo run --example property`, or as a test with all others.
//!
//! The law: where tokens order everything, the units side by side leave the same
//! bytes in DRAM as one instruction after the other, on every built-in configuration.
//! A program that breaks it is shrunk and printed: with `configs()` the law is broken
//! where the hardware's counter of beats is too narrow for a load.

use proptest::prelude::*;
use vta::fsim::{self, Limits, Stop};
use vta::strategies::{built_in_configs, valid};
use vta::tsim::{self, NoSink, Options, Status};

fn main() {
    units_side_by_side_give_the_bytes_of_program_order();
}

#[cfg_attr(test, test)]
fn units_side_by_side_give_the_bytes_of_program_order() {
    let config = ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(listing in valid(built_in_configs()))| {
        let (addr, count) = (listing.insn_addr, listing.insn_count());
        let (mut ordered, mut timed) = (listing.dram(), listing.dram());
        let order = fsim::run(&listing.config, &mut ordered, addr, count, Limits::default())?;
        // Hazards of the ALU, which the hardware asserts, are another law.
        prop_assume!(order.stop == Stop::Finish);
        let options = Options { max_cycles: 100_000_000, ..Options::default() };
        let time = tsim::run(&listing.config, &mut timed, addr, count, options, &mut NoSink)?;
        prop_assert_eq!(time.status, Status::Ok);
        prop_assert!(ordered.bytes() == timed.bytes(), "the bytes differ");
    });
}
