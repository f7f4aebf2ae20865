//! `TensorLoadWideVME` and `GenVMECmdWide` (core/TensorLoadWideVME.scala):
//! elements no wider than the bus, micro-ops in every configuration.

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

/// One register fewer than the narrow load: last beat L, at the load in L + 1,
/// counted in L + 2.
#[test]
fn load_ends_two_cycles_after_its_last_beat() {
    let uop = compute_or_load("de10", load(MemoryType::Uop, 0x2000, 4));
    assert_eq!(
        uop,
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        compute 0: 24..47
        ar uop tag 0: 26, 0x8000 + 2
        r uop tag 0: 44..45
        hang deadlock 48
    "
        )
    );
}

/// inp is 128 bits, acc 512: the unit changes with the bus. On the 128-bit bus acc
/// is still narrow; on the 512-bit bus only wgt is.
#[test]
fn width_of_bus_and_element_choose_the_unit() {
    let inp = load(MemoryType::Inp, 0x800, 1);
    assert_eq!(
        compute_or_load("wide128", inp),
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 1
        r fetch tag 0: 20..20
        load 0: 26..48
        ar inp tag 0: 28, 0x8000 + 1
        r inp tag 0: 46..46
        hang deadlock 49
    "
        )
    );
    let acc = load(MemoryType::Acc, 0x200, 1);
    assert_eq!(
        compute_or_load("wide128", acc),
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 1
        r fetch tag 0: 20..20
        compute 0: 26..52
        ar acc tag 0: 28, 0x8000 + 4
        r acc tag 0: 46..49
        hang deadlock 53
    "
        )
    );
    assert_eq!(
        compute_or_load("wide512", acc),
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 1
        r fetch tag 0: 20..20
        compute 0: 26..48
        ar acc tag 0: 28, 0x8000 + 1
        r acc tag 0: 46..46
        hang deadlock 49
    "
        )
    );
}

/// The beat count of a row covers the partial beats at both ends: 4 micro-ops
/// from an odd index are 3 beats of 2.
#[test]
fn row_that_starts_inside_a_beat_reads_all_of_it() {
    let odd = load(MemoryType::Uop, 0x2001, 4);
    assert_eq!(
        compute_or_load("de10", odd),
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        compute 0: 24..48
        ar uop tag 0: 26, 0x8000 + 3
        r uop tag 0: 44..46
        hang deadlock 49
    "
        )
    );
    let inp = load(MemoryType::Inp, 0x803, 2);
    assert_eq!(
        compute_or_load("wide512", inp),
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 1
        r fetch tag 0: 20..20
        load 0: 26..49
        ar inp tag 0: 28, 0x8000 + 2
        r inp tag 0: 46..47
        hang deadlock 50
    "
        )
    );
}

/// As in the narrow load; the boundary counts from the beat that holds the
/// first element.
#[test]
fn bursts_end_at_aligned_addresses() {
    let l = load(MemoryType::Uop, 0x201b, 40);
    assert_eq!(
        compute_or_load("de10", l),
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        compute 0: 24..66
        ar uop tag 0: 26, 0x8068 + 3
        ar uop tag 1: 28, 0x8080 + 16
        ar uop tag 2: 30, 0x8100 + 2
        r uop tag 0: 44..46
        r uop tag 1: 47..62
        r uop tag 2: 63..64
        hang deadlock 67
    "
        )
    );
}

/// Also when they share a beat.
#[test]
fn each_row_has_its_own_bursts() {
    let l = Load {
        y_size: 3,
        x_stride: 1,
        ..load(MemoryType::Uop, 0x2000, 1)
    };
    assert_eq!(
        compute_or_load("de10", l),
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        compute 0: 24..48
        ar uop tag 0: 26, 0x8000 + 1
        ar uop tag 1: 28, 0x8000 + 1
        ar uop tag 2: 30, 0x8008 + 1
        r uop tag 0: 44..44
        r uop tag 1: 45..45
        r uop tag 2: 46..46
        hang deadlock 49
    "
        )
    );
}

/// As in the narrow load.
#[test]
fn each_row_of_top_padding_delays_the_first_command() {
    let l = Load {
        y_pad_0: 5,
        ..load(MemoryType::Uop, 0x2000, 1)
    };
    assert_eq!(
        compute_or_load("de10", l),
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        compute 0: 24..51
        ar uop tag 0: 31, 0x8000 + 1
        r uop tag 0: 49..49
        hang deadlock 52
    "
        )
    );
}

/// As in the narrow load.
#[test]
fn zero_rows_never_end() {
    let l = Load {
        y_size: 0,
        ..load(MemoryType::Uop, 0x2000, 1)
    };
    assert_eq!(
        compute_or_load("de10", l),
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        compute 0: 24..
        hang deadlock 26
    "
        )
    );
}

/// One bit more than the scratchpad has beats: 8 bursts of 256, commanded
/// while another load holds the bus, are 2048 and not 0.
#[test]
fn in_flight_counter_has_a_bit_to_spare() {
    let mut p = Program::new("wide128");
    p.push(load(MemoryType::Acc, 0xc00, 64));
    p.push(Load {
        push_next_dep: true,
        ..load(MemoryType::Inp, 0x1000, 2048)
    });
    p.push(Finish {
        pop_prev_dep: true,
        ..FINISH
    });
    p.run().shows(
        "r load compute",
        "
        r fetch tag 0: 20..22
        compute 0: 28..306
        load 1: 29..2353
        r acc tag 0: 48..303
        r inp tag 1: 304..559
        r inp tag 2: 560..815
        r inp tag 3: 816..1071
        r inp tag 4: 1072..1327
        r inp tag 5: 1328..1583
        r inp tag 6: 1584..1839
        r inp tag 7: 1840..2095
        r inp tag 8: 2096..2351
        compute 2: 2354..2355
        ok 2355
    ",
    );
}
