//! Text tests: `crates/vta-program/tests/filetests/*.vtasm`.
//!
//! A file is a source, then lines that begin with `#>`: the disassembly of the
//! program, or the mistakes with a caret under each. `VTA_BLESS=1` rewrites them.

use std::fmt::Write;
use std::{env, fs, path::Path};
use vta_program::asm::{AsmErrors, AsmOptions, assemble, disassemble};

fn shown(e: &AsmErrors) -> String {
    let mut out = String::new();
    for e in &e.0 {
        let caret = "^".repeat(e.width);
        let _ = writeln!(
            out,
            "{e}\n  {}\n  {caret:>1$}",
            e.line_text,
            e.column - 1 + e.width
        );
    }
    out
}

#[test]
fn files_say_what_comes_out() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filetests");
    let mut paths: Vec<_> = fs::read_dir(&dir)
        .expect("the folder is there")
        .map(|e| e.expect("the folder can be read").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "there are text tests");
    for path in paths {
        let text = fs::read_to_string(&path).expect("the file can be read");
        let at = text.find("\n#>").map_or(text.len(), |n| n + 1);
        let source = &text[..at];
        let got = match assemble(source, &AsmOptions::default()) {
            Ok(p) => disassemble(&p).expect("assembled programs are valid"),
            Err(e) => shown(&e),
        };
        let mut fresh = source.to_owned();
        for l in got.lines() {
            fresh += format!("#> {l}").trim_end();
            fresh += "\n";
        }
        if env::var_os("VTA_BLESS").is_some() {
            fs::write(&path, fresh).expect("the file can be written");
        } else {
            assert!(
                text == fresh,
                "{} is stale: VTA_BLESS=1 cargo test -p vta-program filetests\n{fresh}",
                path.display()
            );
        }
    }
}
