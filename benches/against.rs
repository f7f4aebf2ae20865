//! This tree against an earlier commit, as ratios:
//!
//! ```sh
//! cargo bench --bench against            # the commit before; HEAD, if something is changed
//! AGAINST=v0.1 cargo bench --bench against resnet18   # another commit; only some rows
//! ```
//!
//! The earlier commit is checked out and built under `target/against`. Then the
//! rows of `sim` run in turns, first one tree, then the other, so that both see
//! the same machine. A ratio above 1 is a speed-up.

use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How often both trees take turns.
const ROUNDS: usize = 3;
const BENCH: &str = "sim";

fn main() -> Result<()> {
    let filter = env::args().skip(1).find(|a| !a.starts_with("--"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let revision = match env::var("AGAINST") {
        Ok(r) => r,
        Err(_) if git(root, &["status", "--porcelain"])?.is_empty() => "HEAD~1".into(),
        Err(_) => "HEAD".into(),
    };
    let commit = git(
        root,
        &["rev-parse", "--verify", &format!("{revision}^{{commit}}")],
    )?;
    let home = root.join("target/against");
    let tree = check_out(root, &home, &commit)?;
    println!(
        "building {}",
        git(root, &["log", "-1", "--format=%h %s", &commit])?
    );
    let before = build(&tree, &home.join("build"))?;
    println!("building this tree");
    let now = build(root, &root.join("target"))?;

    let mut ratios: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for round in 1..=ROUNDS {
        println!("round {round} of {ROUNDS}");
        let times = |exe: &Path, tree: &Path| {
            let results = home.join("criterion");
            let _ = fs::remove_dir_all(&results);
            measure(exe, tree, &results, filter.as_deref())?;
            let mut times = BTreeMap::new();
            collect(&results, &results, &mut times)?;
            Ok::<_, Box<dyn Error>>(times)
        };
        let (old, new) = (times(&before, &tree)?, times(&now, root)?);
        for (row, new) in new {
            let ratios = ratios.entry(row.clone()).or_default();
            ratios.extend(old.get(&row).map(|old| old / new));
        }
    }
    println!(
        "\n{:<46} speed against {revision}: lowest, middle, highest",
        "row"
    );
    for (row, mut r) in ratios {
        r.sort_by(f64::total_cmp);
        match r[..] {
            [] => println!("{row:<46} new"),
            _ => println!(
                "{row:<46} {:5.2} {:5.2} {:5.2}",
                r[0],
                r[r.len() / 2],
                r[r.len() - 1]
            ),
        }
    }
    Ok(())
}

fn git(dir: &Path, args: &[&str]) -> Result<String> {
    let out = Command::new("git").current_dir(dir).args(args).output()?;
    if !out.status.success() {
        return Err(format!(
            "git {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&out.stderr)
        )
        .into());
    }
    Ok(String::from_utf8(out.stdout)?.trim().to_owned())
}

/// The tree of a commit, in a work tree of its own that is used again.
fn check_out(root: &Path, home: &Path, commit: &str) -> Result<PathBuf> {
    let tree = home.join("tree");
    fs::create_dir_all(home)?;
    git(root, &["worktree", "prune"])?;
    if tree.join(".git").exists() {
        git(
            &tree,
            &["checkout", "--quiet", "--detach", "--force", commit],
        )?;
    } else {
        let path = tree.to_str().ok_or("the path is not UTF-8")?;
        git(
            root,
            &["worktree", "add", "--quiet", "--detach", path, commit],
        )?;
    }
    Ok(tree)
}

/// The program of the benchmark.
fn build(tree: &Path, target: &Path) -> Result<PathBuf> {
    let out = Command::new(env!("CARGO"))
        .current_dir(tree)
        .args([
            "bench",
            "--bench",
            BENCH,
            "--no-run",
            "--message-format=json",
        ])
        .arg("--target-dir")
        .arg(target)
        .stderr(Stdio::inherit())
        .output()?;
    if !out.status.success() {
        return Err(format!("{} does not build", tree.display()).into());
    }
    for line in String::from_utf8(out.stdout)?.lines() {
        let message: Value = serde_json::from_str(line)?;
        if message["target"]["name"] == BENCH
            && let Some(exe) = message["executable"].as_str()
        {
            return Ok(exe.into());
        }
    }
    Err(format!("{} has no benchmark {BENCH}", tree.display()).into())
}

fn measure(exe: &Path, tree: &Path, results: &Path, filter: Option<&str>) -> Result<()> {
    let status = Command::new(exe)
        .current_dir(tree)
        .args([
            "--bench",
            "--noplot",
            "--warm-up-time",
            "0.3",
            "--measurement-time",
            "1",
        ])
        .args(filter)
        .env("CRITERION_HOME", results)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{} fails", exe.display()).into()),
    }
}

/// The middle of each row's times, in nanoseconds, by its name.
fn collect(results: &Path, dir: &Path, times: &mut BTreeMap<String, f64>) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        let estimates = path.join("new/estimates.json");
        if estimates.is_file() {
            let json: Value = serde_json::from_str(&fs::read_to_string(estimates)?)?;
            let time = json["median"]["point_estimate"]
                .as_f64()
                .ok_or("no median")?;
            let row = path.strip_prefix(results)?.display().to_string();
            times.insert(row, time);
        } else {
            collect(results, &path, times)?;
        }
    }
    Ok(())
}
