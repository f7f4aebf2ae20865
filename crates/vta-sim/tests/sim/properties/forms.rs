//! Loops as compilers make them, which the kernels do as a whole, in every form
//! that the processor has and every block size, against plain loops.

use super::bytes::fill_pads;
use super::naive::State;
use proptest::prelude::*;
use proptest::sample::select;
use vta_program::config::HwConfig;
use vta_program::isa::{Alu, AluOpcode, Gemm, Insn, Uop};
use vta_program::mem::Dram;
use vta_sim::fsim::{Core, Simd};
use vta_test_support::cases;
use vta_test_support::runs::{ALU, GEMM};

/// Every block size; outputs fewer than, as many as and more than accumulators.
fn config() -> impl Strategy<Value = HwConfig> {
    let block = select(vec![4, 8, 16, 32, 64]);
    (block, select(vec![64, 256, 512])).prop_map(|(block, out_depth)| HwConfig {
        block,
        uop_depth: 256,
        inp_depth: 256,
        wgt_depth: 64,
        acc_depth: 256,
        out_depth,
        ..HwConfig::default()
    })
}

/// Factors of dst, src, wgt: often those of rows, rows of rows, repeats.
fn factors() -> impl Strategy<Value = [u16; 3]> {
    let dst = prop_oneof![2 => Just(0u16), 4 => Just(1), 2 => 2..40u16, 1 => 0..300u16];
    let src = prop_oneof![2 => Just(0u16), 4 => Just(1), 2 => 2..40u16, 1 => 0..300u16];
    let wgt = prop_oneof![6 => Just(0u16), 1 => 1..9u16, 1 => 0..100u16];
    (dst, src, wgt).prop_map(|(d, s, w)| [d, s, w])
}

/// Micro-ops on few accumulators, mostly inside; some share an output of the
/// smallest output scratchpad.
fn uops() -> impl Strategy<Value = Vec<Uop>> {
    let one = |(dsts, apart): (u16, u16)| {
        let near = (0..dsts, 0..2u16).prop_map(move |(dst, k)| dst + k * apart);
        let far = prop_oneof![9 => near.boxed(), 1 => (0..2048u16).boxed()];
        (far, 0..140u16, 0..70u16).prop_map(|(dst_idx, src_idx, wgt_idx)| Uop {
            dst_idx,
            src_idx,
            wgt_idx,
        })
    };
    (select(vec![1, 2, 3, 40]), select(vec![0, 64]))
        .prop_flat_map(move |d| prop::collection::vec(one(d), 1..30))
}

/// Small, so that most stay inside; some rows longer than any tile.
fn trips() -> impl Strategy<Value = u16> {
    prop_oneof![2 => Just(1u16), 4 => 2..10u16, 2 => 10..60u16]
}

fn gemm(uops: u16) -> impl Strategy<Value = Gemm> {
    let reset = prop::bool::weighted(0.1);
    (trips(), trips(), factors(), factors(), 0..uops, reset).prop_map(
        move |(iter_out, iter_in, outer, inner, uop_bgn, reset_reg)| Gemm {
            reset_reg,
            uop_bgn,
            uop_end: uops,
            iter_out,
            iter_in,
            dst_factor_out: outer[0],
            dst_factor_in: inner[0],
            src_factor_out: outer[1],
            src_factor_in: inner[1],
            wgt_factor_out: outer[2],
            wgt_factor_in: inner[2],
            ..GEMM
        },
    )
}

fn alu(uops: u16) -> impl Strategy<Value = Alu> {
    let opcode = select(AluOpcode::ALL.to_vec());
    let imm = prop_oneof![Just(0i16), -40..40i16, any::<i16>()];
    let uop_bgn = prop_oneof![3 => Just(uops - 1), 1 => 0..uops];
    let loops = (trips(), trips(), factors(), factors(), any::<bool>());
    (loops, uop_bgn, opcode, any::<bool>(), imm).prop_map(
        move |((iter_out, iter_in, outer, inner, same), uop_bgn, alu_opcode, use_imm, imm)| Alu {
            uop_bgn,
            uop_end: uops,
            iter_out,
            iter_in,
            dst_factor_out: outer[0],
            dst_factor_in: inner[0],
            src_factor_out: if same { outer[0] } else { outer[1] },
            src_factor_in: if same { inner[0] } else { inner[1] },
            alu_opcode,
            use_imm,
            imm,
            ..ALU
        },
    )
}

/// Micro-ops and instructions over them.
fn program() -> impl Strategy<Value = (Vec<Uop>, Vec<Insn>)> {
    uops().prop_flat_map(|uops| {
        let n = uops.len() as u16;
        let one = prop_oneof![
            2 => gemm(n).prop_map(Insn::Gemm),
            1 => alu(n).prop_map(Insn::Alu),
        ];
        (Just(uops), prop::collection::vec(one, 1..6))
    })
}

/// A core with these micro-ops and random data.
fn core(cfg: &HwConfig, simd: Simd, uops: &[Uop], seed: u64) -> Option<Core> {
    let mut core = Core::with_simd(cfg, simd)?;
    fill_pads(&mut core, seed);
    for (word, uop) in core.pads_mut().uop.iter_mut().zip(uops) {
        *word = uop.to_bits().expect("it fits");
    }
    Some(core)
}

proptest! {
    #![proptest_config(cases(300))]

    /// All scratchpads are those of the plain loops after each instruction.
    #[test]
    fn every_form_computes_what_the_plain_loops_compute(
        cfg in config(), (uops, insns) in program(), seed: u64,
    ) {
        let mut dram = Dram::default();
        let mut naive: Option<State> = None;
        let mut want = Vec::new();
        for simd in Simd::ALL {
            let Some(mut core) = core(&cfg, simd, &uops, seed) else {
                continue;
            };
            let naive = naive.get_or_insert_with(|| State::new(&cfg, core.pads(), &[]));
            for (n, insn) in insns.iter().enumerate() {
                if matches!(insn, Insn::Alu(a) if naive.conflicts(a)) {
                    continue;
                }
                core.exec(insn, &mut dram).expect("it touches no DRAM");
                if want.len() <= n {
                    naive.exec(insn);
                    want.resize(n, naive.pads());
                    want.push(naive.pads());
                }
                prop_assert!(*core.pads() == want[n], "{simd:?} after {insn:?}");
            }
        }
    }

    /// Counters that wrap run 16384 trips: 64 times 256, if nothing but the
    /// factors tells them apart.
    #[test]
    fn zero_trips_are_16384(
        cfg in config(), uops in uops(), seed: u64, by in factors(), what in 0..3usize,
    ) {
        // 256 trips go around every scratchpad, or to where they are anyway.
        let all = Gemm {
            uop_end: 1,
            iter_in: 0,
            dst_factor_in: by[0],
            src_factor_in: by[1],
            wgt_factor_in: by[2],
            ..GEMM
        };
        let around = by.map(|f| (u32::from(f) * 256 % 2048) as u16);
        let parts = Gemm {
            iter_out: 64,
            iter_in: 256,
            dst_factor_out: around[0],
            src_factor_out: around[1],
            wgt_factor_out: around[2] % 1024,
            ..all
        };
        let (all, parts) = match what {
            0 => (all, parts),
            1 => (Gemm { reset_reg: true, ..all }, Gemm { reset_reg: true, ..parts }),
            // All micro-ops, 64 times.
            _ => (
                Gemm { uop_end: 0, iter_in: 1, ..all },
                Gemm { uop_end: 256, iter_out: 64, iter_in: 1, dst_factor_out: 0,
                    src_factor_out: 0, wgt_factor_out: 0, ..all },
            ),
        };
        let mut dram = Dram::default();
        for simd in Simd::ALL {
            let (Some(mut one), Some(mut other)) =
                (core(&cfg, simd, &uops, seed), core(&cfg, Simd::Portable, &uops, seed))
            else {
                continue;
            };
            one.exec(&Insn::Gemm(all), &mut dram).expect("it touches no DRAM");
            other.exec(&Insn::Gemm(parts), &mut dram).expect("it touches no DRAM");
            prop_assert!(one.pads() == other.pads(), "{simd:?}, {all:?}");
        }
    }
}
