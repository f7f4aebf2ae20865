//! A run that goes on is the same run; a folder is one run's, and complete or not.

use crate::support;
use crate::support::command::{folder, ok, vta};
use crate::train_prune::{cifar, dense};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// All files of a folder, by their paths in it.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    support::files(dir, dir)
}

/// Another byte of an image in a file of records.
fn spoil(path: &Path) {
    let mut bytes = fs::read(path).expect("records");
    bytes[100] ^= 1;
    fs::write(path, bytes).expect("records");
}

/// Runs where `--resume` has to be refused for `want`; the folder stays as it is.
fn refused(dir: &Path, out: &str, args: &[&str], want: &str) {
    let before = files(&dir.join(out));
    let ran = vta(dir, args);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (2, ""),
        "{args:?}: {}",
        ran.err
    );
    let line = ran.err.lines().next().unwrap_or_default();
    assert!(line.contains(want), "{args:?}: {line}\nnot {want}");
    assert!(ran.err.contains("another folder"), "{}", ran.err);
    assert!(
        files(&dir.join(out)) == before,
        "{args:?}: the folder changed"
    );
}

const OF_ANOTHER: &str = "run/checkpoint: the checkpoint is of another run: ";

#[test]
fn training_goes_on_as_itself_or_says_what_differs() {
    let dir = folder();
    let d = dir.path();
    dense(d);
    fs::copy(d.join("dense/model.onnx"), d.join("on.onnx")).expect("a model");
    let train = [
        "train", "on.onnx", "--data", "data", "--batch", "8", "--epochs", "2",
    ];
    let run = |more: &[&'static str]| [&train[..], &["-o", "run"], more].concat();
    ok(d, &run(&["--stop-after", "1"]));
    let with = |more: &[&'static str], want: &str| {
        let args = run(&[&["--resume"], more].concat());
        refused(d, "run", &args, &format!("{OF_ANOTHER}{want}"));
    };
    let other = |from: &str, to: &'static str, want: &str| {
        let args = run(&["--resume"]);
        let args: Vec<&str> = args
            .iter()
            .map(|a| if *a == from { to } else { a })
            .collect();
        refused(d, "run", &args, &format!("{OF_ANOTHER}{want}"));
    };
    with(&["--lr", "0.01"], "--lr was 0.05, is 0.01");
    with(&["--seed", "3"], "--seed was 1, is 3");
    with(&["--smoothing", "0.5"], "--smoothing was 0, is 0.5");
    with(
        &["--optimiser", "adamw"],
        "--lr was 0.05, is 0.002; --optimiser was Sgd",
    );
    with(
        &["--limit", "16"],
        "number of training images was 40, is 16; the training images changed",
    );
    other("2", "3", "--epochs was 2, is 3");
    other("8", "10", "--batch was 8, is 10");
    other(
        "data",
        "shapes-cls",
        "number of held-out images was 20, is 1000; number of test images was 20, is 2000",
    );
    // Files of the same name with another content.
    for (file, want) in [
        ("data/data_batch_1.bin", "the training images changed"),
        (
            "data/test_batch.bin",
            "the held-out images changed; the test images changed",
        ),
    ] {
        let was = fs::read(d.join(file)).expect("records");
        spoil(&d.join(file));
        with(&[], want);
        fs::write(d.join(file), was).expect("records");
    }
    let was = fs::read(d.join("on.onnx")).expect("a model");
    ok(
        d,
        &[
            "train",
            "resnet-tiny",
            "--data",
            "data",
            "--batch",
            "8",
            "--epochs",
            "1",
            "--seed",
            "2",
            "-o",
            "second",
        ],
    );
    fs::copy(d.join("second/model.onnx"), d.join("on.onnx")).expect("a model");
    with(&[], "the model changed");
    fs::write(d.join("on.onnx"), was).expect("a model");
    // A checkpoint of another network, in its place.
    let checkpoint = fs::read(d.join("run/checkpoint")).expect("a checkpoint");
    fs::copy(d.join("second/checkpoint"), d.join("run/checkpoint")).expect("a checkpoint");
    with(
        &[],
        "--epochs was 1, is 2; --seed was 2, is 1; the model changed",
    );
    fs::write(d.join("run/checkpoint"), checkpoint).expect("a checkpoint");
    // Names of files and threads change nothing.
    fs::rename(d.join("on.onnx"), d.join("moved.onnx")).expect("a model");
    fs::rename(d.join("data"), d.join("elsewhere")).expect("data");
    fs::rename(d.join("run"), d.join("moved")).expect("a run");
    let moved = [
        "train",
        "moved.onnx",
        "--data",
        "elsewhere",
        "--batch",
        "8",
        "--epochs",
        "2",
    ];
    ok(
        d,
        &[&moved[..], &["--resume", "--threads", "1", "-o", "moved"]].concat(),
    );
    ok(
        d,
        &[&moved[..], &["--threads", "3", "-o", "whole"]].concat(),
    );
    for name in ["model.onnx", "log.csv", "curves.svg"] {
        let of = |run: &str| fs::read(d.join(run).join(name)).expect("it was written");
        assert!(of("moved") == of("whole"), "{name}");
    }
}

#[test]
fn pruning_goes_on_as_itself_or_says_what_differs() {
    let dir = folder();
    let d = dir.path();
    dense(d);
    fs::write(d.join("plan.json"), "{\"lengths\": {\"ramp\": 0.2}}").expect("a plan");
    fs::write(d.join("rates.json"), "{\"stage1.0.conv1\": 0.5}").expect("rates");
    let prune = [
        "prune",
        "dense/model.onnx",
        "--data",
        "data",
        "--batch",
        "8",
        "--epochs",
        "2",
    ];
    let run = |more: &[&'static str]| [&prune[..], &["-o", "run"], more].concat();
    ok(d, &run(&["--rate", "0.6", "--stop-after", "1"]));
    let others: [(&[&'static str], &str); 14] = [
        (
            &["--rate", "0.5"],
            "budget was 0.4 of the blocks, is 0.5 of the blocks",
        ),
        (
            &["--rate", "0.6", "--budget-macs", "0.9"],
            "second budget was not there, is 0.9 of the MACs",
        ),
        (
            &["--rate", "0.6", "--weigh-by", "macs"],
            "--weigh-by was blocks, is MACs",
        ),
        (
            &["--rate", "0.6", "--floor", "0.2"],
            "--floor was 0.1, is 0.2",
        ),
        (
            &["--rate", "0.6", "--method", "two-stage"],
            "--method was one_stage, is two_stage",
        ),
        (
            &["--rate", "0.6", "--without", "spatial"],
            "method.spatial was true, is false",
        ),
        (
            &["--rate", "0.6", "--plan", "plan.json"],
            "lengths.ramp was",
        ),
        (
            &["--rate", "0.6", "--teach-every", "3"],
            "--teach-every was 4, is 3",
        ),
        (&["--rate", "0.6", "--keep-dense", "fc"], "--keep-dense was"),
        (&["--rate", "0.6", "--whole-kernel"], "the layers changed"),
        (&["--rate", "0.6", "--config", "small"], "hardware."),
        (&["--rate", "0.6", "--lr", "0.01"], "--lr was 0.02, is 0.01"),
        (
            &["--rate", "0.6", "--limit", "16"],
            "number of training images was 40, is 16",
        ),
        (&["--rates", "rates.json"], "stage1.0.conv1"),
    ];
    for (more, want) in others {
        let ran = [&run(more)[..], &["--resume"]].concat();
        let before = files(&d.join("run"));
        let ran = vta(d, &ran);
        assert_eq!(ran.code, 2, "{more:?}: {}", ran.err);
        let line = ran.err.lines().next().unwrap_or_default();
        assert!(
            line.contains(OF_ANOTHER) && line.contains(want),
            "{more:?}: {line}"
        );
        assert!(files(&d.join("run")) == before, "{more:?}");
    }
    // Calibration is by training images, which are told; what results are measured with counts too.
    spoil(&d.join("data/test_batch.bin"));
    let resumed = run(&["--rate", "0.6", "--resume"]);
    refused(
        d,
        "run",
        &resumed,
        "the held-out images changed; the test images changed",
    );
    spoil(&d.join("data/test_batch.bin"));
    ok(d, &[&resumed[..], &["--threads", "1"]].concat());
    ok(d, &[&prune[..], &["--rate", "0.6", "-o", "whole"]].concat());
    let of = |run: &str| {
        let mut all = files(&d.join(run));
        // The state has the seconds, and these two are all that has.
        all.remove("times.csv").expect("times");
        all.remove("checkpoint").expect("a checkpoint");
        all
    };
    let (parts, whole) = (of("run"), of("whole"));
    assert_eq!(
        parts.keys().collect::<Vec<_>>(),
        whole.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in parts {
        assert!(whole[&name] == bytes, "{name}");
    }
}

#[test]
fn checkpoints_that_are_none_are_refused() {
    let dir = folder();
    let d = dir.path();
    cifar(d);
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
        "run",
    ];
    ok(d, &[&train[..], &["--stop-after", "1"]].concat());
    let path = d.join("run/checkpoint");
    let whole = fs::read(&path).expect("a checkpoint");
    let text = String::from_utf8_lossy(&whole).into_owned();
    let at = text.find("\\\"version\\\":3").expect("its version");
    let with_version = |digit: u8| {
        let mut bytes = whole.clone();
        let place = bytes
            .windows(13)
            .position(|w| w == b"\\\"version\\\":3")
            .expect("its version");
        bytes[place + 12] = digit;
        bytes
    };
    assert!(at > 0);
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x40;
    for (bytes, want, help) in [
        (Vec::new(), "is cut off", "remove the checkpoint"),
        (whole[..5].to_vec(), "is cut off", "remove the checkpoint"),
        (
            whole[..whole.len() / 3].to_vec(),
            "is cut off",
            "remove the checkpoint",
        ),
        (
            whole[..whole.len() - 1].to_vec(),
            "is cut off",
            "remove the checkpoint",
        ),
        (
            [&whole[..], b"\0"].concat(),
            "has ",
            "remove the checkpoint",
        ),
        (flipped, "is damaged", "remove the checkpoint"),
        (
            with_version(b'2'),
            "is of version 2, not 3",
            "finish the run with the program",
        ),
        (
            with_version(b'9'),
            "is of version 9, not 3",
            "finish the run with the program",
        ),
        (
            b"VTACKPT1 and more".to_vec(),
            "is of version 1, not 3",
            "finish the run with the program",
        ),
        (
            fs::read(d.join("run/log.csv")).expect("a log"),
            "is cut off",
            "remove the checkpoint",
        ),
    ] {
        fs::write(&path, bytes).expect("a checkpoint");
        let ran = vta(d, &[&train[..], &["--resume"]].concat());
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(
            ran.err
                .contains(&format!("run/checkpoint: the checkpoint {want}")),
            "{}",
            ran.err
        );
        assert!(ran.err.contains(help), "{}", ran.err);
        assert!(!d.join("run/model.onnx").exists());
    }
    // A network is a file of the right kind with other things in it.
    fs::write(&path, &whole).expect("a checkpoint");
    ok(d, &[&train[..], &["--resume"]].concat());
}

/// With a budget of cycles and an order of channels, which are searched for first:
/// what follows from a setting is not named beside it.
#[test]
fn what_is_searched_for_is_the_same_again() {
    let dir = folder();
    let d = dir.path();
    dense(d);
    let prune = |cycles: &'static str, more: &[&'static str]| {
        let args =
            "prune dense/model.onnx --data data --batch 8 --epochs 2 --permute --budget-cycles";
        let mut args: Vec<&str> = args.split(' ').collect();
        args.push(cycles);
        vta(d, &[&args[..], more].concat())
    };
    let stopped = prune("50000", &["-o", "parts", "--stop-after", "1"]);
    assert_eq!(stopped.code, 0, "{}", stopped.err);
    let other = prune("51000", &["-o", "parts", "--resume"]);
    let want = "the checkpoint is of another run: budget was 50000 cycles, is 51000 cycles\n";
    assert!(other.err.contains(want), "{}", other.err);
    for (out, more) in [("parts", "--resume"), ("whole", "--json")] {
        let ran = prune("50000", &["--threads", "2", more, "-o", out]);
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
    for name in [
        "model.onnx",
        "masks.safetensors",
        "quantisation.json",
        "report.json",
        "log.csv",
    ] {
        let of = |run: &str| fs::read(d.join(run).join(name)).expect("it was written");
        assert!(of("parts") == of("whole"), "{name}");
    }
}

/// A folder that is not complete, or of two runs, is not measured; a run does not begin in it.
#[test]
fn folders_that_are_not_complete_are_told() {
    let dir = folder();
    let d = dir.path();
    dense(d);
    let prune = [
        "prune",
        "dense/model.onnx",
        "--data",
        "data",
        "--batch",
        "8",
        "--epochs",
        "1",
        "--rate",
        "0.6",
    ];
    ok(d, &[&prune[..], &["-o", "run"]].concat());
    let eval = ["eval", "run", "--data", "data", "--device", "--limit", "2"];
    ok(d, &eval);
    let told = |what: &str| {
        let ran = vta(d, &eval);
        assert_eq!(ran.code, 2, "{what}");
        assert!(ran.err.contains(what), "{}", ran.err);
    };
    for name in ["masks.safetensors", "quantisation.json", "model.onnx"] {
        let path = d.join("run").join(name);
        let whole = fs::read(&path).expect("a file");
        fs::remove_file(&path).expect("a file");
        told(match name {
            "model.onnx" => "there is no model.onnx in it",
            _ => name,
        });
        fs::write(&path, &whole[..whole.len() / 2]).expect("a file");
        told(&format!(
            "{name} is not the file that its report.json lists"
        ));
        fs::write(&path, whole).expect("a file");
    }
    // Named one by one they are taken.
    fs::remove_file(d.join("run/masks.safetensors")).expect("masks");
    fs::copy(d.join("run/quantisation.json"), d.join("own.json")).expect("exponents");
    fs::remove_file(d.join("run/quantisation.json")).expect("exponents");
    told("masks.safetensors, which its report.json lists, is missing");
    let model = [
        "eval",
        "run/model.onnx",
        "--data",
        "data",
        "--device",
        "--limit",
        "2",
    ];
    ok(d, &[&model[..], &["--quantisation", "own.json"]].concat());
    // The result of a run is not written over.
    let again = |out: &str, args: &[&str]| {
        fs::remove_file(d.join(out).join("checkpoint")).expect("a checkpoint");
        let before = files(&d.join(out));
        let ran = vta(d, args);
        assert_eq!(ran.code, 2);
        assert!(
            ran.err
                .contains("model.onnx: exists, the result of another run"),
            "{}",
            ran.err
        );
        assert!(files(&d.join(out)) == before);
    };
    again("run", &[&prune[..], &["-o", "run"]].concat());
    let train = [
        "train",
        "resnet-tiny",
        "--data",
        "data",
        "--batch",
        "8",
        "--epochs",
        "1",
        "-o",
        "dense",
    ];
    again("dense", &train);
}

/// Rows with the fewest steps, one of which is measured by another.
const TABLE: [&str; 14] = [
    "prune",
    "dense/model.onnx",
    "--data",
    "data",
    "--batch",
    "20",
    "--rate",
    "0.5",
    "--epochs",
    "1",
    "--ablation",
    "--rows",
    "one-shot,macs,cycles",
    "--json",
];

#[test]
fn a_table_depends_on_nothing_but_what_it_is_made_with() {
    let dir = folder();
    let d = dir.path();
    dense(d);
    let table = |out: &str, more: &[&str]| {
        let out = ["-o", out];
        ok(d, &[&TABLE[..], &out, more].concat()).json()
    };
    let printed = table("a", &["--seeds", "2"]);
    assert!(
        printed["seconds"]["uniform"]
            .as_array()
            .is_some_and(|s| s.len() == 2)
    );
    // One seed first, then two; on one thread, then on several.
    table("b", &["--seeds", "1", "--threads", "1"]);
    table("b", &["--seeds", "2", "--threads", "3"]);
    let (a, mut b) = (files(&d.join("a")), files(&d.join("b")));
    for (name, bytes) in a {
        let other = b.remove(&name).unwrap_or_else(|| panic!("{name}"));
        assert!(name.ends_with("times.csv") || other == bytes, "{name}");
        assert!(
            !name.contains("checkpoint") && !name.contains(".vta"),
            "{name}"
        );
    }
    assert!(b.is_empty(), "{:?}", b.keys());
    // What is done is held against what is asked for.
    let refused = |more: &[&str], want: &str| {
        let args: Vec<&str> = TABLE
            .iter()
            .map(|a| match *a {
                "0.5" if more == ["0.6"] => "0.6",
                "20" if more == ["10"] => "10",
                a => a,
            })
            .collect();
        let more = if more.len() > 1 { more } else { &[] };
        let ran = vta(d, &[&args[..], &["-o", "a"], more].concat());
        assert_eq!(ran.code, 2, "{more:?}");
        assert!(
            ran.err.contains("its runs were made with other settings: "),
            "{}",
            ran.err
        );
        assert!(ran.err.contains(want), "{}", ran.err);
    };
    refused(
        &["0.6"],
        "budget was 0.5 of the blocks, is 0.4 of the blocks",
    );
    refused(&["10"], "--batch was 20, is 10");
    refused(&["--lr", "0.5"], "--lr was 0.02, is 0.5");
    refused(&["--floor", "0.3"], "--floor was 0.1, is 0.3");
    refused(&["--teach-every", "2"], "--teach-every was 4, is 2");
    refused(&["--config", "small"], "hardware.");
    spoil(&d.join("data/test_batch.bin"));
    refused(&["--seeds", "2"], "the test images changed");
    spoil(&d.join("data/test_batch.bin"));
    // A result without what it was made with is nobody's.
    fs::remove_file(d.join("a/settings.json")).expect("settings");
    let ran = vta(d, &[&TABLE[..], &["-o", "a"]].concat());
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("is not empty, and has no settings.json"),
        "{}",
        ran.err
    );
}

/// Two runs into one folder: the second is refused while the first is there.
#[cfg(unix)]
#[test]
fn a_folder_is_of_one_run() {
    use std::process::{Command, Stdio};
    use std::time::Duration;
    let dir = folder();
    let d = dir.path();
    cifar(d);
    let long = "train resnet-tiny --data data --batch 8 --epochs 100000 -o run";
    let mut child = Command::new(env!("CARGO_BIN_EXE_vta"))
        .args(long.split(' '))
        .current_dir(d)
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    while !d.join("run/checkpoint").exists() {
        assert!(
            child.try_wait().expect("it can be asked").is_none(),
            "it ended"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let args: Vec<&str> = long.split(' ').collect();
    let prune = [
        "prune",
        "resnet-tiny",
        "--data",
        "data",
        "--rate",
        "0.5",
        "-o",
        "run",
    ];
    for args in [
        &args[..],
        &[&args[..], &["--resume"]].concat(),
        &prune,
        &[&prune[..], &["--ablation"]].concat(),
    ] {
        let ran = vta(d, args);
        assert_eq!(ran.code, 2, "{args:?}");
        let want = format!("another run writes there, process {}", child.id());
        assert!(ran.err.contains(&want), "{args:?}: {}", ran.err);
    }
    child.kill().expect("it is there");
    child.wait().expect("it ends");
    // A run that was killed holds nothing.
    let ran = vta(d, &[&args[..], &["--resume", "--stop-after", "1"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let left = files(&d.join("run"));
    let left: Vec<&String> = left.keys().collect();
    assert_eq!(left, ["checkpoint", "curves.svg", "log.csv", "times.csv"]);
    let json: Value = vta(d, &["eval", "run", "--data", "data", "--json"]).json();
    assert!(
        json["error"]["message"]
            .as_str()
            .is_some_and(|m| m.contains("no model.onnx"))
    );
}

/// The network and the data that a run reads are never those that it writes.
#[test]
fn a_run_does_not_write_what_it_reads() {
    let dir = folder();
    fs::create_dir(dir.path().join("run")).expect("it can be made");
    ok(dir.path(), &["zoo", "resnet-tiny", "-o", "run/model.onnx"]);
    let before = files(dir.path());
    for args in [
        &[
            "train",
            "run/model.onnx",
            "--data",
            "shapes-cls",
            "-o",
            "run",
            "--resume",
        ][..],
        &[
            "prune",
            "run/model.onnx",
            "--rate",
            "0.5",
            "--one-shot",
            "-o",
            "./run",
        ],
        &["train", "resnet-tiny", "--data", "run", "-o", "run/new"],
    ] {
        let ran = vta(dir.path(), args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        assert!(ran.err.contains("run"), "{args:?}: {}", ran.err);
        assert_eq!(files(dir.path()), before, "{args:?}");
    }
}
