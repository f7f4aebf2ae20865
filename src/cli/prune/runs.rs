//! The folder of the method's table: what its runs were made with, and what each gave.

use super::rows::Row;
use crate::cli::CliError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use vta::program::atomic::write_file;

/// What a run gave, as it is kept in its folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    pub epochs: f64,
    pub images: u64,
    pub seconds: f64,
    pub float: f64,
    pub device: f64,
    pub sparsity: f64,
    pub macs: f64,
    pub cycles: u64,
}

/// A folder of runs.
pub struct Runs {
    dir: PathBuf,
    settings: Value,
}

impl Runs {
    /// What all runs of the folder were made with.
    const SETTINGS: &str = "settings.json";

    /// The folder, new or with runs that were made with the same settings.
    ///
    /// # Errors
    /// Runs that were made with others, with the first that differs; files.
    pub fn open(dir: &Path, settings: Value) -> Result<Self, CliError> {
        let then: Option<Value> = read(&dir.join(Self::SETTINGS))?;
        for (key, now) in settings.as_object().into_iter().flatten() {
            let then = then.as_ref().unwrap_or(&settings);
            if then[key] != *now {
                let what = format!("its runs were made with {key} {}, not {now}", then[key]);
                return Err(CliError::new("prune", what)
                    .of(dir)
                    .help("take another folder, or the arguments of before"));
            }
        }
        Ok(Self {
            dir: dir.to_owned(),
            settings,
        })
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
        read(&self.file(row, seed))
    }

    /// Keeps what a run gave; that stands for the run from now on.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn keep(&self, row: &Row, seed: u64, result: &Kept) -> Result<(), CliError> {
        write(&self.dir.join(Self::SETTINGS), &self.settings)?;
        write(&self.file(row, seed), result)?;
        let _ = std::fs::remove_file(self.of(row, seed).join("checkpoint"));
        Ok(())
    }
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
