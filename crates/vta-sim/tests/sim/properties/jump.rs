//! Ways to run that must not matter: jumping, moving data, listening.

use super::programs::{pipeline, placed, racy, serial};
use proptest::prelude::*;
use std::convert::Infallible;
use vta_program::config::HwConfig;
use vta_program::isa::Unit;
use vta_program::strategies::Bases;
use vta_sim::tsim::{Event, Module, NoSink, Options, Sink, Status, Stop, UnitState};
use vta_test_support::cases;
use vta_test_support::runs::{Log, Program};

fn any_program() -> impl Strategy<Value = Program> {
    prop_oneof![
        4 => racy().boxed(),
        1 => serial().boxed(),
        1 => pipeline().prop_map(|p| placed(&p, Bases::default())).boxed(),
    ]
}

fn run(p: &Program, options: Options) -> (String, Log) {
    let mut log = Log::default();
    let outcome = p.tsim(options, &mut log);
    let text = outcome.map(|(o, d)| (o, fnv(d.bytes())));
    (format!("{text:?}"), log)
}

/// A hash of DRAM, to compare it as one number.
fn fnv(bytes: &[u8]) -> u64 {
    let step = |h: u64, b: &u8| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

proptest! {
    #![proptest_config(cases(250))]

    /// Outcome, events and DRAM are equal whether the clock jumps or ticks.
    #[test]
    fn jumping_equals_ticking(p in any_program()) {
        let jump = run(&p, Options { jump: true, ..p.options });
        let tick = run(&p, Options { jump: false, ..p.options });
        prop_assert_eq!(jump, tick);
    }
}

proptest! {
    #![proptest_config(cases(120))]

    /// Without data only DRAM is different.
    #[test]
    fn data_can_be_left_out(p in any_program()) {
        let with = p.tsim(p.options, &mut NoSink).map(|o| o.0);
        let without = p.tsim(Options { data: false, ..p.options }, &mut NoSink);
        let untouched = without.as_ref().map_or(true, |o| o.1 == p.dram());
        prop_assert!(untouched, "no byte moves");
        prop_assert_eq!(with, without.map(|o| o.0));
    }

    /// Who listens changes nothing.
    #[test]
    fn a_sink_changes_nothing(p in any_program()) {
        let silent = p.tsim(p.options, &mut NoSink);
        let heard = p.tsim(p.options, &mut Log::default());
        prop_assert_eq!(silent, heard);
    }
}

/// Another bus, memory and queue, as far as the hardware can be built so.
fn altered(mut c: HwConfig, (bits, len, delay, entries): (u32, u32, u32, u32)) -> HwConfig {
    let mut change = |f: &dyn Fn(&mut HwConfig)| {
        let mut other = c.clone();
        f(&mut other);
        if other.check().is_ok() {
            c = other;
        }
    };
    change(&|c| c.mem_data_bits = bits);
    change(&|c| c.mem_len_bits = len);
    change(&|c| c.mem_delay = delay);
    change(&|c| c.insn_queue_entries = entries);
    c
}

/// What a sink that does not want every cycle sees, in the order of cycles.
#[derive(Default)]
struct Coarse {
    events: Vec<(u64, String)>,
    beats: u64,
    /// States of fetch, load, compute, store.
    states: [Vec<(u64, UnitState)>; 4],
}

impl Coarse {
    /// All up to the last cycle of a run, in order; that cycle is not counted, so
    /// its states do not matter. A unit that waits for instructions may be done.
    fn until(mut self, cycle: u64) -> Self {
        self.events.retain(|e| e.0 <= cycle);
        self.events.sort();
        for (i, states) in self.states.iter_mut().enumerate() {
            states.retain(|s| s.0 < cycle);
            if i > 0 {
                let done = |s: &mut (u64, UnitState)| {
                    if s.1 == UnitState::Done {
                        s.1 = UnitState::Insn;
                    }
                };
                states.iter_mut().for_each(done);
                states.dedup_by_key(|s| s.1);
            }
        }
        self
    }
}

impl Sink for Coarse {
    const CYCLES: bool = false;
    type Error = Infallible;

    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop> {
        match event {
            Event::InsnStart { .. }
            | Event::InsnEnd { .. }
            | Event::ReadCmd { .. }
            | Event::ReadEnd { .. }
            | Event::WriteEnd { .. }
            | Event::Dispatch { .. } => {
                self.events.push((cycle, format!("{event:?}")));
            }
            // Of a cycle with both, either may be counted first.
            Event::Post { from, to, .. } => self.events.push((cycle, format!("{from}>{to}"))),
            Event::Wait { from, to, .. } => self.events.push((cycle, format!("{from}-{to}"))),
            Event::WriteBeat => self.beats += 1,
            Event::State { module, state } => {
                let i = match module {
                    Module::Fetch => 0,
                    Module::Unit(u) => 1 + u as usize,
                };
                self.states[i].push((cycle, state));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Instructions that end, in their cycles.
#[derive(Default, PartialEq, Debug)]
struct Ends<const BETWEEN: bool>(Vec<(u64, Unit, u32)>);

impl<const BETWEEN: bool> Sink for Ends<BETWEEN> {
    const CYCLES: bool = false;
    const BETWEEN: bool = BETWEEN;
    type Error = Infallible;

    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop> {
        if let Event::InsnEnd { unit, insn, .. } = event {
            self.0.push((cycle, unit, insn));
        }
        Ok(())
    }
}

/// Tokens given and taken around the 255 that a semaphore holds.
fn many_tokens() -> impl Strategy<Value = Program> {
    use vta_program::isa::{Insn, Load};
    use vta_test_support::runs::{COMPUTE, FINISH, LOAD};
    let groups = prop::collection::vec((0..300_usize, 0..300_usize), 1..4);
    groups.prop_map(|groups| {
        let mut p = Program::new("de10");
        for (push, pop) in groups {
            let give = Load {
                push_prev_dep: true,
                ..COMPUTE
            };
            let take = Load {
                pop_next_dep: true,
                ..LOAD
            };
            p.repeat(push, Insn::Load(give))
                .repeat(pop, Insn::Load(take));
        }
        p.push(FINISH);
        p.options.max_cycles = 20_000;
        p
    })
}

/// Programs on hardware of any bus, memory and queues; of `whole + 1` runs one is cut off.
fn on_any_hardware(whole: u32) -> impl Strategy<Value = Program> {
    let programs = prop_oneof![4 => any_program().boxed(), 1 => many_tokens().boxed()];
    let alter = (
        prop::sample::select(vec![64, 128, 256, 512]),
        1..=8_u32,
        prop_oneof![0..4_u32, Just(16), 0..60_u32],
        prop_oneof![2..12_u32, Just(512)],
    );
    let cut = prop_oneof![whole => Just(u64::MAX), 1 => 0..3000_u64];
    (programs, alter, cut).prop_map(|(mut p, alter, cut)| {
        p.cfg = altered(p.cfg, alter);
        p.options.max_cycles = p.options.max_cycles.min(cut);
        p
    })
}

proptest! {
    #![proptest_config(cases(200))]

    /// Whatever the bus, the memory and the queues: the event-driven engine equals ticking.
    #[test]
    fn event_driven_equals_ticking(p in on_any_hardware(2)) {
        let run = |jump| {
            let done = p.tsim(Options { jump, ..p.options }, &mut NoSink);
            format!("{:?}", done.map(|(o, d)| (o, fnv(d.bytes()))))
        };
        prop_assert_eq!(run(true), run(false));
    }

    /// A sink that wants no cycles is told the same of instructions, bursts,
    /// tokens and states.
    #[test]
    fn a_coarse_sink_sees_the_same(p in on_any_hardware(1)) {
        let (mut few, mut all) = (Coarse::default(), Log::default());
        let few_run = p.tsim(p.options, &mut few);
        let all_run = p.tsim(p.options, &mut all);
        prop_assert_eq!(&few_run, &all_run);
        let mut of_all = Coarse::default();
        let all = all.0.into_iter().try_for_each(|(c, e)| of_all.event(c, e));
        prop_assert_eq!(all, Ok(()));
        prop_assert_eq!(few.beats, of_all.beats);
        let until = few_run.map_or(u64::MAX, |l| l.0.cycles);
        let (few, of_all) = (few.until(until), of_all.until(until));
        prop_assert_eq!(few.events, of_all.events);
        prop_assert_eq!(few.states, of_all.states);
    }

    /// A sink that only wants the ends of instructions is told the same ends.
    #[test]
    fn ends_alone_are_the_same_ends(p in on_any_hardware(1)) {
        let (mut alone, mut among) = (Ends::<false>::default(), Ends::<true>::default());
        let alone_run = p.tsim(p.options, &mut alone);
        let among_run = p.tsim(p.options, &mut among);
        prop_assert_eq!(alone_run, among_run);
        alone.0.sort_unstable();
        among.0.sort_unstable();
        prop_assert_eq!(alone.0, among.0);
    }
}

/// The generator above is worth its cases: it reaches every status.
#[test]
fn random_programs_end_in_every_way() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    use std::collections::BTreeSet;
    let mut runner = TestRunner::new(cases(1));
    let mut ways = BTreeSet::new();
    for _ in 0..250 {
        let p = any_program()
            .new_tree(&mut runner)
            .expect("it generates")
            .current();
        let (o, _) = p.outcome();
        ways.insert(match o.status {
            Status::Ok => "ok".to_owned(),
            Status::Hang { reason, .. } => reason.name().to_owned(),
            Status::Stopped => unreachable!("nobody listens"),
            Status::Assert { module, .. } => module.to_owned(),
        });
    }
    let wanted = [
        "ok",
        "deadlock",
        "max-cycles",
        "core.fetch.fetch",
        "core.compute.tensorAlu",
    ];
    let missing: Vec<_> = wanted.iter().filter(|w| !ways.contains(**w)).collect();
    assert!(missing.is_empty(), "never seen: {missing:?} in {ways:?}");
}
