//! `TensorLoadNarrowVME` and `GenVMECmd` (core/TensorLoadNarrowVME.scala):
//! elements wider than the bus.

use vta_program::isa::*;
use vta_test_support::runs::*;

fn load(memory_type: MemoryType, dram_base: u32, x_size: u16) -> Load {
    Load {
        memory_type,
        dram_base,
        y_size: 1,
        x_size,
        x_stride: x_size,
        ..LOAD
    }
}

fn compute_or_load(config: &str, l: Load) -> String {
    let mut p = Program::new(config);
    p.push(l);
    p.run().rows("ar r load compute")
}

/// Start s, command s + 1, bus s + 2, first beat s + 20, last beat L. The beat
/// is at the load in L + 1, in its register in L + 2, counted in L + 3: end.
#[test]
fn load_ends_three_cycles_after_its_last_beat() {
    let inp = compute_or_load("de10", load(MemoryType::Inp, 0x800, 1));
    assert_eq!(
        inp,
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        load 0: 24..48
        ar inp tag 0: 26, 0x8000 + 2
        r inp tag 0: 44..45
        hang deadlock 49
    "
        )
    );
    let wgt = compute_or_load("de10", load(MemoryType::Wgt, 0x80, 1));
    assert_eq!(
        wgt,
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        load 0: 24..78
        ar wgt tag 0: 26, 0x8000 + 16
        ar wgt tag 1: 28, 0x8080 + 16
        r wgt tag 0: 44..59
        r wgt tag 1: 60..75
        hang deadlock 79
    "
        )
    );
    let acc = compute_or_load("de10", load(MemoryType::Acc, 0x200, 1));
    assert_eq!(
        acc,
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        compute 0: 24..54
        ar acc tag 0: 26, 0x8000 + 8
        r acc tag 0: 44..51
        hang deadlock 55
    "
        )
    );
    let b32 = compute_or_load("b32", load(MemoryType::Inp, 0x400, 1));
    assert_eq!(
        b32,
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        load 0: 24..50
        ar inp tag 0: 26, 0x8000 + 4
        r inp tag 0: 44..47
        hang deadlock 51
    "
        )
    );
}

/// The client queue of the memory engine has one entry: a command goes in, out
/// in the next cycle, and the next command can follow.
#[test]
fn command_every_second_cycle() {
    let l = load(MemoryType::Inp, 0x800, 32);
    assert_eq!(
        compute_or_load("de10", l),
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        load 0: 24..110
        ar inp tag 0: 26, 0x8000 + 16
        ar inp tag 1: 28, 0x8080 + 16
        ar inp tag 2: 30, 0x8100 + 16
        ar inp tag 3: 32, 0x8180 + 16
        r inp tag 0: 44..59
        r inp tag 1: 60..75
        r inp tag 2: 76..91
        r inp tag 3: 92..107
        hang deadlock 111
    "
        )
    );
}

/// Bursts end at multiples of the longest burst: 128 bytes in de10. A row
/// that starts 32 bytes before one begins with a burst of 4 beats.
#[test]
fn bursts_end_at_aligned_addresses() {
    let l = load(MemoryType::Inp, 0x806, 12);
    assert_eq!(
        compute_or_load("de10", l),
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        load 0: 24..70
        ar inp tag 0: 26, 0x8060 + 4
        ar inp tag 1: 28, 0x8080 + 16
        ar inp tag 2: 30, 0x8100 + 4
        r inp tag 0: 44..47
        r inp tag 1: 48..63
        r inp tag 2: 64..67
        hang deadlock 71
    "
        )
    );
    let l = load(MemoryType::Inp, 0x806, 12);
    assert_eq!(
        compute_or_load("pynq", l),
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        load 0: 24..70
        ar inp tag 0: 26, 0x8060 + 24
        r inp tag 0: 44..67
        hang deadlock 71
    "
        )
    );
}

/// Also when they are next to each other in DRAM.
#[test]
fn each_row_has_its_own_bursts() {
    let l = Load {
        y_size: 3,
        x_stride: 2,
        ..load(MemoryType::Inp, 0x803, 2)
    };
    assert_eq!(
        compute_or_load("de10", l),
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        load 0: 24..58
        ar inp tag 0: 26, 0x8030 + 4
        ar inp tag 1: 28, 0x8050 + 4
        ar inp tag 2: 30, 0x8070 + 2
        ar inp tag 3: 32, 0x8080 + 2
        r inp tag 0: 44..47
        r inp tag 1: 48..51
        r inp tag 2: 52..53
        r inp tag 3: 54..55
        hang deadlock 59
    "
        )
    );
}

/// `currentRowIdx` counts to `y_pad_0` first, a row a cycle.
#[test]
fn each_row_of_top_padding_delays_the_first_command() {
    let l = Load {
        y_pad_0: 5,
        ..load(MemoryType::Inp, 0x800, 1)
    };
    assert_eq!(
        compute_or_load("de10", l),
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        load 0: 24..53
        ar inp tag 0: 31, 0x8000 + 2
        r inp tag 0: 49..50
        hang deadlock 54
    "
        )
    );
}

/// `dram_base` is shifted in 32 bits: 0x1000_0800 * 16 wraps to 0x8000.
#[test]
fn address_wraps_in_32_bits() {
    let l = load(MemoryType::Inp, 0x1000_0800, 1);
    assert_eq!(
        compute_or_load("de10", l),
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        load 0: 24..48
        ar inp tag 0: 26, 0x8000 + 2
        r inp tag 0: 44..45
        hang deadlock 49
    "
        )
    );
}

/// No row is ever commanded, so `commandsDone` never rises.
#[test]
fn zero_rows_never_end() {
    let l = Load {
        y_size: 0,
        ..load(MemoryType::Inp, 0x800, 1)
    };
    assert_eq!(
        compute_or_load("de10", l),
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        load 0: 24..
        hang deadlock 26
    "
        )
    );
}

/// 12 bits for 2048 elements of 2 beats. 16 bursts of 256 beats, commanded
/// while another load holds the bus, make 4096: the count wraps to 0 and the load
/// ends in the cycle after its last command, before its first beat.
#[test]
fn in_flight_counter_wraps() {
    let mut p = Program::new("pynq");
    p.push(load(MemoryType::Acc, 0xc00, 32));
    p.push(load(MemoryType::Inp, 0x1000, 2048));
    p.push(FINISH);
    let rows = p.run().rows("load compute r");
    assert_eq!(
        rows,
        lines(
            "
        r fetch tag 0: 20..25
        compute 0: 28..306
        load 1: 29..61
        r acc tag 0: 48..303
        compute 2: 307..308
        ok 308
    "
        )
    );
}

/// The beats of such a load come when nobody counts them any more. A load that
/// is busy then, before its own first command, asserts `blocksInFlight > 0` in
/// its first cycle.
#[test]
fn beat_that_was_not_counted_asserts() {
    let mut p = Program::new("pynq");
    p.push(Load {
        push_prev_dep: true,
        ..load(MemoryType::Acc, 0xc00, 32)
    });
    p.push(load(MemoryType::Inp, 0x1000, 2048));
    p.push(Load {
        pop_next_dep: true,
        y_pad_0: 1,
        ..load(MemoryType::Inp, 0x1000, 1)
    });
    p.repeat(3, COMPUTE).push(FINISH);
    p.run().shows(
        "load compute r",
        "
            r fetch tag 0: 20..33
            compute 0: 36..314
            load 1: 37..69
            r acc tag 0: 56..311
            load 2: 315..
            compute 3: 315..316
            assert core.load.tensorLoad_0.tensorLoad 316
        ",
    );
}
