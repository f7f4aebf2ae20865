//! ALU steps that follow each other closely, against their definition.

use super::hazard::scan_period;
use super::steps::Steps;
use super::{Core, Hazard, HazardKind, Simd, upstream};
use proptest::prelude::*;
use proptest::sample::select;
use vta_program::config::HwConfig;
use vta_program::isa::{Alu, AluOpcode, Insn, Uop};
use vta_program::mem::Dram;

/// Indices of all steps as the registers hold them.
fn indices(a: &Alu, uops: &[Uop], c: &HwConfig) -> Vec<(u32, u32)> {
    let mut steps = Vec::new();
    for o in 0..u32::from(a.iter_out) {
        for i in 0..u32::from(a.iter_in) {
            for u in &uops[usize::from(a.uop_bgn)..usize::from(a.uop_end)] {
                let at =
                    |out: u16, inn: u16| (o * u32::from(out) + i * u32::from(inn)) % c.acc_depth;
                let dst = at(a.dst_factor_out, a.dst_factor_in) + u32::from(u.dst_idx);
                let src = at(a.src_factor_out, a.src_factor_in) + u32::from(u.src_idx);
                steps.push((dst % 2048, src + u32::from(u.wgt_idx) * c.inp_depth));
            }
        }
    }
    steps
}

fn hazard(a: &Alu, steps: &[(u32, u32)]) -> Option<Hazard> {
    let pairs = steps.windows(2).zip(1..);
    let mut met = pairs.filter_map(|(w, step)| {
        let (index, kind) = match a.use_imm {
            true => (w[1].0, HazardKind::Dst),
            false => (w[1].1, HazardKind::Src),
        };
        (index == w[0].0).then_some(Hazard { step, kind, index })
    });
    met.next()
}

/// One lane: each step reads its source before the step before it writes.
fn lane(a: &Alu, steps: &[(u32, u32)], c: &HwConfig, acc: &mut [i32], out: &mut [i8]) {
    let cell = |i: u32| (i % c.acc_depth) as usize;
    let mut pending = None;
    for &(dst, src) in steps {
        let source = acc[cell(src)];
        if let Some((at, value)) = pending.take() {
            acc[at] = value;
        }
        let (x, y) = match a.use_imm {
            true => (source, a.imm.into()),
            false => (acc[cell(dst)], source),
        };
        let value = match a.alu_opcode {
            AluOpcode::Min => x.min(y),
            AluOpcode::Max => x.max(y),
            AluOpcode::Add => x.wrapping_add(y),
            AluOpcode::Shr if a.imm < 0 => x << (y.wrapping_neg() & 31),
            AluOpcode::Shr => x >> (y & 31),
        };
        pending = Some((cell(dst), value));
        out[(dst % c.out_depth) as usize] = value as i8;
    }
    if let Some((at, value)) = pending {
        acc[at] = value;
    }
}

prop_compose! {
    /// Few accumulators and small factors: steps meet often.
    fn instruction(uops: u16)(
        trips in [1..6u16, 1..6u16],
        dst in [0..4u16, 0..4u16],
        src in [0..4u16, 0..4u16],
        far in prop::bool::weighted(0.3),
        uop_bgn in 0..uops,
        alu_opcode in select(AluOpcode::ALL.to_vec()),
        use_imm: bool,
        imm in -40..40i16,
    ) -> Alu {
        Alu {
            pop_prev_dep: false,
            pop_next_dep: false,
            push_prev_dep: false,
            push_next_dep: false,
            reset_reg: false,
            uop_bgn,
            uop_end: uops,
            iter_out: trips[0],
            iter_in: trips[1],
            dst_factor_out: if far { 8 } else { dst[0] },
            dst_factor_in: dst[1],
            src_factor_out: if far { 8 } else { src[0] },
            src_factor_in: src[1],
            alu_opcode,
            use_imm,
            imm,
        }
    }
}

fn uops() -> impl Strategy<Value = Vec<Uop>> {
    let low = || prop_oneof![8 => 0..6u16, 1 => 0..80u16];
    let high = prop_oneof![20 => Just(0u16), 1 => 0..3u16];
    let one = (low(), low(), high).prop_map(|(dst_idx, src_idx, wgt_idx)| Uop {
        dst_idx,
        src_idx,
        wgt_idx,
    });
    prop::collection::vec(one, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn close_steps_meet_as_defined(
        (uops, a) in uops().prop_flat_map(|u| (Just(u.clone()), instruction(u.len() as u16))),
        depths in [select(vec![16, 64]), select(vec![32, 64])],
        seed: u32,
    ) {
        let c = HwConfig {
            acc_depth: depths[0],
            out_depth: depths[1],
            inp_depth: 64,
            ..HwConfig::default()
        };
        let steps = indices(&a, &uops, &c);
        for simd in Simd::ALL {
            let Some(mut core) = Core::with_simd(&c, simd) else {
                continue;
            };
            let pads = core.pads_mut();
            for (word, uop) in pads.uop.iter_mut().zip(&uops) {
                *word = uop.to_bits().expect("it fits");
            }
            for (k, x) in pads.acc.iter_mut().enumerate() {
                *x = (k as u32).wrapping_mul(seed | 1).wrapping_add(seed) as i32;
            }
            let mut want = core.pads().clone();
            let mut without = core.pads().clone();
            upstream::alu(&c, &mut without, &a, &[]);
            prop_assert_eq!(core.alu_hazard(&a), hazard(&a, &steps));
            core.exec(&Insn::Alu(a), &mut Dram::default()).expect("it touches no DRAM");
            for l in 0..16 {
                let mut acc: Vec<_> = want.acc.iter().skip(l).step_by(16).copied().collect();
                let mut out: Vec<_> = want.out.iter().skip(l).step_by(16).copied().collect();
                lane(&a, &steps, &c, &mut acc, &mut out);
                for (t, v) in want.acc.iter_mut().skip(l).step_by(16).zip(acc) {
                    *t = v;
                }
                for (t, v) in want.out.iter_mut().skip(l).step_by(16).zip(out) {
                    *t = v;
                }
            }
            prop_assert!(*core.pads() == want, "{:?}", simd);
            prop_assert!(without == want, "without a difference");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4000,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    /// Loops that come to the same sums again, more than once.
    #[test]
    fn a_period_tells_what_all_steps_tell(
        (uops, a) in uops().prop_flat_map(|u| (Just(u.clone()), instruction(u.len() as u16))),
        trips in [1..40u16, 1..40u16],
        factors in [0..20u16, 0..20, 0..20, 0..20],
        acc_depth in select(vec![2, 4, 16]),
    ) {
        let c = HwConfig {
            acc_depth,
            inp_depth: 64,
            ..HwConfig::default()
        };
        let [dst_factor_out, dst_factor_in, src_factor_out, src_factor_in] = factors;
        let a = Alu {
            iter_out: trips[0],
            iter_in: trips[1],
            dst_factor_out,
            dst_factor_in,
            src_factor_out,
            src_factor_in,
            ..a
        };
        let words: Vec<u32> = uops.iter().map(|u| u.to_bits().expect("it fits")).collect();
        let mut pad = vec![0; c.uop_depth as usize];
        pad[..words.len()].copy_from_slice(&words);
        let expected = hazard(&a, &indices(&a, &uops, &c));
        prop_assert_eq!(scan_period(&Steps::new(&a, &pad, &c)), expected);
    }
}

/// 2^42 steps, and pairs that only just do not meet.
#[test]
fn loops_of_any_length_are_looked_at_in_time() {
    let c = HwConfig::default();
    let (mut core, mut a) = (Core::new(&c), Alu::from_bits(4).expect("an opcode alone"));
    (a.dst_factor_out, a.dst_factor_in) = (1142, 1717);
    (a.src_factor_out, a.src_factor_in) = (232, 223);
    for (n, word) in core.pads_mut().uop.iter_mut().enumerate() {
        // Sources below all destinations, also where both have wrapped.
        let uop = Uop {
            dst_idx: 2047,
            src_idx: 2047,
            wgt_idx: 1 + (n % 1000) as u16,
        };
        *word = uop.to_bits().expect("it fits");
    }
    assert_eq!(a.steps(), 1 << 42);
    assert_eq!(core.alu_hazard(&a), None);
    // With an immediate the destination of the next step is the same.
    a.use_imm = true;
    assert_eq!(core.alu_hazard(&a).map(|h| h.step), Some(1));
}
