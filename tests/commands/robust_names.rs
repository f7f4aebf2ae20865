//! Names that would take over a terminal are spelled out wherever they are printed.

use crate::support::command::{Ran, folder};
use std::fs;
use std::path::Path;
use std::process::Command;
use vta::printable::is_unprintable;

/// Ends the line, clears the screen, sets a title, turns the direction, hides.
const EVIL: &str =
    "e\u{1b}[2J\u{1b}]0;PWN\u{7}\n=cmd|'/C calc'!A0\u{202e}\u{200b}\u{9b}31m\t\u{2066}z";

/// Runs `vta`, with its log too; looks at all that it printed.
fn seen(dir: &Path, args: &[&str]) -> Ran {
    let mut first = None;
    for (json, log) in [(false, "off"), (true, "off"), (false, "debug")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vta"));
        command.args(args).current_dir(dir).env("VTA_LOG", log);
        if json {
            command.arg("--json");
        }
        let ran = command.output().expect("it starts");
        let code = ran.status.code().expect("no signal ends it");
        assert!([0, 1, 2, 3].contains(&code), "{args:?}: {ran:?}");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let (out, err) = (text(ran.stdout), text(ran.stderr));
        for printed in [&out, &err] {
            let raw = printed.chars().find(|c| *c != '\n' && is_unprintable(*c));
            assert_eq!(raw, None, "{args:?}: {printed:?}");
            let broken = printed.lines().find(|l| l.starts_with("=cmd"));
            assert_eq!(broken, None, "{args:?}: {printed}");
        }
        if json {
            let parsed: Result<serde_json::Value, _> = serde_json::from_str(&out);
            assert!(parsed.is_ok(), "{args:?}: {out}");
        }
        first.get_or_insert(Ran { code, out, err });
    }
    first.expect("it ran")
}

fn well(dir: &Path, args: &[&str]) -> Ran {
    let ran = seen(dir, args);
    assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
    ran
}

/// A written file has none of them either.
fn clean(path: &Path) {
    let text = fs::read_to_string(path).expect("a text");
    let raw = text
        .chars()
        .find(|c| !matches!(c, '\n' | '\t') && is_unprintable(*c));
    assert_eq!(raw, None, "{}", path.display());
}

/// Names inside a network, through every command that prints names.
#[test]
fn names_of_a_network() {
    let Some(model) = vta_test_support::shared("cases/robust/inj_names.onnx") else {
        return;
    };
    let dir = folder();
    let d = dir.path();
    fs::copy(model, d.join("m.onnx")).expect("it can be copied");
    let compiled = well(
        d,
        &[
            "compile",
            "m.onnx",
            "-o",
            "m.vta",
            "--verify",
            "--save-masks",
            "masks",
        ],
    );
    assert!(
        compiled.out.contains("\\u{202e}") && compiled.out.contains("\\n=cmd"),
        "{compiled:?}"
    );
    for args in [
        &["compile", "m.onnx", "-o", "n.vta", "--masks", "masks"][..],
        &["check", "m.vta"],
        &["compare", "m.onnx", "--report", "pages"],
        &["compare", "m.vta", "m.vta"],
        &[
            "cost",
            "m.onnx",
            "--densities",
            "1,0",
            "--check",
            "1",
            "-o",
            "cost.json",
        ],
        &["disasm", "m.vta"],
        &["disasm", "m.vta", "-o", "m.vtasm"],
        &["explain", "m.vta"],
        &["export-image", "m.vta", "-o", "text"],
        &[
            "infer",
            "m.onnx",
            "--random",
            "1",
            "--compare-reference",
            "--float",
        ],
        &["infer", "m.vta", "--random", "1"],
        &["info", "m.vta"],
        &["profile", "m.vta"],
        &["profile", "m.vta", "--by", "roofline"],
        &["report", "m.vta", "-o", "m.html"],
        &["run", "m.vta"],
        &["run", "m.vta", "--trace-csv", "m.csv"],
        &["trace", "m.vta", "-o", "m.pftrace"],
        &["diff", "m.vta", "--sims"],
        &["asm", "m.vtasm", "-o", "again.vta"],
        &["run", "again.vta"],
    ] {
        // A folder that is there is not written again.
        if args[0] == "export-image" {
            seen(d, args);
            continue;
        }
        well(d, args);
    }
    for text in ["m.vtasm", "m.html", "pages/index.html", "m.csv"] {
        clean(&d.join(text));
    }
    // The text is the same program: its symbols have their names again.
    let symbols = |file: &str| {
        let info = crate::support::command::ok(d, &["info", file, "--json"]).json();
        info["launches"][0]["symbols"].clone()
    };
    assert_eq!(symbols("again.vta"), symbols("m.vta"));
    assert!(symbols("m.vta").to_string().contains("\\n=cmd"));
    let trace = fs::read(d.join("m.pftrace")).expect("it is there");
    let hidden = "\u{202e}".as_bytes();
    assert!(
        !trace.windows(3).any(|w| w == hidden),
        "names in the timeline"
    );
    // Errors that name layers.
    for args in [
        &["explain", "m.vta", "--layer", "nowhere"][..],
        &["run", "m.vta", "--stop-at", "0", "--launch", EVIL],
        &["run", "m.vta", "--trace-csv", "t", "--trace-launch", EVIL],
        &["infer", "m.onnx", "--input", "x.npy"],
        &["compile", "m.onnx", "--quantisation", "c.json", "-o", "x"],
        &["compile", "m.onnx", "--masks", "m.onnx", "-o", "x"],
        &["explain", "m.vta", "--layer", EVIL],
        &[
            "prune",
            "m.onnx",
            "--one-shot",
            "--rate",
            "0.5",
            "--keep-dense",
            EVIL,
            "-o",
            "x",
        ],
        &[
            "prune",
            "m.onnx",
            "--one-shot",
            "--rates",
            "rates.json",
            "-o",
            "x",
        ],
    ] {
        fs::write(d.join("c.json"), "{}").expect("a file");
        fs::write(d.join("rates.json"), "{\"a\u{202e}\": 0.5}").expect("a file");
        let npy = vta::npy::Npy::of_floats(&[1], [0.0].into_iter());
        fs::write(d.join("x.npy"), npy.write()).expect("a file");
        assert_eq!(seen(d, args).code, 2, "{args:?}");
    }
    let prune = [
        "prune",
        "m.onnx",
        "--one-shot",
        "--rate",
        "0.5",
        "-o",
        "pruned",
    ];
    seen(d, &prune);
}

/// Names of files and folders, and what is in them.
#[cfg(unix)]
#[test]
fn names_of_files() {
    let dir = folder();
    let d = dir.path();
    let file = EVIL.replace('/', "");
    let at = |ending: &str| format!("{file}{ending}");
    for (from, ending) in [
        ("one.vta", ".vta"),
        ("finish.vtasm", ".vtasm"),
        ("dram.bin", ".bin"),
    ] {
        fs::copy(d.join(from), d.join(at(ending))).expect("a file");
    }
    crate::support::command::ok(d, &["zoo", "resnet-tiny", "-o", &at(".onnx")]);
    crate::support::command::ok(d, &["config", "de10", "-o", &at(".json")]);
    fs::create_dir_all(d.join(at("")).join(at(".class"))).expect("a folder");
    crate::support::command::ok(
        d,
        &["data", "shapes-cls", "--samples", "1", "--png", "1.png"],
    );
    fs::copy(
        d.join("1.png"),
        d.join(at("")).join(at(".class")).join(at(".png")),
    )
    .expect("a picture");
    fs::write(
        d.join(at(".txt")),
        format!(".launch {EVIL}\n  {EVIL}\n\tnop {EVIL}\n"),
    )
    .expect("a text");
    let config = at(".json");
    let (vta, onnx, text) = (at(".vta"), at(".onnx"), at(".vtasm"));
    for args in [
        &["asm", &text, "-o", &at(".out.vta"), "--config", &config][..],
        &["check", &text],
        &["compare", &vta, &vta, "--config", &config],
        &["compare", &onnx, "--report", &at(".pages")],
        &[
            "compile",
            &onnx,
            "-o",
            &at(".out.vta"),
            "--config",
            &config,
            "--save-masks",
            &at(".masks"),
        ],
        &[
            "compile",
            &onnx,
            "-o",
            &at(".out.vta"),
            "--masks",
            &at(".masks"),
        ],
        &["config", &config],
        &[
            "cost",
            &onnx,
            "--densities",
            "1",
            "--check",
            "1",
            "--config",
            &config,
            "-o",
            &at(".cost"),
        ],
        &["data", &at(""), "--split", "train", "--png", &at(".png")],
        &["disasm", &vta, "-o", &at(".dis")],
        &[
            "eval",
            &onnx,
            "--data",
            "shapes-cls",
            "--limit",
            "1",
            "--device",
            "--config",
            &config,
        ],
        &["explain", &vta],
        &["info", &vta, "--config", &config],
        &["infer", &onnx, "--random", "1", "-o", &at(".npy")],
        &[
            "infer",
            &onnx,
            "--input",
            &at(".npy"),
            "--calib",
            &at(".npy"),
        ],
        &["profile", &text],
        &["report", &vta, "-o", &at(".html")],
        &[
            "run",
            &vta,
            "--trace-csv",
            &at(".csv"),
            "--image-out",
            &at(".img"),
        ],
        &["trace", &vta, "-o", &at(".pftrace")],
        &["diff", &vta, &vta],
        &["diff", &vta, "--trace", &at(".csv")],
        &["zoo", "lenet5", "-o", &at(".zoo")],
    ] {
        // The sample is the network's output, not its input.
        match args.contains(&"--input") {
            true => assert_eq!(seen(d, args).code, 2),
            false => drop(well(d, args)),
        }
    }
    clean(&d.join(at(".html")));
    for args in [
        &["run", &at(".nowhere")][..],
        &["info", &at(".bin")],
        &["check", &at(".txt")],
        &["compile", &at(".bin"), "-o", "x"],
        &["compile", &at(".nowhere"), "-o", "x"],
        &["infer", &onnx, "--input", &at(".nowhere")],
        &["infer", &onnx, "--input", &at(".bin")],
        &["config", &at(".nowhere")],
        &["config", &at(".bin")],
        &["data", &at(".nowhere")],
        &["golden", &at("")],
        &["golden", &at(".nowhere")],
        &["eval", &at(""), "--data", "shapes-cls"],
        &["eval", &onnx, "--data", &at(".nowhere")],
        &["run", &vta, "--image-out", &vta],
        &["run", &vta, "--max-cycles", EVIL],
        &["run", &vta, "--stop-at", EVIL],
        &["run", &vta, "--dump", EVIL],
        &[EVIL],
        &["run", EVIL, EVIL],
        &["zoo", EVIL],
        &["profile", &vta, "--by", EVIL],
        &[
            "prune",
            &at(".nowhere"),
            "--one-shot",
            "--rate",
            "0.5",
            "-o",
            "x",
        ],
        &[
            "prune",
            &onnx,
            "--one-shot",
            "--rates",
            &at(".nowhere"),
            "-o",
            "x",
        ],
        &[
            "prune",
            &onnx,
            "--one-shot",
            "--budget-cycles",
            "1",
            "--cost",
            &at(".bin"),
            "-o",
            "x",
        ],
    ] {
        let ran = seen(d, args);
        assert_eq!(ran.code, 2, "{args:?}: {ran:?}");
        assert!(ran.err.starts_with("error: "), "{args:?}: {ran:?}");
    }
    // A golden case whose folder has such a name.
    fs::rename(d.join("golden/fetch"), d.join("golden").join(at(""))).expect("a folder");
    assert_eq!(seen(d, &["golden", "golden"]).code, 1);
    fs::write(d.join("golden").join(at("")).join("000/case.json"), "{").expect("a file");
    assert_eq!(seen(d, &["golden", "golden"]).code, 2);
}

/// The caret of a mistake stays under it.
#[test]
fn mistakes_are_pointed_at_as_they_are_shown() {
    let dir = folder();
    let text = ".launch main\n\t\u{202e}gemm\u{1b}[31m bad=1\n";
    fs::write(dir.path().join("x.vtasm"), text).expect("a text");
    let ran = seen(dir.path(), &["check", "x.vtasm"]);
    let lines: Vec<&str> = ran.err.lines().collect();
    let marks = lines
        .iter()
        .position(|l| l.trim_start().starts_with('^'))
        .expect("a mark");
    let (line, mark) = (lines[marks - 1], lines[marks]);
    let from = mark.find('^').expect("a mark");
    assert!(line[from..].starts_with("\\u{202e}"), "{line}\n{mark}");
}
