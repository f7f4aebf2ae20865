//! Dispatch and instruction queues (core/Load.scala, util/SyncQueue.scala).

use vta_program::isa::*;
use vta_test_support::runs::*;

/// What is put in is at the head one cycle later.
#[test]
fn dispatched_instruction_starts_one_cycle_later() {
    let mut p = Program::new("de10");
    p.push(LOAD).push(COMPUTE).push(STORE).push(FINISH);
    p.run().shows(
        "dispatch load compute store",
        "
        dispatch load 0: 29
        load 0: 30..31
        dispatch compute 1: 30
        compute 1: 31..32
        dispatch store 2: 31
        store 2: 32..33
        dispatch compute 3: 32
        compute 3: 33..34
        ok 34
    ",
    );
}

/// 512 entries; the head counts until it ends. The 513th load blocks FINISH
/// too, although compute's queue is empty.
#[test]
fn full_queue_blocks_everything_behind() {
    let mut p = Program::new("de10");
    p.push(Load {
        pop_next_dep: true,
        ..LOAD
    });
    p.repeat(511, LOAD).push(FINISH);
    assert_eq!(p.run().end(), "ok 2905");
    let mut p = Program::new("de10");
    p.push(Load {
        pop_next_dep: true,
        ..LOAD
    });
    p.repeat(512, LOAD).push(FINISH);
    assert_eq!(p.run().end(), "hang deadlock 2905");
}

/// `enq.ready` is the count before the edge: the entry that leaves in a cycle
/// makes room for the next.
#[test]
fn room_is_seen_one_cycle_after_an_entry_left() {
    let mut p = Program::new("de10");
    p.push(Gemm {
        iter_in: 4000,
        push_prev_dep: true,
        ..GEMM
    });
    p.push(Load {
        pop_next_dep: true,
        ..LOAD
    });
    p.repeat(513, LOAD).push(FINISH);
    let rows = p.run().rows("load dispatch");
    let from = rows.find("load 1:").expect("the first load ran");
    let head: Vec<&str> = rows[from..].lines().take(8).collect();
    assert_eq!(
        head.join("\n"),
        lines(
            "
        load 1: 4045..4046
        load 2: 4047..4048
        dispatch load 513: 4047
        load 3: 4049..4050
        dispatch load 514: 4049
        dispatch compute 515: 4050
        load 4: 4051..4052
        ok 4052
    "
        )
    );
}
