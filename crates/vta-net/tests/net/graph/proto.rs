//! The committed bindings say what `onnx.proto` says.

use std::{collections::BTreeSet, fs, path::Path};

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/graph/onnx");
    fs::read_to_string(path.join(name)).expect("the file can be read")
}

/// Name, number and whether repeated, of each field of the description.
fn described() -> BTreeSet<(String, u32, bool)> {
    let text = read("onnx.proto");
    let fields = text.lines().filter_map(|line| {
        let line = line.trim();
        let (left, number) = line.strip_suffix(';')?.split_once(" = ")?;
        let number = number.parse().ok()?;
        let repeated = left.starts_with("repeated ");
        let name = left.rsplit(' ').next()?;
        Some((name.to_owned(), number, repeated))
    });
    fields.collect()
}

/// The same of the generated structs and enums.
fn generated() -> BTreeSet<(String, u32, bool)> {
    let text = read("proto.rs");
    let mut out = BTreeSet::new();
    let mut number = None;
    for line in text.lines().map(str::trim) {
        if let Some((_, tag)) = line.split_once("tag = \"") {
            let tag = tag.split('"').next().and_then(|t| t.parse::<u32>().ok());
            number = tag.map(|t| (t, line.contains("repeated")));
            continue;
        }
        let Some((tag, repeated)) = number else {
            continue;
        };
        let name = match line.strip_prefix("pub ") {
            Some(field) => field.split(':').next(),
            None => line.split('(').next(), // a variant of `oneof`
        };
        let name = name.unwrap_or_default().trim_start_matches("r#");
        let snake = name.chars().flat_map(|c| {
            let underscore = c.is_ascii_uppercase().then_some('_');
            underscore.into_iter().chain([c.to_ascii_lowercase()])
        });
        let snake: String = snake.collect();
        out.insert((snake.trim_start_matches('_').to_owned(), tag, repeated));
        number = None;
    }
    out
}

#[test]
fn bindings_are_those_of_the_description() {
    let described = described();
    assert!(described.len() > 30, "{described:?}");
    assert_eq!(described, generated());
}
