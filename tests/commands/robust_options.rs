//! Options that would change nothing are refused, with the reason; messages
//! name the file once.

use crate::support::command::{folder, ok, vta};
use std::fs;

#[test]
fn options_without_effect_are_refused() {
    let dir = folder();
    let d = dir.path();
    ok(d, &["zoo", "resnet-tiny", "-o", "m.onnx"]);
    ok(d, &["compile", "m.onnx", "-o", "m.vta"]);
    ok(
        d,
        &[
            "prune",
            "lenet5",
            "--one-shot",
            "--rate",
            "0.5",
            "-o",
            "net",
        ],
    );
    fs::create_dir(d.join("set")).expect("a folder");
    fs::write(d.join("net/quantisation.json"), "{}").expect("a file");
    // Arguments, and what the message must have.
    for (args, words) in [
        (
            &["compile", "m.onnx", "--zoo-seed", "2", "-o", "x"][..],
            "--zoo-seed has no effect on the file m.onnx",
        ),
        (
            &["compile", "lenet5", "--seed", "2", "-o", "x"],
            "--density",
        ),
        (
            &["compile", "lenet5", "--calib-limit", "2", "-o", "x"],
            "--calib-limit has no effect without samples",
        ),
        (
            &["compile", "lenet5", "--mean", "2", "-o", "x"],
            "--mean has no effect without samples",
        ),
        (
            &["compile", "lenet5", "--scale", "2", "-o", "x"],
            "--scale has no effect without samples",
        ),
        (
            &[
                "compile",
                "lenet5",
                "--calib-limit",
                "2",
                "--quantisation",
                "q",
                "-o",
                "x",
            ],
            "cannot be used with",
        ),
        (
            &["compare", "lenet5", "--calib-limit", "2"],
            "--calib-limit has no effect without samples",
        ),
        (&["compare", "lenet5", "--wrap"], "required"),
        (&["compare", "lenet5", "--timing-only"], "required"),
        (
            &["compare", "one.vta", "two.vta", "--zoo-seed", "1"],
            "cannot be used with",
        ),
        (
            &["compare", "one.vta", "two.vta", "--calib-limit", "1"],
            "cannot be used with",
        ),
        (
            &["compare", "one.vta", "two.vta", "--mean", "1"],
            "cannot be used with",
        ),
        (
            &["compare", "one.vta", "two.vta", "--scale", "1"],
            "cannot be used with",
        ),
        (
            &["compare", "one.vta", "two.vta", "--verify"],
            "cannot be used with",
        ),
        (
            &["cost", "m.onnx", "--zoo-seed", "1"],
            "--zoo-seed has no effect",
        ),
        (&["data", "--seed", "2"], "required"),
        (
            &["data", "set", "--seed", "2"],
            "--seed has no effect on set",
        ),
        (&["data", "shapes-cls", "--split", "val"], "--png"),
        (&["data", "shapes-cls", "--samples", "3"], "--png"),
        (&["data", "shapes-cls", "--columns", "3"], "--png"),
        (
            &["diff", "one.vta", "two.vta", "--launch", "first"],
            "cannot be used with",
        ),
        (
            &["diff", "one.vta", "--sims", "--launch", "first"],
            "cannot be used with",
        ),
        (&["diff", "one.vta", "--launch", "first"], "required"),
        (
            &["compare", "one.vta", "two.vta", "--seed", "1"],
            "cannot be used with",
        ),
        (
            &[
                "infer",
                "lenet5",
                "--random",
                "1",
                "--masks",
                "net/masks.safetensors",
                "--seed",
                "2",
            ],
            "cannot be used with",
        ),
        (
            &[
                "run",
                "one.vta",
                "--stop-at",
                "0",
                "--trace-launch",
                "first",
            ],
            "cannot be used with",
        ),
        (
            &[
                "prune",
                "lenet5",
                "--one-shot",
                "--budget-macs",
                "0.5",
                "--cost",
                "c",
                "-o",
                "x",
            ],
            "cannot be used with",
        ),
        (
            &["eval", "m.onnx", "--data", "shapes-cls", "--config", "de10"],
            "--device",
        ),
        (
            &[
                "eval",
                "m.onnx",
                "--data",
                "shapes-cls",
                "--calib-limit",
                "3",
            ],
            "--device",
        ),
        (
            &[
                "eval",
                "m.onnx",
                "--data",
                "shapes-cls",
                "--quantisation",
                "q",
            ],
            "--device",
        ),
        (
            &[
                "infer",
                "lenet5",
                "--random",
                "1",
                "--sim",
                "fsim",
                "--time-all",
            ],
            "--time-all has no effect with --sim fsim",
        ),
        (
            &["infer", "lenet5", "--random", "1", "--mean", "2"],
            "--mean has no effect without samples",
        ),
        (
            &["infer", "lenet5", "--random", "1", "--calib-limit", "2"],
            "--calib-limit has no effect without samples",
        ),
        (
            &["infer", "m.vta", "--random", "1", "--zoo-seed", "2"],
            "--zoo-seed needs a network, m.vta is a program",
        ),
        (
            &["infer", "m.vta", "--input", "x.npy", "--calib-limit", "2"],
            "--calib-limit needs a network",
        ),
        (
            &["infer", "m.onnx", "--random", "1", "--zoo-seed", "2"],
            "--zoo-seed has no effect",
        ),
        (
            &[
                "profile",
                "--image",
                "dram.bin",
                "--insn-addr",
                "4096",
                "--insn-count",
                "2",
                "--wrap",
            ],
            "cannot be used with",
        ),
        (
            &[
                "run",
                "--image",
                "dram.bin",
                "--insn-addr",
                "4096",
                "--insn-count",
                "2",
                "--wrap",
            ],
            "cannot be used with",
        ),
        (
            &["run", "one.vta", "--sim", "fsim", "--timing-only"],
            "--timing-only has no effect with --sim fsim",
        ),
        (
            &["run", "one.vta", "--sim", "fsim", "--trace-csv", "x"],
            "--trace-csv has no effect with --sim fsim",
        ),
        (
            &["run", "two.vta", "--launch", "first"],
            "--launch has no effect where nothing stops the run",
        ),
        (
            &["run", "two.vta", "--trace-launch", "first"],
            "--trace-csv",
        ),
        (
            &["run", "one.vta", "--timing-only", "--image-out", "x"],
            "cannot be used with",
        ),
        (
            &["zoo", "--zoo-seed", "2"],
            "--zoo-seed has no effect on the list",
        ),
        (
            &["zoo", "lenet5", "--zoo-seed", "2"],
            "--zoo-seed has no effect on the list",
        ),
        (
            &[
                "prune",
                "lenet5",
                "--one-shot",
                "--rate",
                "0.5",
                "--permute-seed",
                "2",
                "-o",
                "x",
            ],
            "--permute",
        ),
        (
            &[
                "prune",
                "m.onnx",
                "--one-shot",
                "--rate",
                "0.5",
                "--zoo-seed",
                "2",
                "-o",
                "x",
            ],
            "--zoo-seed has no effect",
        ),
    ] {
        let ran = vta(d, args);
        assert_eq!(ran.code, 2, "{args:?}: {ran:?}");
        assert!(ran.err.contains(words), "{args:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{args:?}");
        assert!(!d.join("x").exists(), "{args:?}");
    }
    // What is of training, without.
    #[cfg(feature = "train")]
    for option in [
        &["--epochs", "3"][..],
        &["--method", "dense"],
        &["--with", "temporal"],
        &["--without", "spatial"],
        &["--batch", "3"],
        &["--lr", "0.1"],
        &["--teach-every", "3"],
        &["--plan", "p"],
        &["--seed", "3"],
        &["--limit", "3"],
        &["--resume"],
        &["--ablation"],
        &["--rows", "all"],
        &["--seeds", "3"],
        &["--stop-after", "3"],
    ] {
        let prune = ["prune", "lenet5", "--one-shot", "--rate", "0.5", "-o", "x"];
        let ran = vta(d, &[&prune[..], option].concat());
        assert_eq!(ran.code, 2, "{option:?}: {ran:?}");
        assert!(
            ran.err.contains(option[0]) || ran.err.contains("--data"),
            "{}",
            ran.err
        );
        assert!(!d.join("x").exists());
    }
    // The same options where they do something.
    for args in [
        &["compile", "lenet5", "--zoo-seed", "2", "-o", "x"][..],
        &["run", "two.vta", "--launch", "first", "--stop-at", "0"],
        &["run", "one.vta", "--max-cycles", "100000"],
        &[
            "data",
            "shapes-cls",
            "--seed",
            "3",
            "--split",
            "val",
            "--samples",
            "2",
            "--columns",
            "1",
            "--png",
            "x.png",
        ],
        &["zoo", "lenet5", "--zoo-seed", "2", "-o", "x"],
    ] {
        ok(d, args);
    }
}

/// Files that are not what was asked for, through every command that reads: the
/// first line names the file, and names it once.
#[test]
fn messages_name_the_file_once() {
    let dir = folder();
    let d = dir.path();
    ok(d, &["zoo", "lenet5", "-o", "m.onnx"]);
    ok(
        d,
        &["compile", "m.onnx", "-o", "m.vta", "--save-masks", "masks"],
    );
    let whole = |name: &str| fs::read(d.join(name)).expect("it is there");
    let cut = |name: &str| {
        let bytes = whole(name);
        bytes[..bytes.len() / 2].to_vec()
    };
    fs::create_dir(d.join("heap")).expect("a folder");
    let npy = vta::npy::Npy::of_floats(&[3, 5], (0..15).map(|n| n as f32)).write();
    let bad: Vec<(&str, Option<Vec<u8>>)> = vec![
        ("nowhere.bad", None),
        ("empty.bad", Some(Vec::new())),
        ("noise.bad", Some(vec![0xff, 0, 0x1b, 7, 200])),
        ("words.bad", Some(b"these are words\n".to_vec())),
        ("braces.bad", Some(b"{}".to_vec())),
        ("open.bad", Some(b"{\"a\": [".to_vec())),
        ("cut-onnx.bad", Some(cut("m.onnx"))),
        ("cut-vta.bad", Some(cut("m.vta"))),
        ("cut-masks.bad", Some(cut("masks"))),
        ("other-onnx.bad", Some(whole("m.onnx"))),
        ("other-vta.bad", Some(whole("m.vta"))),
        ("other-masks.bad", Some(whole("masks"))),
        ("other-npy.bad", Some(npy)),
        ("heap", None),
    ];
    let of = |name: &str, ending: &str| {
        let (stem, _) = name.split_once('.').unwrap_or((name, ""));
        format!("{stem}{ending}")
    };
    let mut seen = 0;
    for (name, bytes) in &bad {
        // The ending says what samples are.
        let (npy, raw, bin) = (of(name, ".npy"), of(name, ".raw"), of(name, ".bin"));
        let (onnx, vtasm) = (of(name, ".onnx"), of(name, ".vtasm"));
        for file in [name, npy.as_str(), &raw, &bin, &onnx, &vtasm] {
            match bytes {
                Some(bytes) => fs::write(d.join(file), bytes).expect("a file"),
                None if *name == "heap" => fs::create_dir_all(d.join(file)).expect("a folder"),
                None => {}
            }
        }
        for (file, args) in [
            (*name, &["run", name][..]),
            (name, &["check", name]),
            (name, &["info", name]),
            (name, &["disasm", name]),
            (name, &["profile", name]),
            (name, &["asm", name, "-o", "x"]),
            (&vtasm, &["run", &vtasm]),
            (
                name,
                &[
                    "run",
                    "--image",
                    name,
                    "--insn-addr",
                    "0xfffffff0",
                    "--insn-count",
                    "9",
                ],
            ),
            (name, &["compare", "one.vta", name]),
            (name, &["diff", "one.vta", name]),
            (name, &["diff", "one.vta", "--trace", name]),
            (name, &["report", "one.vta", name, "-o", "x"]),
            (name, &["run", "one.vta", "--config", name]),
            (name, &["config", name]),
            (&onnx, &["compile", &onnx, "-o", "x"]),
            (&onnx, &["infer", &onnx, "--random", "1"]),
            (&onnx, &["cost", &onnx, "--densities", "1", "--check", "1"]),
            (
                &onnx,
                &["prune", &onnx, "--one-shot", "--rate", "0.5", "-o", "x"],
            ),
            (name, &["compile", "resnet8", "--masks", name, "-o", "x"]),
            (
                name,
                &["compile", "resnet8", "--quantisation", name, "-o", "x"],
            ),
            (&npy, &["compile", "resnet8", "--calib", &npy, "-o", "x"]),
            (&npy, &["infer", "resnet8", "--input", &npy]),
            (&raw, &["infer", "resnet8", "--input", &raw]),
            (&bin, &["infer", "resnet8", "--input", &bin]),
            (name, &["infer", "resnet8", "--input", name]),
            (name, &["data", name]),
            (name, &["eval", "resnet-tiny", "--data", name]),
            (
                name,
                &[
                    "eval",
                    "resnet-tiny",
                    "--data",
                    "shapes-cls",
                    "--limit",
                    "1",
                    "--masks",
                    name,
                ],
            ),
            (name, &["golden", name]),
            (
                name,
                &["prune", "resnet8", "--one-shot", "--rates", name, "-o", "x"],
            ),
            (
                name,
                &[
                    "prune",
                    "resnet8",
                    "--one-shot",
                    "--budget-cycles",
                    "9",
                    "--cost",
                    name,
                    "-o",
                    "x",
                ],
            ),
        ] {
            let ran = vta(d, args);
            let _ = fs::remove_file(d.join("x"));
            let _ = fs::remove_dir_all(d.join("x"));
            // Some are good for some.
            if ran.code != 2 {
                assert!(
                    name.starts_with("other")
                        || (*name == "braces.bad" && args.contains(&"--rates"))
                        || *name == "words.bad"
                        || ran.code == 3,
                    "{args:?}: {ran:?}"
                );
                continue;
            }
            seen += 1;
            let line = ran.err.lines().next().expect("a message");
            assert_eq!(line.matches(file).count(), 1, "{args:?}: {line}");
        }
    }
    assert!(seen > 300, "{seen} messages were looked at");
}
