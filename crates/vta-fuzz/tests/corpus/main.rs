//! Every target over its corpus and over mutants of it: as many executions each
//! time, the same ones. `fuzz/` goes on from the same corpus without an end.

mod seeds;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use vta_fuzz::mutants::mutant;
use vta_fuzz::{TARGETS, Target, memory};
use vta_test_support::numbers::Numbers;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Where the corpus of a target is.
fn folder(target: &Target) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    root.join(target.name)
}

/// The corpus of a target, in order of names.
fn corpus(target: &Target) -> Vec<(String, Vec<u8>)> {
    let dir = folder(target);
    let entries = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut all: Vec<(String, Vec<u8>)> = entries
        .map(|e| {
            let path = e.expect("it can be listed").path();
            let name = path.file_name().expect("it has a name").to_string_lossy();
            (name.into_owned(), fs::read(&path).expect("it can be read"))
        })
        .collect();
    all.sort();
    all
}

/// How often a target is executed with mutants: about a second with overflow checks.
fn executions(target: &Target) -> usize {
    match target.name {
        "words" | "npy" | "costs" | "configuration" | "masks" | "assembly" | "exponents" => 20_000,
        "onnx_graph" | "networks" => 150,
        "onnx" | "engines" | "orders" | "traces" | "golden" | "bundle_parts" => 500,
        _ => 2_000,
    }
}

/// Runs one input; what a body says is told with the input.
fn execute(target: &Target, name: &str, data: &[u8]) {
    let ran = catch_unwind(AssertUnwindSafe(|| target.check(data)));
    if ran.is_err() {
        let file = std::env::temp_dir().join(format!("vta-fuzz-{}", target.name));
        let kept =
            fs::write(&file, data).map_or(String::new(), |()| format!(": {}", file.display()));
        panic!("{}, {name}{kept}", target.name);
    }
}

fn all_of(target: &Target) {
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "{} has no corpus", target.name);
    for (name, data) in &corpus {
        assert!(data.len() <= 1 << 14, "{name} is too long to be committed");
        execute(target, name, data);
    }
    // More of them, and other ones, for who asks.
    let asked = |name: &str| std::env::var(name).ok().and_then(|v| v.parse().ok());
    let mut numbers = Numbers::new(asked("VTA_FUZZ_SEED").unwrap_or(1));
    let times = asked("VTA_FUZZ_TIMES").unwrap_or(1) as usize;
    for n in 0..executions(target) * times {
        let (name, data) = &corpus[numbers.below(corpus.len())];
        let (_, other) = &corpus[numbers.below(corpus.len())];
        let data = mutant(data, other, &mut numbers);
        execute(target, &format!("mutant {n} of {name}"), &data);
    }
}

/// A test for each target.
macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                all_of(vta_fuzz::target(stringify!($name)).expect("a target"));
            }
        )*

        #[test]
        fn every_target_is_tested() {
            let tested = [$(stringify!($name)),*, "checkpoint"];
            for target in TARGETS {
                assert!(tested.contains(&target.name), "{} is not tested", target.name);
            }
        }
    };
}

targets!(
    words,
    assembly,
    bundle,
    bundle_parts,
    configuration,
    npy,
    exponents,
    masks,
    costs,
    golden,
    traces,
    cifar,
    idx,
    images,
    folders,
    voc,
    onnx,
    onnx_graph,
    engines,
    orders,
    networks,
);

#[cfg(feature = "train")]
#[test]
fn checkpoint() {
    all_of(vta_fuzz::target("checkpoint").expect("a target"));
}

/// `fuzz/` has each target, and no other one.
#[test]
fn the_fuzzer_has_every_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("it is committed");
    let bins = manifest.lines().filter_map(|l| l.strip_prefix("name = \""));
    let mut bins: Vec<&str> = bins.map(|l| l.trim_end_matches('"')).skip(1).collect();
    let mut names: Vec<&str> = TARGETS.iter().map(|t| t.name).collect();
    if !names.contains(&"checkpoint") {
        names.push("checkpoint");
    }
    bins.sort_unstable();
    names.sort_unstable();
    assert_eq!(bins, names);
    for name in names {
        let source = root.join(format!("fuzz_targets/{name}.rs"));
        let source = fs::read_to_string(&source).unwrap_or_else(|e| panic!("{name}: {e}"));
        let call = format!("vta_fuzz::{}.check(data)", name.to_uppercase());
        assert!(source.contains(&call), "{name}");
    }
}

/// `docs/robustness.md` has a row for each target.
#[test]
fn the_document_has_every_target() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/robustness.md");
    let page = fs::read_to_string(page).expect("it is committed");
    for t in TARGETS {
        let row = format!("| `{}` | {} |", t.name, t.what);
        assert!(page.contains(&row), "docs/robustness.md has no row {row}");
    }
}

/// The seeds are good inputs, so that mutants of them come far.
#[test]
fn seeds_are_accepted() {
    use vta_program::asm::{AsmOptions, assemble};
    for seed in seeds::of("assembly") {
        let text = String::from_utf8(seed).expect("text");
        let int8 = |_: &str| -> std::io::Result<Vec<u8>> {
            Ok(vta_tensor::npy::Npy {
                dims: vec![4],
                element: vta_tensor::npy::Element::Int(1),
                bytes: vec![1, 2, 3, 4],
            }
            .write())
        };
        let options = AsmOptions {
            read: Some(&int8),
            ..AsmOptions::default()
        };
        assemble(&text, &options).unwrap_or_else(|e| panic!("{e}"));
    }
    for seed in seeds::of("configuration") {
        let text = String::from_utf8(seed).expect("text");
        vta_program::config::HwConfig::from_json(&text, "seed").expect("a configuration");
    }
    for seed in seeds::of("costs") {
        let text = String::from_utf8(seed).expect("text");
        vta_prune::cost::CostTable::from_json(&text).expect("a table");
    }
    for seed in seeds::of("onnx") {
        vta_net::graph::onnx::import(&seed, "seed").expect("a network");
    }
    for seed in seeds::of("npy") {
        vta_tensor::npy::Npy::read(&seed).expect("an array");
    }
    for seed in seeds::of("images") {
        vta_data::decode(&seed).expect("an image");
    }
}

/// The whole corpus is small, and its seeds are those that are made here.
#[test]
fn the_corpus_is_small_and_fresh() {
    let bless = std::env::var_os("VTA_BLESS").is_some();
    let mut bytes = 0;
    for target in TARGETS {
        for (n, seed) in seeds::of(target.name).iter().enumerate() {
            let path = folder(target).join(format!("seed-{n}"));
            if bless {
                fs::create_dir_all(folder(target)).expect("folders can be made");
                fs::write(&path, seed).expect("files can be written");
            }
            let committed = fs::read(&path).unwrap_or_default();
            assert!(committed == *seed, "{} is stale", path.display());
        }
        bytes += corpus(target).iter().map(|c| c.1.len()).sum::<usize>();
    }
    assert!(bytes < 300_000, "{bytes} bytes of corpus");
}
