//! `ZeroPadding` (core/TensorLoadNarrowVME.scala).

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

fn run(l: Load) -> String {
    let mut p = Program::new("de10");
    p.push(l);
    p.run().rows("r load compute")
}

/// Start s: the controller starts in s + 1, skips the data row in s + 2 and
/// writes from s + 3 on, except in the 32 cycles in which the data are written
/// (bus + 2). 240 zeros: 19 before, 221 after.
#[test]
fn zeros_are_written_only_in_cycles_without_data() {
    let l = Load {
        y_pad_1: 15,
        ..load(MemoryType::Inp, 0x800, 16)
    };
    assert_eq!(
        run(l),
        lines(
            "
        r fetch tag 0: 20..21
        load 0: 24..299
        r inp tag 0: 44..59
        r inp tag 1: 60..75
        hang deadlock 300
    "
        )
    );
}

/// In the wide load it starts one cycle earlier, and data are written in
/// the cycle after the bus: 240 zeros, 19 before 8 data cycles, 221 after.
#[test]
fn wide_load_starts_padding_a_cycle_earlier() {
    let l = Load {
        y_pad_1: 15,
        ..load(MemoryType::Uop, 0x2000, 16)
    };
    assert_eq!(
        run(l),
        lines(
            "
        r fetch tag 0: 20..21
        compute 0: 24..274
        r uop tag 0: 44..51
        hang deadlock 275
    "
        )
    );
}

/// Enough cycles without data pass before the first beat: 3 rows of 5 zeros
/// above do not change the end, beyond the 3 cycles of the first command.
#[test]
fn short_padding_hides_behind_the_latency() {
    let l = Load {
        y_pad_0: 3,
        x_pad_0: 2,
        x_pad_1: 2,
        ..load(MemoryType::Inp, 0x800, 1)
    };
    assert_eq!(
        run(l),
        lines(
            "
        r fetch tag 0: 20..21
        load 0: 24..51
        r inp tag 0: 47..48
        hang deadlock 52
    "
        )
    );
}

/// Data rows without side padding are passed at a row a cycle, data or not;
/// the zero below waits for the first gap, the cycle after the last data.
#[test]
fn rows_without_side_padding_are_skipped_in_any_cycle() {
    let l = Load {
        y_size: 30,
        y_pad_1: 1,
        ..load(MemoryType::Inp, 0x800, 1)
    };
    assert_eq!(
        run(l),
        lines(
            "
        r fetch tag 0: 20..21
        load 0: 24..107
        r inp tag 0: 44..45
        r inp tag 1: 46..47
        r inp tag 2: 48..49
        r inp tag 3: 50..51
        r inp tag 4: 52..53
        r inp tag 5: 54..55
        r inp tag 6: 56..57
        r inp tag 7: 58..59
        r inp tag 8: 60..61
        r inp tag 9: 62..63
        r inp tag 0: 64..65
        r inp tag 1: 66..67
        r inp tag 2: 68..69
        r inp tag 3: 70..71
        r inp tag 4: 72..73
        r inp tag 5: 74..75
        r inp tag 6: 76..77
        r inp tag 7: 78..79
        r inp tag 8: 80..81
        r inp tag 9: 82..83
        r inp tag 0: 84..85
        r inp tag 1: 86..87
        r inp tag 2: 88..89
        r inp tag 3: 90..91
        r inp tag 4: 92..93
        r inp tag 5: 94..95
        r inp tag 6: 96..97
        r inp tag 7: 98..99
        r inp tag 8: 100..101
        r inp tag 9: 102..103
        hang deadlock 108
    "
        )
    );
}

/// 15 left and 15 right of each of 8 rows: 240 zeros, interrupted by 16 beats.
#[test]
fn side_padding_takes_a_cycle_for_each_zero() {
    let l = Load {
        y_size: 8,
        x_pad_0: 15,
        x_pad_1: 15,
        ..load(MemoryType::Inp, 0x800, 1)
    };
    assert_eq!(
        run(l),
        lines(
            "
        r fetch tag 0: 20..21
        load 0: 24..282
        r inp tag 0: 44..45
        r inp tag 1: 46..47
        r inp tag 2: 48..49
        r inp tag 3: 50..51
        r inp tag 4: 52..53
        r inp tag 5: 54..55
        r inp tag 6: 56..57
        r inp tag 7: 58..59
        hang deadlock 283
    "
        )
    );
    let left = Load {
        y_size: 16,
        x_pad_0: 15,
        ..load(MemoryType::Inp, 0x800, 1)
    };
    assert_eq!(
        run(left),
        lines(
            "
        r fetch tag 0: 20..21
        load 0: 24..298
        r inp tag 0: 44..45
        r inp tag 1: 46..47
        r inp tag 2: 48..49
        r inp tag 3: 50..51
        r inp tag 4: 52..53
        r inp tag 5: 54..55
        r inp tag 6: 56..57
        r inp tag 7: 58..59
        r inp tag 8: 60..61
        r inp tag 9: 62..63
        r inp tag 0: 64..65
        r inp tag 1: 66..67
        r inp tag 2: 68..69
        r inp tag 3: 70..71
        r inp tag 4: 72..73
        r inp tag 5: 74..75
        hang deadlock 299
    "
        )
    );
    let right = Load {
        y_size: 16,
        x_pad_1: 15,
        ..load(MemoryType::Inp, 0x800, 1)
    };
    assert_eq!(
        run(right),
        lines(
            "
        r fetch tag 0: 20..21
        load 0: 24..298
        r inp tag 0: 44..45
        r inp tag 1: 46..47
        r inp tag 2: 48..49
        r inp tag 3: 50..51
        r inp tag 4: 52..53
        r inp tag 5: 54..55
        r inp tag 6: 56..57
        r inp tag 7: 58..59
        r inp tag 8: 60..61
        r inp tag 9: 62..63
        r inp tag 0: 64..65
        r inp tag 1: 66..67
        r inp tag 2: 68..69
        r inp tag 3: 70..71
        r inp tag 4: 72..73
        r inp tag 5: 74..75
        hang deadlock 299
    "
        )
    );
}

/// Rows above are as wide as the data with both sides: 15 rows of 16, and 15
/// zeros right of the data row; 2 cycles go to the data.
#[test]
fn padding_above_is_as_wide_as_the_padded_row() {
    let l = Load {
        y_pad_0: 15,
        x_pad_1: 15,
        ..load(MemoryType::Inp, 0x800, 1)
    };
    assert_eq!(
        run(l),
        lines(
            "
        r fetch tag 0: 20..21
        load 0: 24..283
        r inp tag 0: 59..60
        hang deadlock 284
    "
        )
    );
}
