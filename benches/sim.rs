//! Simulated cycles a second, one core. Criterion prints the rate as
//! elements (cycles) a second: `cargo bench --bench sim`.
//!
//! The rows of the table in `docs/performance.md`; families of small programs
//! run as a whole, starting each included.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flate2::read::GzDecoder;
use std::{fs, hint::black_box, io::Read, path::Path, time::Duration};
use vta::compiler::{Options as CompileOptions, compile};
use vta::config::HwConfig;
use vta::graph::zoo;
use vta::mem::Dram;
use vta::program::{Launch, Program, Segment, SegmentKind, Step};
use vta::quant::{Calibration, QuantOptions, quantise};
use vta::tsim::{NoSink, Options, run};

struct Case {
    dram: Dram,
    insn_addr: u32,
    insn_count: u32,
}

impl Case {
    fn golden(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(name);
        let text = fs::read_to_string(dir.join("case.json")).expect("the case is committed");
        let json: serde_json::Value = serde_json::from_str(&text).expect("the case is JSON");
        let file = fs::File::open(dir.join("dram.bin.gz")).expect("the image is committed");
        let mut image = Vec::new();
        GzDecoder::new(file)
            .read_to_end(&mut image)
            .expect("the image is gzip");
        let number = |key: &str| json[key].as_u64().expect("a number") as u32;
        Self {
            dram: Dram::new(image),
            insn_addr: number("insn_addr"),
            insn_count: number("insn_count"),
        }
    }

    /// Every case of a family.
    fn family(name: &str) -> Vec<Self> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(name);
        let names = fs::read_dir(&dir).expect("the family is committed");
        let mut names: Vec<_> = names
            .filter_map(|e| e.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        let case = |n: &String| Self::golden(&format!("{name}/{n}"));
        names.iter().map(case).collect()
    }

    /// A network of the zoo, dense; what the data are does not matter here.
    fn network(name: &str) -> Self {
        let graph = zoo::build(name, 1).expect("a network of the zoo");
        let calibration = Calibration::noise(&graph, 1, 1).expect("it can be observed");
        let net = quantise(&graph, &calibration, &QuantOptions::default()).expect("int8");
        let program = compile(&net, &CompileOptions::default()).expect("it compiles");
        let launch = program.launches().next().expect("a launch");
        Self {
            dram: Dram::new(program.dram_image()),
            insn_addr: launch.insn_addr,
            insn_count: launch.insn_count,
        }
    }

    /// As a bundle: one segment with all of DRAM.
    fn bundle(&self) -> Vec<u8> {
        let data = self.dram.bytes().to_vec();
        let program = Program {
            config: HwConfig::default(),
            dram_bytes: data.len() as u32,
            segments: vec![Segment {
                name: "all".into(),
                kind: SegmentKind::Raw,
                addr: 0,
                bytes: data.len() as u32,
                data,
            }],
            steps: vec![Step::Launch(Launch {
                name: "all".into(),
                insn_addr: self.insn_addr,
                insn_count: self.insn_count,
                outputs: Vec::new(),
                symbols: Vec::new(),
            })],
            inputs: Vec::new(),
            outputs: Vec::new(),
            layers: Vec::new(),
        };
        program.to_bytes().expect("it makes sense")
    }

    fn run(&self, dram: &mut Dram, options: Options) -> u64 {
        let cfg = HwConfig::default();
        let (addr, count) = (self.insn_addr, self.insn_count);
        let done = run(&cfg, dram, addr, count, options, &mut NoSink);
        done.expect("the case runs").cycles
    }
}

fn cycles_per_second(c: &mut Criterion) {
    let mut group = c.benchmark_group("cycles");
    group.sample_size(20).warm_up_time(Duration::from_secs(1));
    let one = |name| vec![Case::golden(name)];
    let rows = [
        ("conv_64x64_28_d100", one("conv/conv_64x64_28_d100")),
        ("conv_64x128_28_s2_d100", one("conv/conv_64x128_28_s2_d100")),
        ("resnet18", vec![Case::network("resnet18")]),
        ("fetch", Case::family("fetch")),
        ("tokens", Case::family("tokens")),
        ("mixed", Case::family("mixed")),
    ];
    for (name, cases) in &rows {
        let fresh = || -> Vec<Dram> { cases.iter().map(|c| c.dram.clone()).collect() };
        for (label, data) in [("data", true), ("timing-only", false)] {
            let options = Options {
                data,
                ..Options::default()
            };
            let once = |drams: &mut Vec<Dram>| -> u64 {
                let both = cases.iter().zip(drams);
                both.map(|(c, d)| c.run(d, options)).sum()
            };
            let mut drams = fresh();
            group.throughput(Throughput::Elements(once(&mut drams)));
            group.bench_function(BenchmarkId::new(label, name), |b| {
                if data {
                    b.iter_batched_ref(fresh, |d| black_box(once(d)), BatchSize::LargeInput);
                } else {
                    b.iter(|| black_box(once(&mut drams)));
                }
            });
        }
    }
    group.finish();
}

/// From the bytes of a bundle of 1 MB to the first cycle.
fn start_up(c: &mut Criterion) {
    let case = Case::golden("conv/conv_64x128_28_s2_d100");
    let bundle = case.bundle();
    let options = Options {
        max_cycles: 0,
        ..Options::default()
    };
    let mut group = c.benchmark_group("start-up");
    group.throughput(Throughput::Bytes(bundle.len() as u64));
    group.bench_function("1 MB", |b| {
        b.iter(|| {
            let program = Program::from_bytes(&bundle).expect("a bundle");
            let mut dram = Dram::new(program.dram_image());
            black_box(case.run(&mut dram, options))
        });
    });
    group.finish();
}

criterion_group!(benches, cycles_per_second, start_up);
criterion_main!(benches);
