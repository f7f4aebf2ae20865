//! Every program of `programs/` on the simulators: it ends as its first lines
//! say, `fsim` and `tsim` give the same bytes, and the index is fresh.

use std::fmt::Write;
use std::{env, fs};
use vta_program::asm::{AsmOptions, assemble};
use vta_program::config::HwConfig;
use vta_program::mem::Dram;
use vta_program::program::Program;
use vta_sim::tsim::{NoSink, Options, Outcome, Status};
use vta_sim::{fsim, tsim};
use vta_test_support::root;

const FOLDERS: [&str; 3] = ["kernels", "sparse", "hazards"];

struct Source {
    path: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = root().join("programs");
    let mut out = Vec::new();
    for folder in FOLDERS {
        let entries = fs::read_dir(root.join(folder)).expect("the folder is there");
        let mut names: Vec<String> = entries
            .map(|e| e.expect("the folder can be read").file_name())
            .map(|n| n.to_string_lossy().into_owned())
            .collect();
        names.sort();
        for name in names {
            let path = format!("{folder}/{name}");
            let text = fs::read_to_string(root.join(&path)).expect("the program is there");
            out.push(Source { path, text });
        }
    }
    out
}

impl Source {
    /// What follows `# KEY: ` in the first lines.
    fn header(&self, key: &str) -> Option<&str> {
        let mut lines = self.text.lines().take_while(|l| l.starts_with('#'));
        lines.find_map(|l| l.strip_prefix(&format!("# {key}: ")))
    }

    /// The expected end: `ok`, `hang`, or `assert UNIT`.
    fn expected(&self, config: &str) -> &str {
        let wide = config.starts_with("wide");
        let other = wide.then(|| self.header("expect wide128, wide512"));
        let plain = self
            .header("expect")
            .expect("a program says what it expects");
        other.flatten().unwrap_or(plain)
    }

    fn program(&self, config: &str) -> Program {
        let options = AsmOptions {
            config: HwConfig::built_in(config),
            read: None,
        };
        assemble(&self.text, &options).unwrap_or_else(|e| panic!("{}: {e}", self.path))
    }
}

fn run(p: &Program) -> (Outcome, Dram) {
    let mut dram = Dram::new(p.dram_image());
    let l = p.launches().next().expect("one launch");
    let (at, n) = (l.insn_addr, l.insn_count);
    let done = tsim::run(&p.config, &mut dram, at, n, Options::default(), &mut NoSink);
    (done.expect("the program stays inside DRAM"), dram)
}

fn ended(status: &Status) -> String {
    match status {
        Status::Ok => "ok".into(),
        Status::Hang { .. } => "hang".into(),
        Status::Stopped => "stopped".into(),
        Status::Assert { module, .. } => format!("assert {module}"),
    }
}

#[test]
fn every_program_ends_as_it_says() {
    for s in sources() {
        for config in ["de10", "pynq", "wide128", "wide512"] {
            let (done, _) = run(&s.program(config));
            let seen = ended(&done.status);
            assert_eq!(seen, s.expected(config), "{} on {config}", s.path);
        }
    }
}

#[test]
fn both_simulators_give_the_same_bytes() {
    let mut compared = 0;
    for s in sources() {
        if s.expected("de10") != "ok" || s.header("data") == Some("racy") {
            continue;
        }
        let p = s.program("de10");
        let (_, timed) = run(&p);
        let mut dram = Dram::new(p.dram_image());
        let l = p.launches().next().expect("one launch");
        let limits = fsim::Limits::default();
        let done = fsim::run(&p.config, &mut dram, l.insn_addr, l.insn_count, limits);
        let done = done.expect("the program stays inside DRAM");
        assert_eq!(done.stop, fsim::Stop::Finish, "{}", s.path);
        assert!(dram == timed, "{}: fsim and tsim differ", s.path);
        compared += 1;
    }
    assert!(compared >= 13, "only {compared} programs were compared");
}

#[test]
fn the_sparse_convolution_equals_the_dense_one() {
    let all = sources();
    let output = |name: &str| {
        let s = all.iter().find(|s| s.path == name).expect("it is there");
        let p = s.program("de10");
        let (done, dram) = run(&p);
        let l = p.launches().next().expect("one launch");
        let bytes = l.outputs.iter().flat_map(|&(addr, n)| {
            let bytes = dram.read(addr.into(), n.into());
            bytes.expect("outputs are in DRAM").to_vec()
        });
        (bytes.collect::<Vec<u8>>(), done.cycles)
    };
    let dense = output("sparse/conv_dense.vtasm");
    let sparse = output("sparse/conv_sparse.vtasm");
    assert!(dense.0 == sparse.0 && dense.0.iter().any(|b| *b != 0));
    assert!(
        2 * sparse.1 < dense.1,
        "{} and {} cycles",
        dense.1,
        sparse.1
    );
}

#[test]
fn the_index_is_fresh() {
    let mut text = String::from(
        "# Programs\n\nAssembly to read, run and change: `vta run programs/kernels/gemm.vtasm`. Each file says in its\nfirst lines what it shows and how it ends. Cycles are those of `de10`.\n\n<!-- `VTA_BLESS=1 cargo test -p vta-sim programs` rewrites this file. -->\n\n| program | shows | ends | cycles | GEMM steps | ALU steps |\n| --- | --- | --- | ---: | ---: | ---: |\n",
    );
    for s in sources() {
        let (done, _) = run(&s.program("de10"));
        let first = s.text.lines().next().unwrap_or_default();
        let _ = writeln!(
            text,
            "| [{0}]({0}) | {1} | {2} | {3} | {4} | {5} |",
            s.path,
            first.trim_start_matches(['#', ' ']),
            ended(&done.status),
            done.cycles,
            done.stats.gemm_steps,
            done.stats.alu_steps
        );
    }
    let path = root().join("programs/README.md");
    if env::var_os("VTA_BLESS").is_some() {
        fs::write(&path, text).expect("the index can be written");
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "programs/README.md is stale: VTA_BLESS=1 cargo test -p vta-sim programs"
    );
}
