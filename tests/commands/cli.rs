//! Sessions with the built command.

use crate::support::command::{folder, ok, vta};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A run that is refused: exit code 2, `error:` with these words, nothing on
/// stdout, and the same in JSON.
fn refused(dir: &Path, args: &[&str], words: &str) {
    let before = names(dir);
    let ran = vta(dir, args);
    assert_eq!(ran.code, 2, "{args:?}: {ran:?}");
    assert!(
        ran.err.starts_with("error: ") && ran.err.contains(words),
        "{args:?}: {}",
        ran.err
    );
    assert_eq!(ran.out, "", "{args:?}");
    let mut json_args = args.to_vec();
    json_args.push("--json");
    let ran = vta(dir, &json_args);
    assert_eq!(ran.code, 2);
    let json = ran.json();
    assert_eq!(json["schema_version"], 1);
    assert!(
        json["error"]["message"].as_str().unwrap().contains(words),
        "{args:?}: {json}"
    );
    assert!(json["error"]["kind"].is_string());
    assert_eq!(names(dir), before, "{args:?} left something behind");
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn help_and_version_are_no_errors() {
    let dir = folder();
    for args in [
        &["--help"][..],
        &["--version"],
        &["run", "--help"],
        &["help", "golden"],
    ] {
        assert_ne!(ok(dir.path(), args).out, "");
    }
    for c in [
        "compile",
        "infer",
        "zoo",
        "data",
        "run",
        "compare",
        "info",
        "asm",
        "disasm",
        "export-image",
        "golden",
        "config",
    ] {
        assert!(
            ok(dir.path(), &["--help"]).out.contains(&format!("  {c}")),
            "{c}"
        );
    }
}

#[test]
fn arguments_that_do_not_parse_are_refused() {
    let dir = folder();
    let d = dir.path();
    refused(d, &["rum"], "unrecognized subcommand");
    refused(d, &["run"], "required arguments");
    refused(
        d,
        &["run", "two.vta", "--max-cycles", "0"],
        "not a number from 1",
    );
    refused(
        d,
        &["run", "two.vta", "--max-cycles", "1e9"],
        "not a number from 1",
    );
    refused(d, &["run", "two.vta", "--sim", "rtl"], "fsim, tsim");
    refused(
        d,
        &["run", "two.vta", "--repeat", "-1"],
        "unexpected argument",
    );
    refused(d, &["run", "two.vta", "--repeat=-1"], "not a number from 1");
    refused(d, &["run", "--image", "dram.bin"], "--insn-addr");
    refused(
        d,
        &[
            "run",
            "--image",
            "dram.bin",
            "two.vta",
            "--insn-addr",
            "0",
            "--insn-count",
            "1",
        ],
        "cannot be used with",
    );
    refused(d, &["info", "two.vta", "--insn-addr", "0"], "--image");
    let image = [
        "run",
        "--image",
        "dram.bin",
        "--insn-count",
        "1",
        "--insn-addr",
    ];
    for bad in ["x", "0x", "0x1g", "", "4294967296", "0x100000000", "1.5"] {
        refused(
            d,
            &[&image[..], &[bad]].concat(),
            "not a number from 0 to 4294967295",
        );
    }
    refused(
        d,
        &[
            "run",
            "--image",
            "dram.bin",
            "--insn-addr",
            "0",
            "--insn-count",
            "0",
        ],
        "not a number from 1",
    );
}

#[test]
fn files_that_are_not_there_or_not_programs_are_refused() {
    let dir = folder();
    let d = dir.path();
    fs::write(d.join("noise"), [0xff, 0, 1, 2]).unwrap();
    fs::write(d.join("empty"), "").unwrap();
    let bundle = fs::read(d.join("two.vta")).unwrap();
    fs::write(d.join("cut.vta"), &bundle[..bundle.len() / 2]).unwrap();
    let mut flipped = bundle.clone();
    flipped[bundle.len() / 3] ^= 0x10;
    fs::write(d.join("flipped.vta"), flipped).unwrap();
    for command in ["run", "info", "disasm"] {
        refused(d, &[command, "nowhere.vta"], "nowhere.vta: No such file");
        refused(
            d,
            &[command, "golden"],
            "golden: a folder without memory_addresses.csv, so no program",
        );
        refused(
            d,
            &[command, "noise"],
            "noise: neither a bundle nor assembly text",
        );
        refused(
            d,
            &[command, "cut.vta"],
            "cut.vta: the archive is cut off or damaged",
        );
        refused(d, &[command, "flipped.vta"], "flipped.vta: ");
        refused(
            d,
            &[command, "two.vta", "--config", "huge"],
            "configuration huge: not a built-in",
        );
    }
    refused(
        d,
        &["compare", "two.vta", "nowhere.vta"],
        "nowhere.vta: No such file",
    );
    refused(
        d,
        &["export-image", "nowhere.vta", "--out", "out"],
        "nowhere.vta: No such file",
    );
    refused(
        d,
        &["asm", "nowhere.vtasm", "--out", "out.vta"],
        "nowhere.vtasm: No such file",
    );
}

#[test]
fn images_without_the_instructions_are_refused() {
    let dir = folder();
    let d = dir.path();
    let image = |addr, count| {
        [
            "run",
            "--image",
            "dram.bin",
            "--insn-addr",
            addr,
            "--insn-count",
            count,
        ]
    };
    refused(
        d,
        &image("4096", "513"),
        "513 instructions at 4096 end at 12304, past the 12288 bytes",
    );
    refused(d, &image("0xffffffff", "1"), "not a multiple of 8");
    refused(
        d,
        &image("0xfffffff8", "0xffffffff"),
        "past the 12288 bytes",
    );
    refused(d, &image("4", "1"), "4 is not a multiple of 8");
    let mut with_output = image("4096", "2").to_vec();
    with_output.extend(["--output", "12287:2"]);
    refused(d, &with_output, "output 0, 2 bytes at 12287");
    with_output[8] = "12287";
    refused(d, &with_output, "ADDRESS:BYTES");
    let ran = vta(d, &image("4096", "513"));
    assert!(ran.err.contains("\nhelp: check --insn-addr"), "{}", ran.err);
}

#[test]
fn a_trace_is_of_one_launch() {
    let dir = folder();
    let d = dir.path();
    refused(
        d,
        &["run", "two.vta", "--trace-csv", "t.csv"],
        "has 2 launches",
    );
    refused(
        d,
        &[
            "run",
            "two.vta",
            "--trace-csv",
            "t.csv",
            "--trace-launch",
            "third",
        ],
        "no launch third",
    );
}

#[test]
fn places_that_cannot_be_written_are_refused() {
    let dir = folder();
    let d = dir.path();
    refused(
        d,
        &["config", "de10", "--out", "no/such/folder.json"],
        "No such file",
    );
    refused(
        d,
        &["config", "de10", "--out", "golden"],
        "golden: is a directory",
    );
    refused(
        d,
        &["export-image", "one.vta", "--out", "golden"],
        "directory not empty",
    );
    refused(
        d,
        &["run", "one.vta", "--trace-csv", "no/such.csv"],
        "No such file",
    );
}

#[test]
fn a_log_level_that_is_none_is_refused() {
    let dir = folder();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_vta"))
        .args(["config"])
        .current_dir(dir.path())
        .env("VTA_LOG", "loud")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("one of off, error, warn"));
}

#[test]
fn configurations_are_listed_checked_and_written() {
    let dir = folder();
    let d = dir.path();
    let list = ok(d, &["config", "--json"]).json();
    assert_eq!(list["configs"].as_array().unwrap().len(), 6);
    assert_eq!(list["schema_version"], 1);
    assert_eq!(ok(d, &["config"]).out.lines().count(), 7);
    ok(d, &["config", "wide512", "--out", "mine.json"]);
    let mine = ok(d, &["config", "mine.json", "--json"]).json();
    let wide = ok(d, &["config", "wide512", "--json"]).json();
    assert_eq!(mine["config"]["keys"], wide["config"]["keys"]);
    fs::write(d.join("bad.json"), r#"{"LOG_BLOK": 4}"#).unwrap();
    refused(
        d,
        &["config", "bad.json"],
        "configuration bad.json: unknown key LOG_BLOK",
    );
    assert!(
        vta(d, &["config", "bad.json"])
            .err
            .contains("help: did you mean LOG_BLOCK?")
    );
    refused(d, &["config", "de-10"], "not a built-in configuration");
}

#[test]
fn info_says_what_is_inside() {
    let dir = folder();
    let d = dir.path();
    let json = ok(d, &["info", "two.vta", "--json"]).json();
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["config"]["name"], "de10");
    assert_eq!(json["dram_bytes"], 12288);
    assert_eq!(json["segments"][0]["kind"], "insn");
    let launch = &json["launches"][1];
    assert_eq!(launch["name"], "second");
    assert_eq!(launch["insns"], json!({ "finish": 1, "load uop": 1 }));
    assert_eq!(
        launch["units"],
        json!({ "compute": 2, "load": 0, "store": 0 })
    );
    assert_eq!(launch["symbols"][1]["name"], "end");
    let image = [
        "info",
        "--image",
        "dram.bin",
        "--insn-addr",
        "0x1000",
        "--insn-count",
        "5",
        "--config",
        "pynq",
    ];
    let text = ok(d, &image).out;
    assert!(
        text.starts_with("config pynq (block 16, 64-bit bus), 12,288 bytes of DRAM\n"),
        "{text}"
    );
    assert!(
        text.contains("\nlaunch main: 5 instructions at 4096"),
        "{text}"
    );
}

#[test]
fn images_are_exported() {
    let dir = folder();
    let d = dir.path();
    let json = ok(d, &["export-image", "one.vta", "--out", "images", "--json"]).json();
    assert_eq!(json["launches"], json!(["00-first"]));
    let image = fs::read(d.join("images/00-first/dram.bin")).unwrap();
    assert_eq!(image, fs::read(d.join("dram.bin")).unwrap());
    let launch = fs::read_to_string(d.join("images/00-first/launch.json")).unwrap();
    let launch: Value = serde_json::from_str(&launch).unwrap();
    assert_eq!(launch["insn_addr"], 4096);
    refused(
        d,
        &["export-image", "one.vta", "--out", "images"],
        "images: directory not empty",
    );
}

#[test]
fn a_folder_without_cases_is_refused() {
    let dir = folder();
    let d = dir.path();
    fs::create_dir(d.join("bare")).unwrap();
    refused(d, &["golden", "bare"], "bare: no cases below it");
    refused(d, &["golden", "nowhere"], "nowhere: No such file");
    refused(
        d,
        &["golden", "golden", "--threads", "0"],
        "not a number from 1",
    );
}

#[test]
fn golden_cases_that_differ_exit_with_1() {
    let dir = folder();
    let d = dir.path();
    let case = d.join("golden/fetch/000/case.json");
    let text = fs::read_to_string(&case).unwrap();
    fs::write(&case, text.replace("\"cycles\":26", "\"cycles\":999999")).unwrap();
    let ran = vta(d, &["golden", "golden", "--threads", "2"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.out
            .contains("fetch/000 wide512: cycles: expected 999999, found"),
        "{}",
        ran.out
    );
    fs::write(d.join("golden/fetch/000/dram.bin.gz"), "").unwrap();
    let ran = vta(d, &["golden", "golden", "--json"]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.json()["unreadable"].as_array().unwrap().len(), 1);
}

#[test]
fn images_of_later_launches_hold_what_the_earlier_ones_wrote() {
    let dir = folder();
    let d = dir.path();
    let ran = vta(d, &["export-image", "two.vta", "--out", "images"]);
    assert_eq!(ran.out, "images/00-first\nimages/01-second\n", "{ran:?}");
    let image = |name| fs::read(d.join("images").join(name).join("dram.bin")).unwrap();
    // Neither launch stores anything.
    assert_eq!(image("00-first"), image("01-second"));
}

#[test]
fn two_programs_are_put_side_by_side() {
    let dir = folder();
    let d = dir.path();
    let ran = vta(d, &["compare", "one.vta", "one.vta", "--json"]);
    let json = ran.json();
    assert_eq!((ran.code, &json["speedup"]), (0, &json!(1.0)));
    assert_eq!(json["outputs"], json!({ "equal": true }));
    assert_eq!(json["a"]["cycles"], json["b"]["cycles"]);
    let json = vta(d, &["compare", "one.vta", "two.vta", "--json"]).json();
    assert_eq!(json["outputs"]["equal"], Value::Null);
}

#[test]
fn a_run_prints_one_json_object() {
    let dir = folder();
    let d = dir.path();
    let image = [
        "run",
        "--image",
        "dram.bin",
        "--insn-addr",
        "4096",
        "--insn-count",
        "2",
        "--json",
    ];
    let ran = vta(d, &image);
    let json = ran.json();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        (&json["schema_version"], &json["status"]),
        (&json!(1), &json!("ok"))
    );
    assert!(json["cycles"].as_u64().unwrap() > 0);
    assert_eq!(json["acc_writes"], 0);
    let more = [
        "--repeat",
        "3",
        "--image-out",
        "after.bin",
        "--trace-csv",
        "t.csv",
    ];
    let again = ok(d, &[&image[..], &more].concat()).json();
    assert_eq!(again["cycles"], json["cycles"]);
    assert_eq!(fs::read(d.join("after.bin")).unwrap().len(), 12288);
    let trace = fs::read_to_string(d.join("t.csv")).unwrap();
    assert!(trace.starts_with("event,module,index,start,end,a,b\n"));
}

#[test]
fn a_program_that_does_not_end_exits_with_3() {
    let dir = folder();
    let d = dir.path();
    let ran = vta(d, &["run", "one.vta", "--max-cycles", "5", "--json"]);
    let json = ran.json();
    assert_eq!(ran.code, 3);
    assert_eq!(
        (&json["status"], &json["reason"]),
        (&json!("hang"), &json!("max-cycles"))
    );
    // One instruction of 0 is a LOAD of nothing: no finish ever comes.
    let ran = vta(
        d,
        &[
            "run",
            "--image",
            "dram.bin",
            "--insn-addr",
            "0",
            "--insn-count",
            "1",
            "--json",
        ],
    );
    assert_eq!(ran.code, 3);
    assert_eq!(ran.json()["reason"], "deadlock");
}

#[test]
fn a_text_is_assembled_and_printed() {
    let dir = folder();
    let d = dir.path();
    let ran = vta(d, &["asm", "finish.vtasm", "--out", "finish.vta"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let text = ok(d, &["disasm", "finish.vta"]).out;
    assert!(text.contains("finish"), "{text}");
    fs::write(d.join("again.vtasm"), text).unwrap();
    ok(d, &["asm", "again.vtasm", "--out", "again.vta"]);
    let read = |name| fs::read(d.join(name)).unwrap();
    assert_eq!(read("again.vta"), read("finish.vta"));
}

/// A load of 600 elements is fine in `de10` and too long for `small`.
#[test]
fn a_program_that_does_not_fit_the_scratchpads_is_refused() {
    let dir = folder();
    let d = dir.path();
    let text = ".config de10\n.data x inp len=600\n zero 600\n.launch main\n  load.inp sram_base=0 dram_base=x x_size=600\n  finish\n";
    fs::write(d.join("long.vtasm"), text).unwrap();
    ok(d, &["run", "long.vtasm"]);
    let small = ["run", "long.vtasm", "--config", "small"];
    let ran = vta(d, &small);
    assert_eq!(ran.code, 2, "{ran:?}");
    let message =
        "launch main, instruction 0: load reaches element 600 of inp, which has 512 in small";
    assert!(ran.err.contains(message), "{}", ran.err);
    assert!(ran.err.contains("--wrap"), "{}", ran.err);
    let compared = vta(
        d,
        &["compare", "long.vtasm", "long.vtasm", "--config", "small"],
    );
    assert_eq!(compared.code, 2, "{compared:?}");
    ok(d, &["run", "long.vtasm", "--config", "small", "--wrap"]);
}

#[test]
fn data_sets() {
    let dir = folder();
    let shown = ok(
        dir.path(),
        &["data", "shapes-det", "--json", "--png", "a.png"],
    )
    .json();
    assert_eq!(shown["label"], "boxes");
    assert_eq!(shown["dims"], json!([3, 96, 96]));
    assert_eq!(shown["splits"]["val"]["images"], 250);
    let png = fs::read(dir.path().join("a.png")).unwrap();
    let sheet = vta::data::decode(&png).unwrap();
    assert_eq!(sheet.dims(), [3, 2 + 10 * 98, 2 + 10 * 98]);

    fs::create_dir_all(dir.path().join("set/cat")).unwrap();
    fs::write(dir.path().join("set/cat/1.png"), &png[..100]).unwrap();
    refused(dir.path(), &["data", "set"], "set/cat/1.png: damaged PNG: ");
    refused(dir.path(), &["data", "nowhere"], "nowhere: no data set");
    refused(dir.path(), &["data", "--png", "b.png"], "required");
    fs::write(dir.path().join("set/cat/1.png"), &png).unwrap();
    let shown = ok(dir.path(), &["data", "set", "--json"]).json();
    assert_eq!(shown["splits"]["train"]["counts"], json!([1]));
    let empty = ["data", "set", "--split", "test", "--png", "c.png"];
    refused(dir.path(), &empty, "no images in it");
}
