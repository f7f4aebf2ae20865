//! What it costs to look: ResNet-18, one core, without a sink and with each.
//! `cargo bench --bench profiling`. The bound: less than three times the
//! time of a run with data and without a sink.

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use std::{
    hint::black_box,
    io::sink,
    time::{Duration, Instant},
};
use vta::compiler::{Options as CompileOptions, compile};
use vta::graph::zoo;
use vta::mem::Dram;
use vta::profiling::{profiler, symbols};
use vta::program::Program;
use vta::quant::{Calibration, QuantOptions, quantise};
use vta::trace::{Csv, Timeline};
use vta::tsim::{NoSink, Options, Sink, run};

fn network() -> Program {
    let graph = zoo::build("resnet18", 1).expect("a network of the zoo");
    let calibration = Calibration::noise(&graph, 1, 1).expect("it can be observed");
    let net = quantise(&graph, &calibration, &QuantOptions::default()).expect("int8");
    compile(&net, &CompileOptions::default()).expect("it compiles")
}

fn cost_of_looking(c: &mut Criterion) {
    let program = network();
    let launch = program.launches().next().expect("a launch");
    let image = program.dram_image();
    let insns: Vec<_> = launch.insns(&image).map(Result::ok).collect();
    let mut group = c.benchmark_group("sinks");
    group.sample_size(20).warm_up_time(Duration::from_secs(1));
    fn once<S: Sink>(program: &Program, dram: &mut Dram, data: bool, sink: &mut S) -> u64 {
        let launch = program.launches().next().expect("a launch");
        let options = Options {
            data,
            ..Options::default()
        };
        let (addr, count) = (launch.insn_addr, launch.insn_count);
        let done = run(&program.config, dram, addr, count, options, sink);
        done.expect("it runs").cycles
    }
    for (label, data) in [("data", true), ("timing-only", false)] {
        let fresh = || Dram::new(image.clone());
        group.bench_function(BenchmarkId::new("none", label), |b| {
            b.iter_batched_ref(
                fresh,
                |d| black_box(once(&program, d, data, &mut NoSink)),
                BatchSize::LargeInput,
            );
        });
        group.bench_function(BenchmarkId::new("profile", label), |b| {
            b.iter_batched_ref(
                fresh,
                |d| {
                    let mut sink = profiler(&program.config, &image, launch);
                    let cycles = once(&program, d, data, &mut sink);
                    black_box(sink.finish(cycles))
                },
                BatchSize::LargeInput,
            );
        });
        group.bench_function(BenchmarkId::new("timeline", label), |b| {
            b.iter_batched_ref(
                fresh,
                |d| {
                    let mut timeline = Timeline::new(sink(), "resnet18");
                    timeline.launch(&insns, symbols(launch));
                    let cycles = once(&program, d, data, &mut timeline);
                    timeline.launch_end(cycles);
                    black_box(timeline.bytes())
                },
                BatchSize::LargeInput,
            );
        });
        group.bench_function(BenchmarkId::new("csv", label), |b| {
            b.iter_batched_ref(
                fresh,
                |d| black_box(once(&program, d, data, &mut Csv::new(sink()))),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// How many rounds, each with every sink once.
const ROUNDS: usize = 31;

/// Times of `times`, the middle one.
fn middle(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}

/// Ratios to a run without a sink, measured in turns: other work on the
/// machine comes to all alike.
fn ratios(_: &mut Criterion) {
    let program = network();
    let launch = program.launches().next().expect("a launch");
    let image = program.dram_image();
    let insns: Vec<_> = launch.insns(&image).map(Result::ok).collect();
    let (addr, count) = (launch.insn_addr, launch.insn_count);
    fn timed(image: &[u8], f: impl FnOnce(&mut Dram)) -> Duration {
        let mut dram = Dram::new(image.to_vec());
        let begun = Instant::now();
        f(&mut dram);
        begun.elapsed()
    }
    for data in [true, false] {
        let options = Options {
            data,
            ..Options::default()
        };
        let c = &program.config;
        let mut all = [const { Vec::new() }; 4];
        for _ in 0..ROUNDS {
            for again in [0, 1] {
                all[again].push(timed(&image, |d| {
                    black_box(run(c, d, addr, count, options, &mut NoSink).is_ok());
                }));
            }
            all[2].push(timed(&image, |d| {
                let mut sink = profiler(c, &image, launch);
                let done = run(c, d, addr, count, options, &mut sink).expect("it runs");
                black_box(sink.finish(done.cycles));
            }));
            all[3].push(timed(&image, |d| {
                let mut timeline = Timeline::new(sink(), "resnet18");
                timeline.launch(&insns, symbols(launch));
                let done = run(c, d, addr, count, options, &mut timeline).expect("it runs");
                timeline.launch_end(done.cycles);
                black_box(timeline.bytes());
            }));
        }
        let [none, again, profile, timeline] = all.each_mut().map(|t| middle(t));
        let what = if data { "with data" } else { "timing only" };
        println!(
            "resnet18 {what}: no sink {:.2} ms, again {:.2}, profile {:.2}, timeline {:.2} times as long",
            1e3 * none,
            again / none,
            profile / none,
            timeline / none
        );
    }
}

criterion_group!(benches, ratios, cost_of_looking);
criterion_main!(benches);
