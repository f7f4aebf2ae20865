//! Files and folders that commands write: never where they read, nothing left
//! behind, one run at a time.

use crate::support::command::{folder, ok, vta};
use std::fs;
use std::path::Path;

/// What is in a folder, hidden files too.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("the folder is there");
    let name = |e: std::io::Result<fs::DirEntry>| {
        let name = e.expect("it can be listed").file_name();
        name.to_string_lossy().into_owned()
    };
    let mut all: Vec<String> = entries.map(name).collect();
    all.sort();
    all
}

/// Each command that writes a file, with the input that its output must not be.
const WRITERS: &[(&str, &[&str])] = &[
    ("finish.vtasm", &["asm", "finish.vtasm", "-o"]),
    (
        "c.json",
        &["asm", "finish.vtasm", "--config", "c.json", "-o"],
    ),
    ("data.npy", &["asm", "data.vtasm", "-o"]),
    ("m.onnx", &["compile", "m.onnx", "-o"]),
    (
        "m.onnx",
        &["compile", "m.onnx", "-o", "new.vta", "--save-masks"],
    ),
    ("masks", &["compile", "m.onnx", "--masks", "masks", "-o"]),
    (
        "masks",
        &[
            "compile",
            "m.onnx",
            "-o",
            "new.vta",
            "--masks",
            "masks",
            "--save-masks",
        ],
    ),
    ("x.npy", &["compile", "m.onnx", "--calib", "x.npy", "-o"]),
    ("c.json", &["compile", "m.onnx", "--config", "c.json", "-o"]),
    ("c.json", &["config", "c.json", "--out"]),
    (
        "m.onnx",
        &["cost", "m.onnx", "--densities", "1", "--check", "1", "-o"],
    ),
    ("one.vta", &["disasm", "one.vta", "-o"]),
    (
        "dram.bin",
        &[
            "disasm",
            "--image",
            "dram.bin",
            "--insn-addr",
            "4096",
            "--insn-count",
            "2",
            "-o",
        ],
    ),
    ("m.onnx", &["infer", "m.onnx", "--random", "1", "-o"]),
    ("x.npy", &["infer", "m.onnx", "--input", "x.npy", "-o"]),
    ("m.vta", &["infer", "m.vta", "--input", "x.npy", "-o"]),
    ("one.vta", &["report", "one.vta", "-o"]),
    ("two.vta", &["report", "one.vta", "two.vta", "-o"]),
    ("one.vta", &["run", "one.vta", "--trace-csv"]),
    ("one.vta", &["run", "one.vta", "--image-out"]),
    ("one.vta", &["trace", "one.vta", "-o"]),
    ("set/cat/1.png", &["data", "set", "--png"]),
    ("one.vta", &["export-image", "one.vta", "-o"]),
];

/// A folder with inputs of all kinds.
fn inputs() -> tempfile::TempDir {
    let dir = folder();
    let d = dir.path();
    ok(d, &["zoo", "lenet5", "-o", "m.onnx"]);
    ok(
        d,
        &[
            "compile",
            "m.onnx",
            "-o",
            "m.vta",
            "--density",
            "0.5",
            "--save-masks",
            "masks",
        ],
    );
    ok(d, &["config", "de10", "-o", "c.json"]);
    ok(
        d,
        &["data", "shapes-cls", "--samples", "1", "--png", "1.png"],
    );
    fs::create_dir_all(d.join("set/cat")).expect("a folder");
    fs::rename(d.join("1.png"), d.join("set/cat/1.png")).expect("a picture");
    let npy = vta::npy::Npy::of_floats(&[1, 1, 28, 28], (0..784).map(|n| n as f32 / 784.0));
    fs::write(d.join("x.npy"), npy.write()).expect("an array");
    let bytes = ndarray::Array1::<i8>::zeros(256);
    ndarray_npy::write_npy(d.join("data.npy"), &bytes).expect("an array");
    let text = ".data w wgt\n  npy \"data.npy\"\n.launch main\n  finish\n";
    fs::write(d.join("data.vtasm"), text).expect("a text");
    dir
}

/// An output that is an input is refused by whatever name, and both are named.
#[cfg(unix)]
#[test]
fn outputs_are_never_inputs() {
    use std::os::unix::fs::symlink;
    let dir = inputs();
    let d = dir.path();
    fs::create_dir(d.join("sub")).expect("a folder");
    symlink("sub", d.join("way")).expect("a link");
    for (input, command) in WRITERS {
        let before = fs::read(d.join(input)).expect("it is there");
        symlink(input, d.join("soft")).expect("a link");
        fs::hard_link(d.join(input), d.join("hard")).expect("a link");
        let listed = names(d);
        let absolute = d.join(input).display().to_string();
        let others = [
            (*input).to_owned(),
            format!("./{input}"),
            format!("sub/../{input}"),
            format!("way//../{input}"),
            absolute,
            "soft".into(),
            "hard".into(),
        ];
        for other in &others {
            // A link from outside is no file of a data set.
            if command[0] == "data" && other == "hard" {
                continue;
            }
            let args = [command, &[other.as_str()][..]].concat();
            let ran = vta(d, &args);
            assert_eq!(ran.code, 2, "{args:?}: {ran:?}");
            let named = ran.err.lines().next().expect("a message");
            let says = format!("error: {other}: the output is ");
            assert!(named.starts_with(&says), "{args:?}: {named}");
            let of = if command[0] == "data" { "set" } else { input };
            assert!(named.ends_with(of), "{args:?}: {named}");
            assert_eq!(fs::read(d.join(input)).expect("it is there"), before);
            assert_eq!(names(d), listed, "{args:?} left something");
        }
        fs::remove_file(d.join("soft")).expect("a link");
        fs::remove_file(d.join("hard")).expect("a link");
    }
}

/// Two outputs are two files; devices may be given as often as one likes, and a
/// network of the zoo is no file of its name.
#[test]
fn outputs_are_never_each_other() {
    let dir = inputs();
    let d = dir.path();
    for command in [
        &["compile", "m.onnx", "-o", "new", "--save-masks", "./new"][..],
        &[
            "run",
            "one.vta",
            "--trace-csv",
            "new",
            "--image-out",
            "sub/../new",
        ],
    ] {
        fs::create_dir_all(d.join("sub")).expect("a folder");
        let ran = vta(d, command);
        assert_eq!(ran.code, 2, "{command:?}: {ran:?}");
        assert!(ran.err.contains("the same output as new"), "{}", ran.err);
        assert!(!d.join("new").exists());
    }
    let null = [
        "run",
        "one.vta",
        "--trace-csv",
        "/dev/null",
        "--image-out",
        "/dev/null",
    ];
    ok(d, &null);
    ok(d, &["compile", "lenet5", "-o", "lenet5"]);
    ok(d, &["compile", "lenet5", "-o", "lenet5"]);
    ok(d, &["config", "small", "-o", "small"]);
    ok(d, &["config", "small", "-o", "small"]);
    // The second output of a network is a file of its own, too.
    ok(d, &["compile", "yolo-32-64-128", "-o", "y.1.npy"]);
    let ran = vta(d, &["infer", "y.1.npy", "--random", "1", "-o", "y.npy"]);
    assert!(
        ran.err
            .contains("y.1.npy: the output is also the input y.1.npy"),
        "{ran:?}"
    );
}

/// The folder that a command runs in is not replaced under its feet.
#[test]
fn the_current_folder_is_not_replaced() {
    let dir = folder();
    let d = dir.path().join("empty/inner");
    fs::create_dir_all(&d).expect("a folder");
    for out in [".", "..", "../../empty", "/"] {
        let ran = vta(&d, &["export-image", "../../one.vta", "-o", out]);
        assert_eq!(ran.code, 2, "{out}: {ran:?}");
        let says = format!("error: {out}: the folder that the command runs in, or one around it");
        assert!(ran.err.starts_with(&says), "{out}: {}", ran.err);
    }
    assert!(names(&d).is_empty());
    ok(&d, &["export-image", "../../one.vta", "-o", "new"]);
}

/// Runs that are ended from outside.
#[cfg(unix)]
mod stopped {
    use super::names;
    use crate::support::command::{folder, ok, vta};
    use std::fs;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};

    /// Commands that take long enough to be stopped, and hold a temporary all the time.
    const LONG: &[&[&str]] = &[
        &[
            "run",
            "one.vta",
            "--trace-csv",
            "t.csv",
            "--repeat",
            "4294967295",
        ],
        &[
            "prune",
            "resnet18",
            "--one-shot",
            "--rate",
            "0.5",
            "--permute",
            "-o",
            "out",
        ],
    ];

    fn temporaries(dir: &Path) -> Vec<String> {
        let all = names(dir).into_iter();
        all.filter(|n| n.starts_with(".vta")).collect()
    }

    /// Starts a command, up to where it has a temporary.
    fn begun(dir: &Path, args: &[&str]) -> Child {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vta"))
            .args(args)
            .current_dir(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let begun = || {
            let temporary = temporaries(dir).iter().any(|n| n.ends_with(".tmp"));
            temporary || dir.join("pages/in/.vta.lock").exists()
        };
        while !begun() {
            if let Some(status) = child.try_wait().expect("it can be asked") {
                panic!("{args:?} ended with {status} before it could be stopped");
            }
            std::thread::yield_now();
        }
        child
    }

    fn kill(signal: &str, child: &Child) {
        let pid = child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.expect("kill is there").success());
    }

    #[test]
    fn a_signal_leaves_nothing() {
        // Into a folder that is not there yet, file by file.
        let pages: &[&str] = &["compare", "resnet18", "--report", "pages/in"];
        for args in LONG.iter().copied().chain([pages]) {
            for signal in ["INT", "TERM", "HUP"] {
                let dir = folder();
                let before = names(dir.path());
                let child = begun(dir.path(), args);
                kill(signal, &child);
                let out = child.wait_with_output().expect("it ends");
                let said = String::from_utf8_lossy(&out.stderr).into_owned();
                assert_eq!(out.status.code(), Some(130), "{args:?} {signal}: {said}");
                assert_eq!(said, "error: stopped\n");
                assert_eq!(names(dir.path()), before, "{args:?} {signal}");
            }
        }
    }

    #[test]
    fn what_a_killed_run_left_goes_with_the_next() {
        for args in LONG {
            let dir = folder();
            let d = dir.path();
            let before = names(d);
            let mut child = begun(d, args);
            // What a live run has stays.
            ok(d, &["config", "de10", "-o", "mine.json"]);
            let held = temporaries(d);
            assert!(held.iter().any(|n| n.ends_with(".tmp")), "{held:?}");
            kill("KILL", &child);
            child.wait().expect("it ends");
            assert_eq!(temporaries(d), held, "nobody was there to remove it");
            ok(d, &["config", "de10", "-o", "mine.json"]);
            fs::remove_file(d.join("mine.json")).expect("it is there");
            assert_eq!(names(d), before, "{args:?}");
        }
    }

    #[test]
    fn two_runs_into_one_folder() {
        let dir = folder();
        let d = dir.path();
        let args = LONG[1];
        let mut child = begun(d, args);
        let second = [
            "prune",
            "lenet5",
            "--one-shot",
            "--rate",
            "0.5",
            "-o",
            "./out",
        ];
        let ran = vta(d, &second);
        assert_eq!(ran.code, 2, "{ran:?}");
        let says = format!(
            "error: ./out: another run writes there, process {}\n",
            child.id()
        );
        assert!(ran.err.starts_with(&says), "{}", ran.err);
        assert!(
            ran.err
                .contains("help: wait for it, or give another folder")
        );
        // Another kind of command, the same folder.
        let export = ["export-image", "one.vta", "-o", "out"];
        assert!(vta(d, &export).err.contains("another run writes there"));
        let report = ["compare", "lenet5", "--report", "out"];
        assert!(vta(d, &report).err.contains("another run writes there"));
        kill("KILL", &child);
        child.wait().expect("it ends");
        ok(d, &second);
        assert_eq!(
            names(&d.join("out")),
            ["masks.safetensors", "model.onnx", "report.json"]
        );
        assert_eq!(temporaries(d), [""; 0]);
    }

    /// A job that is to outlive its terminal does.
    #[test]
    fn ignored_signals_stay_ignored() {
        let dir = folder();
        let vta = env!("CARGO_BIN_EXE_vta");
        let script =
            format!("trap '' HUP INT; exec {vta} run one.vta --trace-csv t --repeat 4294967295");
        let child = Command::new("sh")
            .args(["-c", &script])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        while temporaries(dir.path()).is_empty() {
            std::thread::yield_now();
        }
        let status = fs::read_to_string(format!("/proc/{}/status", child.id()));
        let mask = |name: &str| {
            let text = status.as_deref().unwrap_or_default();
            let line = text.lines().find_map(|l| l.strip_prefix(name))?;
            u64::from_str_radix(line.trim(), 16).ok()
        };
        // Of 1 (hang up), 2 (interrupt) and 15 (terminate) the last is caught.
        if let (Some(ignored), Some(caught)) = (mask("SigIgn:"), mask("SigCgt:")) {
            assert_eq!(ignored & 0b11, 0b11);
            assert_eq!(caught & 0b11, 0);
            assert_eq!(caught >> 14 & 1, 1);
        }
        kill("HUP", &child);
        kill("TERM", &child);
        let out = child.wait_with_output().expect("it ends");
        assert_eq!(out.status.code(), Some(130));
        assert_eq!(temporaries(dir.path()), [""; 0]);
    }
}

/// A folder that another run is filling is not taken for a result.
#[test]
fn a_folder_that_is_being_filled_is_not_measured() {
    let dir = inputs();
    let d = dir.path();
    fs::create_dir(d.join("net")).expect("a folder");
    ok(d, &["zoo", "resnet-tiny", "-o", "net/model.onnx"]);
    let eval = ["eval", "net", "--data", "shapes-cls", "--limit", "2"];
    let lock = vta::files::FolderLock::take(&d.join("net")).expect("it is free");
    let ran = vta(d, &eval);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.err
            .starts_with("error: net: another run writes there, process "),
        "{}",
        ran.err
    );
    drop(lock);
    ok(d, &eval);
    assert_eq!(names(&d.join("net")), ["model.onnx"]);
}
