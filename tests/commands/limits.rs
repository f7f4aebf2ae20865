//! Limits of the hardware and of a run: what is proven ends well, and a limit of
//! cycles is inside of an instruction.

use crate::support::command::{folder, vta};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// An ALU instruction of 2^42 steps, of which each pair has to be looked at.
const LONG: &str = ".config de10
.data u uop
  uop dst=0 src=0
  zero 2000
.launch main
  load.uop dram_base=u x_size=2001
  alu.add uop_bgn=0 uop_end=0 iter_out=0 iter_in=0 dst_factor_out=1142 dst_factor_in=1717 src_factor_out=232 src_factor_in=223
  finish
";

#[test]
fn a_limit_of_cycles_ends_a_long_instruction() {
    let dir = folder();
    fs::write(dir.path().join("long.vtasm"), LONG).expect("it can be written");
    for command in [
        &["run", "long.vtasm", "--timing-only"][..],
        &["run", "long.vtasm"],
        &["run", "long.vtasm", "--sim", "fsim"],
        &["profile", "long.vtasm"],
        &["explain", "long.vtasm"],
        &["trace", "long.vtasm", "--out", "trace.pftrace"],
        &["report", "long.vtasm", "--out", "report.html"],
    ] {
        // While micro-ops are loaded, and in the instruction.
        for most in ["1000", "9000"] {
            let ran = vta(dir.path(), &[command, &["--max-cycles", most]].concat());
            assert_eq!(ran.code, 3, "{command:?}: {}{}", ran.out, ran.err);
        }
    }
}

/// Rows that share beats: a scratchpad of micro-ops has far fewer beats than they read.
#[test]
fn a_load_whose_beats_come_round_is_not_proven() {
    let Some(cases) = vta_test_support::shared("cases/robust") else {
        return;
    };
    let dir = folder();
    let path = |name: &str| cases.join(name).to_str().expect("UTF-8").to_owned();
    let ran = vta(dir.path(), &["check", &path("proven_but_asserts.vtasm")]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(
        format!("{}{}", ran.out, ran.err).contains("may be in flight"),
        "{}",
        ran.out
    );
    // What the compiler makes for such a configuration runs.
    let (model, config) = (path("beats_model1.onnx"), path("beats_cfg1.json"));
    let compile = ["compile", &model, "--config", &config, "--density", "1"];
    let ran = vta(
        dir.path(),
        &[&compile[..], &["-o", "x.vta", "--verify"]].concat(),
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ran = vta(dir.path(), &["run", "x.vta"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

/// Thousands of launches, from the file to the proof.
#[test]
fn many_launches_compile_in_time() {
    let Some(cases) = vta_test_support::shared("cases/robust") else {
        return;
    };
    let dir = folder();
    let model = cases.join("mix4800.onnx");
    let model = model.to_str().expect("UTF-8");
    let ran = vta(dir.path(), &["compile", model, "-o", "x.vta", "--verify"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

/// Says that work shall stop, from the `n`th question on.
struct After(AtomicU32, u32);

impl vta::Monitor for After {
    fn is_cancelled(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) >= self.1
    }
}

/// A monitor stops a launch in the middle of an instruction of billions of steps.
#[test]
fn a_monitor_stops_inside_of_a_launch() {
    let dir = folder();
    let text = LONG
        .replace("alu.add", "gemm")
        .replace(" src_factor_in=223", "");
    let text = text.replace(
        " dst_factor_out=1142 dst_factor_in=1717 src_factor_out=232",
        "",
    );
    // As many steps as `fsim` begins: 2^33.
    let text = text.replace("uop_end=0", "uop_end=32");
    let file = dir.path().join("long.vtasm");
    fs::write(&file, text).expect("it can be written");
    let program = vta::Program::open(&file).expect("it is a program");
    for simulator in [vta::Simulator::Tsim, vta::Simulator::Fsim] {
        // Before the launch, and when some of it is done.
        for n in [0, 4] {
            let monitor = Arc::new(After(AtomicU32::new(0), n));
            let options = vta::RunOptions {
                simulator,
                max_cycles: u64::MAX,
                ..vta::RunOptions::default()
            };
            let run = program.clone().monitored(monitor).run_with(&[], &options);
            let stopped = matches!(run, Err(vta::Error::Cancelled));
            assert!(stopped, "{simulator:?} {n}");
        }
    }
    let monitor = Arc::new(After(AtomicU32::new(0), 0));
    let proof = program.monitored(monitor).verify();
    assert!(matches!(proof, Err(vta::Error::Cancelled)));
}
