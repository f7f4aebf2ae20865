//! `TensorStoreNarrowVME` (core/TensorStoreNarrowVME.scala).

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

/// Start s, command s + 1, bus s + 3, beats from s + 4; between elements one
/// cycle reads the next (`sReadMem`), so an element of 2 beats takes 3 cycles. The
/// response comes one cycle after the last beat and ends the store.
#[test]
fn element_takes_a_cycle_for_each_beat_and_one_to_read() {
    assert_eq!(
        run("de10", store(0x800, 1)),
        lines(
            "
        store 0: 24..30
        aw: 27, 0x8000 + 2
        w: 28 29
        b: 30
        hang deadlock 31
    "
        )
    );
    assert_eq!(
        run("de10", store(0x800, 3)),
        lines(
            "
        store 0: 24..36
        aw: 27, 0x8000 + 6
        w: 28 29 31 32 34 35
        b: 36
        hang deadlock 37
    "
        )
    );
}

/// 32 bytes are 4 beats: 5 cycles.
#[test]
fn element_of_four_beats() {
    assert_eq!(
        run("b32", store(0x400, 2)),
        lines(
            "
        store 0: 24..37
        aw: 27, 0x8000 + 8
        w: 28 29 30 31 33 34 35 36
        b: 37
        hang deadlock 38
    "
        )
    );
}

/// Response r, command r + 1, bus r + 3, first beat r + 4; the element is read
/// during the command. 8 elements fill the 16 beats of a burst.
#[test]
fn burst_starts_four_cycles_after_the_response_before() {
    assert_eq!(
        run("de10", store(0x800, 9)),
        lines(
            "
        store 0: 24..57
        aw: 27, 0x8000 + 16
        w: 28 29 31 32 34 35 37 38 40 41 43 44 46 47 49 50
        b: 51
        aw: 54, 0x8080 + 2
        w: 55 56
        b: 57
        hang deadlock 58
    "
        )
    );
}

/// A row that starts 32 bytes before a boundary begins with 4 beats.
#[test]
fn bursts_end_at_aligned_addresses() {
    assert_eq!(
        run("de10", store(0x806, 4)),
        lines(
            "
        store 0: 24..42
        aw: 27, 0x8060 + 4
        w: 28 29 31 32
        b: 33
        aw: 36, 0x8080 + 4
        w: 37 38 40 41
        b: 42
        hang deadlock 43
    "
        )
    );
}

/// Also when they are next to each other: 6 cycles for each row of one element,
/// and one to start.
#[test]
fn each_row_has_its_own_bursts() {
    let s = Store {
        y_size: 3,
        x_stride: 1,
        ..store(0x800, 1)
    };
    assert_eq!(
        run("de10", s),
        lines(
            "
        store 0: 24..42
        aw: 27, 0x8000 + 2
        w: 28 29
        b: 30
        aw: 33, 0x8010 + 2
        w: 34 35
        b: 36
        aw: 39, 0x8020 + 2
        w: 40 41
        b: 42
        hang deadlock 43
    "
        )
    );
}

/// `ycnt === ysize - 1` in 16 bits: no rows are 65536 rows of 6 cycles, and
/// one cycle to start.
#[test]
fn zero_rows_are_65536() {
    let mut p = Program::new("de10");
    p.push(Store {
        y_size: 0,
        x_stride: 0,
        push_prev_dep: true,
        ..store(0x800, 1)
    });
    p.push(Finish {
        pop_next_dep: true,
        ..FINISH
    });
    let seen = p.run();
    let bursts = seen.outcome.stats.write_bursts;
    assert_eq!(
        (seen.rows("store compute"), bursts),
        (
            lines(
                "
        store 0: 26..393242
        compute 1: 393243..393244
        ok 393244
    "
            ),
            65536
        )
    );
}

/// `memory_type` and paddings are not decoded.
#[test]
fn paddings_are_ignored() {
    let s = Store {
        y_pad_0: 3,
        y_pad_1: 4,
        x_pad_0: 5,
        x_pad_1: 6,
        memory_type: 0,
        ..store(0x800, 1)
    };
    assert_eq!(
        run("de10", s),
        lines(
            "
        store 0: 24..30
        aw: 27, 0x8000 + 2
        w: 28 29
        b: 30
        hang deadlock 31
    "
        )
    );
}
