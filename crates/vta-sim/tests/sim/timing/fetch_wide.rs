//! `FetchWideVME` (core/FetchWideVME.scala).

use vta_program::isa::*;
use vta_test_support::runs::*;

/// Cycle 0 launches and starts the burst generator, 1 offers the command, 2
/// is the bus, 20 the beat. 21 at fetch, 22 in its register, 23 in flight is
/// zero, 24 `sDrain`: into the pipe; 25 dispatch.
#[test]
fn finish_alone() {
    let mut p = Program::new("wide128");
    p.push(FINISH);
    p.run().shows(
        "ar r dispatch compute",
        "
        ar fetch tag 0: 2, 0x1000 + 1
        r fetch tag 0: 20..20
        dispatch compute 0: 25
        compute 0: 26..27
        ok 27
    ",
    );
}

/// 512 elements of 64 bits, or 32 on the 512-bit bus with bursts of 16: the
/// instruction buffer has `2 << lenBits` elements. A later batch needs one cycle more
/// than launch to start its generator.
#[test]
fn batch_fills_the_instruction_buffer() {
    let mut p = Program::new("wide512");
    p.repeat(16, LOAD).push(FINISH);
    p.run().shows(
        "ar r dispatch",
        "
        ar fetch tag 0: 2, 0x1000 + 4
        r fetch tag 0: 20..23
        dispatch load 0..15: 28..43
        ar fetch tag 0: 46, 0x1100 + 1
        r fetch tag 0: 64..64
        dispatch compute 16: 69
        ok 71
    ",
    );
    let mut p = Program::new("wide128");
    p.repeat(256, LOAD).push(FINISH);
    p.run().shows(
        "ar r dispatch",
        "
        ar fetch tag 0: 2, 0x1000 + 256
        r fetch tag 0: 20..275
        dispatch load 0..255: 280..535
        ar fetch tag 0: 538, 0x2000 + 1
        r fetch tag 0: 556..556
        dispatch compute 256: 561
        ok 563
    ",
    );
}

/// One instruction that starts in the middle of a beat needs two beats.
#[test]
fn beats_are_aligned() {
    let mut p = Program::new("wide128");
    p.insn_addr = 0x1008;
    p.push(FINISH);
    p.run().shows(
        "ar r dispatch",
        "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        dispatch compute 0: 26
        ok 28
    ",
    );
}

/// Bursts end at multiples of the longest one: 1024 bytes here.
#[test]
fn batch_is_split_at_burst_boundaries() {
    let mut p = Program::new("wide512");
    p.insn_addr = 0x1380;
    p.repeat(15, LOAD).push(FINISH);
    p.run().shows(
        "ar r dispatch",
        "
        ar fetch tag 0: 2, 0x1380 + 2
        ar fetch tag 1: 4, 0x1400 + 2
        r fetch tag 0: 20..21
        r fetch tag 1: 22..23
        dispatch load 0..14: 28..42
        dispatch compute 15: 43
        ok 45
    ",
    );
}

/// Two instructions wait in the pipe behind fetch's queue, which therefore
/// counts as drained: batch 34 is read while the last two of batch 33 cannot
/// be dispatched. The narrow fetch would not.
#[test]
fn two_entry_pipe_reads_ahead() {
    let mut p = Program::new("wide512");
    p.push(Gemm {
        iter_in: 2000,
        push_prev_dep: true,
        ..GEMM
    });
    p.repeat(13, STORE);
    p.push(Load {
        pop_next_dep: true,
        ..LOAD
    });
    p.repeat(513, LOAD);
    p.push(FINISH);
    let rows = p.run().rows("ar dispatch");
    let tail: Vec<&str> = rows.lines().rev().take(6).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    assert_eq!(
        tail.join("\n"),
        lines(
            "
        dispatch load 512..525: 1436..1449
        ar fetch tag 0: 1454, 0x3100 + 1
        dispatch load 526: 2038
        dispatch load 527: 2040
        dispatch compute 528: 2041
        ok 2043
    "
        )
    );
}

/// There is no assertion: the unknown instruction has no queue that is ready.
#[test]
fn unknown_instruction_hangs() {
    let mut p = Program::new("wide128");
    p.push(LOAD).push(7u128).push(FINISH);
    p.run().shows(
        "dispatch load",
        "
        dispatch load 0: 27
        load 0: 28..29
        hang deadlock 30
    ",
    );
}
