//! Sweeps over configurations: each row is what `vta cycles` says, and a file that was
//! broken off goes on with the same bytes.

use crate::support::command::{folder, ok, vta};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use vta::rows::{Outcome, Row, read};

fn rows(dir: &Path, name: &str) -> Vec<Row> {
    read(&dir.join(name)).expect("a file of rows")
}

fn cycles(row: &Row) -> u64 {
    let cycles = row.value("cycles").and_then(Value::as_u64);
    cycles.unwrap_or_else(|| panic!("{row:?}"))
}

#[test]
fn each_row_is_what_cycles_says() {
    let dir = folder();
    let d = dir.path();
    fs::create_dir(d.join("configs")).expect("a folder");
    for config in ["small", "wide128"] {
        let file = format!("configs/{config}.json");
        ok(d, &["config", config, "--out", &file]);
    }
    fs::write(d.join("configs/notes.txt"), "not a configuration").expect("a file");
    let args = [
        "sweep",
        "lenet5",
        "resnet8",
        "--configs",
        "configs",
        "--configs",
        "b32",
        "--densities",
        "1,0.4",
        "--seed",
        "3",
        "--layers",
        "-o",
        "rows",
        "--json",
    ];
    let json = ok(d, &args).json();
    let all = rows(d, "rows");
    assert_eq!(all.len(), 12);
    let printed: Vec<Value> = all.iter().map(Row::to_json).collect();
    assert_eq!(json["rows"], Value::from(printed));
    let mut each = all.iter();
    for model in ["lenet5", "resnet8"] {
        for config in ["configs/small.json", "configs/wide128.json", "b32"] {
            let args = [
                "cycles",
                model,
                "--config",
                config,
                "--density",
                "1,0.4",
                "--seed",
                "3",
                "--json",
            ];
            let answers = ok(d, &args).json();
            for answer in answers["answers"].as_array().expect("a list") {
                let row = each.next().expect("a row");
                assert_eq!((row.name("model"), row.name("config")), (model, config));
                assert_eq!(answer["cycles"], cycles(row), "{model} {config}");
                let strip = |l: &Value| (l["layer"].clone(), l["cycles"].clone());
                let layers = |v: &Value| -> Vec<_> {
                    v.as_array().expect("a list").iter().map(strip).collect()
                };
                let of_row = row.value("layers").expect("layers");
                assert_eq!(layers(&answer["layers"]), layers(of_row));
            }
        }
    }
    // What was computed is not computed again, whatever the configuration is called.
    let again = [
        "sweep",
        "resnet8",
        "--configs",
        "configs/small.json",
        "--configs",
        "small",
        "--densities",
        "0.4",
        "--seed",
        "3",
        "--layers",
        "-o",
        "rows",
        "--json",
    ];
    let again = ok(d, &again).json();
    assert_eq!((&again["points"], &again["before"]), (&1.into(), &1.into()));
    assert_eq!(rows(d, "rows"), all);
}

/// Bytes that a row says are those of the run.
#[test]
fn bytes_are_those_of_the_program() {
    let dir = folder();
    let d = dir.path();
    ok(d, &["sweep", "resnet8", "--configs", "pynq", "-o", "rows"]);
    ok(
        d,
        &["compile", "resnet8", "--config", "pynq", "-o", "p.vta"],
    );
    let run = ok(d, &["run", "p.vta", "--timing-only", "--json"]).json();
    let row = &rows(d, "rows")[0];
    assert_eq!(run["cycles"], cycles(row));
    for name in ["bytes_read", "bytes_written"] {
        assert_eq!(Some(&run["stats"][name]), row.value(name), "{name}");
    }
}

#[test]
fn hardware_that_does_not_fit_is_a_row() {
    let dir = folder();
    let d = dir.path();
    ok(d, &["config", "wide512", "--out", "bad.json"]);
    let text = fs::read_to_string(d.join("bad.json")).expect("a file");
    let text = text.replace("\"UOP_DEPTH\": 2048", "\"UOP_DEPTH\": 8192");
    let text = text.replace("\"MEM_DELAY\": 16", "\"MEM_DELAY\": 17");
    fs::write(d.join("bad.json"), text).expect("a file");
    let grid = "UOP_DEPTH=2048|8192,MEM_DATA_BITS=64|512";
    let args = [
        "sweep",
        "resnet8",
        "--configs",
        grid,
        "--configs",
        "bad.json",
        "-o",
        "rows",
    ];
    let said = ok(d, &args).out;
    let all = rows(d, "rows");
    let kinds: Vec<&str> = all
        .iter()
        .map(|row| match &row.outcome {
            Outcome::Result(_) => "",
            Outcome::Error(failure) => failure.kind.as_str(),
        })
        .collect();
    assert_eq!(kinds, ["", "", "", "config", "config"], "{all:?}");
    for row in &all[3..] {
        let Outcome::Error(failure) = &row.outcome else {
            panic!("{row:?}");
        };
        assert!(
            failure
                .message
                .starts_with("UOP_DEPTH is 8192; on a 512-bit bus")
        );
        let keys = row.point().get("config").expect("keys");
        assert_eq!(
            (&keys["UOP_DEPTH"], &keys["MEM_DATA_BITS"]),
            (&8192.into(), &512.into())
        );
    }
    assert!(
        said.contains("5 points: 3 with cycles, 2 without"),
        "{said}"
    );
    assert!(said.contains("     2  config  UOP_DEPTH is 8192"), "{said}");
}

#[test]
fn parts_are_the_whole_on_any_number_of_threads() {
    let dir = folder();
    let d = dir.path();
    let sweep = |more: &[&str]| {
        let mut args = vec![
            "sweep",
            "lenet5",
            "resnet8",
            "--configs",
            "MEM_DELAY=8..13",
            "--densities",
            "0.5,0.3",
        ];
        args.extend(more);
        ok(d, &args)
    };
    sweep(&["-o", "whole", "--threads", "1"]);
    sweep(&["-o", "two", "--threads", "2"]);
    let bytes = |name: &str| fs::read_to_string(d.join(name)).expect("a file");
    assert_eq!(bytes("whole"), bytes("two"));
    let mut parts = Vec::new();
    for part in 1..=3 {
        let (file, shard) = (format!("part{part}"), format!("{part}/3"));
        sweep(&["-o", &file, "--shard", &shard]);
        parts.push(bytes(&file));
    }
    let mut lines: Vec<_> = parts.iter().map(|p| p.lines()).collect();
    for (n, line) in bytes("whole").lines().enumerate() {
        assert_eq!(lines[n % 3].next(), Some(line));
    }
    assert!(lines.iter_mut().all(|l| l.next().is_none()));
    // Put together they are a file of rows in which nothing is missing.
    fs::write(d.join("all"), parts.concat()).expect("a file");
    let json = sweep(&["-o", "all", "--json"]).json();
    assert_eq!((&json["points"], &json["before"]), (&24.into(), &24.into()));
}

/// Waits until a file has so many bytes.
#[cfg(unix)]
fn grown(path: &Path, bytes: u64) {
    let begun = Instant::now();
    while fs::metadata(path).map_or(0, |m| m.len()) < bytes {
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "{}",
            path.display()
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(unix)]
#[test]
fn whatever_ends_it_the_file_goes_on_with_the_same_bytes() {
    let dir = folder();
    let d = dir.path();
    let args = |out| {
        [
            "sweep",
            "resnet8",
            "--configs",
            "MEM_DELAY=1..60",
            "-o",
            out,
            "--threads",
            "2",
        ]
    };
    ok(d, &args("whole"));
    let whole = fs::read(d.join("whole")).expect("a file");
    for (turn, signal) in ["-KILL", "-INT", "-KILL", "-TERM"].into_iter().enumerate() {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vta"));
        let command = command.args(args("rows")).current_dir(d);
        let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().expect("it starts");
        grown(
            &d.join("rows"),
            whole.len() as u64 * (2 * turn as u64 + 1) / 10,
        );
        if turn == 0 {
            let second = vta(d, &args("rows"));
            assert_eq!(second.code, 2, "{second:?}");
            assert!(
                second.err.contains("another run writes there, process"),
                "{second:?}"
            );
        }
        let id = child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.expect("kill starts").success());
        let ended = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&ended.stderr);
        if signal != "-KILL" {
            assert_eq!(ended.status.code(), Some(130), "{said}");
            assert!(said.contains(" of 60 points"), "{said}");
            assert!(
                said.contains("the same command goes on: rows has the rows"),
                "{said}"
            );
        }
        let now = fs::read(d.join("rows")).expect("a file");
        assert!(now.len() < whole.len(), "{signal} comes too late");
        assert!(whole.starts_with(&now), "{signal}");
        if signal == "-KILL" {
            // The last line may be torn where the system is killed too.
            let torn = &now[..now.len() - 7];
            fs::write(d.join("rows"), torn).expect("a file");
        }
    }
    ok(d, &args("rows"));
    assert!(fs::read(d.join("rows")).expect("a file") == whole);
    let left = fs::read_dir(d).expect("a folder");
    let left = left.map(|e| e.expect("an entry").file_name());
    let left: Vec<_> = left
        .filter(|n| n.to_string_lossy().starts_with(".vta"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn mistakes_are_refused_before_the_work() {
    let dir = folder();
    let d = dir.path();
    fs::write(d.join("notes"), "mine\n").expect("a file");
    fs::create_dir(d.join("empty")).expect("a folder");
    ok(d, &["config", "small", "--out", "small.json"]);
    fs::create_dir(d.join("configs")).expect("a folder");
    ok(d, &["config", "small", "--out", "configs/small.json"]);
    for (more, says) in [
        (
            &["--configs", "de10", "-o", "notes"][..],
            "notes: line 1: not a row",
        ),
        (&["--configs", "de10", "-o", "empty"], "empty: not a file"),
        (&["--configs", "empty"], "empty: there is no configuration"),
        (
            &["--configs", "small.json", "-o", "small.json"],
            "the output is also the input",
        ),
        (
            &["--configs", "configs", "-o", "configs/rows"],
            "the output is inside the input",
        ),
        (&["--configs", "de1"], "not a built-in configuration"),
        (
            &["--configs", "INP_DEPHT=64"],
            "unknown key INP_DEPHT in the grid",
        ),
        (
            &["--configs", "INP_DEPTH=4096"],
            "INP_DEPTH is 4096; allowed",
        ),
        (
            &["--configs", "de10", "--shard", "3/2"],
            "\"3/2\" is not I/N",
        ),
        (
            &["--configs", "de10", "--densities", "1.5"],
            "not a number from 0 to 1",
        ),
    ] {
        let mut args = vec!["sweep", "lenet5"];
        args.extend(more);
        let ran = vta(d, &args);
        assert_eq!(ran.code, 2, "{args:?}: {ran:?}");
        assert!(ran.err.contains(says), "{args:?}: {}", ran.err);
    }
    let ran = vta(
        d,
        &["sweep", "lenet5", "--configs", "de10", "--masks", "notes"],
    );
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.starts_with("error: notes: "), "{ran:?}");
    assert_eq!(fs::read(d.join("notes")).expect("a file"), b"mine\n");
    // Masks of another network: the point has no result, others have.
    ok(
        d,
        &[
            "compile",
            "lenet5",
            "--density",
            "0.5",
            "--save-masks",
            "m",
            "-o",
            "p.vta",
        ],
    );
    ok(
        d,
        &[
            "sweep",
            "lenet5",
            "resnet8",
            "--configs",
            "de10",
            "--masks",
            "m",
            "-o",
            "rows",
        ],
    );
    let all = rows(d, "rows");
    assert_eq!((all.len(), all[0].name("masks")), (2, "m"));
    assert!(cycles(&all[0]) > 0);
    assert!(matches!(&all[1].outcome, Outcome::Error(f) if f.kind == "mask"));
}
