//! `Semaphore` (core/Semaphore.scala).

use vta_program::isa::*;
use vta_sim::tsim::Event;
use vta_test_support::runs::*;

/// `sready` is the count before the edge.
#[test]
fn token_is_taken_the_cycle_after_it_is_given() {
    let mut p = Program::new("de10");
    p.push(Load {
        push_next_dep: true,
        ..LOAD
    });
    p.push(Finish {
        pop_prev_dep: true,
        ..FINISH
    });
    p.run().shows(
        "load compute token",
        "
        load 0: 26..27
        load to compute: 27, post at 0
        compute 1: 28..29
        load to compute: 28, wait at 1
        ok 29
    ",
    );
}

/// The count stays: 3 before cycle 46 and 3 after it.
#[test]
fn post_and_wait_in_one_cycle_cancel() {
    let mut p = Program::new("de10");
    p.push(GEMM);
    p.repeat(
        5,
        Load {
            push_next_dep: true,
            ..LOAD
        },
    );
    p.repeat(
        2,
        Load {
            pop_prev_dep: true,
            ..COMPUTE
        },
    );
    p.push(FINISH);
    p.run().shows(
        "token",
        "
        load to compute: 40, post at 0
        load to compute: 42, post at 1
        load to compute: 44, post at 2
        load to compute: 46, wait at 3
        load to compute: 46, post at 3
        load to compute: 48, wait at 3
        load to compute: 48, post at 3
        ok 70
    ",
    );
}

/// 8 bits: the 256th token is lost, and with it the 256th wait.
#[test]
fn post_at_255_is_dropped() {
    let end = |tokens| {
        let mut p = Program::new("de10");
        p.push(Gemm { iter_in: 0, ..GEMM });
        p.repeat(
            tokens,
            Load {
                push_next_dep: true,
                ..LOAD
            },
        );
        p.repeat(
            tokens,
            Load {
                pop_prev_dep: true,
                ..COMPUTE
            },
        );
        p.push(FINISH);
        let seen = p.run();
        let full = |e: &&(u64, Event)| matches!(e.1, Event::Post { count: 255, .. });
        (seen.end(), seen.log.0.iter().filter(full).count())
    };
    assert_eq!(end(255), ("ok 16940".into(), 0));
    assert_eq!(end(256), ("hang deadlock 16939".into(), 1));
}

/// The instruction starts when both are there, and takes both in that cycle.
#[test]
fn both_tokens_are_taken_at_once() {
    let mut p = Program::new("de10");
    p.push(Load {
        push_next_dep: true,
        ..LOAD
    });
    p.push(Finish {
        pop_prev_dep: true,
        pop_next_dep: true,
        ..FINISH
    });
    p.repeat(3, LOAD);
    p.push(Store {
        push_prev_dep: true,
        ..STORE
    });
    p.run().shows(
        "load store compute token",
        "
        load 0: 34..35
        load to compute: 35, post at 0
        load 2: 36..37
        load 3: 38..39
        store 5: 39..40
        load 4: 40..41
        store to compute: 40, post at 0
        compute 1: 41..42
        load to compute: 41, wait at 1
        store to compute: 41, wait at 1
        ok 42
    ",
    );
}

/// Load has no unit before it and store none after it.
#[test]
fn flags_without_a_unit_are_ignored() {
    let mut p = Program::new("de10");
    p.push(Load {
        pop_prev_dep: true,
        push_prev_dep: true,
        ..LOAD
    });
    p.push(Store {
        pop_next_dep: true,
        push_next_dep: true,
        ..STORE
    });
    p.push(FINISH);
    p.run().shows(
        "load store compute token",
        "
        load 0: 28..29
        store 1: 29..30
        compute 2: 30..31
        ok 31
    ",
    );
}

/// Store and load share no semaphore: tokens of store come out at compute.
#[test]
fn there_is_one_semaphore_for_each_direction() {
    let mut p = Program::new("de10");
    p.push(Load {
        push_next_dep: true,
        ..LOAD
    });
    p.push(Load {
        pop_prev_dep: true,
        push_next_dep: true,
        ..COMPUTE
    });
    p.push(Store {
        pop_prev_dep: true,
        push_prev_dep: true,
        ..STORE
    });
    p.push(Load {
        pop_next_dep: true,
        push_prev_dep: true,
        ..COMPUTE
    });
    p.push(Load {
        pop_next_dep: true,
        push_next_dep: true,
        ..LOAD
    });
    p.push(Finish {
        pop_prev_dep: true,
        ..FINISH
    });
    p.run().shows(
        "token",
        "
        load to compute: 35, post at 0
        load to compute: 36, wait at 1
        compute to store: 37, post at 0
        compute to store: 38, wait at 1
        store to compute: 39, post at 0
        store to compute: 40, wait at 1
        compute to load: 41, post at 0
        compute to load: 42, wait at 1
        load to compute: 43, post at 0
        load to compute: 44, wait at 1
        ok 45
    ",
    );
}
