//! `State::{Idle, Sync, Exe}` (core/Load.scala, core/Compute.scala, core/Store.scala).

use vta_program::isa::*;
use vta_test_support::runs::*;

/// One cycle in `sIdle`, one in `sSync`; the next one starts in the cycle after.
#[test]
fn empty_instruction_takes_two_cycles() {
    let mut p = Program::new("de10");
    p.repeat(2, LOAD)
        .repeat(2, COMPUTE)
        .repeat(2, STORE)
        .push(FINISH);
    p.run().shows(
        "load compute store",
        "
        load 0: 36..37
        load 1: 38..39
        compute 2: 38..39
        compute 3: 40..41
        store 4: 40..41
        compute 6: 42..43
        store 5: 42..43
        ok 43
    ",
    );
}

/// `isSync` looks at `x_size` alone: the paddings and rows of an empty LOAD do
/// nothing, and no other unit is needed.
#[test]
fn x_size_zero_makes_an_empty_instruction() {
    let mut p = Program::new("de10");
    p.push(Load {
        y_size: 9,
        y_pad_0: 3,
        x_pad_1: 15,
        ..LOAD
    });
    p.push(Store { y_size: 9, ..STORE });
    p.push(FINISH);
    p.run().shows(
        "load store ar aw",
        "
        ar fetch tag 0: 2, 0x1000 + 6
        load 0: 28..29
        store 1: 29..30
        ok 31
    ",
    );
}

/// After the last cycle of a load, of a GEMM or of a store too.
#[test]
fn next_instruction_starts_the_cycle_after_the_end() {
    let mut p = Program::new("de10");
    p.push(Load {
        dram_base: 0x800,
        y_size: 1,
        x_size: 1,
        ..LOAD
    });
    p.push(LOAD);
    p.push(GEMM).push(COMPUTE);
    p.push(Store {
        dram_base: 0x900,
        y_size: 1,
        x_size: 1,
        ..STORE
    });
    p.push(STORE);
    p.push(Load {
        memory_type: MemoryType::Uop,
        dram_base: 0x4000,
        y_size: 1,
        x_size: 1,
        ..LOAD
    });
    p.push(FINISH);
    p.run().shows(
        "load compute store",
        "
        load 0: 38..62
        compute 2: 40..47
        store 4: 42..48
        compute 3: 48..49
        store 5: 49..50
        compute 6: 50..62
        load 1: 63..64
        compute 7: 63..64
        ok 64
    ",
    );
}

/// The token is given in the last cycle, in `sSync` as in `sExe`.
#[test]
fn token_is_given_in_the_last_cycle() {
    let mut p = Program::new("de10");
    p.push(Load {
        push_next_dep: true,
        ..LOAD
    });
    p.push(Load {
        dram_base: 0x800,
        y_size: 1,
        x_size: 1,
        push_next_dep: true,
        ..LOAD
    });
    p.repeat(
        2,
        Load {
            pop_prev_dep: true,
            ..COMPUTE
        },
    );
    p.push(FINISH);
    p.run().shows(
        "load compute token",
        "
        load 0: 32..33
        load to compute: 33, post at 0
        load 1: 34..58
        compute 2: 34..35
        load to compute: 34, wait at 1
        load to compute: 58, post at 0
        compute 3: 59..60
        load to compute: 59, wait at 1
        compute 4: 61..62
        ok 62
    ",
    );
}
