//! Programs that are killed at any time: what they had begun goes on or is made
//! again, with the same bytes, and nothing else is left.
//!
//! `VTA_KILLS` says how often, over all commands; the times are drawn from a seed.

use crate::support::command::{folder, ok, vta};
use crate::support::files;
use crate::train_prune::dense;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Kills where nobody says how many.
const FEW: u64 = 16;
/// Kills of one piece of work before it may end.
const IN_A_ROW: u64 = 3;
/// Signals for each kill at most: a command may have ended when one comes.
const MOST: u64 = 40;

/// The folder for all that is made.
const OUT: &str = "out";

/// A command that is killed, in a folder with `dense`, `data` and programs.
struct Work {
    args: &'static [&'static str],
    /// Whether it is to be told to go on from its checkpoint.
    resumes: bool,
    /// What it makes all at once, and does not make again.
    once: Option<&'static str>,
}

const ALL: [Work; 8] = [
    Work {
        args: &[
            "train",
            "resnet-tiny",
            "--data",
            "data",
            "--batch",
            "8",
            "--epochs",
            "2",
            "-o",
            "out/run",
        ],
        resumes: true,
        once: None,
    },
    Work {
        args: &[
            "prune",
            "dense/model.onnx",
            "--data",
            "data",
            "--batch",
            "8",
            "--epochs",
            "2",
            "--rate",
            "0.6",
            "--with",
            "temporal",
            "-o",
            "out/run",
        ],
        resumes: true,
        once: None,
    },
    Work {
        args: &[
            "prune",
            "dense/model.onnx",
            "--one-shot",
            "--budget-cycles",
            "60000",
            "-o",
            "out/run",
        ],
        resumes: false,
        once: Some("out/run/report.json"),
    },
    Work {
        args: &[
            "prune",
            "dense/model.onnx",
            "--data",
            "data",
            "--batch",
            "20",
            "--epochs",
            "1",
            "--rate",
            "0.6",
            "--ablation",
            "--rows",
            "one-shot,uniform",
            "--seeds",
            "1",
            "-o",
            "out/table",
        ],
        resumes: false,
        once: None,
    },
    Work {
        args: &[
            "compile",
            "dense/model.onnx",
            "--density",
            "0.5",
            "--save-masks",
            "out/masks.safetensors",
            "--verify",
            "-o",
            "out/p.vta",
        ],
        resumes: false,
        once: None,
    },
    Work {
        args: &[
            "run",
            "p.vta",
            "--trace-csv",
            "out/t.csv",
            "--image-out",
            "out/dram.bin",
        ],
        resumes: false,
        once: None,
    },
    Work {
        args: &["trace", "p.vta", "-o", "out/t.pftrace"],
        resumes: false,
        once: None,
    },
    Work {
        args: &["report", "p.vta", "-o", "out/r.html"],
        resumes: false,
        once: None,
    },
];

impl Work {
    /// The command, told to go on where it can.
    fn args(&self, dir: &Path) -> Vec<&str> {
        let begun = self.resumes && dir.join("out/run/checkpoint").exists();
        let more: &[&str] = if begun { &["--resume"] } else { &[] };
        [self.args, more].concat()
    }

    /// Whether there is nothing left to do.
    fn is_done(&self, dir: &Path) -> bool {
        self.once.is_some_and(|path| dir.join(path).exists())
    }

    /// What it made, by name; of what depends on time only the name.
    fn made(&self, dir: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut all = files(&dir.join(OUT), dir);
        for (name, bytes) in &mut all {
            if name.ends_with("checkpoint") || name.ends_with("times.csv") {
                bytes.clear();
            }
        }
        all
    }
}

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n.max(1)
    }
}

/// Starts the command, and sends it a signal after a time; whether that ended it.
fn killed(dir: &Path, args: &[&str], after: Duration, signal: &str) -> bool {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vta"))
        .args(args)
        .current_dir(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    std::thread::sleep(after);
    if child.try_wait().expect("it can be asked").is_some() {
        return false;
    }
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(sent.expect("kill starts").success());
    let status = child.wait().expect("it ends");
    // Asked to end, it stops and says so, ends what it was about to end anyway, or
    // did not listen yet.
    let code = status.code();
    assert!(
        matches!(code, None | Some(0 | 130)),
        "{args:?} {signal}: {status}"
    );
    code != Some(0)
}

#[cfg(unix)]
#[test]
fn whatever_is_killed_ends_with_the_same_bytes() {
    let kills: u64 =
        std::env::var("VTA_KILLS").map_or(FEW, |n| n.parse().expect("VTA_KILLS is a number"));
    let dir = folder();
    let d = dir.path();
    dense(d);
    ok(d, &["compile", "dense/model.onnx", "-o", "p.vta"]);
    let dense_files = fs::read(d.join("dense/model.onnx")).expect("a model");
    let mut dice = Dice(0x5eed);
    let mut counts = Vec::new();
    for (i, work) in ALL.iter().enumerate() {
        let share = kills / ALL.len() as u64 + u64::from((i as u64) < kills % ALL.len() as u64);
        let fresh = || {
            let _ = fs::remove_dir_all(d.join(OUT));
            fs::create_dir(d.join(OUT)).expect("a folder");
        };
        fresh();
        let start = Instant::now();
        let whole = vta(d, &work.args(d));
        assert_eq!(whole.code, 0, "{:?}: {}", work.args, whole.err);
        let length = start.elapsed().as_millis() as u64;
        let want = work.made(d);
        // It gets shorter where a command ends sooner than it did the first time.
        let mut longest = length;
        let (mut came, mut went_on, mut sent) = (0, 0, 0);
        while came < share {
            assert!(sent < MOST * share, "{:?}: it ends too soon", work.args);
            fresh();
            for turn in 0..IN_A_ROW.min(share - came) {
                if work.is_done(d) {
                    break;
                }
                let signal = ["-KILL", "-INT", "-TERM"][dice.below(3) as usize];
                let after = dice.below(longest);
                let begun = !work.made(d).is_empty();
                sent += 1;
                if killed(d, &work.args(d), Duration::from_millis(after), signal) {
                    came += 1;
                    went_on += u64::from(begun);
                } else if turn == 0 {
                    longest = after.clamp(1, longest);
                }
            }
            let code = if work.is_done(d) { 2 } else { 0 };
            let ran = vta(d, &work.args(d));
            assert_eq!(ran.code, code, "{:?}: {}", work.args, ran.err);
            let made = work.made(d);
            let names = |m: &BTreeMap<String, Vec<u8>>| m.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(&made), names(&want), "{:?}", work.args);
            for (name, bytes) in &want {
                assert!(made[name] == *bytes, "{:?}: {name}", work.args);
            }
            // Inputs are as they were, and nothing lies beside them.
            assert!(fs::read(d.join("dense/model.onnx")).expect("a model") == dense_files);
            for at in [".", "dense", "data"] {
                for entry in fs::read_dir(d.join(at)).expect("a folder") {
                    let name = entry.expect("an entry").file_name();
                    assert!(!name.to_string_lossy().starts_with(".vta"), "{at}/{name:?}");
                }
            }
        }
        counts.push(format!(
            "{}: {came} ended by a signal, {went_on} of them with something begun, {length} ms",
            work.args.join(" ")
        ));
    }
    println!("{}", counts.join("\n"));
}
