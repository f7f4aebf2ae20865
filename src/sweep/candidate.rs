//! Configurations that are asked for, whether they are hardware or not.

use super::ConfigsError;
use super::grid::Grid;
use crate::rows::Failure;
use crate::{Error, files};
use serde_json::{Map, Value};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use vta_program::config::{ConfigError, ConfigProblem, HwConfig};

/// Largest file of a configuration that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// A configuration that is asked for: hardware, or why it is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    name: String,
    keys: Map<String, Value>,
    config: Result<HwConfig, ConfigProblem>,
}

impl Candidate {
    /// With the keys that were given: those of hardware are completed.
    pub(super) fn new(
        name: String,
        given: Map<String, Value>,
        config: Result<HwConfig, ConfigProblem>,
    ) -> Self {
        let keys = config.as_ref().map_or(given, HwConfig::to_keys);
        Self { name, keys, config }
    }

    /// What it is called: a built-in name, a file, or the text of a grid with this one.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its keys, as a `vta_config.json` file has them.
    pub const fn keys(&self) -> &Map<String, Value> {
        &self.keys
    }

    /// The hardware, or why rows on it have no result.
    pub(crate) fn hardware(&self) -> Result<&HwConfig, Failure> {
        self.config.as_ref().map_err(|problem| Failure {
            kind: "config".into(),
            message: problem.to_string(),
        })
    }

    /// The hardware, or what is wrong.
    pub const fn config(&self) -> &Result<HwConfig, ConfigProblem> {
        &self.config
    }
}

impl From<HwConfig> for Candidate {
    fn from(config: HwConfig) -> Self {
        let (name, keys) = (config.name.clone(), config.to_keys());
        let checked = config.check();
        Self::new(name, keys, checked.map(|()| config))
    }
}

/// The configurations that a text names: a built-in name, a file, all files `.json` of a
/// folder in the order of their names, or a [`Grid`].
///
/// Keys that contradict each other or are out of range make a candidate that is no
/// hardware.
///
/// # Errors
/// No such file, a file that is no configuration, a grid with a mistake.
pub fn candidates(text: &str) -> Result<Vec<Candidate>, Error> {
    let path = Path::new(text);
    if path.is_dir() {
        return of_folder(path);
    }
    if text.contains('=') && !path.exists() {
        return text.parse::<Grid>()?.candidates();
    }
    Ok(vec![of_name(text)?])
}

fn of_folder(dir: &Path) -> Result<Vec<Candidate>, Error> {
    let error = |e| Error::file(dir, e);
    let mut paths = Vec::<PathBuf>::new();
    for entry in std::fs::read_dir(dir).map_err(error)? {
        paths.push(entry.map_err(error)?.path());
    }
    paths.retain(|p| p.is_file() && p.extension() == Some(OsStr::new("json")));
    paths.sort();
    if paths.is_empty() {
        return Err(ConfigsError::NoFiles(dir.to_owned()).into());
    }
    paths
        .iter()
        .map(|p| of_name(&p.display().to_string()))
        .collect()
}

fn of_name(name: &str) -> Result<Candidate, Error> {
    use ConfigProblem::{Bus, Inconsistent, Range};
    match HwConfig::load(name) {
        Ok(config) => Ok(Candidate::from(config)),
        Err(ConfigError {
            problem: problem @ (Range { .. } | Bus { .. } | Inconsistent { .. }),
            ..
        }) => {
            // It was read as keys: it can be again.
            let bytes = files::read(Path::new(name), MAX_FILE)?;
            let keys = serde_json::from_slice(&bytes).unwrap_or_default();
            Ok(Candidate::new(name.into(), keys, Err(problem)))
        }
        Err(e) => Err(e.into()),
    }
}
