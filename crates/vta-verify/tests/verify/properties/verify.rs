//! The verifier against the simulators: what it lets pass gives the bytes of
//! program order, and what it refuses of a good program is a mistake put there.

use proptest::prelude::*;
use vta_program::isa::*;
use vta_program::strategies::{self, Bases, OUT, Pipeline, built_in_configs, with_deps};
use vta_sim::fsim::Stop;
use vta_sim::tsim::Status;
use vta_test_support::cases;
use vta_test_support::runs::*;
use vta_verify as verify;

/// With wrong tokens, hazards, endless loops, illegal words.
fn racy() -> impl Strategy<Value = Program> {
    strategies::racy(built_in_configs()).prop_map(|l| Program::from(&l))
}

fn pipeline() -> impl Strategy<Value = Pipeline> {
    strategies::pipeline(built_in_configs())
}

/// The pipeline with as many cycles as it takes.
fn placed(p: &Pipeline) -> Program {
    let mut program = Program::from(&p.listing(Bases::default()));
    program.options.max_cycles = 1_000_000;
    program
}

pub fn check(p: &Program) -> Result<verify::Report, Vec<verify::VerifyError>> {
    let count = u32::try_from(p.words.len()).expect("a short program");
    let image = p.dram().into_bytes();
    let config = p.cfg.clone();
    let program =
        vta_program::program::Program::from_image(image, p.insn_addr, count, vec![], config);
    verify::check(&program.expect("the instructions are in the image"))
}

/// A change of one instruction.
#[derive(Debug, Clone)]
pub enum Change {
    Flag(usize, u8),
    Remove(usize),
    Swap(usize),
    Sram(usize, i16),
    FromOutputs(usize, u8),
    Loops(usize, u16),
}

pub fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>().prop_map(|i| i.index(1 << 16));
    prop_oneof![
        5 => (at.clone(), 0..4u8).prop_map(|(at, flag)| Change::Flag(at, flag)),
        1 => at.clone().prop_map(Change::Remove),
        2 => at.clone().prop_map(Change::Swap),
        2 => (at.clone(), -8..8i16).prop_map(|(at, by)| Change::Sram(at, by)),
        1 => (at.clone(), 0..32u8).prop_map(|(at, by)| Change::FromOutputs(at, by)),
        1 => (at, 1..9u16).prop_map(|(at, n)| Change::Loops(at, n)),
    ]
}

fn toggled(i: Insn, flag: u8) -> Insn {
    let mut d = i.deps();
    let flags = [
        &mut d.pop_prev,
        &mut d.pop_next,
        &mut d.push_prev,
        &mut d.push_next,
    ];
    let bit = &mut *flags.into_iter().nth(flag.into()).expect("one of four");
    *bit = !*bit;
    with_deps(i, d)
}

pub fn changed(p: &Program, change: &Change) -> Program {
    let mut p = p.clone();
    // FINISH stays last.
    let n = p.words.len() - 1;
    let each = |words: &mut [u128], at: usize, f: &dyn Fn(Insn) -> Insn| {
        let word = &mut words[at % n];
        *word = f(Insn::decode(*word).expect("it was encoded")).word();
    };
    match *change {
        Change::Flag(at, flag) => each(&mut p.words, at, &|i| toggled(i, flag)),
        Change::Remove(at) => _ = p.words.remove(at % n),
        Change::Swap(at) if n > 1 => p.words.swap(at % (n - 1), at % (n - 1) + 1),
        Change::Swap(_) => {}
        Change::Sram(at, by) => each(&mut p.words, at, &|i| match i {
            Insn::Load(mut l) => {
                l.sram_base = l.sram_base.saturating_add_signed(by);
                Insn::Load(l)
            }
            Insn::Store(mut s) => {
                s.sram_base = s.sram_base.saturating_add_signed(by);
                Insn::Store(s)
            }
            other => other,
        }),
        Change::FromOutputs(at, by) => {
            let bytes = [
                p.cfg.uop_bytes(),
                p.cfg.wgt_bytes(),
                p.cfg.inp_bytes(),
                p.cfg.acc_bytes(),
            ];
            each(&mut p.words, at, &|i| match i {
                Insn::Load(mut l) => {
                    l.dram_base = OUT / bytes[l.memory_type as usize] + u32::from(by);
                    Insn::Load(l)
                }
                other => other,
            });
        }
        Change::Loops(at, iter_in) => each(&mut p.words, at, &|i| match i {
            Insn::Gemm(g) => Insn::Gemm(Gemm { iter_in, ..g }),
            Insn::Alu(a) => Insn::Alu(Alu { iter_in, ..a }),
            other => other,
        }),
    }
    p
}

/// A program that passes ends well, with the bytes of program order.
pub fn sound(p: &Program) -> Result<bool, TestCaseError> {
    if check(p).is_err() {
        return Ok(false);
    }
    let (functional, expected) = p.fsim().expect("what passes stays inside DRAM");
    let (timed, dram) = p.outcome();
    prop_assert_eq!(functional.stop, Stop::Finish);
    prop_assert_eq!(timed.status, Status::Ok);
    prop_assert!(expected.bytes() == dram.bytes(), "DRAM differs");
    Ok(true)
}

proptest! {
    #![proptest_config(cases(150))]

    /// Double-buffered pipelines are proven.
    #[test]
    fn pipelines_pass(p in pipeline()) {
        let p = placed(&p);
        let report = check(&p);
        prop_assert!(report.is_ok(), "{:?}", report);
        prop_assert!(sound(&p)?);
    }

    /// A push and its pop less: what then passes did not need them.
    #[test]
    fn a_pair_less_is_refused_or_does_not_matter(p in pipeline(), pick: prop::sample::Index) {
        let p = placed(&p);
        let insns: Vec<Insn> = p.words.iter().map(|w| Insn::decode(*w).unwrap()).collect();
        // Flag, unit and flag of the other end for each direction.
        let (load, compute, store) = (Unit::Load, Unit::Compute, Unit::Store);
        let ends = [(load, 3u8, compute, 0u8), (compute, 2, load, 1), (compute, 3, store, 0), (store, 2, compute, 1)];
        let flag = |i: &Insn, f: u8| {
            let d = i.deps();
            [d.pop_prev, d.pop_next, d.push_prev, d.push_next][usize::from(f)]
        };
        let with = |unit: Unit, f: u8| -> Vec<usize> {
            (0..insns.len()).filter(|&n| insns[n].unit() == unit && flag(&insns[n], f)).collect()
        };
        let pairs = ends.iter().flat_map(|&(from, push, to, pop)| {
            with(from, push).into_iter().zip(with(to, pop)).map(move |(a, b)| (a, push, b, pop))
        });
        let pairs: Vec<_> = pairs.collect();
        let (a, push, b, pop) = *pick.get(&pairs);
        let mut less = p.clone();
        less.words[a] = toggled(insns[a], push).word();
        let word = Insn::decode(less.words[b]).unwrap();
        less.words[b] = toggled(word, pop).word();
        sound(&less)?;
    }
}

proptest! {
    #![proptest_config(cases(400))]

    /// Pipelines with mistakes.
    #[test]
    fn what_passes_gives_the_bytes_of_program_order(
        p in pipeline(), changes in prop::collection::vec(change(), 1..4),
    ) {
        let p = changes.iter().fold(placed(&p), |p, c| changed(&p, c));
        sound(&p)?;
    }

    /// Programs with random tokens.
    #[test]
    fn what_passes_of_random_programs_gives_them_too(p in racy()) {
        sound(&p)?;
    }
}

/// The properties above say something: both outcomes happen.
#[test]
fn some_changes_pass_and_most_do_not() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let all = (pipeline(), change());
    let mut counts = [0, 0];
    for _ in 0..300 {
        let (p, c) = all.new_tree(&mut runner).expect("no filter").current();
        let p = changed(&placed(&p), &c);
        counts[usize::from(check(&p).is_ok())] += 1;
    }
    assert!(counts[0] > 100 && counts[1] > 20, "{counts:?}");
}
