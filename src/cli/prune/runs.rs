//! The folder of the method's table: what its runs were made with, and what each gave.

use super::rows::Row;
use crate::cli::{CliError, resume};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use vta::files::FolderLock;
use vta::program::atomic::write_file;
use vta::train::Identity;

/// What a run gave, as it is kept in its folder: nothing that depends on time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    pub epochs: f64,
    pub images: u64,
    pub float: f64,
    pub device: f64,
    pub sparsity: f64,
    pub macs: f64,
    pub cycles: u64,
}

/// What all runs of a folder are made with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// All that changes what is in the table.
    pub identity: Identity,
    /// The numbers of the method, as `--plan` takes them.
    pub plan: Value,
}

/// A folder of runs.
pub struct Runs {
    dir: PathBuf,
    _lock: FolderLock,
}

impl Runs {
    const SETTINGS: &str = "settings.json";

    /// The folder, new or with runs that were made with the same settings.
    ///
    /// # Errors
    /// Runs that were made with others, with all that differs; a folder with
    /// something else; files.
    pub fn open(dir: &Path, settings: &Settings, lock: FolderLock) -> Result<Self, CliError> {
        let path = dir.join(Self::SETTINGS);
        let refused = |what: String| CliError::new("prune", what).of(dir);
        let runs = Self {
            dir: dir.to_owned(),
            _lock: lock,
        };
        let Some(then) = read::<Settings>(&path)? else {
            if occupied(dir)? {
                let what = format!("is not empty, and has no {}", Self::SETTINGS);
                return Err(refused(what).help("give a folder that does not exist yet"));
            }
            write(&path, settings)?;
            return Ok(runs);
        };
        let differences = settings.identity.differences(&then.identity);
        if differences.is_empty() {
            return Ok(runs);
        }
        let all = resume::differences(&differences);
        let what = format!("its runs were made with other settings: {all}");
        Err(refused(what).help("take another folder, or what it was before"))
    }

    /// Where a run has its log, its checkpoint and its result.
    pub fn of(&self, row: &Row, seed: u64) -> PathBuf {
        self.dir.join(row.name).join(format!("seed-{seed}"))
    }

    fn file(&self, row: &Row, seed: u64) -> PathBuf {
        self.of(row, seed).join("result.json")
    }

    /// What a run gave, if it is done.
    ///
    /// # Errors
    /// A file that cannot be read, or is damaged.
    pub fn done(&self, row: &Row, seed: u64) -> Result<Option<Kept>, CliError> {
        let done = read(&self.file(row, seed))?;
        if done.is_some() {
            // What is left where the program was ended after the result was written.
            drop(FolderLock::take(&self.of(row, seed))?);
            self.forget(row, seed);
        }
        Ok(done)
    }

    /// Seconds of a run's steps, as its table of times has them.
    pub fn seconds(&self, row: &Row, seed: u64) -> Option<f64> {
        let text = std::fs::read_to_string(self.of(row, seed).join("times.csv")).ok()?;
        text.lines().last()?.rsplit(',').next()?.parse().ok()
    }

    /// A run that is done needs no checkpoint.
    fn forget(&self, row: &Row, seed: u64) {
        let _ = std::fs::remove_file(self.of(row, seed).join("checkpoint"));
    }

    /// Keeps what a run gave; that stands for the run from now on.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn keep(&self, row: &Row, seed: u64, result: &Kept) -> Result<(), CliError> {
        write(&self.file(row, seed), result)?;
        self.forget(row, seed);
        Ok(())
    }
}

/// Whether there is something in a folder; hidden files do not count.
fn occupied(dir: &Path) -> Result<bool, CliError> {
    let error = |e| CliError::file(dir, e);
    let entries = match std::fs::read_dir(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        entries => entries.map_err(error)?,
    };
    for entry in entries {
        let name = entry.map_err(error)?.file_name();
        if !name.to_string_lossy().starts_with('.') {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, CliError> {
    match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|e| CliError::new("file", e).of(path)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(CliError::file(path, e)),
    }
}

fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value).map_err(|e| CliError::new("prune", e))?;
    write_file(path, (text + "\n").as_bytes()).map_err(|e| CliError::file(path, e))
}
