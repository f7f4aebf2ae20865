//! `Fetch64Bit` (core/FetchVME64.scala).

use vta_program::isa::*;
use vta_test_support::runs::*;

/// A burst of 16 beats holds 8 instructions; the ninth is a batch of its own.
/// `sDrain` sees the empty queue one cycle after the last dispatch, the
/// command follows in the next, the bus one later.
#[test]
fn batch_is_one_longest_burst() {
    let mut p = Program::new("de10");
    p.repeat(8, LOAD).push(FINISH);
    p.run().shows(
        "ar r dispatch",
        "
        ar fetch tag 0: 2, 0x1000 + 16
        r fetch tag 0: 20..35
        dispatch load 0..7: 37..44
        ar fetch tag 0: 47, 0x1080 + 2
        r fetch tag 0: 65..66
        dispatch compute 8: 68
        ok 70
    ",
    );
}

/// With `lenBits` 8 it is 256 beats, 128 instructions.
#[test]
fn batch_grows_with_the_longest_burst() {
    let mut p = Program::new("pynq");
    p.repeat(128, LOAD).push(FINISH);
    p.run().shows(
        "ar r dispatch",
        "
        ar fetch tag 0: 2, 0x1000 + 256
        r fetch tag 0: 20..275
        dispatch load 0..127: 277..404
        ar fetch tag 0: 407, 0x1800 + 2
        r fetch tag 0: 425..426
        dispatch compute 128: 428
        ok 430
    ",
    );
}

/// Low half, high half: 2 cycles an instruction; the last high half is at
/// fetch one cycle after the bus, dispatch starts in the cycle after that and
/// hands over one instruction a cycle.
#[test]
fn lsb_and_msb_take_a_beat_each() {
    let mut p = Program::new("de10");
    p.push(LOAD).push(COMPUTE).push(STORE).push(FINISH);
    p.run().shows(
        "ar r dispatch",
        "
        ar fetch tag 0: 2, 0x1000 + 8
        r fetch tag 0: 20..27
        dispatch load 0: 29
        dispatch compute 1: 30
        dispatch store 2: 31
        dispatch compute 3: 32
        ok 34
    ",
    );
}

/// Fetch does not split at aligned boundaries: 16 beats from 0x1008.
#[test]
fn burst_is_not_aligned() {
    let mut p = Program::new("de10");
    p.insn_addr = 0x1008;
    p.repeat(8, LOAD).push(FINISH);
    p.run().shows(
        "ar",
        "
        ar fetch tag 0: 2, 0x1008 + 16
        ar fetch tag 0: 47, 0x1088 + 2
        ok 70
    ",
    );
}

/// Loads 1 to 512 fill the queue of load, whose head waits for a token of
/// the GEMM. 513 to 519 are in fetch's own queue, and until the last of them
/// is handed over the batch with FINISH is not read.
#[test]
fn next_batch_is_not_read_while_one_drains() {
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
    p.repeat(518, LOAD).push(FINISH);
    let rows = p.run().rows("ar dispatch");
    let tail: Vec<&str> = rows.lines().rev().take(12).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    assert_eq!(
        tail.join("\n"),
        lines(
            "
        ar fetch tag 0: 2882, 0x3000 + 16
        dispatch load 512: 2917
        dispatch load 513: 4047
        dispatch load 514: 4049
        dispatch load 515: 4051
        dispatch load 516: 4053
        dispatch load 517: 4055
        dispatch load 518: 4057
        dispatch load 519: 4059
        ar fetch tag 0: 4062, 0x3080 + 2
        dispatch compute 520: 4083
        ok 4085
    "
        )
    );
}

/// The assertion looks at the head in `sDrain`, in its first cycle there.
#[test]
fn unknown_instruction_asserts() {
    let mut p = Program::new("de10");
    p.push(LOAD).push(7u128).push(FINISH);
    p.run().shows(
        "dispatch",
        "
        dispatch load 0: 27
        assert core.fetch.fetch insn 1 28
    ",
    );
}
