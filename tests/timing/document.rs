//! `docs/timing.md` and these tests name each other.

use std::collections::BTreeSet;
use std::{fs, path::Path};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// `file::name` of every test in `tests/timing/`, this file apart.
fn tests() -> BTreeSet<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/timing");
    let files = fs::read_dir(dir).expect("the folder is there");
    let names = files.map(|f| f.expect("it can be read").file_name());
    let mut found = BTreeSet::new();
    for name in names {
        let name = name.into_string().expect("names are ASCII");
        let unit = name.strip_suffix(".rs").expect("only Rust files");
        if unit == "document" {
            continue;
        }
        let source = read(&format!("tests/timing/{name}"));
        let mut is_test = false;
        for line in source.lines() {
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

/// Everything of the form `` `file::name` `` in the document.
fn named() -> BTreeSet<String> {
    let text = read("docs/timing.md");
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter(|q| q.contains("::"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn names_every_test_and_only_tests_that_exist() {
    let (tests, named) = (tests(), named());
    let missing: Vec<_> = tests.difference(&named).collect();
    let unknown: Vec<_> = named.difference(&tests).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "not in docs/timing.md: {missing:?}; not in tests/timing: {unknown:?}"
    );
}
