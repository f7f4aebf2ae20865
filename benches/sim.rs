//! Simulated cycles a second, one core. Criterion prints the rate as
//! elements (cycles) a second: `cargo bench --bench sim`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flate2::read::GzDecoder;
use std::{fs, hint::black_box, io::Read, path::Path};
use vta::config::HwConfig;
use vta::mem::Dram;
use vta::tsim::{NoSink, Options, run};

struct Case {
    image: Vec<u8>,
    insn_addr: u32,
    insn_count: u32,
}

fn case(name: &str) -> Case {
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
    Case {
        image,
        insn_addr: number("insn_addr"),
        insn_count: number("insn_count"),
    }
}

fn cycles_per_second(c: &mut Criterion) {
    let cfg = HwConfig::default();
    let mut group = c.benchmark_group("cycles");
    group.sample_size(20);
    for name in [
        "conv/conv_64x64_28_d100",
        "conv/conv_64x128_28_s2_d100",
        "mixed",
        "fetch",
        "tokens",
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(name);
        let name = if path.join("case.json").exists() {
            name.to_owned()
        } else {
            let mut cases: Vec<_> = fs::read_dir(&path)
                .expect("the family is committed")
                .filter_map(|e| e.ok()?.file_name().into_string().ok())
                .collect();
            cases.sort();
            format!("{name}/{}", cases.first().expect("a case"))
        };
        let case = case(&name);
        let mut dram = Dram::new(case.image.clone());
        for (label, data) in [("data", true), ("timing-only", false)] {
            let options = Options {
                data,
                ..Options::default()
            };
            let mut once = || {
                dram.reset_to(&case.image);
                run(
                    &cfg,
                    &mut dram,
                    case.insn_addr,
                    case.insn_count,
                    options,
                    &mut NoSink,
                )
                .expect("the case runs")
            };
            group.throughput(Throughput::Elements(once().cycles));
            group.bench_function(BenchmarkId::new(label, &name), |b| {
                b.iter(|| black_box(once()));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, cycles_per_second);
criterion_main!(benches);
