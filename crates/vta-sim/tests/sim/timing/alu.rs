//! `TensorAluPipelined` (core/TensorAlu.scala).

use vta_program::isa::*;
use vta_test_support::runs::*;

const REGISTERS: Alu = Alu {
    use_imm: false,
    ..ALU
};

/// Loads the micro-ops and accumulators 0, 1, 2 ... = 10, 11, 12 ..., runs
/// `a`, and gives the rows and the first lanes of the outputs 0 to 3.
fn run(config: &str, uops: &[Uop], a: Alu) -> (String, Vec<u8>) {
    let mut p = Program::new(config);
    let (acc_bytes, out_bytes) = (p.cfg.acc_bytes(), p.cfg.out_bytes());
    p.uops(0x8000, uops);
    p.accs(0x9000, &[10, 11, 12, 13]);
    let row = Load {
        y_size: 1,
        ..COMPUTE
    };
    let all = u16::try_from(uops.len()).unwrap();
    p.push(Load {
        dram_base: 0x2000,
        x_size: all,
        ..row
    });
    let acc = MemoryType::Acc;
    p.push(Load {
        memory_type: acc,
        dram_base: 0x9000 / acc_bytes,
        x_size: 4,
        ..row
    });
    p.push(Alu {
        uop_end: all,
        push_next_dep: true,
        ..a
    });
    p.push(Store {
        pop_prev_dep: true,
        push_prev_dep: true,
        dram_base: 0xa000 / out_bytes,
        y_size: 1,
        x_size: 4,
        ..STORE
    });
    p.push(Finish {
        pop_next_dep: true,
        ..FINISH
    });
    let seen = p.run();
    let lanes = (0..4).map(|i| seen.dram.bytes()[0xa000 + i * out_bytes as usize]);
    let rows = seen.rows("compute");
    let tail: Vec<&str> = rows.lines().skip(2).collect();
    (tail.join("\n"), lanes.collect())
}

fn cycles(a: Alu) -> String {
    let mut p = Program::new("de10");
    p.push(a).push(FINISH);
    p.run().rows("compute")
}

/// The same stages as GEMM: N + 7.
#[test]
fn n_immediate_steps_take_n_plus_7_cycles() {
    let a = Alu {
        iter_out: 5,
        iter_in: 7,
        dst_factor_out: 7,
        dst_factor_in: 1,
        ..ALU
    };
    assert_eq!(
        cycles(ALU),
        lines(
            "
        compute 0: 26..33
        compute 1: 34..35
        ok 35
    "
        )
    );
    assert_eq!(
        cycles(a),
        lines(
            "
        compute 0: 26..67
        compute 1: 68..69
        ok 69
    "
        )
    );
}

/// The index generator stutters: source, then destination. 2 N + 7.
#[test]
fn n_register_steps_take_2n_plus_7_cycles() {
    let a = Alu {
        iter_in: 7,
        dst_factor_in: 1,
        src_factor_in: 1,
        use_imm: false,
        ..ALU
    };
    assert_eq!(
        cycles(REGISTERS),
        lines(
            "
        compute 0: 26..34
        compute 1: 35..36
        ok 36
    "
        )
    );
    assert_eq!(
        cycles(Alu {
            src_factor_out: 100,
            ..a
        }),
        lines(
            "
        compute 0: 26..46
        compute 1: 47..48
        ok 48
    "
        )
    );
}

/// As in GEMM.
#[test]
fn zero_trips_are_16384() {
    let a = Alu {
        iter_in: 0,
        dst_factor_in: 1,
        ..ALU
    };
    assert_eq!(
        cycles(a),
        lines(
            "
        compute 0: 26..16416
        compute 1: 16417..16418
        ok 16418
    "
        )
    );
}

/// Start s, step k reads its index in s + 2 + k and is in `valid_r3` in
/// s + 5 + k, with step k - 1 in `valid_r4`: here k = 1.
#[test]
fn same_destination_in_consecutive_immediate_steps_asserts() {
    let uops = [uop(0, 0, 0), uop(0, 1, 0)];
    assert_eq!(
        run("de10", &uops, ALU).0,
        lines(
            "
        compute 2: 110..
        assert core.compute.tensorAlu insn 2 116
    "
        )
    );
}

/// One step between them is enough: the write of step 0 is in the memory
/// before step 2 writes.
#[test]
fn same_destination_two_immediate_steps_apart_is_fine() {
    let uops = [uop(0, 0, 0), uop(1, 1, 0), uop(0, 2, 0)];
    assert_eq!(
        run("de10", &uops, Alu { imm: 1, ..ALU }),
        (
            lines(
                "
        compute 2: 111..120
        compute 4: 137..138
        ok 138
    "
            ),
            vec![13, 12, 0, 0]
        )
    );
}

/// The source of an immediate step is not compared: it reads what was there
/// before the step before. Accumulator 1 becomes 10 + 1, not 11 + 1.
#[test]
fn source_of_an_immediate_step_is_stale() {
    let uops = [uop(0, 0, 0), uop(1, 0, 0)];
    assert_eq!(
        run("de10", &uops, Alu { imm: 1, ..ALU }),
        (
            lines(
                "
        compute 2: 110..118
        compute 4: 135..136
        ok 136
    "
            ),
            vec![11, 11, 0, 0]
        )
    );
}

/// `src_valid_r3` of step k meets `valid_r4` of step k - 1 in s + 5 + 2 k.
#[test]
fn source_that_is_the_destination_before_asserts() {
    let uops = [uop(0, 1, 0), uop(2, 0, 0)];
    assert_eq!(
        run("de10", &uops, REGISTERS).0,
        lines(
            "
        compute 2: 110..
        assert core.compute.tensorAlu insn 2 117
    "
        )
    );
}

/// `valid_r3` and `valid_r4` alternate in register steps, so `bypass_dst` cannot
/// fire; the destination is read a cycle after the source, when the write before is
/// in the memory: 10 + 11 + 12.
#[test]
fn same_destination_in_consecutive_register_steps_is_fine() {
    let uops = [uop(0, 1, 0), uop(0, 2, 0)];
    assert_eq!(
        run("de10", &uops, REGISTERS),
        (
            lines(
                "
        compute 2: 110..120
        compute 4: 137..138
        ok 138
    "
            ),
            vec![33, 0, 0, 0]
        )
    );
}

/// `src_idx_r3` keeps the bits above the scratchpad's index: source
/// 2048 + 0 is the same cell as destination 0 and passes the comparison, and the
/// step reads the value from before: 12 + 10, not 12 + 21.
#[test]
fn source_past_the_depth_is_stale_without_an_assertion() {
    let uops = [uop(0, 1, 0), uop(2, 0, 1)];
    assert_eq!(
        run("de10", &uops, REGISTERS),
        (
            lines(
                "
        compute 2: 110..120
        compute 4: 137..138
        ok 138
    "
            ),
            vec![21, 0, 22, 0]
        )
    );
}

/// `dst_idx_r3` has the 11 bits of the micro-op, of which the 1024 accumulators
/// of b32 use 10: destination 1024 is cell 0 again, without an assertion, and
/// its operand is stale. Cell 0 is 10 + 1 and not 10 + 1 + 1, and the last step
/// adds 1 to that.
#[test]
fn destination_past_the_depth_is_not_compared_equal() {
    let uops = [uop(0, 0, 0), uop(1024, 0, 0), uop(2, 3, 0), uop(1, 0, 0)];
    assert_eq!(
        run("b32", &uops, Alu { imm: 1, ..ALU }),
        (
            lines(
                "
        compute 2: 143..153
        compute 4: 178..179
        ok 179
    "
            ),
            vec![11, 12, 14, 0]
        )
    );
    let uops = [uop(0, 0, 0), uop(0, 0, 0)];
    assert_eq!(
        run("b32", &uops, Alu { imm: 1, ..ALU }).0,
        lines(
            "
        compute 2: 142..
        assert core.compute.tensorAlu insn 2 148
    "
        )
    );
}
