//! The closed forms of `vta_program::timing` against the engine that ticks
//! every cycle as the RTL does: one instruction at a time, on every built-in
//! configuration and on random ones.

use proptest::prelude::*;
use proptest::sample::select;
use std::convert::Infallible;
use vta_program::config::HwConfig;
use vta_program::isa::{Alu, AluOpcode, Gemm, Insn, Load, MemoryType, Store};
use vta_program::mem::Dram;
use vta_program::timing::{self, Geometry, Padding, Rows, fetch};
use vta_sim::fsim::Core;
use vta_sim::tsim::{self, Event, Options, Sink, Status, Stop};
use vta_test_support::cases;

/// Bytes of DRAM.
const DRAM: u32 = 8 << 20;
/// Where elements lie.
const DATA: u32 = 1 << 20;

/// A built-in configuration, or one with another block, bus and memory.
fn configs() -> impl Strategy<Value = HwConfig> {
    let built_in = select(HwConfig::BUILT_IN.to_vec())
        .prop_map(|name| HwConfig::built_in(name).expect("it is built in"));
    let random = (
        select(vec![4, 8, 16, 32, 64]),
        select(vec![64, 128, 256, 512]),
        1..=8_u32,
        prop_oneof![Just(0), Just(1), 2..40_u32, 500..600_u32],
    );
    let random = random.prop_filter_map("the RTL elaborates", |(block, bits, len, delay)| {
        let c = HwConfig {
            name: "random".into(),
            block,
            mem_data_bits: bits,
            mem_len_bits: len,
            mem_delay: delay,
            ..HwConfig::default()
        };
        c.check().is_ok().then_some(c)
    });
    prop_oneof![built_in.boxed(), random.boxed()]
}

/// When the first instruction left idle and its queue.
#[derive(Default)]
struct Ends {
    start: Option<u64>,
    end: Option<u64>,
}

impl Sink for Ends {
    type Error = Infallible;

    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop> {
        match event {
            Event::InsnStart { insn: 0, .. } => self.start = Some(cycle),
            Event::InsnEnd { insn: 0, .. } => self.end = Some(cycle),
            _ => {}
        }
        Ok(())
    }
}

struct Ran {
    start: u64,
    /// Cycles of the first instruction, if it ended.
    cycles: Option<u64>,
    /// Cycles from its start to an assertion of the ALU.
    assert: Option<u64>,
    stats: tsim::Stats,
}

/// Runs instructions at `addr`, cycle by cycle, without FINISH.
fn run(c: &HwConfig, addr: u32, insns: &[Insn]) -> Ran {
    let mut dram = Dram::new(vec![0; DRAM as usize]);
    for (i, insn) in insns.iter().enumerate() {
        let word = insn.encode().expect("every field is in range");
        let at = u64::from(addr) + 16 * i as u64;
        let to = dram.write(at, 16).expect("it is inside");
        to.copy_from_slice(&word.to_le_bytes());
    }
    let options = Options {
        jump: false,
        max_cycles: 1_000_000,
        ..Options::default()
    };
    let mut ends = Ends::default();
    let count = insns.len() as u32;
    let done = tsim::run(c, &mut dram, addr, count, options, &mut ends).expect("it is inside");
    let start = ends.start.expect("it starts");
    Ran {
        start,
        cycles: ends.end.map(|end| end - start + 1),
        assert: matches!(done.status, Status::Assert { .. }).then(|| done.cycles - start),
        stats: done.stats,
    }
}

fn loads() -> impl Strategy<Value = Load> {
    let sizes = (1..=6_u16, prop_oneof![1..=12_u16, 1..=90_u16], 0..=100_u16);
    let pad = || prop_oneof![2 => Just(0), 1 => 0..=15_u8];
    (
        select(MemoryType::ALL.to_vec()),
        sizes,
        (pad(), pad(), pad(), pad()),
        0..2000_u32,
    )
        .prop_map(|(memory_type, (y_size, x_size, x_stride), pads, at)| Load {
            memory_type,
            dram_base: at,
            y_size,
            x_size,
            x_stride,
            y_pad_0: pads.0,
            y_pad_1: pads.1,
            x_pad_0: pads.2,
            x_pad_1: pads.3,
            ..Load::from_bits(0).expect("the opcode alone is a LOAD")
        })
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn loads_take_as_long(c in configs(), l in loads()) {
        let pad = l.memory_type.scratchpad();
        let (bytes, depth) = (c.elem_bytes(pad), c.depth(pad));
        let l = Load { dram_base: (DATA + 64 * l.dram_base) / bytes, ..l };
        let geo = Geometry::new(&c, bytes);
        let rows = Rows::of_load(geo, &l);
        // The counter of beats in flight holds a scratchpad.
        let fits = u32::from(l.x_size) * u32::from(l.y_size) < depth;
        prop_assume!(fits && rows.y_size * (rows.x_stride + rows.x_size) * bytes < DRAM - DATA - 64 * 2000);
        let ran = run(&c, 0x1000, &[Insn::Load(l)]);
        let cycles = timing::load(geo, &rows, Padding::new(&l), l.y_pad_0, c.mem_delay);
        prop_assert_eq!(ran.cycles, Some(cycles), "{:?} {:?}", c, l);
        let (beats, bursts) = timing::Bursts::new(geo, &rows).total();
        let read = |all: [u64; 5]| all[1..].iter().sum::<u64>();
        prop_assert_eq!((read(ran.stats.read_beats), read(ran.stats.read_bursts)), (beats, bursts));
    }

    #[test]
    fn stores_take_as_long(
        c in configs(),
        (y_size, x_size, x_stride) in (1..=6_u16, prop_oneof![1..=12_u16, 1..=90_u16], 0..=100_u16),
        at in 0..2000_u32,
    ) {
        let s = Store {
            dram_base: (DATA + 64 * at) / c.out_bytes(),
            y_size,
            x_size,
            x_stride,
            ..Store::from_bits(1).expect("the opcode alone is a STORE")
        };
        let geo = Geometry::new(&c, c.out_bytes());
        let done = timing::store(geo, &Rows::of_store(geo, &s));
        let ran = run(&c, 0x1000, &[Insn::Store(s)]);
        prop_assert_eq!(ran.cycles, Some(done.cycles), "{:?} {:?}", c, s);
        prop_assert_eq!((ran.stats.write_beats, ran.stats.write_bursts), (done.beats, done.bursts));
    }

    #[test]
    fn pipelines_take_as_long(
        c in configs(),
        (outer, inner, uops) in (1..=9_u16, 1..=9_u16, 1..=3_u16),
        factors in (0..=2_u16, 0..=2_u16, 0..=2_u16, 0..=2_u16),
        reset in any::<bool>(),
        imm in any::<bool>(),
    ) {
        let gemm = Gemm {
            uop_end: uops,
            iter_out: outer,
            iter_in: inner,
            reset_reg: reset,
            ..Gemm::from_bits(2).expect("the opcode alone is a GEMM")
        };
        let ran = run(&c, 0x1000, &[Insn::Gemm(gemm)]);
        prop_assert_eq!(ran.cycles, Some(timing::gemm(gemm.steps())));
        let alu = Alu {
            uop_end: uops,
            iter_out: outer,
            iter_in: inner,
            dst_factor_out: factors.0,
            dst_factor_in: factors.1,
            src_factor_out: factors.2,
            src_factor_in: factors.3,
            use_imm: imm,
            alu_opcode: AluOpcode::Add,
            ..Alu::from_bits(4).expect("the opcode alone is an ALU instruction")
        };
        let ran = run(&c, 0x1000, &[Insn::Alu(alu)]);
        match Core::new(&c).alu_hazard(&alu) {
            None => {
                prop_assert_eq!(ran.cycles, Some(timing::alu(alu.steps(), imm)));
            }
            Some(h) => {
                prop_assert_eq!(ran.assert, Some(timing::alu_assert(h.step, imm)), "{:?}", alu);
            }
        }
    }

    #[test]
    fn batches_come_as_soon(c in configs(), share in 0.0..=1.0_f64, at in 0..64_u32) {
        prop_assume!(fetch::counts_beats(&c));
        let batch = fetch::batch(&c);
        let insns = 1 + (f64::from(batch - 1) * share) as u32;
        let empty = Insn::Load(Load::from_bits(0).expect("the opcode alone is a LOAD"));
        let addr = 0x1000 + 8 * at;
        let ran = run(&c, addr, &vec![empty; insns as usize]);
        prop_assert_eq!(ran.start, fetch::first_dispatch(&c, addr, insns) + 1, "{:?} {}", c, insns);
        prop_assert_eq!(ran.cycles, Some(timing::EMPTY));
        let bursts = fetch::bursts(&c, addr, insns).total();
        prop_assert_eq!((ran.stats.read_beats[0], ran.stats.read_bursts[0]), bursts);
    }
}

#[test]
fn a_store_of_one_element_is_as_the_hardware_has_it() {
    let de10 = HwConfig::default();
    let geo = Geometry::new(&de10, de10.out_bytes());
    let rows = |x_size, y_size| Rows {
        addr: 0x8000,
        x_size,
        y_size,
        x_stride: 8,
    };
    let cycles = [(1, 1), (3, 1), (1, 3)].map(|(x, y)| timing::store(geo, &rows(x, y)).cycles);
    assert_eq!(cycles, [7, 13, 19]);
}
