//! What is printed arrives, or the exit code says that it did not.

use crate::support::command::folder;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A command of each kind, with its exit code.
const COMMANDS: &[(i32, &[&str])] = &[
    (0, &["--help"]),
    (0, &["--version"]),
    (0, &["run", "--help"]),
    (0, &["asm", "finish.vtasm", "-o", "new.vta"]),
    (3, &["check", "race.vtasm"]),
    (0, &["check", "finish.vtasm"]),
    (0, &["compare", "one.vta", "two.vta"]),
    (0, &["compile", "lenet5", "-o", "lenet5.vta"]),
    (0, &["config"]),
    (0, &["cost", "lenet5", "--densities", "1", "--check", "1"]),
    (0, &["data", "shapes-cls"]),
    (1, &["diff", "one.vta", "two.vta"]),
    (0, &["disasm", "one.vta"]),
    (
        0,
        &[
            "eval",
            "resnet-tiny",
            "--data",
            "shapes-cls",
            "--limit",
            "1",
        ],
    ),
    (0, &["explain", "programs/kernels/gemm.vtasm"]),
    (1, &["golden", "golden"]),
    (0, &["infer", "lenet5", "--random", "1"]),
    (0, &["info", "one.vta"]),
    (0, &["pareto", "lenet5", "--budgets", "0.5"]),
    (0, &["profile", "one.vta"]),
    (0, &["report", "one.vta"]),
    (0, &["run", "one.vta"]),
    (0, &["sweep", "lenet5", "--configs", "de10"]),
    (3, &["run", "one.vta", "--max-cycles", "5"]),
    (0, &["run", "one.vta", "--stop-at", "0"]),
    (0, &["trace", "one.vta", "-o", "one.pftrace"]),
    (0, &["zoo"]),
];

fn run(dir: &Path, args: &[&str], out: Stdio) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vta"));
    command.args(args).current_dir(dir).env_remove("VTA_LOG");
    command.stdout(out).output().expect("it starts")
}

/// With and without `--json`, which the help does not have.
fn forms(args: &'static [&'static str]) -> Vec<Vec<&'static str>> {
    let json = [args, &["--json"]].concat();
    match args
        .iter()
        .any(|a| a.starts_with("--help") || *a == "--version")
    {
        true => vec![args.to_vec()],
        false => vec![args.to_vec(), json],
    }
}

/// Where standard output cannot be written, that is an error.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let dir = folder();
    for (_, args) in COMMANDS {
        for args in forms(args) {
            let full = std::fs::File::options().write(true).open("/dev/full");
            let ran = run(dir.path(), &args, full.expect("a device").into());
            let said = String::from_utf8_lossy(&ran.stderr).into_owned();
            assert_eq!(ran.status.code(), Some(2), "{args:?}: {said}");
            let want = "error: standard output: No space left on device (os error 28)\n";
            assert_eq!(said, want, "{args:?}");
        }
    }
}

/// A reader that has seen enough, as `head`, changes nothing.
#[test]
fn a_closed_pipe_is_no_error() {
    let dir = folder();
    for (code, args) in COMMANDS {
        for args in forms(args) {
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            let ran = run(dir.path(), &args, writer.into());
            assert_eq!(ran.status.code(), Some(*code), "{args:?}: {ran:?}");
            assert_eq!(ran.stderr, b"", "{args:?}: {ran:?}");
        }
    }
}

/// An error keeps its exit code, and comes to standard error, whatever becomes
/// of standard output.
#[cfg(target_os = "linux")]
#[test]
fn errors_are_errors_with_or_without_a_reader() {
    let dir = folder();
    for args in [&["run", "nowhere.vta", "--json"][..], &["rum", "--json"]] {
        let full = std::fs::File::options().write(true).open("/dev/full");
        let ran = run(dir.path(), args, full.expect("a device").into());
        assert_eq!(ran.status.code(), Some(2));
        assert!(ran.stderr.starts_with(b"error: "), "{ran:?}");
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let ran = run(dir.path(), args, writer.into());
        assert_eq!(ran.status.code(), Some(2));
        assert!(ran.stderr.starts_with(b"error: "), "{ran:?}");
    }
}

/// Nobody listens to standard error: the result is the same.
#[test]
fn a_closed_standard_error_changes_nothing() {
    let dir = folder();
    for (code, args) in [
        (2, &["run", "nowhere.vta"][..]),
        (2, &["rum"]),
        (0, &["run", "one.vta"]),
        (0, &["sweep", "lenet5", "--configs", "de10"]),
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_vta"));
        command
            .args(args)
            .current_dir(dir.path())
            .env("VTA_LOG", "debug");
        let status = command.stdout(Stdio::null()).stderr(writer).status();
        assert_eq!(status.expect("it starts").code(), Some(code), "{args:?}");
    }
}
