//! FINISH (core/Compute.scala).

use vta_program::isa::*;
use vta_test_support::runs::*;

/// Idle in 24, Exe in 25, where `done` is constant.
#[test]
fn finish_takes_two_cycles() {
    let mut p = Program::new("de10");
    p.push(FINISH);
    p.run().shows(
        "dispatch compute",
        "
        dispatch compute 0: 23
        compute 0: 24..25
        ok 25
    ",
    );
}

/// FINISH pops like any instruction of compute: here the token of a store.
#[test]
fn finish_waits_for_its_tokens() {
    let mut p = Program::new("de10");
    p.push(Store {
        push_prev_dep: true,
        ..STORE
    });
    p.push(Finish {
        pop_next_dep: true,
        ..FINISH
    });
    p.run().shows(
        "store compute token",
        "
        store 0: 26..27
        store to compute: 27, post at 0
        compute 1: 28..29
        store to compute: 28, wait at 1
        ok 29
    ",
    );
}

/// The cycle count does not wait for the store; its bytes arrive nevertheless.
#[test]
fn store_under_way_is_not_waited_for() {
    let mut p = Program::new("de10");
    p.data(0x2000, &[7; 64]);
    p.push(Store {
        dram_base: 0x200,
        y_size: 1,
        x_size: 4,
        x_stride: 4,
        ..STORE
    });
    p.push(FINISH);
    let seen = p.run();
    seen.shows(
        "compute store aw w b",
        "
        store 0: 26..
        compute 1: 27..28
        ok 28
    ",
    );
    assert_eq!(seen.dram.read(0x2000, 64).unwrap(), [0; 64]);
}

/// What stands behind FINISH is read and dispatched like everything else, but
/// the count is latched.
#[test]
fn instructions_behind_finish_do_not_count() {
    let mut p = Program::new("de10");
    p.push(FINISH).push(LOAD);
    p.run().shows(
        "dispatch compute load",
        "
        dispatch compute 0: 25
        compute 0: 26..27
        dispatch load 1: 26
        load 1: 27..
        ok 27
    ",
    );
}
