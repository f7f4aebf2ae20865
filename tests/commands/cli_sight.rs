//! `vta diff`, `vta run --stop-at` and `--dump`, `vta profile` and
//! `vta explain`, with the built command.

use crate::support::command::{folder, vta};
use serde_json::json;
use std::fs;
use std::path::Path;

const GEMM: &str = "programs/kernels/gemm.vtasm";

/// A program like the product of matrices, with something replaced.
fn altered(dir: &Path, from: &str, to: &str) -> String {
    let text = fs::read_to_string(dir.join(GEMM)).expect("it is there");
    let other = text.replacen(from, to, 1);
    assert_ne!(text, other, "{from} is in it");
    let name = "altered.vtasm";
    fs::write(dir.join(name), other).expect("files can be written");
    name.to_owned()
}

#[test]
fn other_data_differ_in_an_instruction_and_a_byte() {
    let dir = folder();
    let other = altered(dir.path(), "random seed=1", "random seed=7");
    let ran = vta(dir.path(), &["diff", GEMM, &other, "--json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let json = ran.json();
    assert_eq!(json["equal"], false);
    assert_eq!(json["launch"], "gemm");
    // The first instruction that leaves other bytes is the load of inputs.
    let said = vta(dir.path(), &["diff", GEMM, &other]);
    assert!(said.out.contains("load.inp"), "{}", said.out);
    assert_eq!(json["place"], "inp[0] byte 0");
    let (a, b) = (&json["bytes"][0], &json["bytes"][1]);
    assert_ne!(a, b);
    // The bytes are those that were loaded.
    for (program, byte) in [(GEMM, a), (&other, b)] {
        let args = ["run", program, "--dump", "inp[0]", "--json"];
        let ran = vta(dir.path(), &args);
        let first = ran.json()["dumps"][0]["values"][0][0].clone();
        let byte = byte.as_u64().expect("a byte") as u8 as i8;
        assert_eq!(first, json!(byte), "{ran:?}");
    }
}

#[test]
fn other_instructions_differ_in_a_word_and_in_results() {
    let dir = folder();
    let other = altered(dir.path(), "imm=5", "imm=4");
    let ran = vta(dir.path(), &["diff", GEMM, &other]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("alu.shr"), "{}", ran.out);
    assert!(ran.out.contains("output 0: byte "), "{}", ran.out);
    let faster = "programs/kernels/gemm_overlapped.vtasm";
    let ran = vta(dir.path(), &["diff", GEMM, faster, "--json"]);
    assert_eq!((ran.code, &ran.json()["outputs_equal"]), (1, &json!(true)));
    let ran = vta(dir.path(), &["diff", GEMM, GEMM, "--json"]);
    assert_eq!((ran.code, &ran.json()["equal"]), (0, &json!(true)));
}

#[test]
fn a_recorded_trace_names_the_instruction_of_a_row() {
    let dir = folder();
    let run = ["run", GEMM, "--trace-csv", "recorded.csv"];
    assert_eq!(vta(dir.path(), &run).code, 0);
    let diff = |trace: &str| {
        let args = ["diff", GEMM, "--trace", trace, "--json"];
        vta(dir.path(), &args)
    };
    assert_eq!(diff("recorded.csv").code, 0);
    let recorded = fs::read_to_string(dir.path().join("recorded.csv")).expect("a trace");
    let lines: Vec<&str> = recorded.lines().collect();
    // What a row of each kind belongs to: instructions of gemm.vtasm.
    let word = |insn: u64| {
        let ran = vta(dir.path(), &["disasm", GEMM]);
        let insns = ran.out.lines().filter(|l| {
            let l = l.trim_start();
            ["load.", "gemm", "alu.", "store", "finish"]
                .iter()
                .any(|k| l.starts_with(k))
        });
        let all: Vec<String> = insns.map(|l| l.trim().to_owned()).collect();
        all[insn as usize].clone()
    };
    for (event, instruction) in [
        ("insn,load,", "load.inp"),
        ("insn,store,", "store"),
        ("aw,", "store"),
        ("w,", "store"),
    ] {
        let row = lines.iter().position(|l| l.starts_with(event));
        let row = row.unwrap_or_else(|| panic!("{event} is in it"));
        let mut other: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
        other[row] += "1";
        fs::write(dir.path().join("other.csv"), other.join("\n")).expect("it can be written");
        let ran = diff("other.csv");
        assert_eq!(ran.code, 1, "{event}: {ran:?}");
        let json = ran.json();
        assert_eq!(json["row"], row + 1, "{event}");
        let insn = json["instruction"].as_u64().expect("an instruction");
        assert!(
            word(insn).starts_with(instruction),
            "{event}: {insn}: {}",
            word(insn)
        );
    }
    // A trace that ends too early differs where it ends.
    fs::write(dir.path().join("short.csv"), lines[..20].join("\n")).expect("it can be written");
    assert_eq!(diff("short.csv").json()["row"], 21);
    fs::write(dir.path().join("none.csv"), "cycle,unit\n").expect("it can be written");
    let ran = diff("none.csv");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("no trace"), "{}", ran.err);
}

#[test]
fn a_run_stops_where_it_is_told_and_shows_what_is_there() {
    let dir = folder();
    let run = |more: &[&str]| {
        let mut args = vec!["run", GEMM, "--json"];
        args.extend(more);
        vta(dir.path(), &args)
    };
    let dump = |stop: &str| {
        let ran = run(&["--stop-at", stop, "--dump", "acc[0]"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.json()["dumps"][0]["values"][0].clone()
    };
    let zeros = json!(vec![0; 16]);
    assert_eq!(dump("@1"), zeros);
    let sums = dump("4");
    assert_ne!(sums, zeros, "sums after the GEMM");
    let shifted: Vec<i64> = sums
        .as_array()
        .expect("numbers")
        .iter()
        .map(|n| n.as_i64().expect("a number") >> 5)
        .collect();
    assert_eq!(dump("5"), json!(shifted), "after the shift");
    for (more, words) in [
        (&["--stop-at", "99"][..], "no instruction 99"),
        (&["--stop-at", "x"], "not an instruction (12)"),
        (&["--dump", "foo[0]"], "there are uop, inp, wgt"),
        (&["--dump", "inp[0..99999]"], "past its 2048 elements"),
    ] {
        let ran = run(more);
        assert_eq!(ran.code, 2, "{more:?}");
        assert!(ran.err.contains(words), "{more:?}: {}", ran.err);
    }
}

#[test]
fn causes_of_each_unit_sum_to_the_cycles_in_json() {
    let dir = folder();
    let ran = vta(dir.path(), &["profile", GEMM, "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let json = ran.json();
    let cycles = json["cycles"].as_u64().expect("cycles");
    for unit in ["fetch", "load", "compute", "store"] {
        let all = json["total"]["units"][unit].as_object().expect("causes");
        let sum: u64 = all.values().filter_map(serde_json::Value::as_u64).sum();
        assert_eq!(sum, cycles, "{unit}");
    }
    let ran = vta(dir.path(), &["explain", GEMM, "--json"]);
    let explained = ran.json();
    assert_eq!(explained["cycles"], cycles);
    for layer in explained["layers"].as_array().expect("layers") {
        let split = layer["split"].as_object().expect("a split");
        let sum: u64 = split.values().filter_map(serde_json::Value::as_u64).sum();
        assert_eq!(layer["cycles"], sum, "{layer}");
        assert!(split.contains_key(layer["bottleneck"].as_str().expect("a name")));
    }
    let ran = vta(dir.path(), &["explain", "resnet18"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("vta compile resnet18 -o program.vta"),
        "{}",
        ran.err
    );
}
