//! Training that diverges: an error, and nothing that is no number in any file.

use crate::support::command::{folder, ok, vta};
use crate::train_prune::dense;
use std::fs;
use std::path::Path;

/// What a folder has, by name.
fn names(dir: &Path) -> Vec<String> {
    let mut all: Vec<String> = match fs::read_dir(dir) {
        Ok(entries) => entries
            .map(|e| {
                e.expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect(),
        Err(_) => Vec::new(),
    };
    all.sort();
    all
}

/// With a decay of three hundredths of the weights in each step they double and
/// change their signs: a run that is well for some epochs and then is not.
#[test]
fn a_run_that_diverges_keeps_its_last_good_checkpoint() {
    let dir = folder();
    let d = dir.path();
    dense(d);
    let train = [
        "train",
        "resnet-tiny",
        "--data",
        "data",
        "--batch",
        "20",
        "--epochs",
        "400",
        "--optimiser",
        "adamw",
        "--lr",
        "300",
        "-o",
        "run",
    ];
    let ran = vta(d, &train);
    assert_eq!(ran.code, 2, "{}", ran.err);
    let line = ran.err.lines().next().unwrap_or_default().to_owned();
    assert!(
        line.contains("in step ") && line.contains("(epoch "),
        "{line}"
    );
    assert!(
        line.contains("learning rate ") && line.ends_with("training does not converge"),
        "{line}"
    );
    assert!(ran.err.contains("try a lower learning rate"), "{}", ran.err);
    assert_eq!(
        names(&d.join("run")),
        ["checkpoint", "curves.svg", "log.csv", "times.csv"]
    );
    let log = fs::read_to_string(d.join("run/log.csv")).expect("a log");
    let numbers = log.lines().skip(1).flat_map(|l| l.split(','));
    for number in numbers {
        let number: f64 = number.parse().expect("a number");
        assert!(number.is_finite(), "{log}");
    }
    let epochs = log.lines().count() - 1;
    assert!(
        line.contains(&format!("(epoch {}, ", epochs + 1)),
        "{line}\n{log}"
    );
    // The checkpoint is the one of the last epoch in the log: the same run ends the same way.
    let again = vta(d, &[&train[..], &["--resume"]].concat());
    assert_eq!(again.err.lines().next(), Some(line.as_str()));
    // Before that it can be stopped, and goes on.
    let stop = ["--resume", "--stop-after", "1"];
    ok(d, &[&train[..], &stop].concat());
    let short = [&train[..12], &["-o", "short", "--stop-after", "1"]].concat();
    ok(d, &short);
    let first = |run: &str| {
        let text = fs::read_to_string(d.join(run).join("log.csv")).expect("a log");
        text.lines().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(first("run"), first("short"));
}

#[test]
fn nothing_that_is_no_number_is_written() {
    let dir = folder();
    let d = dir.path();
    dense(d);
    let train = [
        "train",
        "resnet-tiny",
        "--data",
        "data",
        "--batch",
        "8",
        "--epochs",
        "2",
        "-o",
        "t",
    ];
    let prune = [
        "prune",
        "dense/model.onnx",
        "--data",
        "data",
        "--batch",
        "8",
        "--epochs",
        "2",
        "--rate",
        "0.5",
        "-o",
        "t",
    ];
    let table = [
        "--ablation",
        "--rows",
        "one-shot,two-stage,full",
        "--seeds",
        "1",
    ];
    for (args, left) in [
        (&train[..], &[][..]),
        (&prune, &[]),
        (&[&prune[..], &["--method", "two-stage"]].concat(), &[]),
        (&[&prune[..], &["--with", "temporal"]].concat(), &[]),
        (
            &[&prune[..], &table].concat(),
            &["one-shot", "settings.json"],
        ),
    ] {
        for lr in ["1e18", "1e30", "1e300"] {
            let ran = vta(d, &[args, &["--lr", lr]].concat());
            assert_eq!(ran.code, 2, "{args:?}: {} {}", ran.out, ran.err);
            let told = ["does not converge", "diverged", "not finite"];
            assert!(
                told.iter().any(|t| ran.err.contains(t)),
                "{args:?}: {}",
                ran.err
            );
            let found: Vec<String> = names(&d.join("t"));
            let expected: Vec<&String> = found
                .iter()
                .filter(|n| !left.contains(&n.as_str()))
                .collect();
            assert!(expected.is_empty(), "{args:?} {lr}: {expected:?}");
            assert!(!d.join("t/one-shot/seed-1/result.json").exists());
            let _ = fs::remove_dir_all(d.join("t"));
        }
        for lr in ["0", "-1", "nan", "inf"] {
            let lr = format!("--lr={lr}");
            let ran = vta(d, &[args, &[&lr]].concat());
            assert_eq!(ran.code, 2, "{args:?} {lr}");
            assert!(!d.join("t/model.onnx").exists(), "{args:?} {lr}");
            let _ = fs::remove_dir_all(d.join("t"));
        }
    }
}

/// Values without a number are refused wherever they come in: in samples, after
/// scaling, in files of numbers.
#[test]
fn numbers_that_are_none_do_not_come_in() {
    let dir = folder();
    let d = dir.path();
    let raw = |name: &str, value: f32| {
        let mut bytes: Vec<u8> = [0.5f32; 3 * 32 * 32]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        bytes[400..404].copy_from_slice(&value.to_le_bytes());
        fs::write(d.join(name), bytes).expect("samples");
    };
    raw("good.raw", 0.25);
    raw("nan.raw", f32::NAN);
    raw("inf.raw", f32::INFINITY);
    raw("large.raw", f32::MAX);
    ok(
        d,
        &["compile", "resnet8", "--calib", "good.raw", "-o", "p.vta"],
    );
    fs::remove_file(d.join("p.vta")).expect("a program");
    let not_finite = "is not a finite number";
    for (calib, want) in [
        (&["nan.raw"][..], not_finite),
        (&["inf.raw"], not_finite),
        (&["good.raw", "nan.raw"], not_finite),
        (&["good.raw", "--scale", "1e39"], not_finite),
        (&["good.raw", "--scale", "nan"], not_finite),
        (&["good.raw", "--mean", "inf"], not_finite),
        (&["large.raw", "--scale", "10"], not_finite),
        // Finite, and more than int8 can be steps of.
        (&["large.raw"], "outside 2^-100 to 2^100"),
    ] {
        let args = [&["compile", "resnet8", "-o", "p.vta", "--calib"], calib].concat();
        let ran = vta(d, &args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.out);
        assert!(ran.err.contains(want), "{args:?}: {}", ran.err);
        assert!(!d.join("p.vta").exists(), "{args:?}");
    }
}

/// Weights at the end of what single precision has: their energies are sums that
/// must not overflow, or the network is refused.
#[test]
fn large_weights_are_pruned_by_numbers() {
    use vta::graph::{Op, onnx, zoo};
    let dir = folder();
    let d = dir.path();
    let mut graph = zoo::build("resnet8", 1).expect("it is in the zoo");
    for node in graph.nodes_mut() {
        if let Op::Conv(c) = &mut node.op {
            c.weight
                .update(|mut w| w.mapv_inplace(|v| v.signum() * 3e38));
        }
    }
    fs::write(d.join("large.onnx"), onnx::export(&graph)).expect("a model");
    let prune = ["prune", "large.onnx", "--one-shot", "-o", "p"];
    ok(d, &[&prune[..], &["--rate", "0.5"]].concat());
    let report = fs::read_to_string(d.join("p/report.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let layers = report["summary"]["layers"].as_array().expect("layers");
    assert!(!layers.is_empty());
    for layer in layers {
        let kept = layer["kept_energy"].as_f64().expect("a number");
        assert!((0.0..=1.0).contains(&kept), "{layer}");
    }
    // Its cycles cannot be counted: no scales can be chosen.
    fs::remove_dir_all(d.join("p")).expect("a folder");
    let ran = vta(d, &[&prune[..], &["--budget-cycles", "60000"]].concat());
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.err.contains("finite"), "{}", ran.err);
    assert!(!d.join("p").exists());
}
