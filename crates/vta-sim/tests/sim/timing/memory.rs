//! The test bench's memory (dpi/VTAMemDPI.scala, src/dpi/module.cc).

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

/// Command in c, in the queue in c + 1, where the counter starts at 0; it is
/// 16 in c + 17, the device answers one cycle later.
#[test]
fn first_beat_comes_18_cycles_after_the_command() {
    let mut p = Program::new("de10");
    p.push(load(MemoryType::Inp, 0x800, 1));
    p.run().shows(
        "ar r",
        "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        ar inp tag 0: 26, 0x8000 + 2
        r inp tag 0: 44..45
        hang deadlock 49
    ",
    );
}

/// The counter stays at 16 while commands are queued.
#[test]
fn queued_bursts_follow_without_a_gap() {
    let mut p = Program::new("de10");
    p.push(load(MemoryType::Inp, 0x800, 32));
    p.run().shows(
        "ar r",
        "
        ar fetch tag 0: 2, 0x1000 + 2
        r fetch tag 0: 20..21
        ar inp tag 0: 26, 0x8000 + 16
        ar inp tag 1: 28, 0x8080 + 16
        ar inp tag 2: 30, 0x8100 + 16
        ar inp tag 3: 32, 0x8180 + 16
        r inp tag 0: 44..59
        r inp tag 1: 60..75
        r inp tag 2: 76..91
        r inp tag 3: 92..107
        hang deadlock 111
    ",
    );
}

/// The command of 48 leaves the queue in 65 and its beats come until 81. That
/// of 69 finds the queue empty and waits its own 18 cycles, 12 of them beside the
/// beats.
#[test]
fn delay_runs_beside_the_beats_of_the_burst_before() {
    let mut p = Program::new("pynq");
    p.push(load(MemoryType::Inp, 0x800, 8));
    p.repeat(10, COMPUTE);
    p.push(load(MemoryType::Acc, 0xc00, 1));
    p.run().shows(
        "ar r",
        "
        ar fetch tag 0: 2, 0x1000 + 24
        r fetch tag 0: 20..43
        ar inp tag 0: 48, 0x8000 + 16
        ar acc tag 1: 69, 0x30000 + 8
        r inp tag 0: 66..81
        r acc tag 1: 87..94
        hang deadlock 98
    ",
    );
}

/// `VTAMemDPIToAXI` enters `readData` and waits for beats that the device does
/// not send: nobody reads any more.
#[test]
fn read_at_address_zero_blocks_the_bus() {
    let mut p = Program::new("de10");
    p.push(load(MemoryType::Inp, 0, 1));
    p.push(load(MemoryType::Acc, 0xc00, 1));
    p.push(FINISH);
    p.run().shows(
        "ar r load compute",
        "
        ar fetch tag 0: 2, 0x1000 + 6
        r fetch tag 0: 20..25
        load 0: 28..
        compute 1: 29..
        ar inp tag 0: 30, 0x0 + 2
        ar acc tag 1: 31, 0x30000 + 8
        hang deadlock 48
    ",
    );
}

/// A burst of one beat never enters `readData`: the next command is served,
/// and only the client that asked for address 0 waits for ever.
#[test]
fn single_beat_at_address_zero_blocks_its_client_only() {
    let mut p = Program::new("de10");
    p.push(load(MemoryType::Uop, 0, 2));
    p.push(load(MemoryType::Inp, 0x800, 1));
    p.push(FINISH);
    p.run().shows(
        "ar r load compute",
        "
        ar fetch tag 0: 2, 0x1000 + 6
        r fetch tag 0: 20..25
        compute 0: 28..
        load 1: 29..53
        ar uop tag 0: 30, 0x0 + 1
        ar inp tag 1: 31, 0x8000 + 2
        r inp tag 1: 49..50
        hang deadlock 54
    ",
    );
}

/// The device forgets the burst; the handshake is the same.
#[test]
fn write_at_address_zero_is_dropped() {
    let bytes = |dram_base| {
        let mut p = Program::new("de10");
        p.data(16 * dram_base as usize, &[7; 32]);
        p.push(Store {
            dram_base,
            y_size: 1,
            x_size: 2,
            push_prev_dep: true,
            ..STORE
        });
        p.push(Finish {
            pop_next_dep: true,
            ..FINISH
        });
        let seen = p.run();
        let after = seen.dram.read(16 * u64::from(dram_base), 32).unwrap()[0];
        (seen.end(), after)
    };
    assert_eq!(bytes(0), ("ok 37".into(), 7));
    assert_eq!(bytes(0x800), ("ok 37".into(), 0));
}
