//! Small programs.

use vta::config::HwConfig;
use vta::isa::{Finish, Insn, Load, MemoryType};
use vta::program::{Launch, Program, Segment, SegmentKind, Step, Symbol};

/// A FINISH without dependencies.
pub fn finish() -> Insn {
    Insn::Finish(Finish::from_bits(3).expect("the opcode alone is a FINISH"))
}

/// A LOAD of one row of uop elements.
pub fn load_uop(dram_base: u32, x_size: u16) -> Insn {
    Insn::Load(Load {
        memory_type: MemoryType::Uop,
        dram_base,
        y_size: 1,
        x_size,
        x_stride: x_size,
        ..Load::from_bits(0).expect("the opcode alone is a LOAD")
    })
}

/// The bytes of instructions.
pub fn encode(insns: &[Insn]) -> Vec<u8> {
    let words = insns.iter().map(|i| i.encode().expect("the fields fit"));
    words.flat_map(u128::to_le_bytes).collect()
}

/// A load of four micro-ops and the finish, twice.
pub fn two_launches() -> Program {
    let insns = encode(&[load_uop(2048, 4), finish(), load_uop(2052, 4), finish()]);
    let launch = |name: &str, insn_addr| {
        let symbol = |name: &str, first| Symbol {
            name: name.into(),
            first,
            count: 1,
        };
        Step::Launch(Launch {
            name: name.into(),
            insn_addr,
            insn_count: 2,
            outputs: vec![(8192, 64)],
            symbols: vec![symbol("load", 0), symbol("end", 1)],
        })
    };
    let segment = |name: &str, kind, addr, data| Segment {
        name: name.into(),
        kind,
        addr,
        bytes: 4096,
        data,
    };
    Program {
        config: HwConfig::default(),
        dram_bytes: 12288,
        segments: vec![
            segment("insns", SegmentKind::Insn, 4096, insns),
            segment("scratch", SegmentKind::Uop, 8192, (0..32).collect()),
        ],
        steps: vec![launch("first", 4096), launch("second", 4128)],
        ..Program::default()
    }
}
