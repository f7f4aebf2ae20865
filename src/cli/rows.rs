//! Rows on the command line: the file that they go to, and how work on them ends.

use super::{CliError, EXIT_STOPPED, shown};
use std::collections::BTreeMap;
use std::path::Path;
use vta::report::{Table, thousands};
use vta::rows::{Failure, Key, Outcome, Row, RowStore};
use vta::sweep::{Candidate, candidates};

/// Where rows are kept: in a file, if one is given.
///
/// # Errors
/// As [`RowStore::open`].
pub fn store(path: Option<&Path>) -> Result<RowStore, CliError> {
    Ok(path.map(RowStore::open).transpose()?.unwrap_or_default())
}

/// Computes what is not there yet. `compute` gets the store, and stops early with an
/// error; what is there then stays.
///
/// # Errors
/// That error; of work that was stopped, how far it is and how it goes on.
pub fn complete(
    store: &mut RowStore,
    keys: &[Key],
    path: Option<&Path>,
    compute: impl FnOnce(&mut RowStore) -> Result<(), vta::Error>,
) -> Result<(), CliError> {
    let done = compute(store);
    store.sync()?;
    let Err(e) = done else { return Ok(()) };
    if !matches!(e, vta::Error::Cancelled) {
        return Err(e.into());
    }
    let there = keys.iter().filter(|k| store.has(k)).count() as u64;
    let what = format!(
        "stopped after {} of {} points",
        thousands(there),
        thousands(keys.len() as u64)
    );
    let help = match path {
        Some(path) => format!(
            "the same command goes on: {} has the rows so far",
            shown(path)
        ),
        None => "with -o FILE rows are kept, and the same command goes on".to_owned(),
    };
    let mut error = CliError::new("cancelled", what).help(help);
    error.exit = EXIT_STOPPED;
    Err(error)
}

/// The rows of these points that are there, in order.
pub fn of<'a>(store: &'a RowStore, keys: &[Key]) -> Vec<&'a Row> {
    keys.iter().filter_map(|k| store.get(k)).collect()
}

/// How many rows have no result.
pub fn failed(rows: &[&Row]) -> usize {
    let is_failed = |r: &&&Row| matches!(r.outcome, Outcome::Error(_));
    rows.iter().filter(is_failed).count()
}

/// All configurations of some texts: folders, files, names, grids.
///
/// # Errors
/// As [`candidates`].
pub fn configs(texts: &[String]) -> Result<Vec<Candidate>, CliError> {
    let mut all = Vec::new();
    for text in texts {
        all.extend(candidates(text)?);
    }
    Ok(all)
}

/// Why rows have no result, and how often; the most frequent reason first.
pub fn reasons(rows: &[&Row]) -> String {
    let mut counts = BTreeMap::<&Failure, u64>::new();
    for row in rows {
        if let Outcome::Error(failure) = &row.outcome {
            *counts.entry(failure).or_default() += 1;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let mut table = Table::new(&["points", "kind", "why there is no result"]);
    for (failure, n) in counts {
        table.row([
            n.into(),
            failure.kind.as_str().into(),
            failure.message.as_str().into(),
        ]);
    }
    match table.is_empty() {
        true => String::new(),
        false => format!("\n{table}"),
    }
}

/// A line about the file.
pub fn file_line(path: Option<&Path>, store: &RowStore) -> String {
    match path {
        Some(path) => format!(
            "\n{}: {} rows\n",
            shown(path),
            thousands(store.rows().len() as u64)
        ),
        None => "\n-o FILE keeps the rows\n".into(),
    }
}

/// Rows as they stand in a file, for `--json`.
pub fn json(rows: &[&Row]) -> serde_json::Value {
    rows.iter().map(|row| row.to_json()).collect()
}
