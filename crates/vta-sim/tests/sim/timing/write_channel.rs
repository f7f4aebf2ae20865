//! The write side of engine and memory (shell/VME.scala, dpi/VTAMemDPI.scala).

use vta_program::isa::*;
use vta_test_support::runs::*;

fn store(dram_base: u32, x_size: u16) -> Store {
    Store {
        dram_base,
        y_size: 1,
        x_size,
        x_stride: x_size,
        ..STORE
    }
}

/// Engine and memory step through four states each: command c, `sWriteAddr`
/// c + 1, address taken c + 2, first beat c + 3, response one after the last.
#[test]
fn address_two_cycles_after_the_command_and_response_one_after_the_last_beat() {
    let mut p = Program::new("de10");
    p.push(store(0x800, 1)).push(store(0x900, 1));
    p.run().shows(
        "store aw w b",
        "
        store 0: 26..32
        aw: 29, 0x8000 + 2
        w: 30 31
        b: 32
        store 1: 33..39
        aw: 36, 0x9000 + 2
        w: 37 38
        b: 39
        hang deadlock 40
    ",
    );
}

/// Writes have a path of their own: beats are read in the same cycles.
#[test]
fn writes_do_not_wait_for_reads() {
    let mut p = Program::new("de10");
    p.push(Load {
        dram_base: 0x800,
        y_size: 1,
        x_size: 12,
        ..LOAD
    });
    p.repeat(4, STORE);
    p.push(store(0x900, 4));
    p.run().shows(
        "r store aw w b",
        "
        r fetch tag 0: 20..31
        store 1: 35..36
        store 2: 37..38
        store 3: 39..40
        store 4: 41..42
        store 5: 43..58
        aw: 46, 0x9000 + 8
        w: 47 48 50 51 53 54 56 57
        b: 58
        r inp tag 0: 54..69
        r inp tag 1: 70..77
        hang deadlock 81
    ",
    );
}
