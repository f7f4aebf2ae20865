//! Attribution: every cycle of every unit has a cause.

use std::convert::Infallible;
use std::path::Path;
use vta_program::config::HwConfig;
use vta_program::mem::Dram;
use vta_program::program::Launch;
use vta_sim::golden::find;
use vta_sim::trace::{Cause, MODULES, Profile, Profiler};
use vta_sim::tsim::{self, Event, NoSink, Options, Outcome, Sink, Stop};
use vta_test_support::network::program_of;
use vta_test_support::{root, shared};

/// The same sink, with every cycle.
struct Ticked(Profiler);

impl Sink for Ticked {
    type Error = Infallible;

    fn event(&mut self, cycle: u64, event: Event) -> Result<(), Stop> {
        self.0.event(cycle, event)
    }
}

fn profiler(cfg: &HwConfig, image: &[u8], launch: &Launch) -> Profiler {
    let insns = launch.insns(image).map(Result::ok).collect();
    let symbols = launch.symbols.iter();
    let symbols = symbols.map(|s| (s.name.as_str(), s.first, s.count));
    Profiler::new(launch.insn_addr, cfg.beat_bytes(), insns, symbols)
}

/// Profiles a launch both ways; its run with and without sinks.
fn profile(cfg: &HwConfig, image: &[u8], launch: &Launch, options: Options) -> (Profile, Outcome) {
    let run = |sink: &mut dyn FnMut(&mut Dram) -> Outcome| sink(&mut Dram::new(image.to_vec()));
    let (addr, count) = (launch.insn_addr, launch.insn_count);
    let silent =
        run(&mut |d| tsim::run(cfg, d, addr, count, options, &mut NoSink).expect("it runs"));
    let mut event_driven = profiler(cfg, image, launch);
    let a =
        run(&mut |d| tsim::run(cfg, d, addr, count, options, &mut event_driven).expect("it runs"));
    let mut ticked = Ticked(profiler(cfg, image, launch));
    let b = run(&mut |d| tsim::run(cfg, d, addr, count, options, &mut ticked).expect("it runs"));
    assert_eq!(silent, a, "a profile changes nothing");
    assert_eq!(silent, b);
    let profile = event_driven.finish(a.cycles);
    assert_eq!(
        profile,
        ticked.0.finish(b.cycles),
        "the event-driven engine gives the same"
    );
    (profile, silent)
}

/// What must hold of every profile.
fn adds_up(p: &Profile, run: &Outcome, what: &str) {
    let total = p.total();
    for (m, name) in MODULES.iter().enumerate() {
        let sum: u64 = total.causes[m].iter().sum();
        assert_eq!(sum, run.cycles, "{what}: {name}: {:?}", total.causes[m]);
    }
    let s = &run.stats;
    assert_eq!(total.gemm_steps, s.gemm_steps, "{what}");
    assert_eq!(total.reset_steps, s.reset_steps, "{what}");
    assert_eq!(total.alu_steps, s.alu_steps, "{what}");
    let beats = total.reads.map(|t| t.bytes / s.beat_bytes);
    assert_eq!(beats, s.read_beats, "{what}");
    assert_eq!(total.reads.map(|t| t.bursts), s.read_bursts, "{what}");
    assert_eq!(total.writes.bytes, s.bytes_written(), "{what}");
    let insns: u64 = total.kinds.iter().map(|k| k.insns).sum();
    assert_eq!(insns, s.insns(), "{what}");
    // Fetch never waits for tokens, and units never for queues.
    for cause in Cause::ALL {
        let queue = matches!(
            cause,
            Cause::QueueLoad | Cause::QueueCompute | Cause::QueueStore
        );
        let token = matches!(
            cause,
            Cause::TokenLoad | Cause::TokenCompute | Cause::TokenStore
        );
        if token {
            assert_eq!(total.causes[0][cause as usize], 0, "{what}");
        }
        if queue {
            assert!(
                total.causes[1..].iter().all(|m| m[cause as usize] == 0),
                "{what}"
            );
        }
    }
    // Tokens are waited for as long as the counters say.
    for (u, unit) in vta_program::isa::Unit::ALL.into_iter().enumerate() {
        let waits = [Cause::TokenLoad, Cause::TokenCompute, Cause::TokenStore];
        let sum: u64 = waits.iter().map(|c| total.of(unit, *c)).sum();
        let counted = s.units[u].token_cycles;
        assert!(sum >= counted, "{what}: {unit}: {sum}, {counted}");
    }
}

/// Every case below a folder, in every configuration that it expects something of.
fn golden(folder: &Path, at_least: usize) {
    let found = find(folder).expect("it can be read");
    let mut runs = 0;
    let mut seen = [[0u64; Cause::COUNT]; 4];
    for case in &found.cases {
        for (cfg, expected) in &case.expected {
            let image = case.inputs(cfg, expected).expect("its files").dram;
            let launch = Launch {
                name: "main".into(),
                insn_addr: case.insn_addr,
                insn_count: case.insn_count,
                outputs: Vec::new(),
                symbols: Vec::new(),
            };
            let options = Options {
                max_cycles: case.max_cycles.min(200_000),
                ..Options::default()
            };
            let (p, run) = profile(cfg, &image, &launch, options);
            let what = format!("{}/{} {}", case.family, case.name, cfg.name);
            adds_up(&p, &run, &what);
            let total = p.total();
            for (a, b) in seen.iter_mut().flatten().zip(total.causes.iter().flatten()) {
                *a += b;
            }
            runs += 1;
        }
    }
    assert!(runs >= at_least, "only {runs} runs");
    // The cases are worth it: every cause that a unit can have was seen.
    let never = |m: usize, c: Cause| seen[m][c as usize] == 0;
    for c in [Cause::Work, Cause::Beats, Cause::Latency, Cause::Insn] {
        assert!((1..4).all(|m| !never(m, c)), "{c:?} was never seen");
    }
    // Compute ends with the run.
    assert!(!never(1, Cause::Idle) && !never(3, Cause::Idle));
    let queues = [Cause::QueueLoad, Cause::QueueCompute, Cause::QueueStore];
    assert!(!queues.iter().all(|c| never(0, *c)) && !never(0, Cause::Idle));
    assert!(!never(1, Cause::TokenCompute) && !never(2, Cause::TokenLoad));
    assert!(!never(2, Cause::TokenStore) && !never(3, Cause::TokenCompute));
}

#[test]
fn causes_sum_to_the_cycles_of_committed_cases() {
    golden(&root().join("tests/golden"), 500);
}

#[test]
fn causes_sum_to_the_cycles_of_all_cases() {
    if let Some(folder) = shared("golden") {
        golden(&folder, 1600);
    }
}

#[test]
fn causes_sum_to_the_cycles_of_networks() {
    for name in ["resnet8", "resnet18"] {
        let program = program_of(name);
        let image = program.dram_image();
        let launch = program.launches().next().expect("a launch");
        let options = Options {
            data: false,
            ..Options::default()
        };
        let (p, run) = profile(&program.config, &image, launch, options);
        adds_up(&p, &run, name);
        assert!(p.parts.len() > 5, "{name} has layers");
        let layers: u64 = p.parts.iter().map(|p| p.cycles()).sum();
        assert_eq!(layers, run.cycles, "{name}: layers sum to the run");
    }
}
