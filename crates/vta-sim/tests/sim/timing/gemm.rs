//! `TensorGemmPipelinedSplit` (core/TensorGemm.scala).

use vta_program::isa::*;
use vta_test_support::runs::*;

fn cycles(g: Gemm) -> String {
    let mut p = Program::new("de10");
    p.push(g).push(FINISH);
    p.run().rows("compute")
}

/// Start s, `tensorGemm.start` s + 1, index s + 2 to s + 1 + N, the last write
/// in s + 5 + N, `inflight` zero in s + 6 + N: N + 7 cycles.
#[test]
fn n_steps_take_n_plus_7_cycles() {
    assert_eq!(
        cycles(GEMM),
        lines(
            "
        compute 0: 26..33
        compute 1: 34..35
        ok 35
    "
        )
    );
    let g = Gemm {
        uop_end: 3,
        iter_out: 5,
        iter_in: 7,
        ..GEMM
    };
    assert_eq!(
        cycles(g),
        lines(
            "
        compute 0: 26..137
        compute 1: 138..139
        ok 139
    "
        )
    );
}

/// The reset of accumulators runs through the same pipeline.
#[test]
fn reset_takes_as_long() {
    let g = Gemm {
        uop_end: 3,
        iter_out: 5,
        iter_in: 7,
        reset_reg: true,
        ..GEMM
    };
    assert_eq!(
        cycles(g),
        lines(
            "
        compute 0: 26..137
        compute 1: 138..139
        ok 139
    "
        )
    );
}

/// `cnt =/= iter - 1` in 14 bits: no trips are 16384 trips.
#[test]
fn zero_trips_are_16384() {
    assert_eq!(
        cycles(Gemm {
            iter_out: 0,
            ..GEMM
        }),
        lines(
            "
        compute 0: 26..16416
        compute 1: 16417..16418
        ok 16418
    "
        )
    );
    assert_eq!(
        cycles(Gemm { iter_in: 0, ..GEMM }),
        lines(
            "
        compute 0: 26..16416
        compute 1: 16417..16418
        ok 16418
    "
        )
    );
}

/// `uop_idx =/= uop_end - 1` in 14 bits: an empty range runs all of them, and
/// one that ends before it begins runs around.
#[test]
fn empty_micro_op_range_wraps() {
    let g = Gemm {
        uop_bgn: 5,
        uop_end: 5,
        ..GEMM
    };
    assert_eq!(
        cycles(g),
        lines(
            "
        compute 0: 26..16416
        compute 1: 16417..16418
        ok 16418
    "
        )
    );
    let g = Gemm {
        uop_bgn: 5,
        uop_end: 3,
        ..GEMM
    };
    assert_eq!(
        cycles(g),
        lines(
            "
        compute 0: 26..16414
        compute 1: 16415..16416
        ok 16416
    "
        )
    );
}

/// A write that has not reached the memory is forwarded (`bypass_cond`): 3
/// steps on one accumulator add up, without a cycle more.
#[test]
fn steps_on_one_accumulator_do_not_stall() {
    let mut p = Program::new("de10");
    p.data(0x8000, &[1; 16]).data(0x9000, &[2; 256]);
    let row = Load {
        y_size: 1,
        x_size: 1,
        push_next_dep: true,
        ..LOAD
    };
    p.push(Load {
        dram_base: 0x800,
        ..row
    });
    p.push(Load {
        memory_type: MemoryType::Wgt,
        dram_base: 0x90,
        ..row
    });
    p.push(Load {
        pop_prev_dep: true,
        ..COMPUTE
    });
    p.push(Gemm {
        iter_in: 3,
        pop_prev_dep: true,
        push_next_dep: true,
        ..GEMM
    });
    p.push(Store {
        pop_prev_dep: true,
        push_prev_dep: true,
        dram_base: 0xa00,
        y_size: 1,
        x_size: 1,
        ..STORE
    });
    p.push(Finish {
        pop_next_dep: true,
        ..FINISH
    });
    let seen = p.run();
    seen.shows(
        "compute",
        "
        compute 2: 59..60
        compute 3: 114..123
        compute 5: 131..132
        ok 132
    ",
    );
    assert_eq!(seen.dram.read(0xa000, 16).unwrap(), [3 * 16 * 2; 16]);
}
