//! Counters of the hardware on any configuration: a program that passes ends well,
//! however its loads fill the counters of beats.

use super::verify::{change, changed, check, sound};
use proptest::prelude::*;
use vta_program::config::{HwConfig, Scratchpad};
use vta_program::isa::{Finish, Insn, Load, MemoryType, Store, Unit};
use vta_program::strategies::{self, Bases, configs, with_deps};
use vta_test_support::cases;
use vta_test_support::runs::*;
use vta_verify::VerifyError;

/// Bytes of DRAM behind the instructions.
const DRAM: u32 = 1 << 20;

/// A load, by shares of what there is room for.
#[derive(Debug, Clone)]
struct Shape {
    memory_type: MemoryType,
    /// Elements of a row; 0: all of it in one.
    x: u32,
    /// Elements between rows.
    gap: u32,
    /// Elements of the scratchpad that are left out.
    less: u32,
    /// Where in DRAM.
    at: u32,
}

fn shape() -> impl Strategy<Value = Shape> {
    use MemoryType::{Acc, Inp, Uop, Wgt};
    (
        prop::sample::select(vec![Uop, Inp, Wgt, Acc]),
        prop_oneof![4 => 0..4u32, 1 => 0..2048u32],
        prop_oneof![Just(0), 0..40u32],
        prop_oneof![3 => Just(0), 1 => 0..4u32],
        0..64u32,
    )
        .prop_map(|(memory_type, x, gap, less, at)| Shape {
            memory_type,
            x,
            gap,
            less,
            at,
        })
}

/// A load that fills its scratchpad as far as DRAM has the elements.
fn load(c: &HwConfig, s: &Shape) -> Load {
    let pad: Scratchpad = s.memory_type.scratchpad();
    let (bytes, depth) = (c.elem_bytes(pad), c.depth(pad));
    let room = (DRAM / 2 / bytes - 64).min(depth);
    let all = room.saturating_sub(s.less).max(1);
    let x = if s.x == 0 { all } else { s.x.min(all) };
    let stride = x + s.gap;
    let y = (all / x).min(DRAM / 2 / bytes / stride).max(1);
    let small = |n: u32| u16::try_from(n).expect("depths are small");
    Load {
        memory_type: s.memory_type,
        dram_base: (DRAM / 4) / bytes + s.at,
        y_size: small(y),
        x_size: small(x),
        x_stride: small(stride),
        ..LOAD
    }
}

/// Loads of both units at once, then FINISH when all are over.
fn program(c: &HwConfig, shapes: &[Shape], insn_addr: u32) -> Program {
    let mut loads: Vec<Insn> = shapes.iter().map(|s| Insn::Load(load(c, s))).collect();
    let last = loads.iter().rposition(|i| i.unit() == Unit::Load);
    if let Some(last) = last {
        let mut deps = loads[last].deps();
        deps.push_next = true;
        loads[last] = with_deps(loads[last], deps);
    }
    let mut p = Program::of("de10", []);
    (p.cfg, p.insn_addr) = (c.clone(), insn_addr);
    p.options.max_cycles = 50_000_000;
    loads.into_iter().for_each(|l| _ = p.push(l));
    p.push(Finish {
        pop_prev_dep: last.is_some(),
        ..FINISH
    });
    p
}

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    prop::collection::vec(shape(), 1..6)
}

/// Kinds of findings that come from the configuration alone.
const LIMITS: [&str; 3] = ["ends-early", "fetch-ends-early", "torn-store"];

fn kinds(found: &[VerifyError]) -> Vec<&'static str> {
    found.iter().map(VerifyError::kind).collect()
}

proptest! {
    #![proptest_config(cases(2000))]

    /// Loads that fill their scratchpads, in rows of any length, beside each other.
    #[test]
    fn loads_that_pass_end_well(c in configs(), shapes in shapes(), at in 0..8u32) {
        let p = program(&c, &shapes, 0x1000 + 8 * at);
        match check(&p) {
            Ok(_) => prop_assert!(sound(&p)?),
            Err(found) => prop_assert!(
                kinds(&found).iter().all(|k| LIMITS.contains(k)), "{:?}", found
            ),
        }
    }
}

proptest! {
    #![proptest_config(cases(300))]

    /// Double-buffered pipelines, on every configuration that they fit.
    #[test]
    fn pipelines_that_pass_end_well(p in strategies::pipeline(configs())) {
        let mut p = Program::from(&p.listing(Bases::default()));
        p.options.max_cycles = 50_000_000;
        match check(&p) {
            Ok(_) => prop_assert!(sound(&p)?),
            Err(found) => prop_assert!(
                kinds(&found).iter().all(|k| LIMITS.contains(k)), "{:?}", found
            ),
        }
    }
}

proptest! {
    #![proptest_config(cases(500))]

    /// Pipelines with mistakes, and programs with random tokens, on every configuration.
    #[test]
    fn mistakes_that_pass_end_well(
        p in strategies::pipeline(configs()), changes in prop::collection::vec(change(), 1..4),
    ) {
        let mut p = Program::from(&p.listing(Bases::default()));
        p.options.max_cycles = 50_000_000;
        let p = changes.iter().fold(p, |p, c| changed(&p, c));
        sound(&p)?;
    }

    #[test]
    fn random_programs_that_pass_end_well(l in strategies::racy(configs())) {
        let mut p = Program::from(&l);
        p.options.max_cycles = 50_000_000;
        sound(&p)?;
    }
}

/// The properties above say something: the limits are met, and most programs pass.
#[test]
fn some_loads_pass_and_some_do_not() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let all = (configs(), shapes(), 0..8u32);
    let mut counts = [0; 3];
    for _ in 0..600 {
        let (c, shapes, at) = all.new_tree(&mut runner).expect("no filter").current();
        let found = check(&program(&c, &shapes, 0x1000 + 8 * at)).err();
        let of = found.map_or(0, |f| {
            if kinds(&f) == ["fetch-ends-early"] {
                1
            } else {
                2
            }
        });
        counts[of] += 1;
    }
    assert!(
        counts[0] > 100 && counts[1] > 2 && counts[2] > 100,
        "{counts:?}"
    );
}

/// An instruction that starts inside a beat, on a bus whose fetch holds one beat.
#[test]
fn a_fetch_that_comes_round_is_found() {
    let c = HwConfig {
        mem_data_bits: 512,
        mem_len_bits: 2,
        ..HwConfig::de10()
    };
    let at = |insn_addr| program(&c, &[], insn_addr);
    assert!(check(&at(0x1000)).is_ok());
    assert!(sound(&at(0x1000)).expect("it ends well"));
    // One instruction, in one beat and in two.
    assert!(check(&at(0x1030)).is_ok());
    assert!(sound(&at(0x1030)).expect("it ends well"));
    let split = at(0x1038);
    let found = check(&split).expect_err("it comes round");
    assert_eq!(kinds(&found), ["fetch-ends-early"]);
    assert_ne!(split.outcome().0.status, vta_sim::tsim::Status::Ok);
}

/// 64 bytes in bursts of 32: the hardware writes the first half twice.
#[test]
fn a_store_of_torn_elements_is_found() {
    let torn = |mem_len_bits| {
        let mut p = Program::of("de10", []);
        (p.cfg.block, p.cfg.mem_len_bits) = (64, mem_len_bits);
        p.push(Store {
            dram_base: 0x8000 / 64,
            y_size: 1,
            x_size: 1,
            x_stride: 1,
            ..STORE
        });
        p.push(FINISH);
        let found = check(&p).expect_err("what it stores was never written");
        kinds(&found).contains(&"torn-store")
    };
    assert_eq!([2, 3].map(torn), [true, false]);
}
