//! The strategies give what they say, also while a case shrinks.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::BTreeSet;
use vta_program::config::HwConfig;
use vta_program::isa::{FORMATS, Insn, Kind, Unit};
use vta_program::strategies::*;
use vta_test_support::cases;

/// Tokens given less tokens taken: load to compute, compute to load, compute to
/// store, store to compute.
fn balance(l: &Listing) -> [i32; 4] {
    let mut left = [0; 4];
    for insn in l.insns().map(|i| i.expect("it decodes")) {
        let d = insn.deps();
        let [push_prev, push_next] = [d.push_prev, d.push_next].map(i32::from);
        let [pop_prev, pop_next] = [d.pop_prev, d.pop_next].map(i32::from);
        match insn.unit() {
            Unit::Load => (left[0], left[1]) = (left[0] + push_next, left[1] - pop_next),
            Unit::Compute => {
                (left[0], left[1]) = (left[0] - pop_prev, left[1] + push_prev);
                (left[2], left[3]) = (left[2] + push_next, left[3] - pop_next);
            }
            Unit::Store => (left[2], left[3]) = (left[2] - pop_prev, left[3] + push_prev),
        }
    }
    left
}

/// Tokens that are left where all are given and taken: a pipeline does not take
/// back the last two that say that buffers of load are free.
fn left(l: &Listing) -> [i32; 4] {
    let store = |i: &Insn| matches!(i, Insn::Store(_));
    let is_pipeline = !l.uops.is_empty();
    let tiles = l.insns().map_while(Result::ok).filter(store).count();
    [0, i32::from(is_pipeline) * tiles.min(2) as i32, 0, 0]
}

/// By how many tokens a program is off.
fn off(l: &Listing) -> i32 {
    let both = balance(l).into_iter().zip(left(l));
    both.map(|(a, b)| (a - b).abs()).sum()
}

/// What must hold of a program whose tokens work.
fn assert_valid(l: &Listing) {
    assert_eq!(l.program().validate(), Ok(()), "{l:?}");
    assert_eq!(balance(l), left(l), "{l:?}");
    let finishes = |i: &Insn| matches!(i, Insn::Finish(_));
    let insns: Vec<Insn> = l.insns().map(|i| i.expect("it decodes")).collect();
    assert_eq!(insns.iter().position(finishes), Some(insns.len() - 1));
}

/// A few values, each with all that it shrinks to.
fn shrunk<S: Strategy>(s: S, mut each: impl FnMut(&S::Value)) {
    let mut runner = TestRunner::new(cases(1));
    for _ in 0..20 {
        let mut tree = s.new_tree(&mut runner).expect("it generates");
        each(&tree.current());
        for step in 0..40 {
            let moved = match step % 4 {
                3 => tree.complicate(),
                _ => tree.simplify(),
            };
            if moved {
                each(&tree.current());
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn configurations_can_be_built(c in configs()) {
        prop_assert_eq!(c.check(), Ok(()));
    }

    #[test]
    fn instructions_encode_and_stay(insn in any_insn()) {
        let word = insn.encode();
        prop_assert!(word.is_ok(), "{:?}", word);
        prop_assert_eq!(Insn::decode(word.unwrap()), Ok(insn));
    }

    #[test]
    fn micro_ops_encode(u in uop()) {
        prop_assert!(u.to_bits().is_ok());
    }

    #[test]
    fn valid_programs_have_tokens_that_meet(l in valid(configs())) {
        assert_valid(&l);
    }

    #[test]
    fn one_token_is_left_out(l in token_left_out(configs())) {
        prop_assert_eq!(l.program().validate(), Ok(()));
        prop_assert_eq!(off(&l), 1);
    }

    #[test]
    fn racy_programs_can_be_loaded(l in racy(configs())) {
        prop_assert_eq!(l.program().validate(), Ok(()));
    }
}

#[test]
fn fields_have_their_values_and_their_ends() {
    let mut runner = TestRunner::new(cases(1));
    for f in FORMATS.iter().flat_map(|f| f.2) {
        let strategy = field(f);
        let values: BTreeSet<i128> = (0..200)
            .map(|_| {
                strategy
                    .new_tree(&mut runner)
                    .expect("it generates")
                    .current()
            })
            .collect();
        for v in &values {
            assert!(f.set(0, *v).is_ok(), "{} = {v}", f.name);
        }
        match f.kind {
            Kind::Opcode | Kind::Reserved => assert_eq!(values, [0].into(), "{}", f.name),
            Kind::Enum(names) => {
                let names = names.iter().map(|n| i128::from(n.0)).collect();
                assert_eq!(values, names, "{}", f.name);
            }
            _ => assert!(
                values.contains(&f.min()) && values.contains(&f.max()),
                "{}",
                f.name
            ),
        }
    }
}

/// Every block size, bus and burst length, and the ends of every depth.
#[test]
fn all_kinds_of_configurations_are_reached() {
    let mut runner = TestRunner::new(cases(1));
    let all: Vec<HwConfig> = (0..2000)
        .map(|_| {
            configs()
                .new_tree(&mut runner)
                .expect("it generates")
                .current()
        })
        .collect();
    let seen = |f: &dyn Fn(&HwConfig) -> u32| all.iter().map(f).collect::<BTreeSet<u32>>();
    assert_eq!(seen(&|c| c.block), [4, 8, 16, 32, 64].into());
    assert_eq!(seen(&|c| c.mem_data_bits), [64, 128, 256, 512].into());
    assert_eq!(seen(&|c| c.mem_len_bits), (1..=8).collect());
    let most = [8192, 2048, 1024, 2048, 8192];
    for (i, most) in most.into_iter().enumerate() {
        let depths = seen(&|c| c.depths()[i]);
        assert_eq!(
            (depths.first(), depths.last()),
            (Some(&2), Some(&most)),
            "{i}"
        );
    }
}

#[test]
fn what_shrinks_stays_valid() {
    shrunk(valid(configs()), assert_valid);
    shrunk(configs(), |c| assert_eq!(c.check(), Ok(())));
    shrunk(token_left_out(configs()), |l| {
        assert_eq!(off(l), 1, "{l:?}")
    });
}

#[test]
fn words_are_decoded_and_refused() {
    let mut runner = TestRunner::new(cases(1));
    let (mut decoded, mut reserved, mut refused) = (0, 0, 0);
    for _ in 0..400 {
        let word = word()
            .new_tree(&mut runner)
            .expect("it generates")
            .current();
        match Insn::decode(word) {
            Ok(insn) if insn.encode() == Ok(word) => decoded += 1,
            Ok(_) => reserved += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(
        decoded > 200 && reserved > 10 && refused > 5,
        "{decoded} {reserved} {refused}"
    );
}
