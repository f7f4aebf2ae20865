//! `TensorStoreWideVME` (core/TensorStoreWideVME.scala).

use vta_program::isa::*;
use vta_test_support::runs::*;

fn run(config: &str, s: Store) -> String {
    let mut p = Program::new(config);
    p.push(s);
    p.run().rows("store aw w b")
}

fn store(dram_base: u32, x_size: u16) -> Store {
    Store {
        dram_base,
        y_size: 1,
        x_size,
        x_stride: x_size,
        ..STORE
    }
}

/// Start s, command s + 1, bus s + 3, beats from s + 4 without a gap,
/// response one cycle after the last: 5 cycles and one for each beat.
#[test]
fn beat_a_cycle() {
    assert_eq!(
        run("wide128", store(0x800, 1)),
        lines(
            "
        store 0: 26..31
        aw: 29, 0x8000 + 1
        w: 30
        b: 31
        hang deadlock 32
    "
        )
    );
    assert_eq!(
        run("wide128", store(0x800, 5)),
        lines(
            "
        store 0: 26..35
        aw: 29, 0x8000 + 5
        w: 30 31 32 33 34
        b: 35
        hang deadlock 36
    "
        )
    );
    assert_eq!(
        run("wide512", store(0x800, 5)),
        lines(
            "
        store 0: 26..32
        aw: 29, 0x8000 + 2
        w: 30 31
        b: 32
        hang deadlock 33
    "
        )
    );
}

/// Elements 3 to 6 of a line of 4 are in 2 beats.
#[test]
fn row_that_starts_inside_a_beat_writes_part_of_it() {
    assert_eq!(
        run("wide512", store(0x803, 4)),
        lines(
            "
        store 0: 26..32
        aw: 29, 0x8000 + 2
        w: 30 31
        b: 32
        hang deadlock 33
    "
        )
    );
}

/// As in the narrow store: response r, first beat r + 4.
#[test]
fn burst_starts_four_cycles_after_the_response_before() {
    assert_eq!(
        run("wide512", store(0x83c, 12)),
        lines(
            "
        store 0: 26..37
        aw: 29, 0x83c0 + 1
        w: 30
        b: 31
        aw: 34, 0x8400 + 2
        w: 35 36
        b: 37
        hang deadlock 38
    "
        )
    );
}

/// Also when they share a beat.
#[test]
fn each_row_has_its_own_bursts() {
    let s = Store {
        y_size: 2,
        x_stride: 1,
        ..store(0x800, 1)
    };
    assert_eq!(
        run("wide512", s),
        lines(
            "
        store 0: 26..36
        aw: 29, 0x8000 + 1
        w: 30
        b: 31
        aw: 34, 0x8000 + 1
        w: 35
        b: 36
        hang deadlock 37
    "
        )
    );
}

/// `sWriteCmd` moves the row counter in each cycle, though no row is
/// commanded, and stays when it has passed all 65536.
#[test]
fn zero_rows_never_end() {
    let s = Store {
        y_size: 0,
        ..store(0x800, 1)
    };
    assert_eq!(
        run("wide128", s),
        lines(
            "
        store 0: 26..
        hang deadlock 65563
    "
        )
    );
}
