//! Programs: one instruction after the other, with a token left out, with any
//! tokens.

use super::empty::{COMPUTE, FINISH};
use super::insn::{Style, insn};
use super::listing::Listing;
use super::pipeline::{Bases, pipeline};
use crate::config::HwConfig;
use crate::isa::{Deps, Insn, Unit};
use proptest::prelude::*;
use proptest::sample::Index;

fn word(insn: Insn) -> u128 {
    insn.encode().expect("every field is in range")
}

fn deps() -> impl Strategy<Value = Deps> {
    let flag = || prop::bool::weighted(0.2);
    (flag(), flag(), flag(), flag()).prop_map(|(pop_prev, pop_next, push_prev, push_next)| Deps {
        pop_prev,
        pop_next,
        push_prev,
        push_next,
    })
}

/// The instruction with other dependency flags.
pub fn with_deps(insn: Insn, d: Deps) -> Insn {
    macro_rules! set {
        ($name:ident, $i:expr) => {{
            let mut i = $i;
            (i.pop_prev_dep, i.pop_next_dep) = (d.pop_prev, d.pop_next);
            (i.push_prev_dep, i.push_next_dep) = (d.push_prev, d.push_next);
            Insn::$name(i)
        }};
    }
    match insn {
        Insn::Load(i) => set!(Load, i),
        Insn::Store(i) => set!(Store, i),
        Insn::Gemm(i) => set!(Gemm, i),
        Insn::Finish(i) => set!(Finish, i),
        Insn::Alu(i) => set!(Alu, i),
    }
}

/// A word of a racy program: mostly instructions with random flags, sometimes
/// FINISH in the middle, sometimes bits that nothing decodes.
fn racy_word(c: &HwConfig) -> BoxedStrategy<u128> {
    let flagged = (insn(c, Style::Wild), deps()).prop_map(|(i, d)| word(with_deps(i, d)));
    let finish = deps().prop_map(|d| word(with_deps(Insn::Finish(FINISH), d)));
    let illegal = any::<u128>().prop_map(|w| w | 5);
    prop_oneof![60 => flagged, 1 => finish, 1 => illegal].boxed()
}

/// Programs with wrong tokens, races, hazards, endless loops and illegal words;
/// most end with FINISH. Their accesses stay inside DRAM.
pub fn racy(configs: impl Strategy<Value = HwConfig>) -> impl Strategy<Value = Listing> {
    configs
        .prop_flat_map(|c| {
            let words = prop::collection::vec(racy_word(&c), 1..30);
            (
                Just(c),
                words,
                any::<u64>(),
                prop::bool::weighted(0.9),
                0..4u32,
            )
        })
        .prop_map(|(c, mut words, seed, ends, shift)| {
            if ends {
                words.push(word(Insn::Finish(FINISH)));
            }
            let mut listing = Listing::new(c, words, seed);
            listing.insn_addr += 8 * shift;
            listing
        })
}

/// The instructions with tokens that make each wait for all before it, and FINISH
/// at the end. Between load and store stands an empty instruction of compute, as
/// they have no tokens for each other.
pub fn serial_order(insns: &[Insn]) -> Vec<Insn> {
    let mut all: Vec<Insn> = Vec::new();
    let finish = [Insn::Finish(FINISH)];
    for &next in insns.iter().chain(&finish) {
        let before = all.last().map(Insn::unit);
        if matches!(
            (before, next.unit()),
            (Some(Unit::Load), Unit::Store) | (Some(Unit::Store), Unit::Load)
        ) {
            all.push(Insn::Load(COMPUTE));
        }
        all.push(next);
    }
    let units: Vec<Unit> = all.iter().map(Insn::unit).collect();
    let order = |u: Unit| u as i32;
    all.iter()
        .enumerate()
        .map(|(i, insn)| {
            let here = order(units[i]);
            let from = i.checked_sub(1).map(|j| order(units[j]) - here);
            let to = units.get(i + 1).map(|u| order(*u) - here);
            let d = Deps {
                pop_prev: from == Some(-1),
                pop_next: from == Some(1),
                push_prev: to == Some(-1),
                push_next: to == Some(1),
            };
            with_deps(*insn, d)
        })
        .collect()
}

/// Programs of one instruction after the other. Values may meet the hazards of
/// the ALU, which the hardware asserts; everything else ends with FINISH.
pub fn serial(configs: impl Strategy<Value = HwConfig>) -> impl Strategy<Value = Listing> {
    configs
        .prop_flat_map(|c| {
            let insns = prop::collection::vec(insn(&c, Style::Tame), 1..20);
            (Just(c), insns, any::<u64>())
        })
        .prop_map(|(c, insns, seed)| {
            let words = serial_order(&insns).into_iter().map(word).collect();
            Listing::new(c, words, seed)
        })
}

/// Programs whose tokens work: [`serial`] ones and pipelines. Program order and
/// the units side by side give the same bytes, but for what the hardware cannot do
/// whatever the tokens are: hazards of the ALU in serial programs, and, on some of
/// [`configs`](super::configs), loads that come round the counter of beats in
/// flight, which end early or are asserted.
pub fn valid(configs: impl Strategy<Value = HwConfig> + Clone) -> impl Strategy<Value = Listing> {
    let pipelines = pipeline(configs.clone()).prop_map(|p| p.listing(Bases::default()));
    prop_oneof![serial(configs), pipelines]
}

/// Pipelines with one dependency flag less: a token that is not given, or not
/// waited for. Some hang, some race, some end with the same bytes all the same.
pub fn token_left_out(configs: impl Strategy<Value = HwConfig>) -> impl Strategy<Value = Listing> {
    (pipeline(configs), any::<Index>()).prop_map(|(p, pick)| {
        let mut listing = p.listing(Bases::default());
        let insns: Vec<Insn> = listing.insns().map(|i| i.expect("encoded")).collect();
        let flags = |d: Deps| [d.pop_prev, d.pop_next, d.push_prev, d.push_next];
        let all: Vec<(usize, usize)> = (0..insns.len())
            .flat_map(|i| (0..4).map(move |f| (i, f)))
            .filter(|&(i, f)| flags(insns[i].deps())[f])
            .collect();
        let &(i, f) = pick.get(&all);
        let mut d = insns[i].deps();
        let flag = match f {
            0 => &mut d.pop_prev,
            1 => &mut d.pop_next,
            2 => &mut d.push_prev,
            _ => &mut d.push_next,
        };
        *flag = false;
        listing.words[i] = word(with_deps(insns[i], d));
        listing
    })
}
