//! Each instruction's bytes against the second implementation.

use super::naive::State;
use proptest::prelude::*;
use vta_program::isa::{Gemm, Insn};
use vta_program::mem::Dram;
use vta_program::strategies::{Style, alu, built_in_configs, fill, gemm, load, store};
use vta_sim::fsim::{Core, Simd};
use vta_test_support::cases;
use vta_test_support::runs::GEMM;

/// Random scratchpads.
pub fn fill_pads(core: &mut Core, seed: u64) {
    let pads = core.pads_mut();
    let mut bytes = vec![0; 4 * pads.acc.len()];
    fill(&mut bytes, seed);
    let words = bytes
        .chunks_exact(4)
        .map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]]));
    for (acc, w) in pads.acc.iter_mut().zip(words.clone()) {
        *acc = w as i32;
    }
    for (uop, w) in pads.uop.iter_mut().zip(words) {
        *uop = w.rotate_left(7);
    }
    for pad in [&mut pads.inp, &mut pads.wgt, &mut pads.out] {
        for (cell, b) in pad.iter_mut().zip(bytes.iter().cycle()) {
            *cell = *b as i8;
        }
    }
}

/// A GEMM over every weight: whatever a load before it changed is used.
fn sweep() -> impl Strategy<Value = Insn> {
    (1..=3u16).prop_map(|wgt_factor_in| {
        Insn::Gemm(Gemm {
            iter_in: 1024,
            dst_factor_in: 1,
            src_factor_in: 5,
            wgt_factor_in,
            ..GEMM
        })
    })
}

proptest! {
    #![proptest_config(cases(100))]

    /// LOAD of every kind with strides and padding, STORE, GEMM, ALU: all
    /// scratchpads and the whole DRAM are equal after each instruction. ALU
    /// instructions whose steps meet in the pipeline are left out (`timing::alu`
    /// has those).
    #[test]
    fn every_instruction_computes_what_the_plain_loops_compute(
        (cfg, insns, seed) in built_in_configs().prop_flat_map(|c| {
            let tame = Style::Tame;
            let one = prop_oneof![
                3 => load(&c, tame),
                1 => store(&c),
                1 => gemm(tame),
                1 => alu(tame),
                1 => sweep(),
            ];
            (Just(c), prop::collection::vec(one, 1..8), any::<u64>())
        })
    ) {
        let mut image = vec![0; 1 << 20];
        fill(&mut image, seed);
        for simd in Simd::ALL {
            let Some(mut core) = Core::with_simd(&cfg, simd) else {
                continue;
            };
            fill_pads(&mut core, seed.rotate_left(17));
            let mut naive = State::new(&cfg, core.pads(), &image);
            let mut dram = Dram::new(image.clone());
            for insn in &insns {
                if matches!(insn, Insn::Alu(a) if naive.conflicts(a)) {
                    continue;
                }
                core.exec(insn, &mut dram).expect("it stays inside DRAM");
                naive.exec(insn);
                let same = *core.pads() == naive.pads();
                prop_assert!(same, "scratchpads after {insn:?}, {simd:?}");
                prop_assert!(dram.bytes() == naive.dram, "DRAM after {insn:?}, {simd:?}");
            }
        }
    }
}
