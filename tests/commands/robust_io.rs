//! The table of `docs/robustness-io.md`: files that cannot be read or written,
//! and what each command says then. `VTA_BLESS=1` rewrites it.
#![cfg(target_os = "linux")]

use crate::support::command::{folder, ok};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const HEAD: &str = "\
# Files that cannot be read or written

Made by a test (`tests/commands/robust_io.rs`): each command is run with each of these, and its exit code and the first line of its message are compared with this page. \
`FILE` stands for what was given. Nothing else is written, and no temporary file is left.
";

/// Commands that read, with the ending of the file that `FILE` is.
const READ: &[(&str, &str)] = &[
    ("asm FILE -o x", "vtasm"),
    ("check FILE", "vta"),
    ("compare FILE one.vta", "vta"),
    ("compare one.vta FILE", "vta"),
    ("compile FILE -o x", "onnx"),
    ("compile lenet5 --calib FILE -o x", "npy"),
    ("compile lenet5 --config FILE -o x", "json"),
    ("compile lenet5 --masks FILE -o x", "safetensors"),
    ("compile lenet5 --quantisation FILE -o x", "json"),
    ("config FILE", "json"),
    ("cost FILE", "onnx"),
    ("data FILE", "set"),
    ("diff one.vta --trace FILE", "csv"),
    ("diff one.vta FILE", "vta"),
    ("disasm FILE", "vta"),
    ("eval FILE --data shapes-cls", "onnx"),
    ("eval resnet-tiny --data FILE", "set"),
    ("explain FILE", "vta"),
    ("golden FILE", "cases"),
    ("infer FILE --random 1", "onnx"),
    ("infer lenet5 --input FILE", "npy"),
    ("info FILE", "vta"),
    ("pareto FILE", "onnx"),
    ("profile FILE", "vta"),
    ("prune FILE --one-shot --rate 0.5 -o x", "onnx"),
    (
        "prune lenet5 --one-shot --budget-cycles 9 --cost FILE -o x",
        "json",
    ),
    ("prune lenet5 --one-shot --rates FILE -o x", "json"),
    ("report FILE -o x", "vta"),
    ("run --image FILE --insn-addr 4096 --insn-count 1", "bin"),
    ("run FILE", "vta"),
    ("sweep FILE --configs de10", "onnx"),
    ("sweep lenet5 --configs FILE", "json"),
    ("trace FILE -o x", "vta"),
];

/// Commands that write a file, and after them those that write a folder.
const WRITE: &[&str] = &[
    "asm finish.vtasm -o FILE",
    "compile lenet5 -o FILE",
    "compile lenet5 -o /dev/null --save-masks FILE",
    "config de10 -o FILE",
    "cost lenet5 --densities 1 --check 1 -o FILE",
    "data shapes-cls --png FILE",
    "disasm one.vta -o FILE",
    "infer lenet5 --random 1 -o FILE",
    "pareto lenet5 --budgets 0.5 --page FILE",
    "pareto lenet5 --budgets 0.5 --svg FILE",
    "report one.vta -o FILE",
    "run one.vta --image-out FILE",
    "run one.vta --trace-csv FILE",
    "sweep lenet5 --configs de10 -o FILE",
    "trace one.vta -o FILE",
    "zoo lenet5 -o FILE",
    "compare lenet5 --report FILE",
    "export-image one.vta -o FILE",
    "prune lenet5 --one-shot --rate 0.5 -o FILE",
];

/// What is in the place of a file that is read: a name, and what it is.
const INPUTS: &[(&str, &str)] = &[
    ("missing", "there is no such file"),
    ("folder", "a folder"),
    ("one.vta/x", "a file where a folder should be"),
    ("pipe", "a named pipe"),
    (
        "unreadable",
        "a file whose bytes cannot be read (here `/proc/self/mem`)",
    ),
    ("empty", "an empty file"),
];

/// What is in the place of a file or folder that is written.
const OUTPUTS: &[(&str, &str)] = &[
    ("missing/x", "there is no such folder"),
    ("full-folder", "a folder with something in it"),
    ("one.vta/x", "a file where a folder should be"),
    ("one.vta", "a file (for folders; a file is replaced)"),
    ("pipe", "a named pipe"),
    ("/dev/full", "a device that is full"),
    ("/proc/x", "a folder that takes no files"),
    ("new", "no room (here a limit on the size of files)"),
];

/// The exit code, and the first line of what is said.
fn said(dir: &Path, command: &str, limited: bool, out: Stdio) -> (i32, String) {
    let vta = env!("CARGO_BIN_EXE_vta");
    let limit = if limited { "ulimit -f 0; " } else { "" };
    // What waits for ever is seen as such.
    let script = format!("{limit}exec timeout 300 {vta} {command}");
    let ran = Command::new("sh")
        .args(["-c", &script])
        .current_dir(dir)
        .env_remove("VTA_LOG")
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(Stdio::piped())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .expect("it starts");
    let text = String::from_utf8(ran.stderr).expect("UTF-8");
    let line = text.lines().next().unwrap_or_default();
    (
        ran.status.code().expect("no signal ends it"),
        line.to_owned(),
    )
}

fn names(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).expect("the folder is there").flatten();
    entries
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect()
}

/// A table of one place: commands with the same answer are one row.
fn table(text: &mut String, what: &str, answers: Vec<(String, (i32, String))>) {
    let _ = write!(
        text,
        "\n**{what}**\n\n| exit | message | commands |\n| --- | --- | --- |\n"
    );
    let mut rows: Vec<((i32, String), Vec<String>)> = Vec::new();
    for (command, answer) in answers {
        match rows.iter_mut().find(|r| r.0 == answer) {
            Some(row) => row.1.push(command),
            None => rows.push((answer, vec![command])),
        }
    }
    for ((exit, message), commands) in rows {
        let commands: Vec<String> = commands.iter().map(|c| format!("`{c}`")).collect();
        let message = match message.as_str() {
            "" => String::new(),
            some => format!("`{some}`"),
        };
        let _ = writeln!(text, "| {exit} | {message} | {} |", commands.join(", "));
    }
}

#[test]
fn the_table_is_true() {
    let dir = folder();
    let d = dir.path();
    ok(d, &["zoo", "lenet5", "-o", "m.onnx"]);
    fs::create_dir(d.join("full-folder")).expect("a folder");
    fs::write(d.join("full-folder/file"), "").expect("a file");
    let endings: BTreeSet<&str> = READ.iter().map(|r| r.1).collect();
    for ending in endings {
        let at = |name: &str| d.join(format!("{name}.{ending}"));
        fs::create_dir(at("folder")).expect("a folder");
        fs::write(at("empty"), "").expect("a file");
        std::os::unix::fs::symlink("/proc/self/mem", at("unreadable")).expect("a link");
        let made = Command::new("mkfifo").arg(at("pipe")).status();
        assert!(made.expect("mkfifo is there").success());
    }
    let made = Command::new("mkfifo").arg(d.join("pipe")).status();
    assert!(made.expect("mkfifo is there").success());
    let before = names(d);
    let mut text = HEAD.to_owned();
    text += "\n## What is read\n";
    for (name, what) in INPUTS {
        let mut answers = Vec::new();
        for (command, ending) in READ {
            let file = format!("{name}.{ending}");
            let (exit, message) = said(d, &command.replace("FILE", &file), false, Stdio::null());
            assert_eq!(exit, 2, "{command}, {what}: {message}");
            assert_eq!(
                message.matches(&file).count(),
                1,
                "{command}, {what}: {message}"
            );
            assert_eq!(names(d), before, "{command}, {what}");
            answers.push((
                (*command).to_owned(),
                (exit, message.replace(&file, "FILE")),
            ));
        }
        table(&mut text, what, answers);
    }
    text += "\n## What is written\n";
    for (name, what) in OUTPUTS {
        let mut answers = Vec::new();
        for command in WRITE {
            let folders = ["compare", "export-image", "prune"]
                .iter()
                .any(|c| command.starts_with(c));
            // It makes the folders of its page, and puts it beside other files.
            let page = command.starts_with("compare");
            if page && ["missing/x", "full-folder"].contains(name) {
                continue;
            }
            if *name == "one.vta" && (!folders || command.contains("one.vta")) {
                continue;
            }
            let limited = *name == "new";
            let (exit, message) = said(d, &command.replace("FILE", name), limited, Stdio::null());
            assert_eq!(exit, 2, "{command}, {what}: {message}");
            let named = message.matches(&format!(" {name}: ")).count();
            assert_eq!(named, 1, "{command}, {what}: {message}");
            assert_eq!(names(d), before, "{command}, {what}");
            let message = message.replacen(&format!(" {name}"), " FILE", 1);
            answers.push(((*command).to_owned(), (exit, message)));
        }
        table(&mut text, what, answers);
    }
    text += "\n## Standard output\n";
    let commands = [
        "check race.vtasm",
        "info one.vta",
        "info one.vta --json",
        "run one.vta",
        "--help",
    ];
    let mut answers = Vec::new();
    for command in commands {
        let full = fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("a device");
        answers.push((command.to_owned(), said(d, command, false, full.into())));
    }
    table(&mut text, "a disk that is full (here `/dev/full`)", answers);
    let mut answers = Vec::new();
    for command in commands {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        answers.push((command.to_owned(), said(d, command, false, writer.into())));
    }
    table(
        &mut text,
        "a pipe whose reader is gone, as with `| head`: no error",
        answers,
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/robustness-io.md");
    if std::env::var_os("VTA_BLESS").is_some() {
        fs::write(&path, text).expect("the page can be written");
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "{} is stale: VTA_BLESS=1 cargo test --test commands robust_io\n{text}",
        path.display()
    );
}

/// A pipe that somebody writes to is read, and one that somebody reads is written.
#[test]
fn pipes_that_are_open_work() {
    let dir = folder();
    let vta = env!("CARGO_BIN_EXE_vta");
    for (script, want) in [
        (
            format!("cat one.vta | {vta} info /dev/stdin"),
            "config de10",
        ),
        (
            format!("cat finish.vtasm | {vta} check /dev/stdin"),
            "proven",
        ),
        (
            format!("{vta} disasm one.vta -o /dev/stdout | cat"),
            ".launch first",
        ),
        (
            format!("{vta} config de10 -o /dev/stderr 2>&1 >/dev/null | cat"),
            "LOG_BLOCK",
        ),
        (format!("{vta} info /dev/stdin < one.vta"), "config de10"),
    ] {
        let ran = Command::new("sh")
            .args(["-c", &script])
            .current_dir(dir.path())
            .output();
        let out = String::from_utf8(ran.expect("it starts").stdout).expect("UTF-8");
        assert!(out.contains(want), "{script}: {out}");
    }
}
