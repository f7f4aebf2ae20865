//! `vta golden`: the simulator against what the hardware does.

use super::{CliError, EXIT_BAD_INPUT, EXIT_DIFFERS, Output, Paint, number};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use vta::golden::{self, Report};
use vta::printable::printable;
use vta::report::Table;

/// Run golden cases and compare with what the hardware does
#[derive(Debug, Args)]
pub struct Golden {
    /// A folder with FAMILY/NNN/case.json below it
    dir: PathBuf,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = number::count)]
    threads: Option<u32>,
}

impl Golden {
    pub(super) fn run(&self, paint: Paint) -> Result<Output, CliError> {
        let found = golden::find(&self.dir)?;
        if found.cases.is_empty() && found.unreadable.is_empty() {
            let message = format_args!("{}: no cases below it", self.dir.display());
            return Err(CliError::new("golden", message)
                .help("a case is a folder FAMILY/NNN/ with case.json and dram.bin.gz"));
        }
        let threads = match self.threads {
            Some(n) => n as usize,
            None => std::thread::available_parallelism().map_or(1, Into::into),
        };
        let report = golden::run(&found.cases, threads.min(1024), &vta::simulate::observe);
        let mut unreadable: Vec<String> =
            found.unreadable.iter().map(ToString::to_string).collect();
        unreadable.extend(report.unreadable().map(ToString::to_string));
        unreadable.dedup();
        let exit = if !unreadable.is_empty() {
            EXIT_BAD_INPUT
        } else if report.passed() {
            0
        } else {
            EXIT_DIFFERS
        };
        Ok(Output {
            exit,
            ..Output::ok(
                text(&report, &unreadable, paint),
                to_json(&report, &unreadable),
            )
        })
    }
}

fn text(report: &Report, unreadable: &[String], paint: Paint) -> String {
    let mut table = Table::new(&["family", "config", "cases", "passed", "cycles"]);
    let (mut cases, mut passed, mut cycles) = (0, 0, 0);
    for f in report.families() {
        table.row([
            f.family.into(),
            f.config.into(),
            f.cases.into(),
            f.passed.into(),
            f.cycles.into(),
        ]);
        cases += f.cases;
        passed += f.passed;
        cycles += f.cycles;
    }
    table.row([
        "all".into(),
        "".into(),
        cases.into(),
        passed.into(),
        cycles.into(),
    ]);
    let mut text = table.to_string();
    for r in &report.results {
        for d in &r.differences {
            let place = printable(&r.name);
            let what = d.to_string();
            text += &format!("{place} {}: {}\n", r.config, printable(&what));
        }
    }
    for e in unreadable {
        text += &format!("unreadable: {}\n", printable(e));
    }
    text += &if !unreadable.is_empty() {
        format!(
            "\n{}\n",
            paint.bad(&format!("{} unreadable", unreadable.len()))
        )
    } else if report.passed() {
        format!("\n{}\n", paint.good("all as the hardware"))
    } else {
        format!(
            "\n{}\n",
            paint.bad(&format!("{} of {cases} differ", cases - passed))
        )
    };
    text
}

fn to_json(report: &Report, unreadable: &[String]) -> Value {
    let families: Vec<Value> = report
        .families()
        .into_iter()
        .map(|f| {
            json!({
                "family": f.family, "config": f.config, "cases": f.cases,
                "passed": f.passed, "cycles": f.cycles,
            })
        })
        .collect();
    let different = report.results.iter().filter(|r| !r.differences.is_empty());
    let differences: Vec<Value> = different
        .map(|r| json!({ "case": r.name, "config": r.config, "differences": r.differences }))
        .collect();
    json!({
        "status": if report.passed() && unreadable.is_empty() { "ok" } else { "differs" },
        "families": families,
        "differences": differences,
        "unreadable": unreadable,
    })
}
