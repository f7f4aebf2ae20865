//! `docs/timing.md` and these tests name each other; `docs/validation.md` names
//! tests that exist.

use std::collections::BTreeSet;
use std::fs;
use vta_test_support::root;

/// The rules of time.
const TIMING: &str = "crates/vta-sim/tests/sim/timing";
/// Properties.
const PROPERTIES: [&str; 3] = [
    "crates/vta-program/tests/program/properties",
    "crates/vta-sim/tests/sim/properties",
    "crates/vta-verify/tests/verify/properties",
];

fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// `file::name` of every test in a folder, this file apart.
fn tests(folder: &str) -> BTreeSet<String> {
    let dir = root().join(folder);
    let files = fs::read_dir(dir).expect("the folder is there");
    let names = files.map(|f| f.expect("it can be read").file_name());
    let mut found = BTreeSet::new();
    for name in names {
        let name = name.into_string().expect("names are ASCII");
        let unit = name.strip_suffix(".rs").expect("only Rust files");
        if ["document", "mod"].contains(&unit) {
            continue;
        }
        let source = read(&format!("{folder}/{name}"));
        let mut is_test = false;
        for line in source.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("fn ")
                && is_test
            {
                let end = rest.find('(').expect("a function has parameters");
                found.insert(format!("{unit}::{}", &rest[..end]));
            }
            is_test = line == "#[test]";
        }
    }
    found
}

/// Everything of the form `` `file::name` `` in a document.
fn named(document: &str) -> BTreeSet<String> {
    let text = read(document);
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter(|q| q.contains("::"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn names_every_test_and_only_tests_that_exist() {
    let (tests, named) = (tests(TIMING), named("docs/timing.md"));
    let missing: Vec<_> = tests.difference(&named).collect();
    let unknown: Vec<_> = named.difference(&tests).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "not in docs/timing.md: {missing:?}; not in {TIMING}: {unknown:?}"
    );
}

#[test]
fn validation_names_only_tests_that_exist() {
    let folders = [TIMING].into_iter().chain(PROPERTIES);
    let tests: BTreeSet<_> = folders.flat_map(tests).collect();
    let named = named("docs/validation.md");
    let unknown: Vec<_> = named.difference(&tests).collect();
    assert!(unknown.is_empty(), "no such tests: {unknown:?}");
}
