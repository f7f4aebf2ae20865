//! The sessions in the documents: every `$ vta` line of a `console` block (and
//! `$ cargo run --release --`, README's main job) is run, in a folder of its own for each document.
//!
//! A line `? N` right after the command is the exit code that is expected; else
//! it is 0. What is shown after it is compared with what is printed (standard
//! output, then standard error); a line `...` stands for any lines. Nothing
//! shown, nothing compared. `VTA_BLESS=1` rewrites what differs. Other lines
//! that start with `$` are not run.

use crate::support::command::{folder, vta};
use std::fs;
use std::path::{Path, PathBuf};

/// How a line of a session starts.
const COMMANDS: [&str; 2] = ["$ vta ", "$ cargo run --release -- "];

/// The documents with sessions.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).expect("there is a folder of documents");
    let mut all: Vec<PathBuf> = docs.map(|e| e.expect("it can be read").path()).collect();
    all.retain(|p| p.extension().is_some_and(|e| e == "md"));
    all.push(root.join("README.md"));
    all.retain(|p| p.exists() && (cfg!(feature = "train") || !trains(p)));
    all.sort();
    all
}

/// Whether a document trains: it is left out where that was not built in.
fn trains(path: &Path) -> bool {
    let text = fs::read_to_string(path).expect("documents can be read");
    let trains = |line: &str| {
        let command = line.strip_prefix("$ vta ").unwrap_or_default();
        let prunes = command.starts_with("prune ") && command.contains("--data");
        command.starts_with("train ") || command.starts_with("demo") || prunes
    };
    let yes = text.lines().any(trains);
    if yes && !cfg!(feature = "train") {
        println!(
            "left out, since it needs --features train: {}",
            path.display()
        );
    }
    yes
}

/// Arguments at spaces; single quotes keep spaces.
fn arguments(line: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match (c, all.last_mut()) {
            ('\'', _) => quoted = !quoted,
            (' ', _) if !quoted => all.push(String::new()),
            (c, Some(last)) => last.push(c),
            (_, None) => {}
        }
    }
    all.retain(|a| !a.is_empty());
    all
}

/// Whether what is printed is what is shown.
fn same(shown: &[&str], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((&"...", rest)) => (0..=printed.len()).any(|n| same(rest, &printed[n..])),
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(p, after)| p == line && same(rest, after)),
    }
}

/// The text of a document after its sessions, and what differed.
fn sessions(text: &str, dir: &Path) -> (String, Vec<String>) {
    let lines: Vec<&str> = text.lines().collect();
    let (mut out, mut differences) = (Vec::new(), Vec::new());
    let (mut i, mut console) = (0, false);
    while i < lines.len() {
        let line = lines[i];
        i += 1;
        out.push(line.to_owned());
        if line.starts_with("```") {
            console = line == "```console";
        }
        let command = COMMANDS.iter().find_map(|c| line.strip_prefix(c));
        let Some(command) = command.filter(|_| console) else {
            continue;
        };
        let end = lines[i..]
            .iter()
            .position(|l| l.starts_with("$ ") || l.starts_with("```"));
        let shown = &lines[i..end.map_or(lines.len(), |n| i + n)];
        i += shown.len();
        let code = shown.first().and_then(|l| l.strip_prefix("? "));
        let expected: i32 = code.map_or(0, |c| c.parse().expect("? is followed by an exit code"));
        let body = &shown[usize::from(code.is_some())..];
        let arguments = arguments(command);
        let ran = vta(
            dir,
            &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        let printed = format!("{}{}", ran.out, ran.err);
        let printed: Vec<&str> = printed.lines().collect();
        // Blank lines at the end of what is shown are layout.
        let trimmed = body.len() - body.iter().rev().take_while(|l| l.is_empty()).count();
        let agrees = body.is_empty() || same(&body[..trimmed], &printed);
        if ran.code == expected && agrees {
            out.extend(shown.iter().map(|l| (*l).to_owned()));
            continue;
        }
        differences.push(format!(
            "line {i}: vta {command}\nexit code {}, expected {expected}; it printed\n{}",
            ran.code,
            printed.join("\n")
        ));
        if ran.code != 0 {
            out.push(format!("? {}", ran.code));
        }
        if !body.is_empty() || ran.code != expected {
            out.extend(printed.iter().map(|l| (*l).to_owned()));
            out.extend(body[trimmed..].iter().map(|l| (*l).to_owned()));
        }
    }
    (out.join("\n") + "\n", differences)
}

#[test]
fn sessions_in_the_documents_are_true() {
    let mut failed = false;
    for path in documents() {
        let text = fs::read_to_string(&path).expect("documents can be read");
        let dir = folder();
        let (fresh, differences) = sessions(&text, dir.path());
        if differences.is_empty() {
            continue;
        }
        if std::env::var_os("VTA_BLESS").is_some() {
            fs::write(&path, fresh).expect("documents can be written");
            continue;
        }
        failed = true;
        for d in differences {
            eprintln!("{}: {d}\n", path.display());
        }
    }
    assert!(
        !failed,
        "VTA_BLESS=1 cargo test --test commands docs rewrites the documents"
    );
}

#[test]
fn dots_stand_for_any_lines() {
    assert!(same(&["a", "...", "d"], &["a", "b", "c", "d"]));
    assert!(same(&["..."], &[]));
    assert!(!same(&["a", "...", "d"], &["a", "b"]));
    assert_eq!(arguments("run 'a b'  c"), ["run", "a b", "c"]);
}
