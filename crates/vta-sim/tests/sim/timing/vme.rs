//! The read side of the memory engine, `VME` (shell/VME.scala).

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

fn head(rows: &str, n: usize) -> String {
    let rows: Vec<&str> = rows.lines().take(n).collect();
    rows.join("\n")
}

/// Two loads whose commands wait in the same cycle: inp goes before acc.
#[test]
fn lower_numbered_client_goes_first() {
    let mut p = Program::new("de10");
    p.push(load(MemoryType::Acc, 0x800, 8));
    p.push(STORE);
    p.push(load(MemoryType::Inp, 0x1000, 24));
    p.push(FINISH);
    p.run().shows(
        "load compute ar",
        "
        ar fetch tag 0: 2, 0x1000 + 8
        compute 0: 30..164
        load 2: 32..148
        ar acc tag 0: 32, 0x20000 + 16
        ar inp tag 1: 34, 0x10000 + 16
        ar acc tag 2: 35, 0x20080 + 16
        ar inp tag 3: 36, 0x10080 + 16
        ar acc tag 4: 37, 0x20100 + 16
        ar inp tag 5: 38, 0x10100 + 16
        ar acc tag 6: 39, 0x20180 + 16
        compute 3: 165..166
        ok 166
    ",
    );
}

/// Sixteen bursts are in flight, then each last beat frees a tag, and the
/// next command goes out in the cycle after.
#[test]
fn sixteen_tags() {
    let mut p = Program::new("de10");
    p.push(load(MemoryType::Inp, 0x1000, 160));
    let rows = p.run().rows("ar r");
    assert_eq!(
        head(&rows, 24),
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        ar inp tag 0: 26, 0x10000 + 16
        ar inp tag 1: 28, 0x10080 + 16
        ar inp tag 2: 30, 0x10100 + 16
        ar inp tag 3: 32, 0x10180 + 16
        ar inp tag 4: 34, 0x10200 + 16
        ar inp tag 5: 36, 0x10280 + 16
        ar inp tag 6: 38, 0x10300 + 16
        ar inp tag 7: 40, 0x10380 + 16
        ar inp tag 8: 42, 0x10400 + 16
        ar inp tag 9: 44, 0x10480 + 16
        ar inp tag 10: 46, 0x10500 + 16
        ar inp tag 11: 48, 0x10580 + 16
        ar inp tag 12: 50, 0x10600 + 16
        ar inp tag 13: 52, 0x10680 + 16
        ar inp tag 14: 54, 0x10700 + 16
        ar inp tag 15: 56, 0x10780 + 16
        r inp tag 0: 44..59
        ar inp tag 0: 60, 0x10800 + 16
        r inp tag 1: 60..75
        ar inp tag 1: 76, 0x10880 + 16
        r inp tag 2: 76..91
        ar inp tag 2: 92, 0x10900 + 16
    "
        )
    );
}

/// In 117 tags 0 to 3 are free again and 10 to 15 were never used.
#[test]
fn lowest_free_tag_is_taken() {
    let mut p = Program::new("de10");
    p.push(load(MemoryType::Acc, 0xc00, 16));
    p.push(load(MemoryType::Inp, 0x1000, 16));
    p.push(load(MemoryType::Inp, 0x1100, 16));
    p.run().shows(
        "ar r",
        "
        ar fetch tag 0: 2, 0x1000 + 6
        r fetch tag 0: 20..25
        ar acc tag 0: 30, 0x30000 + 16
        ar inp tag 1: 31, 0x10000 + 16
        ar acc tag 2: 32, 0x30080 + 16
        ar inp tag 3: 33, 0x10080 + 16
        ar acc tag 4: 34, 0x30100 + 16
        ar acc tag 5: 36, 0x30180 + 16
        ar acc tag 6: 38, 0x30200 + 16
        ar acc tag 7: 40, 0x30280 + 16
        ar acc tag 8: 42, 0x30300 + 16
        ar acc tag 9: 44, 0x30380 + 16
        r acc tag 0: 48..63
        r inp tag 1: 64..79
        r acc tag 2: 80..95
        r inp tag 3: 96..111
        ar inp tag 0: 117, 0x11000 + 16
        ar inp tag 1: 119, 0x11080 + 16
        r acc tag 4: 112..127
        r acc tag 5: 128..143
        r acc tag 6: 144..159
        r acc tag 7: 160..175
        r acc tag 8: 176..191
        r acc tag 9: 192..207
        r inp tag 0: 208..223
        r inp tag 1: 224..239
        hang deadlock 243
    ",
    );
}

/// With commands of two clients waiting, inp gets each tag that becomes free
/// until it has no more commands.
#[test]
fn scarce_tags_go_to_the_lower_numbered_client() {
    let mut p = Program::new("de10");
    p.push(load(MemoryType::Acc, 0xc00, 50));
    p.push(load(MemoryType::Inp, 0x1000, 96));
    let rows = p.run().rows("ar");
    assert_eq!(
        rows,
        lines(
            "
        ar fetch tag 0: 2, 0x1000 + 4
        ar acc tag 0: 28, 0x30000 + 16
        ar inp tag 1: 29, 0x10000 + 16
        ar acc tag 2: 30, 0x30080 + 16
        ar inp tag 3: 31, 0x10080 + 16
        ar acc tag 4: 32, 0x30100 + 16
        ar inp tag 5: 33, 0x10100 + 16
        ar acc tag 6: 34, 0x30180 + 16
        ar inp tag 7: 35, 0x10180 + 16
        ar acc tag 8: 36, 0x30200 + 16
        ar inp tag 9: 37, 0x10200 + 16
        ar acc tag 10: 38, 0x30280 + 16
        ar inp tag 11: 39, 0x10280 + 16
        ar acc tag 12: 40, 0x30300 + 16
        ar inp tag 13: 41, 0x10300 + 16
        ar acc tag 14: 42, 0x30380 + 16
        ar inp tag 15: 43, 0x10380 + 16
        ar inp tag 0: 62, 0x10400 + 16
        ar inp tag 1: 78, 0x10480 + 16
        ar inp tag 2: 94, 0x10500 + 16
        ar inp tag 3: 110, 0x10580 + 16
        ar acc tag 4: 126, 0x30400 + 16
        ar acc tag 5: 142, 0x30480 + 16
        ar acc tag 6: 158, 0x30500 + 16
        ar acc tag 7: 174, 0x30580 + 16
        ar acc tag 8: 190, 0x30600 + 16
        ar acc tag 9: 206, 0x30680 + 16
        ar acc tag 10: 222, 0x30700 + 16
        ar acc tag 11: 238, 0x30780 + 16
        ar acc tag 12: 254, 0x30800 + 16
        ar acc tag 13: 270, 0x30880 + 16
        ar acc tag 14: 286, 0x30900 + 16
        ar acc tag 15: 302, 0x30980 + 16
        ar acc tag 0: 318, 0x30a00 + 16
        ar acc tag 1: 334, 0x30a80 + 16
        ar acc tag 2: 350, 0x30b00 + 16
        ar acc tag 3: 366, 0x30b80 + 16
        ar acc tag 4: 382, 0x30c00 + 16
        hang deadlock 641
    "
        )
    );
}

/// `deq.ready` of all queues is low while a last beat is on the bus, though
/// tags are free: the tenth burst of one beat waits from 44 to 53.
#[test]
fn no_command_in_the_cycle_of_a_last_beat() {
    let mut p = Program::new("de10");
    p.push(Load {
        y_size: 12,
        x_stride: 8,
        ..load(MemoryType::Uop, 0x2000, 1)
    });
    p.run().shows(
        "ar r",
        "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        ar uop tag 0: 26, 0x8000 + 1
        ar uop tag 1: 28, 0x8020 + 1
        ar uop tag 2: 30, 0x8040 + 1
        ar uop tag 3: 32, 0x8060 + 1
        ar uop tag 4: 34, 0x8080 + 1
        ar uop tag 5: 36, 0x80a0 + 1
        ar uop tag 6: 38, 0x80c0 + 1
        ar uop tag 7: 40, 0x80e0 + 1
        ar uop tag 8: 42, 0x8100 + 1
        r uop tag 0: 44..44
        r uop tag 1: 45..45
        r uop tag 2: 46..46
        r uop tag 3: 47..47
        r uop tag 4: 48..48
        r uop tag 5: 49..49
        r uop tag 6: 50..50
        r uop tag 7: 51..51
        r uop tag 8: 52..52
        ar uop tag 0: 53, 0x8120 + 1
        ar uop tag 1: 55, 0x8140 + 1
        ar uop tag 2: 57, 0x8160 + 1
        r uop tag 0: 71..71
        r uop tag 1: 72..72
        r uop tag 2: 73..73
        hang deadlock 76
    ",
    );
}

/// Fetch reads its next batch while a load streams: its single command waits
/// behind all that are queued at the memory, but passes those still in the
/// engine.
#[test]
fn fetch_queues_behind_commands_that_are_out() {
    let mut p = Program::new("de10");
    p.push(load(MemoryType::Inp, 0x1000, 40));
    p.repeat(7, COMPUTE);
    p.push(FINISH);
    p.run().shows(
        "ar r compute",
        "
        ar fetch tag 0: 2, 0x1000 + 16
        r fetch tag 0: 20..35
        compute 1: 39..40
        ar inp tag 0: 40, 0x10000 + 16
        compute 2: 41..42
        ar inp tag 1: 42, 0x10080 + 16
        compute 3: 43..44
        ar inp tag 2: 44, 0x10100 + 16
        compute 4: 45..46
        ar inp tag 3: 46, 0x10180 + 16
        compute 5: 47..48
        ar fetch tag 4: 47, 0x1080 + 2
        ar inp tag 5: 48, 0x10200 + 16
        compute 6: 49..50
        compute 7: 51..52
        r inp tag 0: 58..73
        r inp tag 1: 74..89
        r inp tag 2: 90..105
        r inp tag 3: 106..121
        r fetch tag 4: 122..123
        compute 8: 126..127
        ok 127
    ",
    );
}

/// Micro-ops: last beat on the bus in L, at the client in L + 1; the wide load
/// counts it in L + 2, its end.
#[test]
fn data_reach_the_client_one_cycle_after_the_bus() {
    let mut p = Program::new("de10");
    p.push(load(MemoryType::Uop, 0x2000, 2));
    p.run().shows(
        "r compute",
        "
        r fetch tag 0: 20..21
        compute 0: 24..46
        r uop tag 0: 44..44
        hang deadlock 47
    ",
    );
}
