//! The timeline, parsed back: slices nest, cycles never go back on a track,
//! every arrow has both ends, and its sums are those of the profile.

use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use vta_program::config::HwConfig;
use vta_program::mem::Dram;
use vta_program::program::Launch;
use vta_sim::golden::find;
use vta_sim::profiling::{profiler, symbols};
use vta_sim::trace::perfetto::proto::{Trace, Type};
use vta_sim::trace::{Cause, Kind, MODULES, Profile, Timeline};
use vta_sim::tsim::{self, Options, Outcome};
use vta_test_support::{network::program_of, root};

/// A track, read back.
#[derive(Default)]
struct Track {
    /// Cycles of slices by name and depth.
    sums: BTreeMap<(usize, String), u64>,
    open: Vec<(u64, String)>,
    last: u64,
    value: i64,
    most: i64,
    layers: Vec<(u64, u64, String)>,
}

/// Reads a timeline and checks what must hold of every one.
fn read(bytes: &[u8], cycles: u64, what: &str) -> BTreeMap<String, Track> {
    let trace = Trace::decode(bytes).expect("it is a trace");
    let mut names: BTreeMap<u64, String> = BTreeMap::new();
    let mut tracks: BTreeMap<u64, (String, Track)> = BTreeMap::new();
    let (mut begun, mut ended) = (BTreeMap::new(), BTreeSet::new());
    for p in trace.packet {
        assert_eq!(p.trusted_packet_sequence_id, Some(1));
        for n in p.interned_data.iter().flat_map(|d| &d.event_names) {
            let (iid, name) = (n.iid.unwrap(), n.name.clone().unwrap());
            assert!(names.insert(iid, name).is_none(), "a number is given once");
        }
        if let Some(d) = p.track_descriptor {
            let name = d.name.unwrap_or_default();
            tracks.insert(d.uuid.unwrap(), (name, Track::default()));
        }
        let Some(e) = p.track_event else { continue };
        let at = p.timestamp.expect("events have a cycle");
        let (track_name, t) = tracks
            .get_mut(&e.track_uuid.unwrap())
            .expect("a known track");
        assert!(at >= t.last, "{what}: {track_name}: {at} after {}", t.last);
        assert!(at <= cycles + 1, "{what}: {track_name}: {at} of {cycles}");
        t.last = at;
        match e.r#type() {
            Type::SliceBegin => {
                let name = names[&e.name_iid.unwrap()].clone();
                t.open.push((at, name));
            }
            Type::SliceEnd => {
                let depth = t.open.len();
                let (from, name) = t.open.pop().expect("a slice is open");
                *t.sums.entry((depth, name.clone())).or_default() += at - from;
                t.layers.push((from, at, name));
            }
            Type::Counter => {
                t.value = e.counter_value.unwrap();
                assert!(t.value >= 0, "{what}: {track_name}");
                t.most = t.most.max(t.value);
            }
            Type::Instant => {}
            Type::Unspecified => panic!("{what}: an event of no type"),
        }
        for f in e.flow_ids {
            assert!(
                begun.insert(f, at).is_none(),
                "{what}: flow {f} begins once"
            );
        }
        for f in e.terminating_flow_ids {
            assert!(
                begun.get(&f).is_some_and(|from| *from <= at),
                "{what}: flow {f} begins before it ends"
            );
            assert!(ended.insert(f), "{what}: flow {f} ends once");
        }
    }
    let by_name = tracks.into_values();
    let all: BTreeMap<String, Track> = by_name.filter(|(n, _)| !n.is_empty()).collect();
    for (name, t) in &all {
        assert!(t.open.is_empty(), "{what}: {name}: {:?} never ends", t.open);
    }
    all
}

/// Its sums against the profile of the same launch.
fn sums(tracks: &BTreeMap<String, Track>, p: &Profile, what: &str) {
    let total = p.total();
    for (m, unit) in MODULES.iter().enumerate() {
        let t = &tracks[*unit];
        let of = |depth: usize, name: &str| {
            let key = (depth, name.to_owned());
            t.sums.get(&key).copied().unwrap_or(0)
        };
        let cause = |c: Cause| total.causes[m][c as usize];
        let same = |found: u64, c: Cause| assert_eq!(found, cause(c), "{what}: {unit}: {c:?}");
        let depth = if m == 0 { 1 } else { 2 };
        for c in [Cause::Arbitration, Cause::Latency, Cause::Beats] {
            same(of(depth, c.words()), c);
        }
        for c in [
            Cause::TokenLoad,
            Cause::TokenCompute,
            Cause::TokenStore,
            Cause::QueueLoad,
            Cause::QueueCompute,
            Cause::QueueStore,
        ] {
            same(of(1, c.words()), c);
        }
        if m == 0 {
            same(of(1, "hands on"), Cause::Work);
            continue;
        }
        let runs: u64 = Kind::ALL.iter().map(|k| of(1, k.name())).sum();
        let inner = [Cause::Arbitration, Cause::Latency, Cause::Beats].map(cause);
        assert_eq!(
            runs,
            cause(Cause::Work) + inner.iter().sum::<u64>(),
            "{what}: {unit}"
        );
    }
    let part = |name: &str| p.parts.iter().find(|p| p.name == name).map(|p| p.cycles());
    let mut layers: BTreeMap<&str, u64> = BTreeMap::new();
    for (from, to, name) in &tracks["layers"].layers {
        *layers.entry(name).or_default() += to - from;
    }
    for (name, cycles) in layers {
        if part(name).is_some() && tracks["compute"].last > 0 {
            assert!(
                Some(cycles) <= part(name).map(|c| c + 1),
                "{what}: layer {name}"
            );
        }
    }
}

fn timeline(
    cfg: &HwConfig,
    image: &[u8],
    launch: &Launch,
    max_cycles: u64,
    what: &str,
) -> (Vec<u8>, Outcome) {
    let options = Options {
        max_cycles,
        ..Options::default()
    };
    let insns: Vec<_> = launch.insns(image).map(Result::ok).collect();
    let (addr, count) = (launch.insn_addr, launch.insn_count);
    let mut timeline = Timeline::new(Vec::new(), what);
    timeline.launch(&insns, symbols(launch));
    let mut dram = Dram::new(image.to_vec());
    let run = tsim::run(cfg, &mut dram, addr, count, options, &mut timeline).expect("it runs");
    timeline.launch_end(run.cycles);
    let bytes = timeline.finish().expect("memory can be written");
    let tracks = read(&bytes, run.cycles, what);
    let mut sink = profiler(cfg, image, launch);
    let mut dram = Dram::new(image.to_vec());
    let again = tsim::run(cfg, &mut dram, addr, count, options, &mut sink).expect("it runs");
    assert_eq!(run, again, "{what}");
    sums(&tracks, &sink.finish(run.cycles), what);
    assert!(
        tracks["queue of compute"].most <= cfg.insn_queue_entries.into(),
        "{what}"
    );
    (bytes, run)
}

#[test]
fn timelines_of_golden_cases() {
    let dir = root().join("tests/golden");
    let found = find(&dir).expect("the cases are committed");
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
            let what = format!("{}/{} {}", case.family, case.name, cfg.name);
            timeline(cfg, &image, &launch, case.max_cycles.min(50_000), &what);
        }
    }
}

#[test]
fn timelines_of_networks() {
    for name in ["resnet8", "resnet18"] {
        let program = program_of(name);
        let launch = program.launches().next().expect("a launch");
        let (bytes, _) = timeline(
            &program.config,
            &program.dram_image(),
            launch,
            u64::MAX / 8,
            name,
        );
        assert!(bytes.len() < 100_000_000, "{name}: {} bytes", bytes.len());
        let tracks = read(&bytes, u64::MAX - 1, name);
        let layers = tracks["layers"].layers.len();
        assert!(
            layers
                >= program
                    .launches()
                    .next()
                    .map_or(0, |l| l.symbols.len())
                    .min(8),
            "{name}: {layers} layers"
        );
    }
}
