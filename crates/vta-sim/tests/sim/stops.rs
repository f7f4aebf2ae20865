//! Stops inside of a launch: instructions of 2^42 steps, which no test could wait for.

use std::cell::Cell;
use vta_program::isa::{Alu, Gemm, Insn};
use vta_program::mem::Dram;
use vta_sim::fsim::{self, Limits, Stop};
use vta_sim::tsim::{self, NoSink, Options, Status, Until};
use vta_test_support::runs::*;

/// Loops of as many trips as there can be: 0 counts as 16384.
fn longest() -> [Insn; 4] {
    let gemm = Gemm {
        uop_end: 0,
        iter_out: 0,
        iter_in: 0,
        ..GEMM
    };
    let alu = Alu {
        uop_end: 0,
        iter_out: 0,
        iter_in: 0,
        use_imm: false,
        ..ALU
    };
    [
        Insn::Gemm(gemm),
        // Indices that wrap are looked at one by one.
        Insn::Gemm(Gemm {
            dst_factor_out: 77,
            src_factor_in: 99,
            ..gemm
        }),
        Insn::Gemm(Gemm {
            reset_reg: true,
            dst_factor_in: 1,
            ..gemm
        }),
        // The source is never the destination before, and indices wrap.
        Insn::Alu(Alu {
            dst_factor_in: 2,
            src_factor_in: 2,
            ..alu
        }),
    ]
}

/// The instruction behind micro-ops whose source is apart from the destination.
fn program(insn: Insn) -> Program {
    let mut p = Program::new("de10");
    let uops = vec![uop(0, 1, 0); 2048];
    p.uops(0x8000, &uops);
    p.push(load_all());
    p.push(insn);
    p.push(FINISH);
    p
}

fn load_all() -> vta_program::isa::Load {
    vta_program::isa::Load {
        dram_base: 0x8000 / 4,
        y_size: 1,
        x_size: 2048,
        x_stride: 2048,
        ..COMPUTE
    }
}

/// True from the `n`th question on.
fn after(n: u32) -> impl Fn() -> bool {
    let asked = Cell::new(0);
    move || {
        asked.set(asked.get() + 1);
        asked.get() >= n
    }
}

fn tsim(p: &Program, options: Options, n: u32) -> Status {
    let mut dram = p.dram();
    let mut sink = Until::new(after(n), NoSink);
    let (addr, count) = (p.insn_addr, p.words.len() as u32);
    let done = tsim::run(&p.cfg, &mut dram, addr, count, options, &mut sink);
    done.expect("it can be run").status
}

#[test]
fn long_instructions_are_broken_off() {
    for insn in longest() {
        let p = program(insn);
        assert!(insn.steps() >= 1 << 41, "{insn:?}");
        let endless = Options {
            max_cycles: u64::MAX,
            ..Options::default()
        };
        // At once, and when some of the instruction is done.
        for n in [1, 3] {
            assert_eq!(tsim(&p, endless, n), Status::Stopped, "{insn:?}");
            let mut dram: Dram = p.dram();
            let launch = (p.insn_addr, p.words.len() as u32);
            let limits = Limits { steps: u64::MAX };
            let done = fsim::run_until(&p.cfg, &mut dram, launch, limits, &after(n));
            let stop = done.expect("it can be run").stop;
            assert!(matches!(stop, Stop::Stopped { .. }), "{stop:?}");
        }
    }
}

/// The limit of cycles ends what has not ended by then, and nothing is computed for it.
#[test]
fn a_limit_of_cycles_is_inside_of_an_instruction() {
    for insn in longest() {
        let p = program(insn);
        for (jump, data) in [(true, true), (true, false), (false, true)] {
            let options = Options {
                max_cycles: 5000,
                data,
                jump,
            };
            let status = tsim(&p, options, u32::MAX);
            assert!(matches!(status, Status::Hang { .. }), "{status:?}");
        }
    }
}

/// Ticking each cycle asks too.
#[test]
fn cycles_are_not_counted_past_a_stop() {
    let [gemm, ..] = longest();
    let options = Options {
        max_cycles: u64::MAX,
        jump: false,
        ..Options::default()
    };
    assert_eq!(tsim(&program(gemm), options, 2), Status::Stopped);
}
