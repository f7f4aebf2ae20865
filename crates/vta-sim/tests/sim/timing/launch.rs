//! Launch and counters (shell/VCR.scala, core/EventCounters.scala).

use vta_program::isa::*;
use vta_sim::tsim::{NoSink, Options, RunError};
use vta_test_support::runs::*;

/// Cycle 0: launch rises; 1: the command; 2: it is on the bus; 2 + 18: the
/// first beat; 22: the second beat is at fetch; 23: dispatch; 24: compute
/// starts; 25: finish.
#[test]
fn cycles_are_counted_from_launch_to_finish() {
    let mut p = Program::new("de10");
    p.push(FINISH);
    p.run().shows(
        "ar r dispatch compute",
        "
            ar fetch tag 0: 2, 0x1000 + 2
            r fetch tag 0: 20..21
            dispatch compute 0: 23
            compute 0: 24..25
            ok 25
        ",
    );
}

/// GEMM, reset or not, and ALU write once a step; loads do not count.
#[test]
fn user_counter_counts_accumulator_writes_of_compute() {
    let mut p = Program::new("de10");
    p.push(Load {
        memory_type: MemoryType::Acc,
        dram_base: 0x100,
        y_size: 1,
        x_size: 9,
        x_stride: 9,
        ..LOAD
    });
    p.push(Gemm { iter_in: 3, ..GEMM });
    p.push(Gemm {
        iter_out: 5,
        reset_reg: true,
        ..GEMM
    });
    p.push(Alu {
        iter_in: 7,
        dst_factor_in: 1,
        ..ALU
    });
    p.push(FINISH);
    let seen = p.run();
    assert_eq!(
        (seen.end(), seen.outcome.acc_writes),
        ("ok 164".to_string(), 3 + 5 + 7)
    );
}

/// Nothing was dispatched that raises `finish`: all units wait.
#[test]
fn without_finish_the_run_never_ends() {
    let mut p = Program::new("de10");
    p.push(LOAD);
    p.run().shows(
        "load",
        "
        load 0: 24..25
        hang deadlock 26
    ",
    );
}

/// The RTL asserts that `ins_baddr` is a multiple of 8 and does nothing without
/// instructions.
#[test]
fn launch_that_cannot_start_is_an_error() {
    let run = |insn_addr, words: &[u128]| {
        let mut p = Program::of("wide128", words.iter().copied());
        p.insn_addr = insn_addr;
        p.tsim(Options::default(), &mut NoSink).map(|o| o.0.cycles)
    };
    let finish = [FINISH.word()];
    assert_eq!(run(0x1000, &[]), Err(RunError::NoInsns));
    assert_eq!(run(0x1004, &finish), Err(RunError::Misaligned(0x1004)));
    assert_eq!(run(0x1008, &finish), Ok(28));
}
