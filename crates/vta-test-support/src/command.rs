//! Runs of the command-line program.

use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// What a run of the command gave.
#[derive(Debug)]
pub struct Ran {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Standard output as one JSON object.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }
}

/// Runs the program `vta` in a folder. Only tests of the package that has the
/// program know where it was built: `env!("CARGO_BIN_EXE_vta")`.
///
/// # Panics
///
/// If it does not start, is ended by a signal, or writes other text than UTF-8.
pub fn run(program: &str, dir: &Path, args: &[&str]) -> Ran {
    let output = Command::new(program)
        .args(args)
        .current_dir(dir)
        .env_remove("VTA_LOG")
        .output()
        .expect("the built command starts");
    let text = |bytes| String::from_utf8(bytes).expect("the command writes UTF-8");
    Ran {
        code: output.status.code().expect("no signal ends the command"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// As [`run`], where it has to succeed without a word on standard error.
///
/// # Panics
///
/// Also if it does not.
pub fn ok(program: &str, dir: &Path, args: &[&str]) -> Ran {
    let ran = run(program, dir, args);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}: {ran:?}");
    ran
}

/// GEMM waits for its weights, but not for its inputs.
const RACE: &[u8] = b".config de10
.data x inp len=1
.data w wgt len=1
.data u uop
  uop dst=0 src=0 wgt=0
.launch main
  load.uop dram_base=u x_size=1
  load.wgt dram_base=w x_size=1 push_next
  load.inp dram_base=x x_size=1
  gemm reset
  gemm pop_prev
  finish
";

/// A folder with what the sessions of the tests and of the manual start from:
///
/// - `two.vta`: a bundle with two launches, `one.vta`: with the first of them
/// - `dram.bin`: the image of both, instructions at 4096
/// - `finish.vtasm`: an assembly text, `race.vtasm`: one with a race
/// - `golden/fetch/000/`: a golden case
/// - `programs/`: those of the repository
///
/// # Panics
///
/// If it cannot be written.
pub fn folder() -> TempDir {
    let dir = tempfile::tempdir().expect("there is room for temporary files");
    let at = |name: &str| dir.path().join(name);
    let write =
        |name: &str, bytes: &[u8]| std::fs::write(at(name), bytes).expect("files can be written");
    let two = super::programs::two_launches();
    let mut one = two.clone();
    one.steps.truncate(1);
    two.save(&at("two.vta")).expect("the program makes sense");
    one.save(&at("one.vta")).expect("the program makes sense");
    write("dram.bin", &two.dram_image());
    write("finish.vtasm", b".config de10\n.launch main\n  finish\n");
    write("race.vtasm", RACE);
    super::golden::finish_case(&at("golden/fetch/000"));
    let from = super::root().join("programs");
    for kind in ["kernels", "hazards", "sparse"] {
        let to = at("programs").join(kind);
        std::fs::create_dir_all(&to).expect("folders can be made");
        for entry in std::fs::read_dir(from.join(kind)).expect("programs are committed") {
            let path = entry.expect("they can be listed").path();
            let name = path.file_name().expect("files have names").to_owned();
            std::fs::copy(&path, to.join(name)).expect("files can be copied");
        }
    }
    dir
}
