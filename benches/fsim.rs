//! What instructions compute, without time: steps a second on one core, by
//! form of the kernel. `cargo bench --bench fsim`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flate2::read::GzDecoder;
use std::{fs, hint::black_box, io::Read, path::Path};
use vta::compiler::{Options, compile};
use vta::config::HwConfig;
use vta::fsim::{Core, Simd};
use vta::graph::zoo;
use vta::isa::Insn;
use vta::mem::Dram;
use vta::quant::{Calibration, QuantOptions, quantise};

/// A launch: DRAM, address and number of its instructions.
struct Launch {
    image: Vec<u8>,
    insns: Vec<Insn>,
}

impl Launch {
    fn new(image: Vec<u8>, addr: u32, count: u32) -> Self {
        let words = image[addr as usize..][..16 * count as usize].chunks_exact(16);
        let insns = words
            .map(|w| u128::from_le_bytes(w.try_into().expect("16 bytes")))
            .map(|w| Insn::decode(w).expect("it decodes"))
            .collect();
        Self { image, insns }
    }

    fn steps(&self) -> u64 {
        let steps = |i: &Insn| match i {
            Insn::Gemm(g) => g.steps(),
            Insn::Alu(a) => a.steps(),
            _ => 0,
        };
        self.insns.iter().map(steps).sum()
    }
}

fn golden(name: &str) -> Launch {
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
    Launch::new(image, number("insn_addr"), number("insn_count"))
}

/// A network of the zoo, dense; what the data are does not matter here.
fn network(name: &str) -> Launch {
    let graph = zoo::build(name, 1).expect("a network of the zoo");
    let calibration = Calibration::noise(&graph, 1, 1).expect("it can be observed");
    let net = quantise(&graph, &calibration, &QuantOptions::default()).expect("int8");
    let program = compile(&net, &Options::default()).expect("it compiles");
    let launch = program.launches().next().expect("a launch");
    Launch::new(program.dram_image(), launch.insn_addr, launch.insn_count)
}

fn steps_per_second(c: &mut Criterion) {
    let cfg = HwConfig::default();
    let mut group = c.benchmark_group("steps");
    group.sample_size(20);
    let mut cases = vec![
        ("conv_64x64_28_d100", golden("conv/conv_64x64_28_d100")),
        (
            "conv_64x128_28_s2_d100",
            golden("conv/conv_64x128_28_s2_d100"),
        ),
    ];
    cases.push(("resnet18", network("resnet18")));
    for (name, launch) in &cases {
        group.throughput(Throughput::Elements(launch.steps()));
        for simd in Simd::ALL {
            let Some(mut core) = Core::with_simd(&cfg, simd) else {
                continue;
            };
            let mut dram = Dram::new(launch.image.clone());
            group.bench_function(BenchmarkId::new(format!("{simd:?}"), name), |b| {
                b.iter(|| {
                    for i in &launch.insns {
                        if let Insn::Alu(a) = i {
                            black_box(core.alu_hazard(a));
                        }
                        core.exec(i, &mut dram).expect("it stays inside DRAM");
                    }
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, steps_per_second);
criterion_main!(benches);
