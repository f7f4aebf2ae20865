//! Programs of networks: commands run what the host does between launches.

use crate::support::command::vta;
use vta::mem::Dram;
use vta::program::{HostStep, Program, Step};
use vta_test_support::programs::{network, two_launches};

/// A step of the host.
fn host(program: &Program, step: usize) -> &HostStep {
    match &program.steps[step] {
        Step::Host(h) => h,
        Step::Launch(l) => panic!("step {step} is the launch {}", l.name),
    }
}

#[test]
fn commands_run_host_steps_between_launches() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    let program = network();
    program.save(&d.join("net.vta")).unwrap();
    let ran = vta(
        d,
        &[
            "run",
            "net.vta",
            "--repeat",
            "2",
            "--image-out",
            "after.bin",
            "--json",
        ],
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    let json = ran.json();
    let names: Vec<_> = json["host"]
        .as_array()
        .unwrap()
        .iter()
        .map(|h| h["name"].clone())
        .collect();
    assert_eq!(names, ["quantise", "turn back", "copy"]);
    let seconds = &json["host"][0]["wall_seconds"];
    assert!(seconds.as_f64().is_some_and(|s| s >= 0.0));
    // Cycles are those of the launches alone.
    two_launches().save(&d.join("two.vta")).unwrap();
    let plain = vta(d, &["run", "two.vta", "--json"]).json();
    assert_eq!(plain["cycles"], json["cycles"]);
    assert!(plain.get("host").is_none());
    let after = std::fs::read(d.join("after.bin")).unwrap();
    let x = program.inputs[0].read(&after, 16).unwrap();
    assert_eq!(program.outputs[0].read(&after, 16).unwrap(), x);
    let text = vta(d, &["run", "net.vta"]).out;
    assert!(
        text.contains("host step") && text.contains("turn back"),
        "{text}"
    );
}

#[test]
fn exported_images_have_what_the_host_did_before() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    let program = network();
    program.save(&d.join("net.vta")).unwrap();
    let ran = vta(d, &["export-image", "net.vta", "--out", "images"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "images/00-first\nimages/01-second\n"),
        "{}",
        ran.err
    );
    let image = |name: &str| std::fs::read(d.join("images").join(name).join("dram.bin")).unwrap();
    let (first, second) = (image("00-first"), image("01-second"));
    let mut dram = Dram::new(program.dram_image());
    host(&program, 0).run(&mut dram, 16).unwrap();
    assert_eq!(first, dram.bytes());
    host(&program, 2).run(&mut dram, 16).unwrap();
    assert_eq!(second, dram.bytes());
}

#[test]
fn commands_say_what_a_network_has() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    network().save(&d.join("net.vta")).unwrap();
    let text = vta(d, &["info", "net.vta"]).out;
    for part in ["input x", "1x3x2x2", "turn back", "Dequantize", "to int8"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = vta(d, &["info", "net.vta", "--json"]).json();
    assert_eq!(json["layers"][1]["kept"], 2);
    assert_eq!(json["steps"][2]["op"], "Dequantize");
    assert_eq!(json["outputs"][1]["tensor"], "copy");
    let text = vta(d, &["disasm", "net.vta"]).out;
    assert!(
        text.contains("#   host Dequantize turn back\n#   launch second\n"),
        "{text}"
    );
    // The text is that of the launches.
    std::fs::write(d.join("net.vtasm"), text).unwrap();
    let a = vta(d, &["run", "net.vtasm", "--json"]).json();
    let b = vta(d, &["run", "net.vta", "--json"]).json();
    assert_eq!(a["cycles"], b["cycles"]);
}
