//! `vta train` as a command: stop, go on, refuse.

use crate::support::command::{folder, vta};
use std::fs;
use std::path::Path;

/// A run of three epochs of four steps.
fn train(dir: &Path, more: &[&str]) -> (i32, String) {
    let mut args = vec![
        "train",
        "resnet-tiny",
        "--data",
        "shapes-cls",
        "--limit",
        "64",
    ];
    args.extend(["--batch", "16", "--epochs", "3"]);
    args.extend(more);
    let ran = vta(dir, &args);
    (ran.code, ran.out + &ran.err)
}

fn log(path: &Path) -> String {
    fs::read_to_string(path).expect("there is a log")
}

#[test]
fn stopping_changes_nothing() {
    let dir = folder();
    let d = dir.path();
    let (code, text) = train(d, &["-o", "whole"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = train(d, &["-o", "parts", "--stop-after", "1"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("stopped after step 4 of 12"), "{text}");
    assert!(!d.join("parts/model.onnx").exists());
    let (code, text) = train(d, &["-o", "parts"]);
    assert_eq!(code, 2, "it would overwrite a checkpoint");
    assert!(text.contains("--resume"), "{text}");
    let (code, text) = train(d, &["-o", "parts", "--resume", "--lr", "0.01"]);
    assert_eq!(code, 2);
    assert!(text.contains("--lr was 0.05, is 0.01"), "{text}");
    let (code, text) = train(d, &["-o", "parts", "--resume"]);
    assert_eq!(code, 0, "{text}");
    let model = |run: &str| fs::read(d.join(run).join("model.onnx")).expect("there is a model");
    assert!(model("whole") == model("parts"));
    let rows = log(&d.join("whole/log.csv"));
    assert_eq!(rows.lines().count(), 4);
    assert_eq!(rows, log(&d.join("parts/log.csv")));
    // A file that was trained can be trained on; a damaged checkpoint is told.
    let on = [
        "train",
        "whole/model.onnx",
        "--data",
        "shapes-cls",
        "--limit",
        "32",
    ];
    let ran = vta(d, &[&on[..], &["--epochs", "1", "-o", "on"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let path = d.join("parts/checkpoint");
    let mut bytes = fs::read(&path).expect("there is a checkpoint");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).expect("it can be written");
    let (code, text) = train(d, &["-o", "parts", "--resume"]);
    assert_eq!(code, 2);
    assert!(text.contains("checksum"), "{text}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_after_the_step() {
    use std::process::Command;
    use std::time::{Duration, Instant};
    let dir = folder();
    let d = dir.path();
    let args = "train resnet-tiny --data shapes-cls --limit 64 --batch 16 --epochs 100000 -o run";
    let mut child = Command::new(env!("CARGO_BIN_EXE_vta"))
        .args(args.split(' '))
        .current_dir(d)
        .spawn()
        .expect("it starts");
    // The first checkpoint shows that it is at work.
    let start = Instant::now();
    while !d.join("run/checkpoint").exists() {
        assert!(start.elapsed() < Duration::from_secs(120), "no checkpoint");
        std::thread::sleep(Duration::from_millis(20));
    }
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill starts");
    assert!(killed.success());
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130));
    let args: Vec<&str> = args
        .split(' ')
        .chain(["--resume", "--stop-after", "1"])
        .collect();
    let ran = vta(d, &args);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("stopped after step"), "{}", ran.out);
}
