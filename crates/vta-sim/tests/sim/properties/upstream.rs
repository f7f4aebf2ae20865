//! The hardware, where upstream's functional simulator computes something else
//! (src/sim/sim_driver.cc).

use vta_program::isa::*;
use vta_program::strategies::serial_order;
use vta_test_support::runs::*;

const ROW: Load = Load {
    y_size: 1,
    x_size: 1,
    x_stride: 1,
    ..LOAD
};
const OUT: Store = Store {
    dram_base: 0xa000 / 16,
    y_size: 1,
    x_size: 1,
    x_stride: 1,
    ..STORE
};

/// Micro-ops at 0x8000, accumulators 10, 11 ... at 0x9000, one input of ones
/// at 0xb000, one weight of ones at 0xc000; then these instructions, one after the
/// other. Gives the first lane of the first outputs.
fn outputs(uops: &[Uop], insns: &[Insn]) -> [u8; 4] {
    let all = u16::try_from(uops.len()).unwrap();
    let prelude = [
        Insn::Load(Load {
            x_size: all,
            dram_base: 0x8000 / 4,
            ..Load {
                memory_type: MemoryType::Uop,
                ..ROW
            }
        }),
        Insn::Load(Load {
            memory_type: MemoryType::Acc,
            x_size: 4,
            dram_base: 0x9000 / 64,
            ..ROW
        }),
        Insn::Load(Load {
            dram_base: 0xb000 / 16,
            ..ROW
        }),
        Insn::Load(Load {
            memory_type: MemoryType::Wgt,
            dram_base: 0xc000 / 256,
            ..ROW
        }),
    ];
    let store = Insn::Store(Store { x_size: 4, ..OUT });
    let program: Vec<Insn> = prelude
        .iter()
        .chain(insns)
        .copied()
        .chain([store])
        .collect();
    let mut p = Program::of("de10", serial_order(&program).into_iter().map(Word::word));
    p.uops(0x8000, uops).accs(0x9000, &[10, 11, 12, 13]);
    p.data(0xb000, &[1; 16]).data(0xc000, &[1; 256]);
    let seen = p.run();
    assert!(seen.end().starts_with("ok"), "{}", seen.end());
    let (_, functional) = p.fsim().expect("it stays inside DRAM");
    assert_eq!(functional, seen.dram);
    std::array::from_fn(|i| seen.dram.bytes()[0xa000 + 16 * i])
}

const IMM: Alu = Alu { imm: 1, ..ALU };

/// Upstream stores the accumulator, cut to 8 bits. The hardware stores the
/// output scratchpad, which no load writes.
#[test]
fn store_reads_the_output_scratchpad() {
    assert_eq!(outputs(&[uop(0, 0, 0)], &[]), [0; 4]);
    assert_eq!(outputs(&[uop(0, 0, 0)], &[Insn::Alu(IMM)]), [11, 0, 0, 0]);
}

/// Upstream has no output of its own that could stay.
#[test]
fn reset_leaves_the_output_alone() {
    let reset = Gemm {
        reset_reg: true,
        ..GEMM
    };
    let insns = [Insn::Gemm(GEMM), Insn::Gemm(reset)];
    assert_eq!(outputs(&[uop(0, 0, 0)], &insns), [26, 0, 0, 0]);
    let again = [insns[0], insns[1], Insn::Gemm(GEMM)];
    assert_eq!(outputs(&[uop(0, 0, 0)], &again), [16, 0, 0, 0]);
}

/// Upstream reads the destination: 10 + 1.
#[test]
fn immediate_reads_the_source_index() {
    assert_eq!(outputs(&[uop(0, 3, 0)], &[Insn::Alu(IMM)]), [14, 0, 0, 0]);
}

/// Upstream looks at the sign of the operand, the hardware at bit 15 of the
/// immediate field, which register forms do not use otherwise. Operand -2:
/// right by 30, or left by 2.
#[test]
fn immediate_sign_bit_directs_register_shifts() {
    let shr = Alu {
        alu_opcode: AluOpcode::Shr,
        use_imm: false,
        ..ALU
    };
    // acc 1 = min(11, -2) = -2.
    let minus_2 = Alu {
        alu_opcode: AluOpcode::Min,
        imm: -2,
        uop_bgn: 1,
        uop_end: 2,
        ..ALU
    };
    let uops = [uop(0, 1, 0), uop(1, 1, 0)];
    let right = [Insn::Alu(minus_2), Insn::Alu(shr)];
    assert_eq!(outputs(&uops, &right), [0, 254, 0, 0]);
    let left = [Insn::Alu(minus_2), Insn::Alu(Alu { imm: -1, ..shr })];
    assert_eq!(outputs(&uops, &left), [40, 254, 0, 0]);
}

/// Five bits of the operand: by 33 is by 1. Undefined behaviour upstream.
#[test]
fn shifts_are_modulo_32() {
    let by = |imm| {
        [Insn::Alu(Alu {
            alu_opcode: AluOpcode::Shr,
            imm,
            ..ALU
        })]
    };
    assert_eq!(outputs(&[uop(0, 0, 0)], &by(33)), [5, 0, 0, 0]);
    assert_eq!(outputs(&[uop(0, 0, 0)], &by(-33)), [20, 0, 0, 0]);
}

/// Upstream executes opcode 4 as MUL and memory type 5 as an 8-bit
/// accumulator load, and stops at others; the hardware decodes none of them.
#[test]
fn mul_and_8_bit_accumulator_loads_are_not_decoded() {
    let field = |fields: &[Field], name, word: u128, value| {
        let f = fields
            .iter()
            .find(|f| f.name == name)
            .expect("the field is there");
        f.set(word, value).expect("it fits")
    };
    for bits in 4..8 {
        let mul = field(ALU_FIELDS, "alu_opcode", ALU.word(), bits);
        assert!(Insn::decode(mul).is_err(), "ALU opcode {bits}");
        let acc8 = field(LOAD_FIELDS, "memory_type", LOAD.word(), bits);
        assert!(Insn::decode(acc8).is_err(), "memory type {bits}");
    }
    for opcode in 5..8 {
        assert!(Insn::decode(opcode).is_err(), "opcode {opcode}");
    }
}

/// Upstream does nothing in either; the counters of the hardware wrap.
#[test]
fn no_trips_are_16384_trips() {
    let loops = Gemm {
        iter_in: 0,
        dst_factor_in: 1,
        ..GEMM
    };
    // 8 rounds through 2048 accumulators: 10 + 8 * 16 in the first.
    let rounds = outputs(&[uop(0, 0, 0)], &[Insn::Gemm(loops)]);
    assert_eq!(rounds, [10, 11, 12, 13].map(|a| a + 8 * 16));
    let range = Gemm {
        uop_bgn: 1,
        uop_end: 1,
        ..GEMM
    };
    let g = |g| [Insn::Gemm(g)];
    // Micro-op 1 runs in each of 8 rounds through 2048 of them.
    let once = outputs(&[uop(0, 0, 0), uop(1, 0, 0)], &g(range));
    assert_eq!(once[1], 11 + 8 * 16);
}

/// Upstream stops at an index past the end (`CHECK_LT`).
#[test]
fn indices_wrap_at_the_depth() {
    let g = Gemm {
        dst_factor_in: 2047,
        iter_in: 3,
        ..GEMM
    };
    // Accumulators 2, 2049 mod 2048 = 1, 4096 mod 2048 = 0.
    assert_eq!(outputs(&[uop(2, 0, 0)], &[Insn::Gemm(g)]), [26, 27, 28, 0]);
}
