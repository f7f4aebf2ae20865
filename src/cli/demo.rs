//! `vta demo`: from training to cycles, in one command.

use super::{Cli, CliError, Output};
use clap::{Args, Parser};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use vta::files::FolderLock;
use vta::report::thousands;

/// Cycles that are left: about half of those of the dense network.
const CYCLES: &str = "42000";
/// The network and the data: small, and made by the program itself.
const MODEL: &str = "resnet-tiny";
const DATA: &str = "shapes-cls";

/// Train a small network, drop its blocks, run both on the simulated device: about a minute
#[derive(Debug, Args)]
pub struct Demo {
    /// Folder for what it makes; a run that is there already is not made again, another one is refused
    #[arg(short, long, value_name = "DIR", default_value = "vta-demo")]
    out: PathBuf,
    /// How often each image is seen, in training and again in pruning
    #[arg(long, value_name = "N", value_parser = super::number::count, default_value = "8")]
    epochs: u32,
    /// Images to train with
    #[arg(long, value_name = "N", value_parser = super::number::count, default_value = "2000")]
    limit: u32,
}

/// A command, and whether it makes what others measure.
struct Step {
    words: Vec<String>,
    makes: bool,
}

impl Step {
    fn line(&self) -> String {
        let words = self.words.iter().filter(|w| *w != "--resume");
        words.cloned().collect::<Vec<_>>().join(" ")
    }

    /// Runs the command. A run that has ended is only held against its checkpoint.
    fn run(&self) -> Result<Output, CliError> {
        // Built from fixed words, and folders and numbers that were parsed before.
        let cli = Cli::try_parse_from(&self.words).map_err(|e| CliError::new("usage", e))?;
        super::run(&cli.command)
    }
}

impl Demo {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        let _lock = FolderLock::take(&self.out)?;
        let (dense, pruned) = (self.out.join("dense"), self.out.join("pruned"));
        let mut text = String::new();
        let mut commands = Vec::new();
        let mut results: Vec<Value> = Vec::new();
        for step in self.steps(&dense, &pruned) {
            text += &format!("$ {}\n", step.line());
            commands.push(step.line());
            let output = step.run()?;
            if output.exit != 0 {
                return Ok(output);
            }
            text += &shorten(&output.text);
            text += "\n";
            if !step.makes {
                results.push(output.json);
            }
        }
        let [before, after] = &results[..] else {
            return Err(CliError::new("demo", "two networks were to be measured"));
        };
        let number = |v: &Value, path: &str| v.pointer(path).and_then(Value::as_f64);
        let all = [
            number(before, "/device/score"),
            number(after, "/device/score"),
            number(before, "/cycles/dense"),
            number(after, "/cycles/sparse"),
        ];
        let [Some(was), Some(is), Some(dense_cycles), Some(sparse_cycles)] = all else {
            return Err(CliError::new("demo", "the evaluation has no such numbers"));
        };
        let faster = dense_cycles / sparse_cycles.max(1.0);
        text += &format!(
            "on the simulated device   dense    {:>9} cycles   accuracy {:.2} %\n\
             \x20                         pruned   {:>9} cycles   accuracy {:.2} %\n\
             {faster:.2} times fewer cycles, {:+.2} points of accuracy\n\n\
             next: vta profile and vta explain show where cycles went, docs/pruning.md how to prune your own network\n",
            thousands(dense_cycles as u64),
            100.0 * was,
            thousands(sparse_cycles as u64),
            100.0 * is,
            100.0 * (is - was),
        );
        let json = json!({
            "commands": commands,
            "dense": { "cycles": dense_cycles, "accuracy": was },
            "pruned": { "cycles": sparse_cycles, "accuracy": is },
            "speedup": faster,
        });
        Ok(Output::ok(text, json))
    }

    fn steps(&self, dense: &Path, pruned: &Path) -> [Step; 4] {
        let path = |p: &Path| p.display().to_string();
        let model = dense.join("model.onnx");
        let step = |words: &[&str], makes: Option<&Path>| {
            let mut words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
            // What was begun goes on, if it is the same.
            if makes.is_some_and(|dir| dir.join("checkpoint").exists()) {
                words.push("--resume".into());
            }
            let makes = makes.is_some();
            Step { words, makes }
        };
        let folders = (dense, pruned);
        let (epochs, limit) = (self.epochs.to_string(), self.limit.to_string());
        let (dense, pruned_path, model_path) = (path(dense), path(pruned), path(&model));
        let train = [
            "vta", "train", MODEL, "--data", DATA, "--limit", &limit, "--epochs", &epochs, "-o",
            &dense,
        ];
        let prune = [
            "vta",
            "prune",
            &model_path,
            "--data",
            DATA,
            "--budget-cycles",
            CYCLES,
            "--limit",
            &limit,
            "--epochs",
            &epochs,
            "-o",
            &pruned_path,
        ];
        let eval = |dir| ["vta", "eval", dir, "--data", DATA, "--device"];
        [
            step(&train, Some(folders.0)),
            step(&prune, Some(folders.1)),
            step(&eval(&dense), None),
            step(&eval(&pruned_path), None),
        ]
    }
}

/// The first lines of a text, and the last.
fn shorten(text: &str) -> String {
    const SHOWN: usize = 12;
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= 2 * SHOWN {
        return text.to_owned();
    }
    let (head, tail) = (&lines[..SHOWN], &lines[lines.len() - SHOWN..]);
    [head, &["..."], tail].concat().join("\n") + "\n"
}
